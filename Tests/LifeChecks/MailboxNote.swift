import BackupCore
import BackupStore
import SandboxServer
import SystemPackage

/// A mailbox's tables as they were at a moment.
struct MailboxNote: CustomStringConvertible {
    /// How many operations of the life were done.
    var place: Int
    var account: String
    var mailbox: Int64
    /// The last change then.
    var change: Int64
    var states: [Int64: ItemState] = [:]
    var image: MailboxImage

    var description: String { "mailbox \(mailbox) after operation \(place), change \(change)" }

    init(of row: MailboxRow, after place: Int, on server: SandboxServer) throws {
        self.place = place
        account = row.accountID
        mailbox = row.id
        change = try server.openMailbox(row.accountID).lastChange()
        image = try MailboxImage(of: row.id, in: server)
        var noted: [Int64: ItemState] = [:]
        _ = try server.readMailbox(row.id) { element in
            switch element {
            case .item(let item): noted[item.id] = ItemState(row: item)
            // The ids of tags that no record creates are in no log.
            case .tag(let tag) where tag.listed: noted[tag.id] = ItemState(tag: tag)
            case .revision(let revision): noted[revision.itemID]?.revisions.append(.init(row: revision, blob: nil))
            default: break
            }
        }
        states = noted
    }

    // MARK: The history

    /// How the mailbox selected from the history as of then differs from the tables.
    func differences(in store: any StoreReading) throws -> [String] {
        let selection = try Selection(account: account, at: .change(change), in: store)
        var differences: [String] = []
        var rest = states
        try selection.forEachItem(in: store) { found in
            guard let expected = rest.removeValue(forKey: found.row.id) else {
                if found.tag?.listed == false { return }
                return differences.append("\(found.row.type.name) \(found.row.id) is too many")
            }
            differences += ItemComparison.differences(expected: expected, found: found)
        }
        return differences + rest.values.map { "\($0.row.type.name) \($0.row.id) is missing" }
    }

    // MARK: A restore

    /// Restores the mailbox as of then into a new account; how it differs from what was noted.
    func restore(from store: any StoreReading, to server: SandboxServer, _ stateFolder: FilePath) throws -> [String] {
        let destination = "restored\(place).\(mailbox)@example.com"
        let report = try RestoreOnNewAccount(source: account, destination: destination, moment: .change(change))
            .run(from: store, to: server, stateFolder: stateFolder)
        let differences = report.unrestored.map { "item \($0.id): \($0.reason.rawValue): \($0.detail)" }
        let actual = try MailboxImage(of: server.openMailbox(destination).mailboxID, in: server)
        let comparison = MailboxComparison(expected: image, actual: actual)
        return differences + comparison.differences
    }
}
