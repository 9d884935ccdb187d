import BackupCore
import GRDB

/// The writing side: what a restore does to the server.
extension SandboxServer: MailTarget {
    /// The account with this id or address, aliases included; nil when there is none.
    public func findAccount(_ nameOrID: String) throws -> AccountEntry? {
        guard let id = try accountID(nameOrID) else { return nil }
        return try database.read { database in
            guard let name = try String.fetchOne(database, sql: "SELECT name FROM directory_account WHERE id = ?", arguments: [id]) else {
                return nil
            }
            return AccountEntry(id: id, name: name, attributes: try Self.attributes(of: id, in: database))
        }
    }

    /// The account's mailbox, created when it has none yet.
    public func openMailbox(accountID: String) throws -> any TargetMailbox { try openMailbox(accountID) }
}

extension SandboxMailbox: TargetMailbox {
    /// All folders, parents first.
    public func folders() throws -> [ItemRow] {
        try read { database in
            guard let state = try MailboxState(loading: mailboxID, from: database, counters: .asStored) else { return [] }
            return state.tree(of: FolderID.root).compactMap { state.folders[$0]?.row }
        }
    }

    /// All tags, unlisted ones too.
    public func tags() throws -> [TagRow] { try read { try TagTable.tags(mailbox: mailboxID, in: $0).map(\.row) } }

    /// Changes colour, feed and flags where they differ.
    public func updateFolder(_ id: Int64, with folder: NewFolder) throws {
        guard let old = try item(id), old.type.isContainer else {
            throw SandboxError(.noSuchItem, doing: "mailbox \(mailboxID)", reason: "there is no folder \(id)")
        }
        let metadata = try MetadataDictionary(parsing: old.metadata)
        if (metadata.integer("c") ?? 0) != folder.color { try setColor(folder.color, of: [id], type: .folder) }
        if (metadata.string("url") ?? "") != folder.url { try setURL(folder.url, ofFolder: id) }
        for flag in [Flags.subscribed, .excludeFreeBusy, .checked, .syncFolder, .sync, .noInferiors]
        where old.flags.contains(flag) != folder.flags.contains(flag) {
            try setFolderFlag(flag, on: folder.flags.contains(flag), folder: id)
        }
    }

    /// Adds a message; one whose size is not the one announced is refused.
    public func addMessage(_ message: NewMessage, content: @escaping ByteReader) throws -> Int64 {
        try server.withIncoming({ try $0.receive(reading: content, now: $1) }) { blob in
            guard blob.size == message.size else {
                throw SandboxError(
                    .blobDamaged, doing: "adding a message to mailbox \(mailboxID)",
                    reason: "\(blob.size) bytes came instead of \(message.size)")
            }
            return try add(
                blob, folder: message.folderID, flags: message.flags, tags: message.tags, date: message.date * 1000,
                type: message.type)
        }
    }

    /// Messages and chats of a folder with this digest and date.
    public func findMessages(folderID: Int64, digest: String, date: Int64) throws -> [Int64] {
        try read { database in
            try Int64.fetchAll(
                database,
                sql: """
                    SELECT id FROM mail_item WHERE mailbox_id = ? AND folder_id = ? AND date = ? AND blob_digest = ?
                    AND type IN (5, 16) ORDER BY id
                    """,
                arguments: [mailboxID, folderID, date, digest])
        }
    }

    /// Whether the item is in the mailbox; the dumpster does not count.
    public func exists(_ id: Int64) throws -> Bool { try item(id) != nil }
}
