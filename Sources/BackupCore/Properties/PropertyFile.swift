#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import GRDB
import SystemPackage

/// The properties that were set, in a file of the state folder: `properties.sqlite`.
public struct PropertyFile: Sendable {
    private let folder: FilePath
    private var file: FilePath { folder.appending("properties.sqlite") }

    /// The properties of a state folder.
    public init(stateFolder: FilePath) { folder = stateFolder }

    /// The value in force, by default where none was set.
    public func value(of property: BackupProperty) throws -> String { try values()[property.name] ?? property.defaultValue }

    /// What the engine works by.
    public func settings() throws -> BackupSettings { BackupSettings(try values()) }

    /// Sets a property, durable when it returns. The running service obeys within a second.
    ///
    /// - Returns: the value in its one spelling.
    /// - Throws: `CoreError` for a value that the property cannot have, and where the state folder cannot be written.
    @discardableResult
    public func set(_ property: BackupProperty, to text: String) throws -> String {
        let value = try property.value(text)
        try StateFolder.make(folder)
        try StateFolder.database(file, alone: false).write { database in
            try database.execute(
                sql: "CREATE TABLE IF NOT EXISTS property (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
            try database.execute(sql: "INSERT OR REPLACE INTO property VALUES (?, ?)", arguments: [property.name, value])
        }
        return value
    }

    private func values() throws -> [String: String] {
        // Nothing was ever set: reading makes no file.
        guard access(file.string, F_OK) == 0 else { return [:] }
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(10)
        do {
            return try DatabaseQueue(path: file.string, configuration: configuration).read { database in
                // The file of a write that was interrupted has no table yet.
                guard try database.tableExists("property") else { return [:] }
                let rows = try Row.fetchAll(database, sql: "SELECT name, value FROM property")
                return Dictionary(uniqueKeysWithValues: rows.map { ($0[0], $0[1]) })
            }
        } catch {
            throw CoreError(
                CoreError.Code("stateFolder"), doing: "reading the properties", subject: file.string,
                reason: "the file cannot be read",
                remedy: "Check the rights on it; removing it brings the defaults back", cause: error)
        }
    }
}
