import BackupCore
import BackupStore
import SandboxServer
import SystemPackage

/// A mailbox's tables and contents as they were at a moment.
public struct MailboxNote: CustomStringConvertible {
    /// How many operations of the life were done.
    public var place: Int
    /// The account's id.
    public var account: String
    /// The mailbox's number.
    public var mailbox: Int64
    /// The last change then.
    public var change: Int64
    /// What the tables held, by id: rows of items with their revisions, and tags.
    public var states: [Int64: ItemState] = [:]
    /// The sections of the mailbox's settings.
    public var sections: [String: String] = [:]
    /// Whether a restore made what is in it.
    public var isRestored = false
    /// The bytes of every content and former version in the store, by the digest in its row.
    public var contents: [String: [UInt8]] = [:]

    /// Which mailbox when, in words.
    public var description: String { "mailbox \(mailbox) after operation \(place), change \(change)" }

    /// Reads a mailbox. `earlier` are notes whose contents need not be read again.
    init(of row: MailboxRow, after place: Int, on server: SandboxServer, earlier: [MailboxNote] = []) throws {
        self.place = place
        account = row.accountID
        mailbox = row.id
        change = try server.openMailbox(row.accountID).lastChange()
        var noted: [Int64: ItemState] = [:]
        var sections: [String: String] = [:]
        var locations: [String: BlobLocation] = [:]
        _ = try server.readMailbox(row.id) { element in
            switch element {
            case .item(let item):
                noted[item.id] = ItemState(row: item)
                locations[item.blobDigest ?? ""] = BlobLocation(
                    mailboxID: row.id, itemID: item.id, modContent: item.modContent, locator: item.locator, size: item.size,
                    digest: item.blobDigest)
            // The ids of tags that no record creates are in no log.
            case .tag(let tag) where tag.listed: noted[tag.id] = ItemState(tag: tag)
            case .revision(let revision):
                noted[revision.itemID]?.revisions.append(.init(row: revision, blob: nil))
                locations[revision.blobDigest ?? ""] = BlobLocation(
                    mailboxID: row.id, itemID: revision.itemID, modContent: revision.modContent, locator: revision.locator,
                    size: revision.size, digest: revision.blobDigest)
            case .section(let name, let text): sections[name] = text
            default: break
            }
        }
        states = noted
        self.sections = sections
        for (digest, location) in locations where !digest.isEmpty {
            contents[digest] = try earlier.lazy.compactMap { $0.contents[digest] }.first ?? Self.bytes(server.openBlob(location))
        }
    }

    private static func bytes(_ read: ByteReader) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = try buffer.withUnsafeMutableBytes { try read($0) }
            guard count > 0 else { return bytes }
            bytes += buffer[..<count]
        }
    }

    // MARK: The history

    /// How the mailbox selected from the history as of then differs from what was noted.
    func differences(in store: any StoreReading, _ backup: inout BackedUpContents) throws -> [String] {
        let selection = try Selection(account: account, at: .change(change), in: store)
        var differences: [String] = []
        var rest = states
        try selection.forEachItem(in: store) { found in
            let what = "\(found.row.type.name) \(found.row.id)"
            guard let expected = rest.removeValue(forKey: found.row.id) else {
                if found.tag?.listed == false { return }
                if found.mayBeGone {
                    // No log tells what a purge by age takes (R15): the item says so itself, and the account's mark names it.
                    let isMarked = selection.marks.contains { $0.candidates.contains(found.row.id) }
                    return isMarked ? () : differences.append("\(what) is in no mark")
                }
                return differences.append("\(what) is too many")
            }
            differences += ItemComparison.differences(expected: expected, found: found, marks: selection.marks, isRestored: isRestored)
            let contents = [(expected.row.blobDigest, found.blob)]
                + zip(expected.revisions, found.revisions).map { ($0.row.blobDigest, $1.blob) }
            for (digest, blob) in contents {
                guard let digest, let blob, try backup.bytes(of: blob.id, in: store) != self.contents[digest] else { continue }
                differences.append("\(what): another content than \(digest)")
            }
        }
        let life = try store.history(of: .mailbox(account)).state(at: selection.cut.sequence)
            .flatMap { MailboxLife(accountID: account, fields: $0.fields) }
        if life?.sections != sections { differences.append("sections \(life?.sections ?? [:]), not \(sections)") }
        return differences + rest.values.map { "\($0.row.type.name) \($0.row.id) is missing" }
    }

    // MARK: A restore

    /// Restores the mailbox as of then into a new account; how it differs from what was noted, and which account it is.
    ///
    /// - Parameter begun: called when the new mailbox is there, and nothing in it yet.
    func restore(
        from store: any StoreReading, to server: SandboxServer, _ stateFolder: FilePath, begun: () throws -> Void
    ) throws -> (differences: [String], account: String) {
        let destination = "restored\(place).\(mailbox)@example.com"
        let restore = RestoreOnNewAccount(source: account, destination: destination, moment: .change(change))
        _ = try restore.run(from: store, to: server, stateFolder: stateFolder) { true }
        try begun()
        let report = try restore.run(from: store, to: server, stateFolder: stateFolder)
        let unrestored = report.unrestored.filter { states[$0.id] != nil }
        let differences = try unrestored.map { "item \($0.id): \($0.reason.rawValue): \($0.detail)" }
            + rows.differences(restoredBy: report, in: store, on: server, stateFolder: stateFolder) { contents[$0] }
        return (differences, report.destination.id)
    }

    private var rows: RecordedLife.Mailbox {
        let sorted = states.values.sorted { $0.row.id < $1.row.id }
        return RecordedLife.Mailbox(
            id: mailbox, accountID: account, lastChange: change, items: sorted.filter { $0.tag == nil }.map(\.row),
            revisions: sorted.flatMap { $0.revisions.map(\.row) }, tags: sorted.compactMap(\.tag))
    }
}

/// The bytes of contents in the backup path, each read once.
struct BackedUpContents {
    private var known: [BlobID: [UInt8]] = [:]

    mutating func bytes(of id: BlobID, in store: any StoreReading) throws -> [UInt8] {
        if let bytes = known[id] { return bytes }
        let bytes = try store.blobBytes(id)
        known[id] = bytes
        return bytes
    }
}
