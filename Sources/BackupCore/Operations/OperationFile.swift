#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import BackupStore
import GRDB
import SystemPackage

/// The operations that were ordered and are not done, in a file of the state folder: `operations.sqlite`.
///
/// What it was told is durable when a call returns: a service that is killed finds its queue again.
public struct OperationFile: Sendable {
    private let database: DatabaseQueue
    private let file: FilePath

    /// Opens or makes the file.
    ///
    /// - Throws: `CoreError` where the state folder cannot be written.
    public init(stateFolder: FilePath) throws {
        try StateFolder.make(stateFolder)
        let file = stateFolder.appending("operations.sqlite")
        self.file = file
        database = try Self.telling("opening the list of operations", file) {
            let database = try StateFolder.database(file, alone: false)
            try database.write { database in
                try database.execute(
                    sql: "CREATE TABLE IF NOT EXISTS operation (place INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, json TEXT NOT NULL)")
            }
            return database
        }
    }

    /// Opens the file of a state folder; nil where there is none.
    ///
    /// - Throws: `CoreError` where it cannot be used.
    public init?(existingIn stateFolder: FilePath) throws {
        guard access(stateFolder.appending("operations.sqlite").string, F_OK) == 0 else { return nil }
        try self.init(stateFolder: stateFolder)
    }

    /// All that are not done, oldest first. A line that is no operation is left out, and taken off the list.
    public func all() throws -> [QueuedOperation] {
        try Self.telling("reading the list of operations", file) {
            try database.write { database in
                var operations: [QueuedOperation] = []
                for row in try Row.fetchAll(database, sql: "SELECT place, json FROM operation ORDER BY place") {
                    let text: String = row["json"]
                    if let json = (try? JSONValue(json: text))?.object, let operation = QueuedOperation(json) {
                        operations.append(operation)
                    } else {
                        try database.execute(sql: "DELETE FROM operation WHERE place = ?", arguments: [row["place"] as Int64])
                    }
                }
                return operations
            }
        }
    }

    /// Puts an operation at the end of the list, or keeps what has changed of it.
    public func keep(_ operation: QueuedOperation) throws {
        try Self.telling("keeping operation \(operation.id)", file) {
            try database.write { database in
                try database.execute(
                    sql: "INSERT INTO operation (id, json) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET json = excluded.json",
                    arguments: [operation.id, JSONValue.object(operation.json).json])
            }
        }
    }

    /// Takes an operation off the list.
    public func remove(_ id: String) throws {
        try Self.telling("taking operation \(id) off the list", file) {
            try database.write { try $0.execute(sql: "DELETE FROM operation WHERE id = ?", arguments: [id]) }
        }
    }

    private static func telling<Result>(_ doing: String, _ file: FilePath, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch {
            throw CoreError(
                CoreError.Code("stateFolder"), doing: doing, subject: file.string, reason: "the file cannot be used",
                remedy: "Check the rights on it and the free space; removing it empties the queue of the service", cause: error)
        }
    }
}
