import BackupCore
import Foundation
import GRDB

/// Reads and writes rows of `mail_item` and `mail_item_dumpster`.
struct ItemTable {
    let name: String

    static let items = ItemTable(name: "mail_item")
    static let dumpster = ItemTable(name: "mail_item_dumpster")

    private static let columns = """
        id, type, parent_id, folder_id, prev_folders, index_id, imap_id, date, size, locator, blob_digest, unread, flags, \
        tag_names, sender, recipients, subject, name, metadata, mod_metadata, change_date, mod_content, uuid
        """

    /// A row of a statement that selects `columns`.
    private static func item(_ row: Row) -> ItemRow {
        var item = ItemRow(id: row[0], type: ItemType(rawValue: row[1]))
        item.parentID = row[2]
        item.folderID = row[3]
        item.prevFolders = row[4]
        item.indexID = row[5]
        item.imapID = row[6]
        item.date = row[7]
        item.size = row[8]
        item.locator = row[9]
        item.blobDigest = row[10]
        item.unread = row[11]
        item.flags = Flags(rawValue: row[12])
        item.tags = (row[13] as Data?).map { ItemRow.tags(fromColumn: String(decoding: $0, as: UTF8.self)) } ?? []
        item.sender = row[14]
        item.recipients = row[15]
        item.subject = row[16]
        item.name = row[17]
        item.metadata = row[18]
        item.modMetadata = row[19]
        item.changeDate = row[20]
        item.modContent = row[21]
        item.uuid = row[22]
        return item
    }

    private static func arguments(_ item: ItemRow, mailbox: Int64) -> StatementArguments {
        [
            item.type.rawValue, item.parentID, item.folderID, item.prevFolders, item.indexID, item.imapID, item.date,
            item.size, item.locator, item.blobDigest, item.unread, item.flags.rawValue,
            // As a blob: SQLite's texts end at a NUL, and this one begins with it.
            ItemRow.column(fromTags: item.tags).map { Data($0.utf8) },
            item.sender, item.recipients, item.subject, item.name, item.metadata, item.modMetadata, item.changeDate,
            item.modContent, item.uuid, mailbox, item.id,
        ]
    }

    func insert(_ item: ItemRow, mailbox: Int64, in database: Database) throws {
        try database.cachedStatement(
            sql: """
                INSERT INTO \(name) (type, parent_id, folder_id, prev_folders, index_id, imap_id, date, size, locator, \
                blob_digest, unread, flags, tag_names, sender, recipients, subject, name, metadata, mod_metadata, change_date, \
                mod_content, uuid, mailbox_id, id) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
                """
        ).execute(arguments: Self.arguments(item, mailbox: mailbox))
    }

    func update(_ item: ItemRow, mailbox: Int64, in database: Database) throws {
        try database.cachedStatement(
            sql: """
                UPDATE \(name) SET type = ?, parent_id = ?, folder_id = ?, prev_folders = ?, index_id = ?, imap_id = ?, \
                date = ?, size = ?, locator = ?, blob_digest = ?, unread = ?, flags = ?, tag_names = ?, sender = ?, \
                recipients = ?, subject = ?, name = ?, metadata = ?, mod_metadata = ?, change_date = ?, mod_content = ?, \
                uuid = ? WHERE mailbox_id = ? AND id = ?
                """
        ).execute(arguments: Self.arguments(item, mailbox: mailbox))
    }

    func delete(_ id: Int64, mailbox: Int64, in database: Database) throws {
        try database.cachedStatement(sql: "DELETE FROM \(name) WHERE mailbox_id = ? AND id = ?")
            .execute(arguments: [mailbox, id])
    }

    func item(_ id: Int64, mailbox: Int64, in database: Database) throws -> ItemRow? {
        let statement = try database.cachedStatement(
            sql: "SELECT \(Self.columns) FROM \(name) WHERE mailbox_id = ? AND id = ?")
        return try Row.fetchOne(statement, arguments: [mailbox, id]).map(Self.item)
    }

    /// Rows that satisfy a condition, in the order of `order`.
    func items(
        mailbox: Int64, where condition: String = "TRUE", _ arguments: StatementArguments = [], order: String = "id",
        in database: Database
    ) throws -> [ItemRow] {
        let statement = try database.cachedStatement(
            sql: "SELECT \(Self.columns) FROM \(name) WHERE mailbox_id = ? AND \(condition) ORDER BY \(order)")
        return try Row.fetchAll(statement, arguments: [mailbox] + arguments).map(Self.item)
    }

    /// Hands out rows one at a time.
    func forEach(
        mailbox: Int64, where condition: String = "TRUE", order: String = "id", in database: Database,
        _ body: (ItemRow) throws -> Void
    ) throws {
        let statement = try database.makeStatement(
            sql: "SELECT \(Self.columns) FROM \(name) WHERE mailbox_id = ? AND \(condition) ORDER BY \(order)")
        let cursor = try Row.fetchCursor(statement, arguments: [mailbox])
        while let row = try cursor.next() { try body(Self.item(row)) }
    }
}
