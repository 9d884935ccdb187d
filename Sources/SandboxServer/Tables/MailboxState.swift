import BackupCore
import GRDB

/// A folder with its counters, which live in its metadata (formats/zimbra-items.md, section 3.2).
struct FolderState {
    var row: ItemRow
    var metadata: MetadataDictionary

    init(_ row: ItemRow) throws {
        self.row = row
        metadata = try MetadataDictionary(parsing: row.metadata)
    }

    /// Total bytes of what is in it.
    var bytes: Int64 {
        get { metadata.integer("sz") ?? 0 }
        set { metadata["sz"] = newValue == 0 ? nil : .integer(newValue) }
    }

    /// Attribute bit 2: of such a folder only the number of items is kept.
    var countsNothing: Bool { (metadata.integer("a") ?? 0) & 2 != 0 }

    /// Attribute bit 1: a system folder, which cannot be renamed, moved or deleted.
    var isSystem: Bool { (metadata.integer("a") ?? 0) & 1 != 0 }
}

/// A tag with its counters.
struct TagState {
    var row: TagRow
    var itemCount: Int64 = 0
    var unread: Int64 = 0
}

/// What the server holds of an open mailbox in memory: its counters, folders and tags.
///
/// A value: an operation works on a copy, which replaces the original when it has been committed.
struct MailboxState {
    var row: MailboxRow
    var lastItemID: Int64
    var lastChange: Int64
    var size: Int64
    var newMessages: Int64
    var folders: [Int64: FolderState] = [:]
    /// By lower-case name.
    var tags: [String: TagState] = [:]

    /// Change numbers between two checkpoints of the row, and item ids (formats/zimbra-datastore.md, section 5).
    static let changeStep: Int64 = 100
    static let itemStep: Int64 = 20

    /// Where the counters of a loaded mailbox go on.
    enum Counters {
        /// At the next block, as a starting server does.
        case nextBlock
        /// After the last numbers given.
        case exact
        /// As the row says: for reading, and for a mailbox just created.
        case asStored
    }

    init?(loading id: Int64, from database: Database, counters: Counters) throws {
        guard let (row, newMessages) = try Self.row(id, in: database) else { return nil }
        self.row = row
        self.newMessages = newMessages
        size = row.sizeCheckpoint
        lastItemID = row.itemIDCheckpoint
        lastChange = row.changeCheckpoint
        switch counters {
        case .asStored: break
        case .nextBlock:
            lastItemID = (row.itemIDCheckpoint / Self.itemStep + 1) * Self.itemStep - 1
            lastChange = (row.changeCheckpoint / Self.changeStep + 1) * Self.changeStep - 1
        case .exact:
            let progress = try Row.fetchOne(
                database, sql: "SELECT change_id, item_id FROM sandbox_progress WHERE mailbox_id = ?", arguments: [id])
            lastChange = max(lastChange, progress?["change_id"] ?? 0)
            lastItemID = max(lastItemID, progress?["item_id"] ?? 0)
        }
        for folder in try ItemTable.items.items(mailbox: id, where: "type IN (1, 2, 13)", in: database) {
            folders[folder.id] = try FolderState(folder)
        }
        for tag in try TagTable.tags(mailbox: id, in: database) { tags[tag.row.name.lowercased()] = tag }
    }

    static func row(_ id: Int64, in database: Database) throws -> (MailboxRow, newMessages: Int64)? {
        let statement = try database.cachedStatement(sql: "SELECT * FROM mailbox WHERE id = ?")
        guard let row = try Row.fetchOne(statement, arguments: [id]) else { return nil }
        return (mailboxRow(row), row["new_messages"])
    }

    static func mailboxRow(_ row: Row) -> MailboxRow {
        var mailbox = MailboxRow(id: row["id"], groupID: row["group_id"], accountID: row["account_id"])
        mailbox.itemIDCheckpoint = row["item_id_checkpoint"]
        mailbox.changeCheckpoint = row["change_checkpoint"]
        mailbox.sizeCheckpoint = row["size_checkpoint"]
        mailbox.contactCount = row["contact_count"]
        mailbox.trackingSync = row["tracking_sync"]
        mailbox.trackingImap = row["tracking_imap"]
        mailbox.version = row["version"]
        mailbox.comment = row["comment"]
        return mailbox
    }

    /// Whether a folder is `ancestor` or lies below it.
    func folder(_ id: Int64, isWithin ancestor: Int64) -> Bool {
        var current = id
        // The root is its own parent; a chain longer than the number of folders would be a loop.
        for _ in 0...folders.count {
            if current == ancestor { return true }
            guard let parent = folders[current]?.row.folderID, parent != current else { return false }
            current = parent
        }
        return false
    }

    /// A folder and everything below it, parents first, in the order of ids.
    func tree(of id: Int64) -> [Int64] {
        var result = [id]
        var next = 0
        while next < result.count {
            let parent = result[next]
            result += folders.values.filter { $0.row.folderID == parent && $0.row.id != parent }.map(\.row.id).sorted()
            next += 1
        }
        return result
    }

    func child(named name: String, of parent: Int64) -> FolderState? {
        folders.values.first {
            $0.row.folderID == parent && $0.row.id != parent && $0.row.name?.lowercased() == name.lowercased()
        }
    }

    /// The absolute path of a folder.
    func path(of id: Int64) -> String {
        var names: [String] = []
        var current = id
        while current != 1, let folder = folders[current], folder.row.folderID != current {
            names.append(folder.row.name ?? "")
            current = folder.row.folderID ?? 1
        }
        return "/" + names.reversed().joined(separator: "/")
    }

    /// The folder at an absolute path.
    func folder(at path: String) -> Int64? {
        var current: Int64 = 1
        for name in path.pathNames {
            guard let child = child(named: name, of: current) else { return nil }
            current = child.row.id
        }
        return current
    }
}

/// Reads and writes rows of `tag` and `tagged_item`.
enum TagTable {
    /// The flags that have a row: all below −14 but those of folders (formats/zimbra-datastore.md, `tag`).
    static let flagIDs: [Int64] = Array(-13 ... -1) + Array(-19 ... -15) + [-24]

    private static let flagNames: [Int64: String] = [
        -1: "\\Sent", -2: "\\Attached", -3: "\\Answered", -4: "\\Forwarded", -5: "\\Copied", -6: "\\Flagged", -7: "\\Draft",
        -8: "\\Deleted", -9: "\\Notified", -10: "\\Unread", -11: "\\Urgent", -12: "\\Bulk", -13: "\\Versioned",
        -15: "\\Popped", -16: "\\Note", -17: "\\Priority", -18: "\\Post", -19: "\\Muted", -24: "\\Invite",
    ]

    static func insertFlags(mailbox: Int64, in database: Database) throws {
        for id in flagIDs {
            try database.cachedStatement(
                sql: "INSERT INTO tag (mailbox_id, id, name, listed, sequence) VALUES (?, ?, ?, 0, 0)"
            ).execute(arguments: [mailbox, id, flagNames[id]])
        }
    }

    static func tags(mailbox: Int64, in database: Database) throws -> [TagState] {
        let statement = try database.cachedStatement(
            sql: """
                SELECT id, name, color, listed, sequence, policy, item_count, unread FROM tag
                WHERE mailbox_id = ? AND id > 0 ORDER BY id
                """)
        return try Row.fetchAll(statement, arguments: [mailbox]).map { row in
            TagState(
                row: TagRow(id: row[0], name: row[1], color: row[2], listed: row[3], sequence: row[4], policy: row[5]),
                itemCount: row[6], unread: row[7])
        }
    }

    static func save(_ tag: TagState, mailbox: Int64, in database: Database) throws {
        try database.cachedStatement(
            sql: """
                INSERT INTO tag (mailbox_id, id, name, color, item_count, unread, listed, sequence, policy)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (mailbox_id, id) DO UPDATE SET name = excluded.name, color = excluded.color,
                    item_count = excluded.item_count, unread = excluded.unread, listed = excluded.listed,
                    sequence = excluded.sequence, policy = excluded.policy
                """
        ).execute(arguments: [
            mailbox, tag.row.id, tag.row.name, tag.row.color, tag.itemCount, tag.unread, tag.row.listed, tag.row.sequence,
            tag.row.policy,
        ])
    }

    static func delete(_ id: Int64, mailbox: Int64, in database: Database) throws {
        try database.execute(sql: "DELETE FROM tag WHERE mailbox_id = ? AND id = ?", arguments: [mailbox, id])
        try database.execute(sql: "DELETE FROM tagged_item WHERE mailbox_id = ? AND tag_id = ?", arguments: [mailbox, id])
    }

    /// The tag ids that `tagged_item` holds for an item: its tags, its flags, and the unread flag.
    static func ids(of item: ItemRow, in state: MailboxState) -> Set<Int64> {
        guard !item.type.isContainer, item.type != .conversation else { return [] }
        var ids = Set(item.tags.compactMap { state.tags[$0.lowercased()]?.row.id })
        for id in flagIDs where item.flags.rawValue & (1 << (-id - 1)) != 0 { ids.insert(id) }
        if item.unread ?? 0 > 0 { ids.insert(-10) }
        return ids
    }

    static func change(
        item: Int64, from old: Set<Int64>, to new: Set<Int64>, mailbox: Int64, in database: Database
    ) throws {
        for id in new.subtracting(old) {
            try database.cachedStatement(
                sql: "INSERT OR IGNORE INTO tagged_item (mailbox_id, tag_id, item_id) VALUES (?, ?, ?)"
            ).execute(arguments: [mailbox, id, item])
        }
        for id in old.subtracting(new) {
            try database.cachedStatement(sql: "DELETE FROM tagged_item WHERE mailbox_id = ? AND tag_id = ? AND item_id = ?")
                .execute(arguments: [mailbox, id, item])
        }
    }
}
