import BackupCore
import RedoLog

/// Documents and their former versions, comments and notes (formats/zimbra-redolog.md, sections 7.3.6 and 7.8).
extension Change {
    private func logged(
        _ row: ItemRow, _ blob: IncomingBlob, type: String, author: String, description: String, isNew: Bool
    ) -> (DocumentFields, CreateMessage) {
        var fields = DocumentFields()
        fields.filename = row.name.map { LogText($0) }
        fields.mimeType = LogText(type)
        fields.author = LogText(author)
        fields.description = LogText(description)
        fields.descriptionEnabled = true
        fields.uuid = isNew ? row.uuid.map { LogText($0) } : nil
        var message = CreateMessage()
        message.receivedDate = time
        message.digest = LogText(blob.digest)
        message.size = blob.size
        message.itemID = isNew ? Int32(row.id) : 0
        message.folderID = isNew ? Int32(row.folderID ?? 0) : 0
        message.conversationID = 0
        message.conversationFirstMessageID = 0
        message.mergedConversationIDs = []
        message.noICal = true
        message.path = ":streamed:"
        message.body = blob.body
        return (fields, message)
    }

    private func describe(
        _ row: inout ItemRow, _ blob: IncomingBlob, type: String, author: String, description: String
    ) throws {
        var metadata = try MetadataDictionary(parsing: row.metadata)
        metadata["cr"] = .string(author)
        metadata["ct"] = .string(type)
        metadata["de"] = description.isEmpty ? nil : .string(description)
        metadata["dee"] = .string("true")
        metadata["f"] = type.hasPrefix("text/") ? .string(ColumnText.cut(String(decoding: blob.bytes.prefix(600), as: UTF8.self), to: 150)) : nil
        metadata["lt"] = metadata["lt"] ?? .integer(0)
        row.metadata = metadata.text()
        row.sender = author
        row.date = seconds
    }

    fileprivate func save(
        _ blob: IncomingBlob, named name: String, folder: Int64, type: String, author: String, description: String
    ) throws -> (Int64, Logged) {
        guard try self.folder(folder).row.type == .folder else { throw failure(.refused, "item \(folder) holds no documents") }
        guard Names.isFolder(name) else { throw failure(.invalidName, "\"\(name)\" is no document's name") }
        guard try !hasItem(named: name, in: folder) else {
            throw failure(.alreadyExists, "\(state.path(of: folder)) holds \"\(name)\" already")
        }
        let id = nextItemID()
        var row = touched(ItemRow(id: id, type: .document), content: true)
        row.folderID = folder
        row.imapID = state.row.trackingImap ? 0 : id
        row.indexID = id
        row.name = name
        row.subject = name
        row.uuid = UUIDText.random()
        try place(blob, in: &row)
        try describe(&row, blob, type: type, author: author, description: description)
        try insert(row)
        var save = SaveDocument()
        (save.document, save.message) = logged(row, blob, type: type, author: author, description: description, isNew: true)
        return (id, Logged(.saveDocument(save), body: blob.logged))
    }

    fileprivate func addRevision(
        _ id: Int64, _ blob: IncomingBlob, type: String?, author: String, description: String
    ) throws -> Logged {
        let old = try item(id)
        guard old.type == .document else { throw failure(.refused, "item \(id) is no document") }
        let metadata = try MetadataDictionary(parsing: old.metadata)
        var revision = RevisionRow(itemID: id, version: metadata.integer("ver") ?? 1)
        revision.date = old.date
        revision.size = old.size
        revision.locator = old.locator
        revision.blobDigest = old.blobDigest
        revision.name = old.name
        revision.metadata = old.metadata
        revision.modMetadata = old.modMetadata
        revision.changeDate = old.changeDate
        revision.modContent = old.modContent
        try RevisionTable.revisions.insert(revision, mailbox: mailbox, in: database)
        state.size += revision.size
        var row = touched(old, content: true)
        row.flags.insert(.versioned)
        row.imapID = state.row.trackingImap ? 0 : id
        try place(blob, in: &row)
        let type = type ?? metadata.string("ct") ?? "application/octet-stream"
        try describe(&row, blob, type: type, author: author, description: description)
        row.metadata = try Self.nextVersion(row.metadata, by: 2)
        try update(old, to: row)
        var add = AddDocumentRevision()
        add.documentID = Int32(id)
        (add.document, add.message) = logged(row, blob, type: type, author: author, description: description, isNew: false)
        return Logged(.addDocumentRevision(add), body: blob.logged)
    }

    fileprivate func lock(_ id: Int64, by account: String?) throws {
        let old = try item(id)
        guard old.type == .document else { throw failure(.refused, "item \(id) is no document") }
        var metadata = try MetadataDictionary(parsing: old.metadata)
        if account != nil, let owner = metadata.string("lo"), owner != account { throw failure(.refused, "document \(id) is locked") }
        metadata["lo"] = account.map { .string($0) }
        metadata["lt"] = .integer(account == nil ? 0 : time)
        metadata["mdver"] = .integer((metadata.integer("mdver") ?? 1) + 1)
        var row = touched(old)
        row.metadata = metadata.text()
        try update(old, to: row)
    }
}

extension SandboxMailbox {
    /// The account's address.
    func author() throws -> String { try server.findAccount(accountID)?.name ?? accountID }

    /// Saves a new document and returns its id.
    @discardableResult
    public func saveDocument(
        _ bytes: [UInt8], named name: String, folder: Int64 = 16, type: String = "text/plain", description: String = ""
    ) throws -> Int64 {
        let author = try author()
        return try server.withIncoming({ try $0.receive(bytes, now: $1) }) { blob in
            try server.change(mailboxID) {
                try $0.save(blob, named: name, folder: folder, type: type, author: author, description: description)
            }
        }
    }

    /// Gives a document new content; what it held becomes a revision.
    public func addRevision(_ bytes: [UInt8], to id: Int64, type: String? = nil, description: String = "") throws {
        let author = try author()
        try server.withIncoming({ try $0.receive(bytes, now: $1) }) { blob in
            try server.change(mailboxID) {
                ((), try $0.addRevision(id, blob, type: type, author: author, description: description))
            }
        }
    }

    /// The former versions of a document, oldest first.
    public func revisions(of id: Int64) throws -> [RevisionRow] {
        try read { try RevisionTable.revisions.revisions(of: id, mailbox: mailboxID, in: $0) }
    }

    /// Removes a former version, and with `includeOlder` those before it. The document's row stays as it is.
    public func purgeRevision(_ version: Int64, of id: Int64, includeOlder: Bool = false) throws {
        try server.change(mailboxID) { change in
            guard try change.item(id).type == .document else { throw change.failure(.refused, "item \(id) is no document") }
            for revision in try RevisionTable.revisions.revisions(of: id, mailbox: mailboxID, in: change.database)
            where revision.version == version || includeOlder && revision.version < version {
                if revision.blobDigest != nil {
                    change.removals.append(try server.path(of: revision, mailbox: mailboxID, in: change.database))
                }
                change.state.size -= revision.size
                try RevisionTable.revisions.delete(of: id, version: revision.version, mailbox: mailboxID, in: change.database)
            }
            var logged = PurgeRevision()
            logged.itemID = Int32(id)
            logged.revision = Int32(version)
            logged.includeOlder = includeOlder
            return ((), Logged(.purgeRevision(logged)))
        }
    }

    /// Locks a document for its owner.
    public func lock(_ id: Int64) throws {
        try server.change(mailboxID) { change in
            try change.lock(id, by: accountID)
            var logged = LockItem()
            logged.accountID = LogText(accountID)
            logged.itemID = Int32(id)
            return ((), Logged(.lockItem(logged)))
        }
    }

    /// Ends a lock.
    public func unlock(_ id: Int64) throws {
        try server.change(mailboxID) { change in
            try change.lock(id, by: nil)
            var logged = UnlockItem()
            logged.accountID = LogText(accountID)
            logged.itemID = Int32(id)
            return ((), Logged(.unlockItem(logged)))
        }
    }

    /// Renames a document.
    public func renameDocument(_ id: Int64, to name: String) throws {
        try server.change(mailboxID) { change in
            let old = try change.item(id)
            guard old.type == .document else { throw change.failure(.refused, "item \(id) is no document") }
            guard Names.isFolder(name) else { throw change.failure(.invalidName, "\"\(name)\" is no document's name") }
            if name.lowercased() != old.name?.lowercased(), try change.hasItem(named: name, in: old.folderID ?? 0) {
                throw change.failure(.alreadyExists, "there is a \"\(name)\" already")
            }
            if name != old.name {
                var row = change.touched(old)
                row.name = name
                row.subject = name
                try change.update(old, to: row)
            }
            var logged = RenameItem()
            logged.itemID = Int32(id)
            logged.name = LogText(name)
            logged.itemType = Int8(ItemType.document.rawValue)
            return ((), Logged(.renameItem(logged)))
        }
    }

    /// Comments on a document and returns the comment's id.
    @discardableResult
    public func comment(_ text: String, on id: Int64) throws -> Int64 {
        try server.change(mailboxID) { change in
            guard try change.item(id).type == .document else { throw change.failure(.refused, "item \(id) is no document") }
            var row = change.touched(ItemRow(id: change.nextItemID(), type: .comment), content: true)
            row.parentID = id
            row.folderID = FolderID.comments
            row.date = change.seconds
            row.size = Int64(text.utf16.count)
            row.subject = ColumnText.cut(text, to: 1024)
            row.uuid = UUIDText.random()
            var metadata = MetadataDictionary()
            metadata["cr"] = .string(accountID)
            row.metadata = metadata.text()
            try change.insert(row)
            var logged = CreateComment()
            logged.itemID = Int32(row.id)
            logged.uuid = row.uuid.map { LogText($0) }
            logged.parentID = Int32(id)
            logged.creatorID = LogText(accountID)
            logged.text = LogText(text)
            return (row.id, Logged(.createComment(logged)))
        }
    }
}
