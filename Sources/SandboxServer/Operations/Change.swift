import BackupCore
import GRDB
import RedoLog
import SystemPackage

/// What an operation hands to the redo log.
struct Logged {
    var operation: Operation
    var body: LoggedBody?
    /// What the same rows took besides: transactions of their own, under the change numbers that follow.
    var then: [Logged] = []

    init(_ operation: Operation, body: LoggedBody? = nil) {
        self.operation = operation
        self.body = body
    }
}

/// One operation on a mailbox while it runs: a change number, an open database transaction, and a copy of the mailbox's state.
///
/// All writes of rows go through it, so that folder and tag counters, `tagged_item`, the mailbox's size and the checkpoints follow
/// by themselves (formats/zimbra-datastore.md, section 5).
final class Change {
    var state: MailboxState
    /// The change number.
    let number: Int64
    /// Milliseconds: the start record's time stamp.
    let time: Int64
    let database: Database
    unowned let server: SandboxServer
    private let before: MailboxState
    private var dirtyFolders: Set<Int64> = []
    private var dirtyTags: Set<String> = []
    /// Deleted items for the tombstones: type code → ids with uuids.
    private var buried: [Int: [String]] = [:]
    /// Blob files to remove after the commit.
    var removals: [FilePath] = []
    /// Blob files that this operation made: removed if it fails.
    var made: [FilePath] = []

    var mailbox: Int64 { state.row.id }
    var seconds: Int64 { time / 1000 }

    init(state: MailboxState, time: Int64, database: Database, server: SandboxServer) {
        before = state
        self.state = state
        self.state.lastChange += 1
        number = self.state.lastChange
        self.time = time
        self.database = database
        self.server = server
    }

    func nextItemID() -> Int64 {
        state.lastItemID += 1
        return state.lastItemID
    }

    func failure(_ code: SandboxError.Code, _ reason: String) -> SandboxError {
        SandboxError(code, doing: "mailbox \(mailbox)", reason: reason)
    }
}

// MARK: - Rows

extension Change {
    func find(_ id: Int64) throws -> ItemRow? {
        if let folder = state.folders[id] { return folder.row }
        return try ItemTable.items.item(id, mailbox: mailbox, in: database)
    }

    func item(_ id: Int64) throws -> ItemRow {
        guard let row = try find(id) else { throw failure(.noSuchItem, "there is no item \(id)") }
        return row
    }

    func folder(_ id: Int64) throws -> FolderState {
        guard let folder = state.folders[id] else { throw failure(.noSuchItem, "there is no folder \(id)") }
        return folder
    }

    /// The row with this operation's number and time.
    func touched(_ row: ItemRow, content: Bool = false) -> ItemRow {
        var row = row
        row.modMetadata = number
        row.changeDate = seconds
        if content { row.modContent = number }
        return row
    }

    func insert(_ row: ItemRow) throws {
        if row.type.isContainer { state.folders[row.id] = try FolderState(row) }
        try ItemTable.items.insert(row, mailbox: mailbox, in: database)
        try count(row, 1)
        try TagTable.change(item: row.id, from: [], to: TagTable.ids(of: row, in: state), mailbox: mailbox, in: database)
        if row.type.countsInFolder, let folder = row.folderID, row.imapID != nil {
            let next = state.lastItemID + 1
            state.folders[folder]?.metadata["unxt"] = .integer(next)
        }
    }

    /// Writes a changed row that is no folder's; counters follow.
    func update(_ old: ItemRow, to new: ItemRow) throws {
        precondition(!new.type.isContainer, "folders are changed by editFolder")
        try ItemTable.items.update(new, mailbox: mailbox, in: database)
        try count(old, -1)
        try count(new, 1)
        let oldTags = TagTable.ids(of: old, in: state)
        let newTags = TagTable.ids(of: new, in: state)
        if oldTags != newTags { try TagTable.change(item: new.id, from: oldTags, to: newTags, mailbox: mailbox, in: database) }
    }

    /// Changes a folder's metadata and row as one visible change.
    func editFolder(_ id: Int64, content: Bool = false, _ body: (inout FolderState) throws -> Void) throws {
        var folder = try self.folder(id)
        try body(&folder)
        folder.metadata["mdver"] = .integer((folder.metadata.integer("mdver") ?? 1) + 1)
        folder.row = touched(folder.row, content: content)
        state.folders[id] = folder
        dirtyFolders.insert(id)
    }

    /// Takes a row away for good: dumpster, tombstone, counters, blob.
    func delete(_ row: ItemRow) throws {
        try ItemTable.items.delete(row.id, mailbox: mailbox, in: database)
        try count(row, -1)
        try TagTable.change(item: row.id, from: TagTable.ids(of: row, in: state), to: [], mailbox: mailbox, in: database)
        try database.cachedStatement(sql: "DELETE FROM open_conversation WHERE mailbox_id = ? AND conv_id = ?")
            .execute(arguments: [mailbox, row.id])
        buried[row.type.rawValue, default: []].append(row.uuid.map { "\(row.id):\($0)" } ?? "\(row.id)")
        if row.type.isContainer {
            state.folders[row.id] = nil
            dirtyFolders.remove(row.id)
        }
        let keeps = try row.type.goesToDumpster && row.folderID != FolderID.drafts && server.keepsDumpster(state.row.accountID, in: database)
        if keeps {
            var kept = row
            kept.modMetadata = number
            kept.changeDate = seconds
            try ItemTable.dumpster.insert(kept, mailbox: mailbox, in: database)
        } else if row.blobDigest != nil {
            removals.append(try server.path(of: row, mailbox: mailbox, in: database))
        }
        try deleteParts(of: row, keeps: keeps)
    }

    /// Counts an item in or out of its folder, its tags and the mailbox.
    private func count(_ row: ItemRow, _ sign: Int64) throws {
        guard row.type.countsInFolder else { return }
        let unread = row.unread ?? 0
        state.size += sign * row.size
        if row.type == .contact, let known = state.row.contactCount { state.row.contactCount = known + sign }
        if let id = row.folderID, var folder = state.folders[id] {
            folder.row.size += sign
            if folder.countsNothing {
                state.folders[id] = folder
                dirtyFolders.insert(id)
                return
            }
            folder.row.unread = (folder.row.unread ?? 0) + sign * unread
            folder.bytes += sign * row.size
            folder.metadata["mseq"] = .integer(number)
            state.folders[id] = folder
            dirtyFolders.insert(id)
        }
        for name in row.tags {
            let key = name.lowercased()
            guard state.tags[key] != nil else { continue }
            state.tags[key]?.itemCount += sign
            state.tags[key]?.unread += sign * unread
            dirtyTags.insert(key)
        }
    }
}

// MARK: - Tags

extension Change {
    func markTag(_ key: String) { dirtyTags.insert(key) }

    func forgetTag(_ key: String) { dirtyTags.remove(key) }

    func buryTag(_ id: Int64) { buried[ItemType.tag.rawValue, default: []].append("\(id)") }

    /// Creates tags that are not there, unlisted, and returns the names as the mailbox spells them.
    func resolve(tags names: [String]) throws -> [String] {
        var result: [String] = []
        for name in names {
            let key = name.lowercased()
            if state.tags[key] == nil {
                guard Names.isTag(name) else { throw failure(.invalidName, "\"\(name)\" is no tag's name") }
                let tag = TagState(row: TagRow(id: nextItemID(), name: name, color: 0, listed: false, sequence: number))
                state.tags[key] = tag
                // At once: rows of tagged_item refer to it.
                try TagTable.save(tag, mailbox: mailbox, in: database)
            }
            if !result.contains(where: { $0.lowercased() == key }) { result.append(state.tags[key]?.row.name ?? name) }
        }
        return result
    }
}

// MARK: - The end

extension Change {
    /// Writes what is still in memory: folders, tags, tombstones, the mailbox row.
    func finish() throws {
        for id in dirtyFolders.sorted() {
            guard var folder = state.folders[id] else { continue }
            folder.row.metadata = folder.metadata.text()
            state.folders[id] = folder
            try ItemTable.items.update(folder.row, mailbox: mailbox, in: database)
        }
        for key in dirtyTags.sorted() {
            if let tag = state.tags[key] { try TagTable.save(tag, mailbox: mailbox, in: database) }
        }
        if state.row.trackingSync > 0 {
            for (type, ids) in buried.sorted(by: { $0.key < $1.key }) {
                try database.cachedStatement(
                    sql: "INSERT INTO tombstone (mailbox_id, sequence, date, type, ids) VALUES (?, ?, ?, ?, ?)"
                ).execute(arguments: [mailbox, number, seconds, type, ids.joined(separator: ",")])
            }
        }
        try database.cachedStatement(sql: "INSERT OR REPLACE INTO sandbox_progress VALUES (?, ?, ?)")
            .execute(arguments: [mailbox, state.lastChange, state.lastItemID])
        let isDue = state.size != before.size || state.newMessages != before.newMessages || state.row != before.row
            || state.lastItemID / MailboxState.itemStep != state.row.itemIDCheckpoint / MailboxState.itemStep
            || state.lastChange / MailboxState.changeStep != state.row.changeCheckpoint / MailboxState.changeStep
        guard isDue else { return }
        state.row.itemIDCheckpoint = state.lastItemID
        state.row.changeCheckpoint = state.lastChange
        state.row.sizeCheckpoint = state.size
        try database.cachedStatement(
            sql: """
                UPDATE mailbox SET item_id_checkpoint = ?, change_checkpoint = ?, size_checkpoint = ?, new_messages = ?,
                tracking_sync = ?, tracking_imap = ?, comment = ?, contact_count = ? WHERE id = ?
                """
        ).execute(arguments: [
            state.lastItemID, state.lastChange, state.size, state.newMessages, state.row.trackingSync, state.row.trackingImap,
            state.row.comment, state.row.contactCount, mailbox,
        ])
    }
}

/// Ids of folders that every mailbox has (formats/zimbra-items.md, section 1).
enum FolderID {
    static let userRoot: Int64 = 1
    static let inbox: Int64 = 2
    static let trash: Int64 = 3
    static let junk: Int64 = 4
    static let sent: Int64 = 5
    static let drafts: Int64 = 6
    static let contacts: Int64 = 7
    static let conversations: Int64 = 9
    static let calendar: Int64 = 10
    static let root: Int64 = 11
    static let chats: Int64 = 14
    static let tasks: Int64 = 15
    static let briefcase: Int64 = 16
    static let comments: Int64 = 17
    static let sharedFiles: Int64 = 20
}

/// What names may look like.
enum Names {
    /// A tag's name: 1 to 128 characters, no `:` or `\`, nothing that a NUL-delimited list cannot hold.
    static func isTag(_ name: String) -> Bool {
        !name.isEmpty && name.unicodeScalars.count <= 128 && !name.unicodeScalars.contains { $0 == ":" || $0 == "\\" || $0.value < 32 }
    }

    /// A folder's name: 1 to 128 characters, no `/`, `"` or `:`, no space at the ends.
    static func isFolder(_ name: String) -> Bool {
        !name.isEmpty && name.unicodeScalars.count <= 128 && name.first != " " && name.last != " "
            && !name.unicodeScalars.contains { $0 == "/" || $0 == "\"" || $0 == ":" || $0.value < 32 || $0.value > 0xFFFF }
    }

    /// An address: one `@` with something before and after it, no spaces.
    static func isAddress(_ name: String) -> Bool {
        let parts = name.utf8.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
        return parts.count == 2 && !parts[0].isEmpty && !parts[1].isEmpty && !name.utf8.contains { $0 <= 32 || $0 == UInt8(ascii: "/") }
    }
}

extension ItemType {
    /// Whether items of this type count in their folder's size: leaves do.
    var countsInFolder: Bool { !isContainer && self != .conversation && self != .tag }
}
