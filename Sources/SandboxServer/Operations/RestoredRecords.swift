import BackupCore
import RedoLog

/// The records of items that come from a backup: what a client sends to make them, as the real server logs it.
extension Change {
    /// Whether a record can make such an item. Others come as rows only: conversations, which the server makes itself, calendar
    /// items, whose invitations lie in the content, documents with former versions, and types that nobody writes.
    static func hasRecord(_ item: NewItem) -> Bool {
        switch item.row.type {
        case .folder, .searchFolder, .mountpoint, .message, .chat, .contact, .note, .comment: true
        case .document: item.revisions.isEmpty && item.content != nil
        default: false
        }
    }

    /// The record of a contact, note, comment, document, search folder or mountpoint.
    func creation(of row: ItemRow, _ metadata: MetadataDictionary, _ blob: IncomingBlob?) -> Logged? {
        switch row.type {
        case .contact: contact(row, metadata, blob)
        case .note: note(row, metadata)
        case .comment: comment(row, metadata)
        case .document: blob.map { document(row, metadata, $0) }
        case .searchFolder: search(row, metadata)
        case .mountpoint: mountpoint(row, metadata)
        default: nil
        }
    }

    private func contact(_ row: ItemRow, _ metadata: MetadataDictionary, _ blob: IncomingBlob?) -> Logged {
        let fields = metadata.dictionary("fld") ?? MetadataDictionary()
        var logged = CreateContact()
        logged.itemID = Int32(row.id)
        logged.folderID = Int32(row.folderID ?? 0)
        logged.tags = row.tags.map { LogText($0) }
        logged.fields = fields.keys.sorted().map { ContactField(key: LogText($0), value: LogText(fields.string($0) ?? "")) }
        logged.attachmentBlob = blob.map { Body(length: $0.size) }
        return Logged(.createContact(logged), body: blob?.logged)
    }

    private func note(_ row: ItemRow, _ metadata: MetadataDictionary) -> Logged {
        var logged = CreateNote()
        logged.itemID = Int32(row.id)
        logged.folderID = Int32(row.folderID ?? 0)
        logged.content = LogText(row.subject ?? "")
        logged.color = metadata.integer("c") ?? 0
        let bounds = (metadata.string("l") ?? "").split(separator: ",").map { Int32($0) ?? 0 }
        if bounds.count == 4 {
            (logged.bounds.x, logged.bounds.y) = (bounds[0], bounds[1])
            (logged.bounds.width, logged.bounds.height) = (bounds[2], bounds[3])
        }
        return Logged(.createNote(logged))
    }

    private func comment(_ row: ItemRow, _ metadata: MetadataDictionary) -> Logged {
        var logged = CreateComment()
        logged.itemID = Int32(row.id)
        logged.uuid = row.uuid.map { LogText($0) }
        logged.parentID = Int32(row.parentID ?? 0)
        logged.creatorID = metadata.string("cr").map { LogText($0) }
        logged.text = LogText(row.subject ?? "")
        return Logged(.createComment(logged))
    }

    private func document(_ row: ItemRow, _ metadata: MetadataDictionary, _ blob: IncomingBlob) -> Logged {
        var logged = SaveDocument()
        logged.document.filename = row.name.map { LogText($0) }
        logged.document.mimeType = metadata.string("ct").map { LogText($0) }
        logged.document.author = metadata.string("cr").map { LogText($0) }
        logged.document.description = LogText(metadata.string("de") ?? "")
        logged.document.descriptionEnabled = metadata.string("dee") != "false"
        logged.document.uuid = row.uuid.map { LogText($0) }
        logged.message.receivedDate = row.date * 1000
        logged.message.digest = LogText(blob.digest)
        logged.message.size = blob.size
        logged.message.itemID = Int32(row.id)
        logged.message.folderID = Int32(row.folderID ?? 0)
        logged.message.conversationID = 0
        logged.message.conversationFirstMessageID = 0
        logged.message.mergedConversationIDs = []
        logged.message.flags = Int32(row.flags.rawValue)
        logged.message.noICal = true
        logged.message.tags = row.tags.map { LogText($0) }
        logged.message.path = ":streamed:"
        logged.message.body = Body(length: blob.size)
        return Logged(.saveDocument(logged), body: blob.logged)
    }

    private func search(_ row: ItemRow, _ metadata: MetadataDictionary) -> Logged {
        var logged = CreateSavedSearch()
        logged.itemID = Int32(row.id)
        logged.uuid = row.uuid.map { LogText($0) }
        logged.name = LogText(row.name ?? "")
        logged.query = metadata.string("q").map { LogText($0) }
        logged.types = metadata.string("t").map { LogText($0) }
        logged.sort = metadata.string("s").map { LogText($0) }
        logged.folderID = Int32(row.folderID ?? 0)
        logged.flags = Int32(row.flags.rawValue)
        logged.color = metadata.integer("c") ?? 0
        return Logged(.createSavedSearch(logged))
    }

    private func mountpoint(_ row: ItemRow, _ metadata: MetadataDictionary) -> Logged {
        var logged = CreateMountpoint()
        logged.itemID = Int32(row.id)
        logged.uuid = row.uuid.map { LogText($0) }
        logged.name = LogText(row.name ?? "")
        logged.ownerID = metadata.string("aid").map { LogText($0) }
        logged.remoteID = Int32(metadata.integer("id") ?? 0)
        logged.remoteUUID = metadata.string("ruuid").map { LogText($0) }
        logged.folderID = Int32(row.folderID ?? 0)
        logged.defaultView = Int8(metadata.integer("vt") ?? -1)
        logged.flags = Int32(row.flags.rawValue)
        logged.color = metadata.integer("c") ?? 0
        logged.reminderEnabled = metadata.string("rem") == "true"
        return Logged(.createMountpoint(logged))
    }
}

extension SandboxMailbox {
    /// Logs what the record of a creation cannot say, as the requests that a client sends after it. Each touches the item.
    func logRest(of id: Int64) throws {
        guard let row = try item(id), [.contact, .note, .comment, .document].contains(row.type) else { return }
        let metadata = (try? MetadataDictionary(parsing: row.metadata)) ?? MetadataDictionary()
        let type = Int8(row.type.rawValue)
        if row.type != .document, row.date != row.changeDate {
            var date = DateItem()
            date.itemID = Int32(id)
            date.itemType = type
            date.date = row.date * 1000
            try log(.dateItem(date), touching: id)
        }
        let flags: [(Flags, LogText)] = [
            (.flagged, "\\Flagged"), (.priority, "\\Priority"), (.answered, "\\Answered"), (.forwarded, "\\Forwarded"),
            (.deleted, "\\Deleted"), (.notified, "\\Notified"), (.popped, "\\Popped"),
        ]
        var names = row.type == .document ? [] : flags.filter { row.flags.contains($0.0) }.map(\.1)
        if row.type == .note || row.type == .comment { names += row.tags.map { LogText($0) } }
        for name in names {
            var alter = AlterItemTag()
            alter.itemType = type
            alter.tagName = name
            alter.add = true
            alter.ids = [Int32(id)]
            try log(.alterItemTag(alter), touching: id)
        }
        if row.type != .note, let color = metadata.integer("c"), color != 0 {
            var logged = ColorItem()
            logged.ids = [Int32(id)]
            logged.itemType = type
            logged.color = color
            try log(.colorItem(logged), touching: id)
        }
        for key in metadata.keys where key.hasPrefix("xd.") {
            var data = SetCustomData()
            data.itemID = Int32(id)
            data.itemType = type
            let section = LogText(String(key.dropFirst(3)))
            data.customMetadata = CustomMetadata(section: section, value: LogText(metadata.string(key) ?? ""))
            try log(.setCustomData(data), touching: id)
        }
    }

    private func log(_ operation: Operation, touching id: Int64) throws {
        try server.change(mailboxID) { change in
            let old = try change.item(id)
            try change.update(old, to: change.touched(old))
            return ((), Logged(operation))
        }
    }
}
