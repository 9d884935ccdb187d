import BackupCore
import RedoLog

/// A file of a contact, such as the photo in its field `image`.
public struct ContactAttachment: Hashable, Sendable {
    /// The contact's field.
    public var field: String
    /// The file's name.
    public var name: String
    /// Its MIME type.
    public var contentType: String
    /// Its bytes.
    public var bytes: [UInt8]

    /// An attachment made of its parts.
    public init(field: String = "image", name: String, contentType: String, bytes: [UInt8]) {
        self.field = field
        self.name = name
        self.contentType = contentType
        self.bytes = bytes
    }
}

/// Contacts (formats/zimbra-redolog.md, section 7.7; formats/zimbra-items.md, section 3.8).
extension Change {
    fileprivate func fill(
        _ row: inout ItemRow, _ fields: [String: String], _ attachments: [ContactAttachment], _ blob: IncomingBlob?
    ) throws {
        row.sender = ColumnText.cut(Self.fileAs(fields), to: 128)
        row.date = seconds
        row.size = 0
        row.locator = nil
        row.blobDigest = nil
        if let blob { try place(blob, in: &row) }
        if blob == nil { row.flags.remove(.attached) } else { row.flags.insert(.attached) }
        var metadata = try MetadataDictionary(parsing: row.metadata)
        var map = MetadataDictionary()
        for (key, value) in fields { map[key] = .string(value) }
        metadata["fld"] = .dictionary(map)
        let list = attachments.enumerated().map { place, attachment in
            var entry = MetadataDictionary()
            entry["ctype"] = .string(attachment.contentType)
            entry["field"] = .string(attachment.field)
            entry["name"] = .string(attachment.name)
            entry["part"] = .string("\(place + 1)")
            entry["size"] = .integer(Int64(attachment.bytes.count))
            return MetadataDictionary.Value.dictionary(entry)
        }
        metadata["att"] = list.isEmpty ? nil : .list(list)
        row.metadata = metadata.text()
    }

    fileprivate func createContact(
        _ fields: [String: String], _ attachments: [ContactAttachment], _ blob: IncomingBlob?, folder: Int64, tags: [String]
    ) throws -> (Int64, Logged) {
        guard try self.folder(folder).row.type == .folder else { throw failure(.refused, "item \(folder) holds no contacts") }
        let id = nextItemID()
        var row = touched(ItemRow(id: id, type: .contact), content: true)
        row.folderID = folder
        row.imapID = id
        row.indexID = id
        row.tags = try resolve(tags: tags)
        try fill(&row, fields, attachments, blob)
        try insert(row)
        var logged = CreateContact()
        logged.itemID = Int32(id)
        logged.folderID = Int32(folder)
        logged.tags = tags.map { LogText($0) }
        logged.fields = Self.logged(fields)
        logged.attachmentBlob = blob.map { Body(length: $0.size) }
        return (id, Logged(.createContact(logged), body: try blob?.plain()))
    }

    fileprivate func modifyContact(
        _ id: Int64, _ fields: [String: String], _ attachments: [ContactAttachment], _ blob: IncomingBlob?
    ) throws -> Logged {
        let old = try item(id)
        guard old.type == .contact else { throw failure(.refused, "item \(id) is no contact") }
        if old.blobDigest != nil { removals.append(try server.path(of: old, mailbox: mailbox, in: database)) }
        var row = touched(old, content: true)
        row.subject = ""
        row.imapID = state.row.trackingImap ? 0 : id
        try fill(&row, fields, attachments, blob)
        row.metadata = try Self.nextVersion(row.metadata, by: 2)
        try update(old, to: row)
        var logged = ModifyContact()
        logged.itemID = Int32(id)
        logged.fields = Self.logged(fields)
        logged.legacyVolume = -1
        logged.attachmentBlob = blob.map { Body(length: $0.size) }
        return Logged(.modifyContact(logged), body: try blob?.plain())
    }

    /// The metadata with a higher `mdver`, and with the next `ver`: content changed.
    static func nextVersion(_ text: String?, by step: Int64) throws -> String {
        var metadata = try MetadataDictionary(parsing: text)
        metadata["mdver"] = .integer((metadata.integer("mdver") ?? 1) + step)
        metadata["ver"] = .integer((metadata.integer("ver") ?? 1) + 1)
        metadata["p3uid"] = nil
        return metadata.text()
    }

    private static func logged(_ fields: [String: String]) -> [ContactField] {
        fields.sorted { $0.key < $1.key }.map { ContactField(key: LogText($0.key), value: LogText($0.value)) }
    }

    /// What lists show of a contact: the explicit text of `fileAs`, else last and first name, company or address.
    static func fileAs(_ fields: [String: String]) -> String {
        if let explicit = fields["fileAs"], explicit.hasPrefix("8:") { return String(explicit.dropFirst(2)) }
        let names = [fields["lastName"], fields["firstName"]].compactMap { $0 }.filter { !$0.isEmpty }
        if !names.isEmpty { return names.joined(separator: ", ") }
        return fields["company"] ?? fields["nickname"] ?? fields["email"] ?? ""
    }
}

extension SandboxMailbox {
    /// Creates a contact and returns its id.
    @discardableResult
    public func createContact(
        _ fields: [String: String], folder: Int64 = 7, tags: [String] = [], attachments: [ContactAttachment] = []
    ) throws -> Int64 {
        try withBlob(of: attachments) { blob in
            try server.change(mailboxID) { try $0.createContact(fields, attachments, blob, folder: folder, tags: tags) }
        }
    }

    /// Creates a contact group. Members: `C:` and a contact's id, `I:` and an address, or `G:` and a directory entry.
    @discardableResult
    public func createContactGroup(named name: String, members: [String], folder: Int64 = 7) throws -> Int64 {
        let list = members.map { member in
            var entry = MetadataDictionary()
            entry["t"] = .string(String(member.prefix(1)))
            entry["v"] = .string(String(member.dropFirst(2)))
            return MetadataDictionary.Value.dictionary(entry)
        }
        var map = MetadataDictionary()
        map["m"] = .list(list)
        return try createContact(
            ["type": "group", "nickname": name, "fileAs": "8:" + name, "groupMember": map.text(forColumn: false)], folder: folder)
    }

    /// Replaces all fields and attachments of a contact.
    public func modifyContact(_ id: Int64, _ fields: [String: String], attachments: [ContactAttachment] = []) throws {
        try withBlob(of: attachments) { blob in
            try server.change(mailboxID) { ((), try $0.modifyContact(id, fields, attachments, blob)) }
        }
    }

    private func withBlob<Result>(of attachments: [ContactAttachment], _ body: (IncomingBlob?) throws -> Result) throws -> Result {
        guard !attachments.isEmpty else { return try body(nil) }
        let boundary = "----=_Part_\(UUIDText.random())"
        var text = Array("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; \r\n\tboundary=\"\(boundary)\"\r\n".utf8)
        for part in attachments {
            let head = """
                \r\n--\(boundary)\r\nContent-Type: \(part.contentType)\r\n\
                Content-Disposition: attachment; filename=\(part.name); field=\(part.field)\r\n\
                Content-Transfer-Encoding: 8bit\r\n\r\n
                """
            text += Array(head.utf8) + part.bytes
        }
        text += Array("\r\n--\(boundary)--\r\n".utf8)
        return try server.withIncoming({ try $0.receive(text, now: $1) }) { try body($0) }
    }
}
