import BackupCore
import RedoLog

/// Entries of "Files shared with me" (formats/zimbra-redolog.md, section 7.4, code 35, layout (c); formats/zimbra-items.md, section 3.10).
///
/// The records name no item: whoever follows the log cannot know its id.
extension SandboxMailbox {
    /// Notes a file that another account shares, and returns the new entry's id.
    ///
    /// - Parameters:
    ///   - file: the document in the owner's mailbox, with its uuid.
    ///   - size: of the document, in bytes; no record tells it.
    ///   - rights: letters, such as `rw`.
    @discardableResult
    public func addSharedFile(
        named name: String, of owner: AccountEntry, file: (id: Int64, uuid: String), size: Int64 = 0, contentType: String, rights: String
    ) throws -> Int64 {
        try server.change(mailboxID) { change in
            guard Names.isFolder(name) else { throw change.failure(.invalidName, "\"\(name)\" is no document's name") }
            guard try !change.hasItem(named: name, in: FolderID.sharedFiles) else {
                throw change.failure(.alreadyExists, "\(change.state.path(of: FolderID.sharedFiles)) holds \"\(name)\" already")
            }
            var row = change.touched(ItemRow(id: change.nextItemID(), type: .document), content: true)
            row.folderID = FolderID.sharedFiles
            row.date = change.seconds
            row.name = name
            row.subject = name
            row.size = size
            row.uuid = "\(file.uuid):\(file.id)"
            var metadata = MetadataDictionary()
            metadata["ct"] = .string(contentType)
            metadata["cr"] = .string(owner.name)
            metadata["oai"] = .string(owner.id)
            metadata["ofi"] = .integer(file.id)
            metadata["perm"] = .string(rights)
            row.metadata = metadata.text()
            try change.insert(row)
            var logged = CreateFileSharedWithMe()
            logged.name = LogText(name)
            logged.ownerID = LogText(owner.id)
            logged.remoteID = Int32(file.id)
            logged.remoteUUID = LogText(file.uuid)
            logged.folderID = Int32(FolderID.sharedFiles)
            logged.ownerName = LogText(owner.name)
            logged.contentType = LogText(contentType)
            logged.rights = LogText(rights)
            return (row.id, Logged(.createFileSharedWithMe(logged)))
        }
    }

    /// Changes the rights of an entry.
    public func setRights(_ rights: String, ofSharedFile id: Int64) throws {
        try server.change(mailboxID) { change in
            let old = try change.sharedFile(id)
            var row = change.touched(old)
            var metadata = try MetadataDictionary(parsing: old.metadata)
            metadata["perm"] = .string(rights)
            row.metadata = metadata.text()
            try change.update(old, to: row)
            return ((), Change.loggedChange(of: old))
        }
    }

    /// Takes an entry away.
    public func removeSharedFile(_ id: Int64) throws {
        try server.change(mailboxID) { change in
            let old = try change.sharedFile(id)
            try change.delete(old)
            return ((), Change.loggedChange(of: old))
        }
    }
}

extension Change {
    fileprivate func sharedFile(_ id: Int64) throws -> ItemRow {
        let row = try item(id)
        guard row.type == .document, row.folderID == FolderID.sharedFiles else { throw failure(.refused, "item \(id) is no shared file") }
        return row
    }

    /// Changes and removals look alike in the log: they say the owner's uuid and nothing else.
    fileprivate static func loggedChange(of row: ItemRow) -> Logged {
        var logged = CreateFileSharedWithMe()
        logged.remoteUUID = row.uuid.map { LogText(String($0.prefix { $0 != ":" })) }
        return Logged(.createFileSharedWithMe(logged))
    }
}
