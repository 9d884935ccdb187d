import GRDB
import SystemPackage

/// The rebuildable cache of what the histories and the journal say: SQLite, one file.
///
/// It is never the truth: everything in it comes from histories and journal and may be deleted at any time. It bears the commit
/// sequence that it has applied, so that it is known how far it can be trusted (R2, R5).
final class StoreIndex: @unchecked Sendable {
    // Unchecked: the queue serialises every use of the connection and the statements.

    let queue: DatabaseQueue
    let file: FilePath
    private(set) var inTransaction = false
    private var statements: IndexStatements?

    /// A different layout is rebuilt, not migrated.
    static let layout = "3"

    /// Opens the index for reading and writing, making it where it is missing.
    init(writing file: FilePath) throws {
        self.file = file
        try Self.refuseLinks(file, creating: true)
        queue = try Self.failing("opening the index", file) {
            let queue = try DatabaseQueue(path: file.string, configuration: Self.configuration(readOnly: false))
            try queue.inDatabase { db in
                try db.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 4000")
                try db.execute(sql: Self.schema)
            }
            return queue
        }
    }

    /// Makes an index that nobody else uses and that goes with this process: nothing of it need survive.
    init(private file: FilePath) throws {
        self.file = file
        queue = try Self.failing("making a private index", file) {
            let queue = try DatabaseQueue(path: file.string, configuration: Self.configuration(readOnly: false))
            try queue.inDatabase { db in
                try db.execute(sql: "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF")
                try db.execute(sql: Self.schema)
            }
            return queue
        }
    }

    /// Opens an index that a writer may be using.
    init(reading file: FilePath) throws {
        self.file = file
        try Self.refuseLinks(file, creating: false)
        queue = try Self.failing("opening the index", file) {
            try DatabaseQueue(path: file.string, configuration: Self.configuration(readOnly: true))
        }
    }

    /// SQLite follows links, and makes files for everybody to read: it is looked before, and a missing file made for the owner
    /// only. Its other files get the rights of this one; links in their place it refuses by itself.
    private static func refuseLinks(_ file: FilePath, creating: Bool) throws {
        let files = PosixFileSystem(below: file.removingLastComponent().removingLastComponent())
        guard try files.status(file) == nil, creating else { return }
        do {
            try files.open(file, .createNew).close()
        } catch let error as Errno where error == .fileExists {}  // Another was faster.
    }

    private static func configuration(readOnly: Bool) -> Configuration {
        var configuration = Configuration()
        configuration.readonly = readOnly
        configuration.allowsUnsafeTransactions = true
        configuration.busyMode = .timeout(10)
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY")
        }
        return configuration
    }

    private static let schema = """
        CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS accounts (
            number INTEGER PRIMARY KEY, account TEXT UNIQUE NOT NULL, lines INTEGER NOT NULL DEFAULT 0,
            checksums INTEGER NOT NULL DEFAULT 0, sequence INTEGER NOT NULL DEFAULT 0);
        CREATE TABLE IF NOT EXISTS items (
            account INTEGER NOT NULL, id INTEGER NOT NULL, seq INTEGER NOT NULL, first INTEGER NOT NULL,
            deleted INTEGER NOT NULL, folder INTEGER, parent INTEGER, line TEXT NOT NULL, lines INTEGER NOT NULL,
            checksums INTEGER NOT NULL, PRIMARY KEY (account, id)) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS items_deleted ON items (account, seq) WHERE deleted = 1;
        CREATE INDEX IF NOT EXISTS items_folder ON items (account, folder, id) WHERE deleted = 0;
        CREATE INDEX IF NOT EXISTS items_parent ON items (account, parent, id) WHERE deleted = 0 AND parent IS NOT NULL;
        CREATE TABLE IF NOT EXISTS entries (
            kind TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL, first INTEGER NOT NULL, line TEXT NOT NULL,
            lines INTEGER NOT NULL, checksums INTEGER NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS changes (
            account INTEGER NOT NULL, seq INTEGER NOT NULL, time INTEGER NOT NULL, change INTEGER, generation INTEGER NOT NULL,
            PRIMARY KEY (account, seq)) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS changes_number ON changes (account, generation, change);
        CREATE TABLE IF NOT EXISTS marks (
            account TEXT NOT NULL, seq INTEGER NOT NULL, n INTEGER NOT NULL, mark TEXT NOT NULL,
            PRIMARY KEY (account, seq, n)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS blobs (
            id TEXT PRIMARY KEY, size INTEGER NOT NULL, stored INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS uses (user TEXT NOT NULL, blob TEXT NOT NULL, PRIMARY KEY (user, blob)) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS uses_blob ON uses (blob);
        CREATE TABLE IF NOT EXISTS released (blob TEXT PRIMARY KEY) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS overlay (
            history TEXT NOT NULL, seq INTEGER NOT NULL, line TEXT NOT NULL, PRIMARY KEY (history, seq)) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS cuts (history TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (history, seq)) WITHOUT ROWID;
        """

    /// Runs `body` on the connection with the prepared statements; GRDB's errors become the store's.
    func use<Result>(_ doing: String, _ body: (IndexStatements) throws -> Result) throws -> Result {
        try Self.failing(doing, file) {
            try queue.inDatabase { db in
                if statements == nil { statements = IndexStatements(db) }
                return try body(statements!)
            }
        }
    }

    static func failing<Result>(_ doing: String, _ file: FilePath, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as DatabaseError where error.resultCode == .SQLITE_FULL {
            throw StoreError(
                .noSpace, doing: doing, subject: file.string,
                remedy: "Make room: the file system is full. Nothing committed is lost", cause: error)
        } catch let error as DatabaseError {
            throw StoreError(
                .index, doing: doing, subject: file.string,
                remedy: "The index may be deleted at any time; rebuildIndex makes it anew", cause: error)
        }
    }

    /// Begins a transaction unless one is open.
    func begin() throws {
        guard !inTransaction else { return }
        try use("beginning a transaction of the index") { try $0.database.execute(sql: "BEGIN IMMEDIATE") }
        inTransaction = true
    }

    /// Commits the open transaction.
    func commit() throws {
        guard inTransaction else { return }
        try use("committing to the index") { try $0.database.execute(sql: "COMMIT") }
        inTransaction = false
    }

    /// Drops the open transaction.
    func rollback() {
        guard inTransaction else { return }
        inTransaction = false
        // SQLite may have rolled back by itself; then there is nothing to drop and the error says so.
        try? use("rolling back the index") {
            $0.forget()
            try $0.database.execute(sql: "ROLLBACK")
        }
    }

    /// Closes the connection.
    func close() {
        queue.inDatabase { _ in statements = nil }
        try? queue.close()  // Nothing is lost: the index is a cache.
    }

    /// A meta value.
    func meta(_ name: String) throws -> String? { try use("reading the index") { try $0.meta(name) } }

    /// Whether the tables have this program's layout and belong to this store, and hold everything up to some sequence.
    func isUsable(storeID: String) throws -> Bool {
        do {
            return try use("reading the index") {
                try $0.meta("layout") == Self.layout && $0.meta("store") == storeID && $0.meta("complete") == "1"
            }
        } catch let error as StoreError where error.code == .index {
            return false
        }
    }

    /// The sequence up to which everything is applied.
    func sequence() throws -> UInt64 { try meta("sequence").flatMap { UInt64($0) } ?? 0 }
}
