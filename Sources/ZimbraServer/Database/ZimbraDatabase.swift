import BackupCore
import Synchronization

/// A mail server's database: rows of the server and of its mailboxes, read without a lock (formats/zimbra-datastore.md).
///
/// Calls block; several threads may call.
public final class ZimbraDatabase: Sendable {
    private let pool: ConnectionPool
    /// Columns that tables have, by database and table: versions differ, and the schema says how.
    private let columns = Mutex<[String: Set<String>]>([:])

    /// A database that is connected to when it is first asked.
    public init(_ settings: DatabaseSettings) { pool = ConnectionPool(settings) }

    /// Statements asked so far.
    public var statements: Int { pool.statements }

    /// Calls with a connection.
    func withConnection<Result>(_ body: (DatabaseConnection) throws -> Result) throws -> Result { try pool.withConnection(body) }

    /// Those of `names` that a table has; the others are selected as NULL.
    func selection(_ names: [String], of table: String, in connection: DatabaseConnection) throws -> String {
        let known: Set<String>
        if let found = columns.withLock({ $0[table] }) {
            known = found
        } else {
            known = Set(try connection.rows("SHOW COLUMNS FROM \(table)") { ($0.text(0) ?? "").lowercased() })
            columns.withLock { $0[table] = known }
        }
        return names.map { known.contains($0) ? $0 : "NULL" }.joined(separator: ", ")
    }

    // MARK: - The server's tables

    private static let mailboxColumns = [
        "id", "group_id", "account_id", "item_id_checkpoint", "change_checkpoint", "size_checkpoint", "contact_count", "tracking_sync",
        "tracking_imap", "version", "comment",
    ]

    /// Every row of `zimbra.mailbox`; none where the table is empty.
    ///
    /// - Throws: `CoreError`.
    public func mailboxes() throws -> [MailboxRow] {
        try withConnection { connection in
            let names = try selection(Self.mailboxColumns, of: "zimbra.mailbox", in: connection)
            return try connection.rows("SELECT \(names) FROM zimbra.mailbox ORDER BY id", Self.mailbox)
        }
    }

    /// The row of a mailbox; nil when there is none.
    func mailbox(_ id: Int64, in connection: DatabaseConnection) throws -> MailboxRow? {
        let names = try selection(Self.mailboxColumns, of: "zimbra.mailbox", in: connection)
        return try connection.rows("SELECT \(names) FROM zimbra.mailbox WHERE id = \(id)", Self.mailbox).first
    }

    private static func mailbox(_ row: DatabaseRow) throws -> MailboxRow {
        var mailbox = MailboxRow(id: try row.required(0), groupID: try row.required(1), accountID: (row.text(2) ?? "").lowercased())
        mailbox.itemIDCheckpoint = try row.required(3)
        mailbox.changeCheckpoint = try row.required(4)
        mailbox.sizeCheckpoint = try row.required(5)
        mailbox.contactCount = try row.number(6)
        mailbox.trackingSync = try row.required(7)
        mailbox.trackingImap = try row.required(8) != 0
        mailbox.version = row.text(9)
        mailbox.comment = row.text(10)
        return mailbox
    }

    private static let volumeColumns = [
        "id", "type", "name", "path", "file_bits", "file_group_bits", "mailbox_bits", "mailbox_group_bits", "compress_blobs",
        "compression_threshold", "store_type", "store_manager_class",
    ]

    /// Every row of `zimbra.volume`.
    ///
    /// - Throws: `CoreError`.
    public func volumes() throws -> [VolumeRow] {
        try withConnection { connection in
            let names = try selection(Self.volumeColumns, of: "zimbra.volume", in: connection)
            return try connection.rows("SELECT \(names) FROM zimbra.volume ORDER BY id") { row in
                VolumeRow(
                    id: try row.required(0), type: try row.required(1), name: row.text(2) ?? "", path: row.text(3) ?? "",
                    fileBits: try row.required(4), fileGroupBits: try row.required(5), mailboxBits: try row.required(6),
                    mailboxGroupBits: try row.required(7), compressesBlobs: try row.required(8) != 0,
                    compressionThreshold: try row.required(9), storeType: try row.number(10) ?? 1, storeManagerClass: row.text(11))
            }
        }
    }

    /// `zimbra.config`: `db.version`, `redolog.version` and the like.
    ///
    /// - Throws: `CoreError`.
    public func configuration() throws -> [String: String] {
        try withConnection { connection in
            let pairs = try connection.rows("SELECT name, value FROM zimbra.config") { ($0.text(0) ?? "", $0.text(1) ?? "") }
            return Dictionary(pairs, uniquingKeysWith: { $1 })
        }
    }
}

/// A row of `zimbra.volume`: the root of a tree of blob files (formats/zimbra-datastore.md, section 3; formats/zimbra-items.md, section 4).
public struct VolumeRow: Hashable, Sendable {
    /// 1 to 255; what a locator names.
    public var id: Int64
    /// 1 primary messages, 2 secondary messages, 10 index.
    public var type: Int64
    /// Its name.
    public var name: String
    /// Its root, absolute or relative to the server's home.
    public var path: String
    /// Bits of an item's id that share a folder.
    public var fileBits: Int64
    /// Bits of an item's folder.
    public var fileGroupBits: Int64
    /// Bits of a mailbox's id that share a folder.
    public var mailboxBits: Int64
    /// Bits of a mailbox's folder.
    public var mailboxGroupBits: Int64
    /// Whether new blobs are compressed.
    public var compressesBlobs: Bool
    /// Only larger ones are, in bytes.
    public var compressionThreshold: Int64
    /// 1 files, 2 an external store.
    public var storeType: Int64
    /// The class of the store; nil where the schema does not say.
    public var storeManagerClass: String?
}
