import BackupCore
import GRDB

/// A mailbox as one read transaction sees it.
struct TablePicture: MailboxPicture {
    let row: MailboxRow
    let change: Int64
    private let database: Database

    init(_ row: MailboxRow, in database: Database) throws {
        self.row = row
        self.database = database
        let change = try Int64.fetchOne(
            database,
            sql: """
                SELECT MAX(n) FROM (
                    SELECT MAX(mod_metadata) n FROM mail_item WHERE mailbox_id = :id
                    UNION ALL SELECT MAX(mod_metadata) FROM mail_item_dumpster WHERE mailbox_id = :id
                    UNION ALL SELECT MAX(sequence) FROM tombstone WHERE mailbox_id = :id
                    UNION ALL SELECT MAX(sequence) FROM tag WHERE mailbox_id = :id
                    UNION ALL SELECT change_checkpoint FROM mailbox WHERE id = :id)
                """,
            arguments: ["id": row.id])
        self.change = change ?? row.changeCheckpoint
    }

    func tags() throws -> [TagRow] { try TagTable.tags(mailbox: row.id, in: database).map(\.row) }

    func numbers(in part: MailboxPart, _ body: (Int64, Int64) throws -> Void) throws {
        let numbers = try Row.fetchCursor(
            database, sql: "SELECT id, mod_metadata FROM \(part.table.name) WHERE mailbox_id = ?", arguments: [row.id])
        while let number = try numbers.next() { try body(number[0], number[1]) }
    }

    func items(in part: MailboxPart, _ ids: [Int64]?, _ body: (ItemRow, [RevisionRow]) throws -> Void) throws {
        let table = part.table
        guard part == .mailbox else {
            let chosen = ids.map { Set($0) }
            return try table.forEach(mailbox: row.id, in: database) { if chosen?.contains($0.id) ?? true { try body($0, []) } }
        }
        if let ids {
            for id in ids {
                if let item = try table.item(id, mailbox: row.id, in: database) { try body(item, try revisions(of: item)) }
            }
            return
        }
        for folder in try table.items(mailbox: row.id, where: "type IN (1, 2, 13)", in: database).parentsFirst { try body(folder, []) }
        for condition in ["type = 4", "type NOT IN (1, 2, 4, 13)"] {
            try table.forEach(mailbox: row.id, where: condition, in: database) { try body($0, try revisions(of: $0)) }
        }
    }

    private func revisions(of item: ItemRow) throws -> [RevisionRow] {
        guard item.type == .document else { return [] }
        return try RevisionTable.revisions.revisions(of: item.id, mailbox: row.id, in: database)
    }

    func sections() throws -> [(name: String, text: String)] {
        let rows = try Row.fetchAll(
            database, sql: "SELECT section, metadata FROM mailbox_metadata WHERE mailbox_id = ? ORDER BY section", arguments: [row.id])
        return rows.map { ($0[0], $0[1] ?? "") }
    }
}

extension MailboxPart {
    fileprivate var table: ItemTable { self == .mailbox ? .items : .dumpster }
}
