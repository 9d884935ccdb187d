import BackupCore
import GRDB
import Glibc
import RedoLog

/// Items that come from a backup: rows as they were, with ids, numbers and places of this mailbox.
extension SandboxServer {
    /// Writes rows of a mailbox under a change number of their own, without a record in the log.
    func restoring<Result>(_ mailbox: Int64, _ body: (Change) throws -> Result) throws -> Result {
        try exclusively { database, _ in
            let change = Change(
                state: try loadState(mailbox, in: database), time: options.clock(), database: database, server: self)
            var result: Result?
            do {
                try database.inTransaction(.immediate) {
                    result = try body(change)
                    try change.finish()
                    return .commit
                }
            } catch {
                for file in change.made { unlink(file.string) }
                throw error
            }
            remember(change.state)
            guard let result else { preconditionFailure("a committed operation has a result") }
            return result
        }
    }
}

extension Change {
    /// Adds an item with the attributes of a row.
    ///
    /// - Parameter blobs: its content and those of its former versions, as they came.
    /// - Returns: its id, and the record for an item that has one (`hasRecord`).
    func restore(_ item: NewItem, _ blobs: [IncomingBlob?]) throws -> (Int64, Logged) {
        guard let folderID = item.row.folderID else { throw failure(.refused, "an item lies in a folder") }
        let home = try folder(folderID)
        if item.row.type.isContainer {
            guard let name = item.row.name, Names.isFolder(name) else {
                throw failure(.invalidName, "\"\(item.row.name ?? "")\" is no folder's name")
            }
            guard home.row.type == .folder, state.child(named: name, of: folderID) == nil else {
                throw failure(.alreadyExists, "\(state.path(of: folderID)) holds \"\(name)\" already")
            }
        }
        // The numbers of the former versions name their files, and come before the item's own.
        state.lastChange += Int64(item.revisions.count)
        var row = item.row
        row.id = nextItemID()
        row.modMetadata = state.lastChange
        row.modContent = state.lastChange
        row.changeDate = seconds
        row.tags = try resolve(tags: row.tags)
        if row.imapID ?? 0 != 0 { row.imapID = row.id }
        if row.indexID != nil { row.indexID = row.id }
        row.uuid = row.uuid != nil || row.type.isContainer ? UUIDText.random() : nil
        row.locator = nil
        row.blobDigest = nil
        if let blob = blobs.first ?? nil { try place(blob, in: &row) }
        if row.type.isContainer { try beginCounting(&row) }
        try insert(row)
        for (place, revision) in item.revisions.enumerated() {
            try restore(revision.row, blobs[place + 1], of: row.id, number: number + Int64(place))
        }
        if row.type == .message, !row.flags.contains(.draft), !state.folder(folderID, isWithin: FolderID.junk), let blob = blobs.first ?? nil {
            try openHashes(blob.summary, row, conversation: row.parentID ?? row.id)
        }
        if row.type == .appointment || row.type == .task, let span = AppointmentTable.Span(of: row) {
            try AppointmentTable.appointments.put(span, item: row.id, mailbox: mailbox, in: database)
        }
        let metadata = (try? MetadataDictionary(parsing: row.metadata)) ?? MetadataDictionary()
        let blob = blobs.first ?? nil
        return (row.id, creation(of: row, metadata, blob) ?? record(of: row, metadata, blob))
    }

    /// A new folder's counters.
    private func beginCounting(_ row: inout ItemRow) throws {
        row.parentID = row.folderID
        row.size = 0
        row.unread = 0
        var metadata = try MetadataDictionary(parsing: row.metadata)
        for key in counters { metadata[key] = nil }
        if row.type == .folder {
            metadata["mseq"] = .integer(number)
            metadata["unxt"] = .integer(row.id + 1)
        }
        row.metadata = metadata.text()
    }

    private func restore(_ source: RevisionRow, _ blob: IncomingBlob?, of item: Int64, number: Int64) throws {
        var file = ItemRow(id: item, type: .document)
        file.modContent = number
        if let blob { try place(blob, in: &file) }
        var row = source
        row.itemID = item
        row.locator = file.locator
        row.blobDigest = file.blobDigest
        row.modMetadata = number
        row.modContent = number
        row.changeDate = seconds
        state.size += row.size
        try RevisionTable.revisions.insert(row, mailbox: mailbox, in: database)
    }

    /// Gives an item the flags and metadata of a row; a folder keeps its counters, attributes and grants.
    func update(_ id: Int64, toAttributesOf row: ItemRow) throws {
        let old = try item(id)
        guard old.type.isContainer else {
            var changed = touched(old)
            changed.flags = row.flags
            changed.metadata = row.metadata
            if changed.flags != old.flags || changed.metadata != old.metadata { try update(old, to: changed) }
            return
        }
        let current = try folder(id).metadata
        var wanted = try MetadataDictionary(parsing: row.metadata)
        for key in counters + ["a", "aclm", "mdver"] { wanted[key] = current[key] }
        guard wanted != current || row.flags != old.flags else { return }
        try editFolder(id) { folder in
            folder.row.flags = row.flags
            folder.metadata = wanted
        }
    }

    /// The record of a folder, message or chat as if a user had made it; of others one that nobody writes.
    private func record(of row: ItemRow, _ metadata: MetadataDictionary, _ blob: IncomingBlob?) -> Logged {
        if row.type == .folder {
            var folder = CreateFolder()
            folder.name = LogText(row.name ?? "")
            folder.parentID = Int32(row.folderID ?? 0)
            folder.attributes = Int8(metadata.integer("a") ?? 0)
            folder.defaultView = metadata.integer("vt").map { Int8($0) } ?? -1
            folder.flags = Int32(row.flags.rawValue)
            folder.color = metadata.integer("c") ?? 0
            folder.url = LogText(metadata.string("url") ?? "")
            folder.folderID = Int32(row.id)
            folder.uuid = row.uuid.map { LogText($0) }
            folder.date = row.date * 1000
            return Logged(.createFolder(folder))
        }
        var message = CreateMessage()
        message.recipient = ":API:"
        message.receivedDate = row.date * 1000
        message.digest = LogText(row.blobDigest ?? "")
        message.size = row.size
        message.itemID = Int32(row.id)
        message.folderID = Int32(row.folderID ?? 0)
        message.conversationID = row.type == .chat ? 0 : Int32(row.parentID ?? -1)
        message.conversationFirstMessageID = row.type == .chat ? 0 : -1
        message.mergedConversationIDs = []
        let flags = row.flags.subtracting(Flags.system.subtracting([.fromMe, .draft, .post]))
        message.flags = Int32(flags.union(row.unread ?? 0 > 0 ? .unread : []).rawValue)
        message.noICal = true
        message.tags = row.tags.map { LogText($0) }
        message.path = LogText(blob?.path.string ?? "")
        message.bodyType = 1
        message.body = Body(length: row.size)
        guard row.type == .chat else { return Logged(.createMessage(message), body: blob?.logged) }
        var chat = CreateChat()
        chat.message = message
        return Logged(.createChat(chat), body: blob?.logged)
    }
}

/// What the server counts by itself in a folder's metadata (formats/zimbra-items.md, section 3.2).
private let counters = ["sz", "unxt", "mseq", "i4l", "i4r", "i4d", "i4du"]

extension AppointmentTable.Span {
    /// The UID and the span of the whole series, in UTC; nil where the metadata names no UID.
    init?(of row: ItemRow) {
        guard let metadata = try? MetadataDictionary(parsing: row.metadata), let uid = metadata.string("u") else { return nil }
        func text(_ key: String) -> String? {
            metadata.integer(key).flatMap { (1..<253_402_300_800_000).contains($0) ? CalendarText.column($0) : nil }
        }
        self.init(uid: uid, start: text("aps") ?? "1970-01-01 00:00:00.0", end: text("ape"))
    }
}
