import BackupCore
import GRDB

/// The writing side: what a restore does to the server.
extension SandboxServer: MailTarget {
    /// The account with this id or address, aliases included; nil when there is none.
    public func findAccount(_ nameOrID: String) throws -> AccountEntry? {
        guard let id = try accountID(nameOrID) else { return nil }
        return try database.read { try Self.account(id, in: $0) }
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

    /// Creates a tag.
    public func addTag(_ tag: TagRow) throws -> Int64 {
        let id = try createTag(name: tag.name, color: tag.color)
        if let policy = tag.policy { try setRetention(MetadataDictionary(parsing: policy), of: id) }
        return id
    }

    /// Adds an item; one with a content whose size is not the one announced is refused.
    ///
    /// Logged as if a user had made it, with the requests that follow for what that record cannot say. Items that no record can make
    /// (`Change.hasRecord`) come as rows, as a raw restore writes them.
    public func addItem(_ item: NewItem) throws -> Int64 {
        let isLogged = Change.hasRecord(item)
        let id = try receive([item.content] + item.revisions.map(\.content)) { blobs in
            if isLogged { return try server.change(mailboxID) { try $0.restore(item, blobs) } }
            return try server.restoring(mailboxID) { try $0.restore(item, blobs).0 }
        }
        if isLogged { try logRest(of: id) }
        return id
    }

    /// Writes the contents to the volume, calls `body`, and takes the incoming files away again.
    private func receive<Result>(
        _ contents: [NewItem.Content?], _ blobs: [IncomingBlob?] = [], _ body: ([IncomingBlob?]) throws -> Result
    ) throws -> Result {
        guard let content = contents.first else { return try body(blobs) }
        let rest = Array(contents.dropFirst())
        guard let content else { return try receive(rest, blobs + [nil], body) }
        return try server.withIncoming({ try $0.receive(reading: content.reader, now: $1) }) { blob in
            guard blob.size == content.size else {
                throw SandboxError(
                    .blobDamaged, doing: "adding an item to mailbox \(mailboxID)",
                    reason: "\(blob.size) bytes came instead of \(content.size)")
            }
            return try receive(rest, blobs + [blob], body)
        }
    }

    /// Changes what differs, by logged operations: of a folder all settings, of a contact the fields.
    ///
    /// What a message tells of other items has no operation, and comes without a record.
    public func updateItem(_ row: ItemRow) throws {
        guard let old = try item(row.id) else {
            throw SandboxError(.noSuchItem, doing: "mailbox \(mailboxID)", reason: "there is no item \(row.id)")
        }
        if old.type.isContainer {
            var new = old
            new.metadata = row.metadata
            try setSettings(of: new, besides: old.map)
            for flag in [Flags.subscribed, .excludeFreeBusy, .checked, .noInherit, .syncFolder, .sync, .noInferiors]
            where old.flags.contains(flag) != row.flags.contains(flag) {
                try setFolderFlag(flag, on: row.flags.contains(flag), folder: row.id)
            }
        } else if old.type == .contact, let fields = row.map.dictionary("fld"), fields != old.map.dictionary("fld") {
            try setContact(row.id, row.metadata, fields)
        }
        try server.restoring(mailboxID) { try $0.update(row.id, toAttributesOf: row) }
    }

    /// Items of a folder with this type, date and digest, and name and subject where there is no digest.
    public func findItems(like row: ItemRow) throws -> [Int64] {
        try read { database in
            try Int64.fetchAll(
                database,
                sql: """
                    SELECT id FROM mail_item WHERE mailbox_id = ? AND folder_id = ? AND type = ? AND date = ? AND blob_digest IS ?
                    AND (blob_digest IS NOT NULL OR name IS ? AND subject IS ?) ORDER BY id
                    """,
                arguments: [mailboxID, row.folderID, row.type.rawValue, row.date, row.blobDigest, row.name, row.subject])
        }
    }

    /// Whether the item is in the mailbox; the dumpster does not count.
    public func exists(_ id: Int64) throws -> Bool { try item(id) != nil }

    /// Gives rights on a folder or a document.
    public func grant(_ grant: Grant, onItem id: Int64) throws {
        if try item(id)?.type.isContainer ?? true { return try self.grant(grant, onFolder: id) }
        try self.grant(grant, onDocument: id)
    }
}
