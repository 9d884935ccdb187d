/// Which of a mailbox's rows are meant.
public enum MailboxPart: Hashable, Sendable {
    /// Those of `mail_item`: what is in the mailbox.
    case mailbox
    /// Those of `mail_item_dumpster`: what can still be recovered.
    case dumpster
}

/// One mailbox as of one moment, while its server works on (formats/zimbra-datastore.md, section 6).
///
/// Calls block and belong to one thread; one ends before the next begins. Good only inside `MailSource.withMailbox`.
public protocol MailboxPicture {
    /// The mailbox's row.
    var row: MailboxRow { get }

    /// Every change with this number or a lower one is in the picture, and no later one: the highest of the rows, the tombstones and
    /// the mailbox's own row.
    var change: Int64 { get }

    /// Rows of `tag` with a positive id.
    func tags() throws -> [TagRow]

    /// Hands out the id of each item and the number of its last change, in any order and without reading whole rows.
    func numbers(in part: MailboxPart, _ body: (_ id: Int64, _ modMetadata: Int64) throws -> Void) throws

    /// Hands out whole rows, each with its former versions where it is a document: folders before what they hold, and conversations
    /// before their messages. Of the dumpster, former versions are left out.
    ///
    /// Memory stays bounded whatever the mailbox's size.
    ///
    /// - Parameter ids: only these, in any order; nil = all.
    func items(in part: MailboxPart, _ ids: [Int64]?, _ body: (ItemRow, [RevisionRow]) throws -> Void) throws

    /// Rows of `mailbox_metadata`: sections and their texts.
    func sections() throws -> [(name: String, text: String)]
}

/// One piece of a mailbox's inventory, in the order of `MailSource.readMailbox`.
public enum MailboxElement: Sendable {
    /// A row of `tag` with a positive id.
    case tag(TagRow)
    /// A row of `mail_item`.
    case item(ItemRow)
    /// A row of `revision`.
    case revision(RevisionRow)
    /// A row of the dumpster.
    case dumpster(ItemRow)
    /// A row of `mailbox_metadata`: section and its text.
    case section(name: String, text: String)
}

/// What `MailSource.readMailbox` saw besides the elements.
public struct MailboxSnapshot: Hashable, Sendable {
    /// The mailbox's row at that moment.
    public var row: MailboxRow
    /// Every change with this number or a lower one is in the picture, and no later one.
    public var change: Int64

    /// A snapshot made of its parts.
    public init(row: MailboxRow, change: Int64) {
        self.row = row
        self.change = change
    }
}

extension MailboxPicture {
    /// Hands out the mailbox whole: tags, then items with their former versions, dumpster, sections.
    ///
    /// - Returns: what names the moment.
    public func forEachElement(_ body: (MailboxElement) throws -> Void) throws -> MailboxSnapshot {
        for tag in try tags() { try body(.tag(tag)) }
        try items(in: .mailbox, nil) { row, revisions in
            try body(.item(row))
            for revision in revisions { try body(.revision(revision)) }
        }
        try items(in: .dumpster, nil) { row, _ in try body(.dumpster(row)) }
        for section in try sections() { try body(.section(name: section.name, text: section.text)) }
        return MailboxSnapshot(row: row, change: change)
    }
}

extension MailSource {
    /// Hands out one mailbox whole as of one moment.
    ///
    /// - Returns: what names the moment; nil when the mailbox is gone.
    public func readMailbox(_ mailboxID: Int64, _ body: (MailboxElement) throws -> Void) throws -> MailboxSnapshot? {
        try withMailbox(mailboxID) { try $0.forEachElement(body) }
    }
}

extension [ItemRow] {
    /// Folders, parents before what they hold; what hangs on nothing is of the mailbox all the same, and comes last.
    package var parentsFirst: [ItemRow] {
        var byParent: [Int64: [ItemRow]] = [:]
        var result: [ItemRow] = []
        for row in self {
            if row.folderID == row.id { result.append(row) } else { byParent[row.folderID ?? 0, default: []].append(row) }
        }
        var next = 0
        while next < result.count {
            result += byParent.removeValue(forKey: result[next].id) ?? []
            next += 1
        }
        return result + byParent.sorted { $0.key < $1.key }.flatMap(\.value)
    }
}
