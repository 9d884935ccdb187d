import GRDB

/// Columns, whatever a rotten file holds there: GRDB's own subscripts trap on a value of another type.
extension Row {
    func value<Value: DatabaseValueConvertible>(_ column: Int, as type: Value.Type = Value.self) throws -> Value {
        guard let value = Value.fromDatabaseValue(self[column] as DatabaseValue) else { throw Self.rotten }
        return value
    }

    func optional<Value: DatabaseValueConvertible>(_ column: Int, as type: Value.Type = Value.self) throws -> Value? {
        (self[column] as DatabaseValue).isNull ? nil : try value(column, as: Value.self)
    }

    /// A commit sequence.
    func sequence(_ column: Int) throws -> UInt64 {
        guard let sequence = UInt64(exactly: try value(column, as: Int64.self)) else { throw Self.rotten }
        return sequence
    }

    static var rotten: DatabaseError {
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

    /// As optionals: GRDB's way of taking plain values makes a key path each time, which costs a tenth of a rebuild.
    private static func bound(_ arguments: [DatabaseValue]) -> StatementArguments {
        StatementArguments(arguments.map { $0 as (any DatabaseValueConvertible)? })
    }

    /// Runs a statement that gives no rows.
    func run(_ sql: StaticString, _ arguments: [DatabaseValue] = []) throws {
        let statement = try statement(sql)
        statement.setUncheckedArguments(Self.bound(arguments))
        try statement.execute()
    }

    /// All rows of a statement; for few rows.
    func rows(_ sql: StaticString, _ arguments: [DatabaseValue] = []) throws -> [Row] {
        let statement = try statement(sql)
        statement.setUncheckedArguments(Self.bound(arguments))
        return try Row.fetchAll(statement)
    }

    /// The first row of a statement.
    func row(_ sql: StaticString, _ arguments: [DatabaseValue] = []) throws -> Row? {
        let statement = try statement(sql)
        statement.setUncheckedArguments(Self.bound(arguments))
        return try Row.fetchOne(statement)
    }

    func meta(_ name: String) throws -> String? {
        guard let row = try row("SELECT value FROM meta WHERE name = ?", [name.databaseValue]) else { return nil }
        return String.fromDatabaseValue(row[0])
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
