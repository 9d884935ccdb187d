import BackupCore
import CMariaDB

/// One connection to a mail server's database, for reading.
///
/// Not thread-safe: one thread at a time has it (`ConnectionPool`).
final class DatabaseConnection {
    /// The library is made ready once, before threads meet in it.
    private static let isReady = mysql_server_init(0, nil, nil) == 0

    private let settings: DatabaseSettings
    private let handle: UnsafeMutablePointer<MYSQL>
    /// Counts statements of all connections of a pool.
    private let count: () -> Void
    /// Whether an answer broke off: nothing can be asked any more.
    private(set) var isBroken = false

    /// Connects.
    ///
    /// - Throws: `CoreError` with `databaseUnreachable`.
    init(_ settings: DatabaseSettings, count: @escaping () -> Void) throws {
        precondition(Self.isReady, "libmariadb does not start")
        guard let handle = mysql_init(nil) else { preconditionFailure("out of memory") }
        (self.settings, self.handle, self.count) = (settings, handle, count)
        var (connect, read) = (settings.connectTimeout, settings.readTimeout)
        mysql_options(handle, MYSQL_OPT_CONNECT_TIMEOUT, &connect)
        mysql_options(handle, MYSQL_OPT_READ_TIMEOUT, &read)
        mysql_options(handle, MYSQL_OPT_WRITE_TIMEOUT, &read)
        // Reading what the tables hold (utf8mb3) is safe; what others wrote as four bytes is, too.
        mysql_options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4")
        // Files of this machine are nobody's business.
        var no: UInt32 = 0
        mysql_options(handle, MYSQL_OPT_LOCAL_INFILE, &no)
        let isOpen =
            switch settings.place {
            case .socket(let path): mysql_real_connect(handle, nil, settings.user, settings.password, nil, 0, path, 0) != nil
            case .network(let host, let port):
                mysql_real_connect(handle, host, settings.user, settings.password, nil, UInt32(port), nil, 0) != nil
            }
        guard isOpen else {
            throw CoreError(
                .databaseUnreachable, doing: "connecting to the database", subject: "\(settings)", reason: reason,
                remedy: "See whether the database runs, and whether its password in localconfig.xml is the right one")
        }
        // For snapshots: the server's own setting may be another.
        try run("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    }

    deinit { mysql_close(handle) }

    /// Whether the server has not closed it meanwhile.
    var isAlive: Bool { mysql_ping(handle) == 0 }

    private var reason: String { String(cString: mysql_error(handle)) }

    private func failure(_ statement: String) -> CoreError {
        isBroken = true
        return CoreError(
            .databaseFailed, doing: "asking the database", subject: "\(settings), \(statement.prefix(120))", reason: reason,
            remedy: "Nothing was changed; it is tried again")
    }

    /// Runs a statement without an answer.
    func run(_ statement: String) throws { try forEach(statement) { _ in } }

    /// Hands out the rows of an answer as they come in: memory does not grow with their number.
    ///
    /// - Parameter statement: SQL without anything that strangers wrote.
    /// - Throws: `CoreError` with `databaseFailed`, also when the answer breaks off; what `body` throws.
    func forEach(_ statement: String, _ body: (DatabaseRow) throws -> Void) throws {
        precondition(!isBroken, "a broken connection is not used again")
        count()
        guard mysql_real_query(handle, statement, UInt(statement.utf8.count)) == 0 else { throw failure(statement) }
        guard let result = mysql_use_result(handle) else {
            if mysql_field_count(handle) > 0 { throw failure(statement) }
            return
        }
        var isWhole = false
        defer {
            if !isWhole { isBroken = true }
            mysql_free_result(result)
        }
        let columns = Int(mysql_num_fields(result))
        while let row = mysql_fetch_row(result) {
            guard let lengths = mysql_fetch_lengths(result) else { throw failure(statement) }
            try body(DatabaseRow(values: row, lengths: lengths, count: columns, statement: statement))
        }
        guard mysql_errno(handle) == 0 else { throw failure(statement) }
        isWhole = true
    }

    /// All rows of a short answer.
    func rows<Value>(_ statement: String, _ value: (DatabaseRow) throws -> Value) throws -> [Value] {
        var values: [Value] = []
        try forEach(statement) { values.append(try value($0)) }
        return values
    }

    /// Calls with a picture of one moment, which holds no lock.
    func inSnapshot<Result>(_ body: () throws -> Result) throws -> Result {
        try run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
        let result = try body()
        try run("COMMIT")
        return result
    }
}

/// A row of an answer, good until the next one is fetched.
struct DatabaseRow {
    fileprivate let values: MYSQL_ROW
    fileprivate let lengths: UnsafeMutablePointer<UInt>
    fileprivate let count: Int
    fileprivate let statement: String

    private func bytes(_ column: Int) -> UnsafeRawBufferPointer? {
        precondition(column < count, "the statement selects fewer columns")
        guard let value = values[column] else { return nil }
        return UnsafeRawBufferPointer(start: value, count: Int(lengths[column]))
    }

    /// A text; bytes that are no UTF-8 become replacement characters.
    func text(_ column: Int) -> String? { bytes(column).map { String(decoding: $0, as: UTF8.self) } }

    /// A number, nil for NULL.
    ///
    /// - Throws: `CoreError` with `databaseFailed` for anything else.
    func number(_ column: Int) throws -> Int64? {
        guard let text = text(column) else { return nil }
        guard let number = Int64(text) else {
            throw CoreError(
                .databaseFailed, doing: "reading a row", subject: "\(statement.prefix(120)), column \(column + 1)",
                reason: "\"\(text.prefix(40))\" is no number", remedy: "The table is not one of a mail server known here")
        }
        return number
    }

    /// A number that cannot be NULL.
    func required(_ column: Int) throws -> Int64 {
        guard let number = try number(column) else {
            throw CoreError(
                .databaseFailed, doing: "reading a row", subject: "\(statement.prefix(120)), column \(column + 1)", reason: "it is NULL",
                remedy: "The table is not one of a mail server known here")
        }
        return number
    }
}
