import BackupCore
import GRDB

/// The reading side: what a backup sees of the server.
extension SandboxServer: MailSource {
    /// All accounts of the directory.
    public func accounts() throws -> [AccountEntry] {
        try database.read { database in
            try String.fetchAll(database, sql: "SELECT id FROM directory_account ORDER BY name")
                .compactMap { try Self.account($0, in: database) }
        }
    }

    /// All rows of `mailbox`.
    public func mailboxes() throws -> [MailboxRow] {
        try database.read { try Row.fetchAll($0, sql: "SELECT * FROM mailbox ORDER BY id").map(MailboxState.mailboxRow) }
    }

    /// Hands out a mailbox as one database transaction sees it.
    public func readMailbox(_ mailboxID: Int64, _ body: (MailboxElement) throws -> Void) throws -> MailboxSnapshot? {
        // One read transaction: the picture of one moment, while the server works on.
        try database.read { database in
            guard let (row, _) = try MailboxState.row(mailboxID, in: database) else { return nil }
            for tag in try TagTable.tags(mailbox: mailboxID, in: database) { try body(.tag(tag.row)) }
            let folders = try ItemTable.items.items(mailbox: mailboxID, where: "type IN (1, 2, 13)", in: database)
            for folder in Self.parentsFirst(folders) { try body(.item(folder)) }
            // Conversations before their messages.
            for condition in ["type = 4", "type NOT IN (1, 2, 4, 13)"] {
                try ItemTable.items.forEach(mailbox: mailboxID, where: condition, in: database) { row in
                    try body(.item(row))
                    guard row.type == .document else { return }
                    for revision in try RevisionTable.revisions.revisions(of: row.id, mailbox: mailboxID, in: database) {
                        try body(.revision(revision))
                    }
                }
            }
            try ItemTable.dumpster.forEach(mailbox: mailboxID, in: database) { try body(.dumpster($0)) }
            let sections = try Row.fetchAll(
                database, sql: "SELECT section, metadata FROM mailbox_metadata WHERE mailbox_id = ? ORDER BY section",
                arguments: [mailboxID])
            for section in sections { try body(.section(name: section["section"], text: section["metadata"] ?? "")) }
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
                arguments: ["id": mailboxID])
            return MailboxSnapshot(row: row, change: change ?? row.changeCheckpoint)
        }
    }

    private static func parentsFirst(_ folders: [ItemRow]) -> [ItemRow] {
        var byParent: [Int64: [ItemRow]] = [:]
        for folder in folders where folder.folderID != folder.id { byParent[folder.folderID ?? 0, default: []].append(folder) }
        var result = folders.filter { $0.folderID == $0.id }
        var next = 0
        while next < result.count {
            result += byParent[result[next].id] ?? []
            next += 1
        }
        return result
    }

    /// Opens a blob of its volume.
    public func openBlob(_ location: BlobLocation) throws -> ByteReader {
        // Also called while a mailbox is being read.
        let volume = try database.unsafeReentrantRead { database in
            let locator = try location.locator ?? String.fetchOne(
                database, sql: "SELECT locator FROM mail_item WHERE mailbox_id = ? AND id = ?",
                arguments: [location.mailboxID, location.itemID])
            return try Self.readVolume(Int64(locator ?? "") ?? 0, home: path, in: database)
        }
        let place = volume.path(mailbox: location.mailboxID, item: location.itemID, modContent: location.modContent)
        return try StoredBlob(location, at: place).open()
    }
}
