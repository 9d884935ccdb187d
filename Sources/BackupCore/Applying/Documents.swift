import BackupStore
import RedoLog

/// Documents, notes and comments (formats/zimbra-redolog.md, sections 7.3.6 and 7.8).
extension MailboxChange {
    mutating func saveDocument(_ document: DocumentFields, _ message: CreateMessage, content: AppliedContent?) throws {
        var row = ItemRow(id: Int64(message.itemID), type: ItemType(rawValue: Int(document.itemType)))
        row.folderID = Int64(message.folderID)
        row.uuid = document.uuid?.string
        row.flags = Flags(rawValue: Int64(message.flags))
        row.imapID = life.tracksImap ? 0 : row.id
        row.indexID = row.id
        row.tags = (message.tags ?? []).map(\.string)
        var state = ItemState(row: row)
        fill(&state, document, message, content, version: 1)
        put(touching: state, content: true)
    }

    mutating func addRevision(
        _ id: Int64, _ document: DocumentFields, _ message: CreateMessage, content: AppliedContent?
    ) throws {
        guard let before = try living(id) else { return }
        let version = before.metadata.integer("ver") ?? 1
        let tracksImap = life.tracksImap
        let change = self
        try edit(id, content: true) { state in
            var revision = RevisionRow(itemID: id, version: version)
            revision.date = before.row.date
            revision.size = before.row.size
            revision.locator = before.row.locator
            revision.blobDigest = before.row.blobDigest
            revision.name = before.row.name
            revision.metadata = before.row.metadata
            revision.modMetadata = before.row.modMetadata
            revision.changeDate = before.row.changeDate
            revision.modContent = before.row.modContent
            state.revisions.append(.init(row: revision, blob: before.blob))
            state.row.flags.insert(.versioned)
            change.fill(&state, document, message, content, version: version &+ 1)
            state.row.imapID = tracksImap ? 0 : id
        }
    }

    private func fill(
        _ state: inout ItemState, _ document: DocumentFields, _ message: CreateMessage, _ content: AppliedContent?, version: Int64
    ) {
        state.row.name = document.filename?.string
        state.row.subject = document.filename?.string
        state.row.date = (message.receivedDate ?? time) / 1000
        state.row.size = message.size
        state.row.blobDigest = content?.id.description ?? message.digest?.string
        state.blob = content?.blob
        state.updateMetadata { metadata in
            metadata["ct"] = document.mimeType.map { .string($0.string) }
            metadata["cr"] = document.author.map { .string($0.string) }
            metadata["de"] = document.description.flatMap { $0.isEmpty ? nil : .string($0.string) }
            metadata["dee"] = .string((document.descriptionEnabled ?? true) ? "true" : "false")
            metadata["ver"] = version == 1 ? nil : .integer(version)
        }
    }

    mutating func purgeRevision(_ purge: PurgeRevision) throws {
        // The number stays (9.1 number 23), so this is no touch.
        guard var state = try living(Int64(purge.itemID)) else { return }
        let version = Int64(purge.revision)
        state.revisions.removeAll { purge.includeOlder ? $0.row.version <= version : $0.row.version == version }
        put(state)
    }

    mutating func createNote(_ note: CreateNote) throws {
        var row = ItemRow(id: Int64(note.itemID), type: .note)
        row.folderID = Int64(note.folderID)
        row.indexID = row.id
        row.date = seconds
        row.subject = note.content.map { ColumnText.cut($0.string, to: 1024) }
        var state = ItemState(row: row)
        state.updateMetadata {
            if note.color != 0 { $0["c"] = .integer(note.color) }
            $0["l"] = Self.rectangle(note.bounds)
        }
        put(touching: state, content: true)
    }

    /// A link to a document of another account.
    mutating func createLink(_ link: CreateLink) {
        var row = ItemRow(id: Int64(link.itemID), type: .link)
        row.folderID = Int64(link.folderID)
        row.uuid = link.uuid?.string
        row.date = seconds
        row.name = link.name?.string
        row.subject = row.name
        var state = ItemState(row: row)
        state.updateMetadata {
            $0["aid"] = link.ownerID.map { .string($0.string) }
            $0["id"] = .integer(Int64(link.remoteID))
        }
        put(touching: state, content: true)
    }

    mutating func repositionNote(_ note: RepositionNote) throws {
        try edit(Int64(note.itemID)) { state in state.updateMetadata { $0["l"] = Self.rectangle(note.bounds) } }
    }

    private static func rectangle(_ bounds: NoteBounds) -> MetadataDictionary.Value {
        .string("\(bounds.x),\(bounds.y),\(bounds.width),\(bounds.height)")
    }

    mutating func createComment(_ comment: CreateComment) throws {
        var row = ItemRow(id: Int64(comment.itemID), type: .comment)
        row.folderID = FolderID.comments
        row.parentID = Int64(comment.parentID)
        row.uuid = comment.uuid?.string
        row.date = seconds
        row.size = Int64(comment.text?.string.utf16.count ?? 0)
        row.subject = comment.text.map { ColumnText.cut($0.string, to: 1024) }
        var state = ItemState(row: row)
        state.updateMetadata { $0["cr"] = comment.creatorID.map { .string($0.string) } }
        put(touching: state, content: true)
    }
}
