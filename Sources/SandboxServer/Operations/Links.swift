import BackupCore
import RedoLog

/// Links to documents of other accounts (formats/zimbra-redolog.md, section 7.4, code 35; formats/zimbra-items.md, section 3.11).
extension SandboxMailbox {
    /// Links a document of another account and returns the link's id.
    ///
    /// - Parameters:
    ///   - ownerID: the owner's account id.
    ///   - remoteID: the document in the owner's mailbox.
    @discardableResult
    public func createLink(named name: String, ownerID: String, remoteID: Int64, folder: Int64 = 16) throws -> Int64 {
        try server.change(mailboxID) { change in
            guard try change.folder(folder).row.type == .folder else { throw change.failure(.refused, "item \(folder) holds no links") }
            guard Names.isFolder(name) else { throw change.failure(.invalidName, "\"\(name)\" is no link's name") }
            guard try !change.hasItem(named: name, in: folder) else {
                throw change.failure(.alreadyExists, "\(change.state.path(of: folder)) holds \"\(name)\" already")
            }
            var row = change.touched(ItemRow(id: change.nextItemID(), type: .link), content: true)
            row.folderID = folder
            row.date = change.seconds
            row.subject = name
            row.name = name
            row.uuid = UUIDText.random()
            var metadata = MetadataDictionary()
            metadata["aid"] = .string(ownerID)
            metadata["id"] = .integer(remoteID)
            row.metadata = metadata.text()
            try change.insert(row)
            return (row.id, change.link(row, metadata))
        }
    }
}

extension Change {
    /// The record of a link.
    func link(_ row: ItemRow, _ metadata: MetadataDictionary) -> Logged {
        var logged = CreateLink()
        logged.itemID = Int32(row.id)
        logged.uuid = row.uuid.map { LogText($0) }
        logged.name = LogText(row.name ?? "")
        logged.ownerID = metadata.string("aid").map { LogText($0) }
        logged.remoteID = Int32(metadata.integer("id") ?? 0)
        logged.folderID = Int32(row.folderID ?? 0)
        return Logged(.createLink(logged))
    }
}
