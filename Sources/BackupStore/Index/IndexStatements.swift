import GRDB
import GRDBSQLite

/// A row of a result; every column is asked for its type, since a rotten file may hold anything.
struct IndexRow {
    fileprivate enum Column {
        case null
        case integer(Int64)
        case text(String)
        /// What no column of ours holds.
        case other
    }

    fileprivate let columns: [Column]

    func value(_ column: Int, as type: Int64.Type = Int64.self) throws -> Int64 {
        guard case .integer(let value) = columns[column] else { throw Self.rotten }
        return value
    }

    func value(_ column: Int, as type: String.Type = String.self) throws -> String {
        guard case .text(let value) = columns[column] else { throw Self.rotten }
        return value
    }

    func optional(_ column: Int) throws -> Int64? { if case .null = columns[column] { nil } else { try value(column, as: Int64.self) } }

    func optional(_ column: Int) throws -> String? { if case .null = columns[column] { nil } else { try value(column, as: String.self) } }

    /// A commit sequence.
    func sequence(_ column: Int) throws -> UInt64 {
        guard let sequence = UInt64(exactly: try value(column, as: Int64.self)) else { throw Self.rotten }
        return sequence
    }

    private static var rotten: DatabaseError {
        DatabaseError(resultCode: .SQLITE_CORRUPT, message: "a column holds what was never written")
    }
}

/// Prepared statements of one connection; used on its queue only.
final class IndexStatements {
    let database: Database
    private var prepared: [StaticStringKey: Statement] = [:]
    private var numbers: [String: Int64] = [:]
    /// What the meta value `held` is known to be.
    var knownHeld: String?

    /// The address of a literal: cheaper to hash than its text.
    private struct StaticStringKey: Hashable {
        let start: UnsafePointer<UInt8>
    }

    init(_ database: Database) { self.database = database }

    /// Forgets what a rolled back transaction may have made.
    func forget() { (numbers, knownHeld) = ([:], nil) }

    private func statement(_ sql: StaticString) throws -> Statement {
        let key = StaticStringKey(start: sql.utf8Start)
        if let statement = prepared[key] { return statement }
        let statement = try database.makeStatement(sql: sql.description)
        prepared[key] = statement
        return statement
    }

    /// Runs a statement that gives no rows.
    func run(_ sql: StaticString, _ arguments: [DatabaseValue] = []) throws {
        try step(sql, arguments) { _ in true }
    }

    /// All rows of a statement; for few rows.
    func rows(_ sql: StaticString, _ arguments: [DatabaseValue] = []) throws -> [IndexRow] {
        var rows: [IndexRow] = []
        try step(sql, arguments) {
            rows.append($0)
            return true
        }
        return rows
    }

    /// The first row of a statement.
    func row(_ sql: StaticString, _ arguments: [DatabaseValue] = []) throws -> IndexRow? {
        var found: IndexRow?
        try step(sql, arguments) {
            found = $0
            return false
        }
        return found
    }

    /// Hands out rows until `body` has enough.
    ///
    /// By SQLite's own calls: GRDB's arguments and rows of any type took a third of the making of an index.
    private func step(_ sql: StaticString, _ arguments: [DatabaseValue], _ body: (IndexRow) -> Bool) throws {
        let statement = try statement(sql).sqliteStatement
        defer { sqlite3_reset(statement) }
        for (number, argument) in arguments.enumerated() {
            let code = Self.bind(argument, to: statement, Int32(number + 1))
            guard code == SQLITE_OK else { throw error(code, sql) }
        }
        while true {
            let code = sqlite3_step(statement)
            if code == SQLITE_DONE { return }
            guard code == SQLITE_ROW else { throw error(code, sql) }
            let columns = (0..<sqlite3_column_count(statement)).map { Self.column($0, of: statement) }
            guard body(IndexRow(columns: columns)) else { return }
        }
    }

    private static func bind(_ value: DatabaseValue, to statement: OpaquePointer, _ number: Int32) -> Int32 {
        let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)  // SQLite's constant: it copies what it is given.
        switch value.storage {
        case .null: return sqlite3_bind_null(statement, number)
        case .int64(let value): return sqlite3_bind_int64(statement, number, value)
        case .double(let value): return sqlite3_bind_double(statement, number, value)
        case .string(var text):
            guard !text.isEmpty else { return sqlite3_bind_text(statement, number, "", 0, transient) }
            return text.withUTF8 { utf8 in
                utf8.withMemoryRebound(to: CChar.self) { sqlite3_bind_text(statement, number, $0.baseAddress, Int32($0.count), transient) }
            }
        case .blob: return SQLITE_MISMATCH  // No column of ours holds any.
        }
    }

    private static func column(_ number: Int32, of statement: OpaquePointer) -> IndexRow.Column {
        switch sqlite3_column_type(statement, number) {
        case SQLITE_NULL: return .null
        case SQLITE_INTEGER: return .integer(sqlite3_column_int64(statement, number))
        case SQLITE_TEXT:
            let text = sqlite3_column_text(statement, number)  // Before its length: it may be converted.
            return .text(String(decoding: UnsafeBufferPointer(start: text, count: Int(sqlite3_column_bytes(statement, number))), as: UTF8.self))
        default: return .other
        }
    }

    private func error(_ code: Int32, _ sql: StaticString) -> DatabaseError {
        DatabaseError(
            resultCode: ResultCode(rawValue: code), message: String(cString: sqlite3_errmsg(database.sqliteConnection)), sql: sql.description)
    }

    func meta(_ name: String) throws -> String? {
        guard let row = try row("SELECT value FROM meta WHERE name = ?", [name.databaseValue]) else { return nil }
        return try? row.value(0, as: String.self)  // Whatever else it is says nothing.
    }

    func setMeta(_ name: String, _ value: String?) throws {
        try run("INSERT OR REPLACE INTO meta VALUES (?, ?)", [name.databaseValue, value.databaseValue])
    }

    /// The account's number in the tables; nil for an account never seen.
    func number(of account: String) throws -> Int64? {
        if let number = numbers[account] { return number }
        guard let row = try row("SELECT number FROM accounts WHERE account = ?", [account.databaseValue]) else { return nil }
        if numbers.count > 10_000 { numbers = [:] }
        let number = try row.value(0, as: Int64.self)
        numbers[account] = number
        return number
    }

    /// The account's number, given out where it has none.
    func numberMaking(_ account: String) throws -> Int64 {
        if let number = try number(of: account) { return number }
        try run("INSERT INTO accounts (account) VALUES (?)", [account.databaseValue])
        numbers[account] = database.lastInsertedRowID
        return database.lastInsertedRowID
    }
}
