import BackupCore
import GRDB
import RedoLog

/// Creating and deleting mailboxes (formats/zimbra-redolog.md, section 7.2).
extension SandboxServer {
    private struct SystemFolder {
        var id: Int64
        var name: String
        var view: Int64?
        var parent = FolderID.userRoot
        var attributes: Int64 = 1
        var flags: Flags = []
    }

    private static let systemFolders = [
        SystemFolder(id: 1, name: "USER_ROOT", view: nil, parent: 11), SystemFolder(id: 2, name: "Inbox", view: 5),
        SystemFolder(id: 3, name: "Trash", view: nil), SystemFolder(id: 4, name: "Junk", view: 5),
        SystemFolder(id: 5, name: "Sent", view: 5), SystemFolder(id: 6, name: "Drafts", view: 5),
        SystemFolder(id: 7, name: "Contacts", view: 6), SystemFolder(id: 8, name: "Tags", view: 3, parent: 11, attributes: 3),
        SystemFolder(id: 9, name: "Conversations", view: 4, parent: 11, attributes: 3),
        SystemFolder(id: 10, name: "Calendar", view: 11, flags: .checked),
        SystemFolder(id: 11, name: "ROOT", view: nil, parent: 11, attributes: 3),
        SystemFolder(id: 13, name: "Emailed Contacts", view: 6), SystemFolder(id: 14, name: "Chats", view: 5),
        SystemFolder(id: 15, name: "Tasks", view: 15, flags: .checked), SystemFolder(id: 16, name: "Briefcase", view: 8),
        SystemFolder(id: 17, name: "Comments", view: 17, parent: 11, attributes: 3),
        SystemFolder(id: 20, name: "Files shared with me", view: 8),
    ]

    /// The mailbox of an account, by address, alias or id; created when it has none yet.
    public func openMailbox(_ nameOrID: String) throws -> SandboxMailbox {
        guard let account = try accountID(nameOrID) else {
            throw SandboxError(.noSuchEntry, doing: "opening a mailbox", reason: "there is no account \(nameOrID)")
        }
        if let id = try mailboxID(ofAccount: account) {
            return SandboxMailbox(server: self, mailboxID: id, accountID: account)
        }
        return try createMailbox(account: account)
    }

    private func createMailbox(account: String) throws -> SandboxMailbox {
        let id = try exclusively { database, log in
            let transaction = log.newTransaction()
            let time = options.clock()
            var id: Int64 = 0
            var isStarted = false
            do {
                try database.inTransaction(.immediate) {
                    id = try Int64.fetchOne(database, sql: "SELECT next_mailbox_id FROM current_volumes") ?? 1
                    try database.execute(sql: "UPDATE current_volumes SET next_mailbox_id = ?", arguments: [id + 1])
                    try insertMailbox(id, account: account, seconds: time / 1000, in: database)
                    var logged = CreateMailbox()
                    logged.accountID = LogText(account)
                    try log.start(
                        .createMailbox(logged), transaction: transaction, mailbox: id, change: 1, timestamp: time, body: nil)
                    isStarted = true
                    return .commit
                }
            } catch {
                if isStarted { try log.abort(transaction, timestamp: options.clock()) }
                throw error
            }
            try log.commit(transaction, timestamp: max(time, options.clock()))
            if let state = try MailboxState(loading: id, from: database, counters: .asStored) { remember(state) }
            return id
        }
        return SandboxMailbox(server: self, mailboxID: id, accountID: account)
    }

    private func insertMailbox(_ id: Int64, account: String, seconds: Int64, in database: Database) throws {
        let name = try String.fetchOne(database, sql: "SELECT name FROM directory_account WHERE id = ?", arguments: [account])
        try database.execute(
            sql: """
                INSERT INTO mailbox (id, group_id, account_id, index_volume_id, item_id_checkpoint, change_checkpoint, comment, version)
                VALUES (?, ?, ?, 2, 256, 1, ?, '2.7')
                """,
            arguments: [id, (id - 1) % 100 + 1, account, name])
        try database.execute(sql: "DELETE FROM deleted_account WHERE email = ?", arguments: [name?.lowercased()])
        try TagTable.insertFlags(mailbox: id, in: database)
        for folder in Self.systemFolders {
            var row = ItemRow(id: folder.id, type: .folder)
            row.parentID = folder.parent
            row.folderID = folder.parent
            row.date = seconds
            row.unread = 0
            row.flags = folder.flags
            row.subject = folder.name
            row.name = folder.name
            row.modMetadata = 1
            row.modContent = 1
            row.changeDate = seconds
            row.uuid = UUIDText.random()
            var metadata = MetadataDictionary()
            metadata["a"] = .integer(folder.attributes)
            metadata["das"] = .string("false")
            metadata["mseq"] = .integer(1)
            metadata["unxt"] = .integer(folder.id + 1)
            metadata["vt"] = folder.view.map { .integer($0) }
            row.metadata = metadata.text()
            try ItemTable.items.insert(row, mailbox: id, in: database)
        }
    }

    /// Deletes an account's mailbox with everything in it. The start record is written twice, as the real server does.
    public func deleteMailbox(ofAccount nameOrID: String) throws {
        guard let account = try accountID(nameOrID), let id = try mailboxID(ofAccount: account) else {
            throw SandboxError(.noSuchMailbox, doing: "deleting a mailbox", reason: "\(nameOrID) has none")
        }
        try exclusively { database, log in
            let transaction = log.newTransaction()
            let time = options.clock()
            let change = try loadState(id, in: database).lastChange + 1
            func logStart() throws {
                try log.start(.deleteMailbox, transaction: transaction, mailbox: id, change: change, timestamp: time, body: nil)
            }
            try logStart()
            do {
                try database.inTransaction(.immediate) {
                    let name = try String.fetchOne(
                        database, sql: "SELECT name FROM directory_account WHERE id = ?", arguments: [account])
                    for table in [
                        "mailbox_metadata", "out_of_office", "scheduled_task", "mail_item", "mail_item_dumpster", "revision",
                        "revision_dumpster", "tag", "tagged_item", "open_conversation", "appointment", "appointment_dumpster",
                        "tombstone", "sandbox_progress",
                    ] { try database.execute(sql: "DELETE FROM \(table) WHERE mailbox_id = ?", arguments: [id]) }
                    try database.execute(sql: "DELETE FROM mailbox WHERE id = ?", arguments: [id])
                    try database.execute(
                        sql: "INSERT OR REPLACE INTO deleted_account VALUES (?, ?, ?, ?)",
                        arguments: [(name ?? account).lowercased(), account, id, time / 1000])
                    try logStart()
                    return .commit
                }
            } catch {
                try log.abort(transaction, timestamp: options.clock())
                throw error
            }
            try log.commit(transaction, timestamp: max(time, options.clock()))
            try removeBlobs(ofMailbox: id, in: database)
            forget(mailbox: id, account: account)
        }
    }

    func mailboxID(ofAccount account: String) throws -> Int64? {
        try cachedMailbox(account) {
            try Int64.fetchOne($0, sql: "SELECT id FROM mailbox WHERE account_id = ?", arguments: [account])
        }
    }
}

extension SandboxMailbox {
    /// From now on tombstones are kept.
    public func trackSync() throws {
        try server.change(mailboxID) { change in
            if change.state.row.trackingSync == 0 { change.state.row.trackingSync = change.number }
            return ((), Logged(.trackSync))
        }
    }

    /// From now on moved items lose their IMAP id.
    public func trackImap() throws {
        try server.change(mailboxID) { change in
            change.state.row.trackingImap = true
            return ((), Logged(.trackImap))
        }
    }
}
