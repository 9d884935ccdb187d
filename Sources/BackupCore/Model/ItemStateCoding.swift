import BackupStore

/// An item's state as a line of its history: the words that `getItem` prints.
extension ItemState {
    /// The members of the history line. Members that say nothing are left out.
    public var fields: JSONObject {
        var members: [JSONObject.Member] = []
        members.reserveCapacity(26)
        func add(_ name: String, _ value: JSONValue) { members.append(.init(name: name, value: value)) }
        func add(_ name: String, _ value: String?) { if let value { add(name, .string(value)) } }
        func add(_ name: String, _ value: Int64?) { if let value { add(name, .int(value)) } }

        add("type", .string(row.type.name))
        add("deleted", .bool(deleted))
        if presumed { add("presumed", true) }
        if inDumpster { add("dumpster", true) }
        add("not_before", notBefore)
        add("deletion_announced", deletionAnnounced)
        add("folder", row.folderID)
        add("parent", row.parentID)
        add("name", row.name)
        add("date", .int(row.date))
        add("size", .int(row.size))
        add("flags", .int(row.flags.rawValue))
        add("unread", row.unread)
        if !row.tags.isEmpty { add("tags", .array(row.tags.map { .string($0) })) }
        add("subject", row.subject)
        add("sender", row.sender)
        add("recipients", row.recipients)
        add("digest", row.blobDigest)
        add("blob", blob?.id.description)
        add("locator", row.locator)
        add("uuid", row.uuid)
        add("imap_id", row.imapID)
        add("index_id", row.indexID)
        add("prev_folders", row.prevFolders)
        add("mod_metadata", .int(row.modMetadata))
        add("change_date", row.changeDate)
        add("mod_content", .int(row.modContent))
        add("metadata", row.metadata)
        if !revisions.isEmpty { add("revisions", .array(revisions.map { .object($0.fields) })) }
        if !doubts.isEmpty { add("doubts", .array(doubts.map { .string($0) })) }
        return JSONObject(members)
    }

    /// Reads a history line back.
    ///
    /// - Parameters:
    ///   - id: the item's id, which the line's place tells.
    ///   - blobs: the blobs that the line names, with their lengths.
    /// - Returns: nil for a line without a type, which no version of this program wrote.
    public init?(id: Int64, fields: JSONObject, blobs: [BlobReference]) {
        var type: ItemType?
        for member in fields.members where member.name == "type" { type = member.value.string.flatMap(ItemType.init(name:)) }
        guard let type else { return nil }
        self.init(row: ItemRow(id: id, type: type))
        func reference(_ text: String?) -> BlobReference? {
            guard let text, let blob = BlobID(text) else { return nil }
            return blobs.first { $0.id == blob }
        }
        for member in fields.members {
            let value = member.value
            switch member.name {
            case "deleted": deleted = value.bool ?? false
            case "presumed": presumed = value.bool ?? false
            case "dumpster": inDumpster = value.bool ?? false
            case "not_before": notBefore = value.string
            case "deletion_announced": deletionAnnounced = value.int
            case "folder": row.folderID = value.int
            case "parent": row.parentID = value.int
            case "name": row.name = value.string
            case "date": row.date = value.int ?? 0
            case "size": row.size = value.int ?? 0
            case "flags": row.flags = Flags(rawValue: value.int ?? 0)
            case "unread": row.unread = value.int
            case "tags": row.tags = value.array?.compactMap(\.string) ?? []
            case "subject": row.subject = value.string
            case "sender": row.sender = value.string
            case "recipients": row.recipients = value.string
            case "digest": row.blobDigest = value.string
            case "blob": blob = reference(value.string)
            case "locator": row.locator = value.string
            case "uuid": row.uuid = value.string
            case "imap_id": row.imapID = value.int
            case "index_id": row.indexID = value.int
            case "prev_folders": row.prevFolders = value.string
            case "mod_metadata": row.modMetadata = value.int ?? 0
            case "change_date": row.changeDate = value.int
            case "mod_content": row.modContent = value.int ?? 0
            case "metadata": row.metadata = value.string
            case "doubts": doubts = value.array?.compactMap(\.string) ?? []
            case "revisions":
                revisions = value.array?.compactMap(\.object).map {
                    Revision(row: RevisionRow(itemID: id, fields: $0), blob: reference($0["blob"]?.string))
                } ?? []
            default: break
            }
        }
    }
}

extension ItemState.Revision {
    fileprivate var fields: JSONObject {
        var members: JSONObject = ["version": .int(row.version), "date": .int(row.date), "size": .int(row.size)]
        members["name"] = row.name.map { .string($0) }
        members["digest"] = row.blobDigest.map { .string($0) }
        members["blob"] = blob.map { .string($0.id.description) }
        members["locator"] = row.locator.map { .string($0) }
        members["mod_metadata"] = .int(row.modMetadata)
        members["change_date"] = row.changeDate.map { .int($0) }
        members["mod_content"] = .int(row.modContent)
        members["metadata"] = row.metadata.map { .string($0) }
        return members
    }
}

extension RevisionRow {
    fileprivate init(itemID: Int64, fields: JSONObject) {
        self.init(itemID: itemID, version: fields["version"]?.int ?? 0)
        date = fields["date"]?.int ?? 0
        size = fields["size"]?.int ?? 0
        name = fields["name"]?.string
        blobDigest = fields["digest"]?.string
        locator = fields["locator"]?.string
        modMetadata = fields["mod_metadata"]?.int ?? 0
        changeDate = fields["change_date"]?.int
        modContent = fields["mod_content"]?.int ?? 0
        metadata = fields["metadata"]?.string
    }
}
