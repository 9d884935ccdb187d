import BackupCore

/// One mailbox as of one moment (formats/zimbra-datastore.md, sections 4 and 6).
extension ZimbraDatabase {
    /// Calls with a mailbox as of one moment; nil when there is none.
    ///
    /// - Throws: `CoreError`; what `body` throws.
    public func withMailbox<Result>(_ id: Int64, _ body: (any MailboxPicture) throws -> Result) throws -> Result? {
        try withConnection { connection in
            try connection.inSnapshot {
                guard let row = try mailbox(id, in: connection) else { return nil }
                return try body(try MailboxReading(database: self, connection: connection, row: row))
            }
        }
    }

    /// The number of a mailbox's last change.
    ///
    /// - Throws: `CoreError`.
    public func lastChange(of row: MailboxRow) throws -> Int64 {
        try withConnection { try MailboxReading.highestChange(of: row, in: $0) }
    }

    /// The locator of an item, of its row in the mailbox or in the dumpster; nil when there is no such row or it has no blob.
    ///
    /// - Throws: `CoreError`.
    public func locator(mailbox id: Int64, item: Int64) throws -> String? {
        try withConnection { connection in
            guard let row = try mailbox(id, in: connection) else { return nil }
            for table in ["mail_item", "mail_item_dumpster"] {
                let found = try connection.rows(
                    "SELECT locator FROM mboxgroup\(row.groupID).\(table) WHERE mailbox_id = \(id) AND id = \(item)") { $0.text(0) }
                if let locator = found.first { return locator }
            }
            return nil
        }
    }
}

/// Statements on one mailbox, all within one transaction.
private struct MailboxReading: MailboxPicture {
    let database: ZimbraDatabase
    let connection: DatabaseConnection
    let row: MailboxRow
    let change: Int64

    private static let itemColumns = [
        "id", "type", "parent_id", "folder_id", "prev_folders", "index_id", "imap_id", "date", "size", "locator", "blob_digest", "unread",
        "flags", "tag_names", "sender", "recipients", "subject", "name", "metadata", "mod_metadata", "change_date", "mod_content", "uuid",
    ]

    private static let revisionColumns = [
        "item_id", "version", "date", "size", "locator", "blob_digest", "name", "metadata", "mod_metadata", "change_date", "mod_content",
    ]

    /// Documents whose revisions are looked up at a time, and rows that are asked for by their ids.
    private static let batch = 500

    init(database: ZimbraDatabase, connection: DatabaseConnection, row: MailboxRow) throws {
        self.database = database
        self.connection = connection
        self.row = row
        change = try Self.highestChange(of: row, in: connection)
    }

    private static func table(_ name: String, of row: MailboxRow) -> String { "mboxgroup\(row.groupID).\(name)" }

    private func table(_ name: String) -> String { Self.table(name, of: row) }

    func tags() throws -> [TagRow] {
        let names = try database.selection(["id", "name", "color", "listed", "sequence", "policy"], of: table("tag"), in: connection)
        return try connection.rows("SELECT \(names) FROM \(table("tag")) WHERE mailbox_id = \(row.id) AND id > 0 ORDER BY id") { row in
            TagRow(
                id: try row.required(0), name: row.text(1) ?? "", color: try row.number(2), listed: try row.number(3) != 0,
                sequence: try row.required(4), policy: row.text(5))
        }
    }

    func numbers(in part: MailboxPart, _ body: (Int64, Int64) throws -> Void) throws {
        // Answered from an index alone; an order would cost the server a sort.
        try connection.forEach("SELECT id, mod_metadata FROM \(table(part.table)) WHERE mailbox_id = \(row.id)") {
            try body(try $0.required(0), try $0.required(1))
        }
    }

    func items(in part: MailboxPart, _ ids: [Int64]?, _ body: (ItemRow, [RevisionRow]) throws -> Void) throws {
        if let ids { return try items(in: part, ids: ids, body) }
        guard part == .mailbox else { return try forEachItem(in: part) { try body($0, []) } }
        var folders: [ItemRow] = []
        try forEachItem("type IN (1, 2, 13)") { folders.append($0) }
        for folder in folders.parentsFirst { try body(folder, []) }
        try forEachItem("type = 4") { try body($0, []) }
        try forEachDocument(body)
        try forEachItem("type NOT IN (1, 2, 4, 8, 13, 14)") { try body($0, []) }
    }

    private func items(in part: MailboxPart, ids: [Int64], _ body: (ItemRow, [RevisionRow]) throws -> Void) throws {
        for start in stride(from: 0, to: ids.count, by: Self.batch) {
            let list = ids[start..<min(start + Self.batch, ids.count)].map(String.init).joined(separator: ", ")
            var documents: [ItemRow] = []
            try forEachItem(in: part, "id IN (\(list))") { item in
                if part == .mailbox, item.type.hasRevisions { documents.append(item) } else { try body(item, []) }
            }
            try handOut(documents, body)
        }
    }

    private func forEachItem(
        in part: MailboxPart = .mailbox, _ condition: String = "TRUE", order: String = "ORDER BY id", _ body: (ItemRow) throws -> Void
    ) throws {
        let table = table(part.table)
        let names = try database.selection(Self.itemColumns, of: table, in: connection)
        try connection.forEach("SELECT \(names) FROM \(table) WHERE mailbox_id = \(row.id) AND \(condition) \(order)") {
            try body(try Self.item($0))
        }
    }

    private func forEachDocument(_ body: (ItemRow, [RevisionRow]) throws -> Void) throws {
        var last: Int64 = 0
        while true {
            var documents: [ItemRow] = []
            try forEachItem("type IN (8, 14) AND id > \(last)", order: "ORDER BY id LIMIT \(Self.batch)") { documents.append($0) }
            guard let final = documents.last?.id else { return }
            try handOut(documents, body)
            last = final
        }
    }

    /// Hands out documents, each with its former versions.
    private func handOut(_ documents: [ItemRow], _ body: (ItemRow, [RevisionRow]) throws -> Void) throws {
        guard !documents.isEmpty else { return }
        let names = try database.selection(Self.revisionColumns, of: table("revision"), in: connection)
        let list = documents.map { String($0.id) }.joined(separator: ", ")
        var revisions: [Int64: [RevisionRow]] = [:]
        try connection.forEach(
            """
            SELECT \(names) FROM \(table("revision")) WHERE mailbox_id = \(row.id) AND item_id IN (\(list)) \
            ORDER BY item_id, version
            """
        ) { row in
            let revision = try Self.revision(row)
            revisions[revision.itemID, default: []].append(revision)
        }
        for document in documents { try body(document, revisions[document.id] ?? []) }
    }

    func sections() throws -> [(name: String, text: String)] {
        try connection.rows("SELECT section, metadata FROM zimbra.mailbox_metadata WHERE mailbox_id = \(row.id) ORDER BY section") {
            ($0.text(0) ?? "", $0.text(1) ?? "")
        }
    }

    /// The highest number of a change of a mailbox.
    static func highestChange(of row: MailboxRow, in connection: DatabaseConnection) throws -> Int64 {
        let maxima = [("mail_item", "mod_metadata"), ("mail_item_dumpster", "mod_metadata"), ("tombstone", "sequence"), ("tag", "sequence")]
            .map { "SELECT MAX(\($0.1)) n FROM \(table($0.0, of: row)) WHERE mailbox_id = \(row.id)" }
        let highest = try connection.rows("SELECT MAX(n) FROM (\(maxima.joined(separator: " UNION ALL "))) numbers") { try $0.number(0) }
        return max(row.changeCheckpoint, highest.first.flatMap { $0 } ?? 0)
    }

    private static func item(_ row: DatabaseRow) throws -> ItemRow {
        var item = ItemRow(id: try row.required(0), type: ItemType(rawValue: Int(try row.required(1))))
        item.parentID = try row.number(2)
        item.folderID = try row.number(3)
        item.prevFolders = row.text(4)
        item.indexID = try row.number(5)
        item.imapID = try row.number(6)
        item.date = try row.required(7)
        item.size = try row.required(8)
        item.locator = row.text(9)
        item.blobDigest = row.text(10)
        item.unread = try row.number(11)
        item.flags = Flags(rawValue: try row.required(12))
        item.tags = row.text(13).map(ItemRow.tags(fromColumn:)) ?? []
        item.sender = row.text(14)
        item.recipients = row.text(15)
        item.subject = row.text(16)
        item.name = row.text(17)
        item.metadata = row.text(18)
        item.modMetadata = try row.required(19)
        item.changeDate = try row.number(20)
        item.modContent = try row.required(21)
        item.uuid = row.text(22)
        return item
    }

    private static func revision(_ row: DatabaseRow) throws -> RevisionRow {
        var revision = RevisionRow(itemID: try row.required(0), version: try row.required(1))
        revision.date = try row.required(2)
        revision.size = try row.required(3)
        revision.locator = row.text(4)
        revision.blobDigest = row.text(5)
        revision.name = row.text(6)
        revision.metadata = row.text(7)
        revision.modMetadata = try row.required(8)
        revision.changeDate = try row.number(9)
        revision.modContent = try row.required(10)
        return revision
    }
}

extension MailboxPart {
    fileprivate var table: String { self == .mailbox ? "mail_item" : "mail_item_dumpster" }
}

extension ItemType {
    /// Documents, and wiki pages of old.
    fileprivate var hasRevisions: Bool { self == .document || self == .wiki }
}
