import BackupStore

/// The text of an entry `.meta`: an item's columns as the server's import reads them (formats/zimbra-soap.md, section 8.2).
///
/// Ids of messages and chats are 0: an id lets the import take another message of the target for the same one.
struct ArchiveMeta {
    private static let version: Int64 = 10

    let text: String

    /// - Parameter blob: its content; nil for an item without one.
    init(_ state: ItemState, _ blob: BlobReference?, _ folders: ExportFolders) {
        let row = state.row
        let isMail = row.type == .message || row.type == .chat
        var flags = row.flags
        flags.remove(.unread)
        var letters = flags
        if row.unread ?? 0 > 0, !row.type.isContainer { letters.insert(.unread) }
        var meta: JSONObject = [
            "Ver": .int(Self.version), "id": .int(isMail ? 0 : row.id), "type": .int(Int64(row.type.rawValue)),
            "parent_id": .int(row.parentID ?? (isMail ? 0 : -1)), "folder_id": .int(row.folderID ?? WellKnownFolder.userRoot),
            "index_id": 0, "imap_id": .int(row.imapID ?? -1), "volume_id": 0, "date": .int(row.type == .tag ? 0 : row.date),
            "size": .int(blob?.size ?? row.size), "unread": .int(row.unread ?? 0), "flags": .int(flags.rawValue),
            "FlagStr": .string(letters.letters), "TagStr": "", "TagNames": .string(Self.names(row.tags)),
            "mod_metadata": .int(row.modMetadata), "mod_content": .int(row.modContent),
            "change_date": .int(row.type == .tag ? 0 : row.changeDate ?? row.date),
            "sender": .string((isMail ? state.metadata.string("s") : nil) ?? row.sender ?? ""), "Path": .string(Self.path(row, folders)),
        ]
        meta["metadata"] = row.metadata.map { .string(Self.decoded($0)) }
        meta["blob_digest"] = blob.map { .string($0.id.description) }
        meta["uuid"] = row.uuid.map { .string($0) }
        if row.type != .tag { meta["subject"] = (row.subject ?? row.name).map { .string($0) } }
        meta["name"] = row.name.map { .string($0) }
        if row.type == .message, let calendar = Self.calendarItems(state) { meta["ExtraStr"] = .string(calendar) }
        text = JSONValue.object(meta).json
    }

    /// The metadata map in its plain form, whatever form the column has it in.
    private static func decoded(_ column: String) -> String {
        (try? MetadataDictionary(parsing: column))?.text(forColumn: false) ?? column
    }

    /// `calendar=285,289`: the calendar items that a message with an invitation belongs to.
    private static func calendarItems(_ state: ItemState) -> String? {
        let ids = (state.metadata.list("ais") ?? []).compactMap { value -> Int64? in
            if case .dictionary(let entry) = value { entry.integer("a") } else { nil }
        }
        return ids.isEmpty ? nil : "calendar=" + ids.map { String($0) }.joined(separator: ",")
    }

    /// Folders, documents and tags: their own path; the others that of their folder, with a slash behind it.
    private static func path(_ row: ItemRow, _ folders: ExportFolders) -> String {
        if row.type == .tag { return "/Tags/" + (row.name ?? "") }
        if row.type.isContainer { return folders.path(row.id) }
        let folder = folders.path(row.folderID ?? WellKnownFolder.userRoot)
        let beginning = folder == "/" ? folder : folder + "/"
        return beginning + (row.type == .document || row.type == .wiki ? row.name ?? "" : "")
    }

    /// Names joined by colons; colons and backslashes in them are escaped.
    private static func names(_ tags: [String]) -> String {
        tags.map { tag in
            String(tag.flatMap { $0 == ":" || $0 == "\\" ? ["\\", $0] : [$0] })
        }.joined(separator: ":")
    }
}
