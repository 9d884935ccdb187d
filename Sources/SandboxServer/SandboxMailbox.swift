import BackupCore
import GRDB

/// A mailbox of a sandbox server: what a user's mail program can do with it.
public struct SandboxMailbox: Sendable {
    /// The server that it lives on.
    public let server: SandboxServer
    /// Its number on the server.
    public let mailboxID: Int64
    /// The account that it belongs to.
    public let accountID: String

    /// Reads rows as of one moment.
    func read<Result>(_ body: (Database) throws -> Result) throws -> Result { try server.database.read(body) }

    /// An item's row; nil when there is none.
    public func item(_ id: Int64) throws -> ItemRow? { try read { try ItemTable.items.item(id, mailbox: mailboxID, in: $0) } }

    /// All rows, or those in a folder, by id.
    public func items(inFolder folder: Int64? = nil) throws -> [ItemRow] {
        try read { database in
            if let folder {
                return try ItemTable.items.items(mailbox: mailboxID, where: "folder_id = ? AND id <> folder_id", [folder], in: database)
            }
            return try ItemTable.items.items(mailbox: mailboxID, in: database)
        }
    }

    /// The number of the last change, also of one that left no trace in the tables.
    public func lastChange() throws -> Int64 {
        try read { database in
            let progress = try Int64.fetchOne(
                database, sql: "SELECT change_id FROM sandbox_progress WHERE mailbox_id = ?", arguments: [mailboxID])
            return try progress ?? MailboxState.row(mailboxID, in: database)?.0.changeCheckpoint ?? 0
        }
    }

    /// The rows of the dumpster, by id.
    public func dumpster() throws -> [ItemRow] { try read { try ItemTable.dumpster.items(mailbox: mailboxID, in: $0) } }

    /// The folder at an absolute path such as `/Inbox/Work`; nil when there is none.
    public func folder(at path: String) throws -> Int64? {
        try read { try MailboxState(loading: mailboxID, from: $0, counters: .asStored)?.folder(at: path) }
    }

    /// The absolute path of a folder.
    public func path(ofFolder id: Int64) throws -> String? {
        try read { database in
            guard let state = try MailboxState(loading: mailboxID, from: database, counters: .asStored), state.folders[id] != nil else { return nil }
            return state.path(of: id)
        }
    }
}
