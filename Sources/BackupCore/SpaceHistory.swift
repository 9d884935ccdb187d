#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import BackupStore
import GRDB
import SystemPackage

/// The free space of a backup path in the last week, as the service notes it once an hour: how long it will last.
///
/// Kept in the state folder, `space.sqlite`. What else is written to the same file system counts, too: it takes the same space.
public struct SpaceHistory: Sendable {
    /// How long something lasts if it goes on as in the last week.
    public enum Outlook: Hashable, Sendable {
        /// Less than a day of it is known.
        case unknown
        /// It has not become less.
        case notShrinking
        /// Whole days until it is used up.
        case days(Int64)
    }

    private static let hour: Int64 = 3_600_000
    private static let day = 24 * hour

    private let folder: FilePath
    private let backupPath: String
    private var file: FilePath { folder.appending("space.sqlite") }

    /// The history of a backup path, named as it is always named.
    public init(stateFolder: FilePath, of backupPath: String) {
        folder = stateFolder
        self.backupPath = backupPath
    }

    /// Notes what is free, unless that was done less than an hour ago.
    ///
    /// - Parameter time: milliseconds since 1970.
    public func note(_ space: SpaceLeft, at time: Int64) throws {
        try StateFolder.make(folder)
        try StateFolder.database(file, alone: false).write { database in
            try database.execute(
                sql: """
                    CREATE TABLE IF NOT EXISTS space (
                        path TEXT NOT NULL, time INTEGER NOT NULL, bytes INTEGER NOT NULL, inodes INTEGER,
                        PRIMARY KEY (path, time)) WITHOUT ROWID
                    """)
            // After a clock that was ahead is set right, what lies in the future is of no use.
            try database.execute(
                sql: "DELETE FROM space WHERE time < ? OR time > ?", arguments: [time - 7 * Self.day, time])
            let last = try Int64.fetchOne(database, sql: "SELECT max(time) FROM space WHERE path = ?", arguments: [backupPath])
            if let last, time - last < Self.hour { return }
            try database.execute(
                sql: "INSERT INTO space VALUES (?, ?, ?, ?)", arguments: [backupPath, time, space.bytes, space.inodes])
        }
    }

    /// How long space and inodes last, from the oldest note of the last week to what is free now.
    ///
    /// - Parameters:
    ///   - reserve: bytes that are not to be used up.
    ///   - time: milliseconds since 1970.
    public func outlook(
        _ space: SpaceLeft, reserve: Int64 = 0, at time: Int64
    ) throws -> (space: Outlook, inodes: Outlook) {
        guard let oldest = try oldest(after: time - 7 * Self.day), time - oldest.time >= Self.day else {
            return (.unknown, .unknown)
        }
        func outlook(_ before: Int64, _ now: Int64, reserve: Int64) -> Outlook {
            guard before > now else { return .notShrinking }
            let days = Double(max(0, now - reserve)) / Double(before - now) * Double(time - oldest.time) / Double(Self.day)
            return .days(Int64(min(days, 1_000_000)))
        }
        let inodes = oldest.inodes.flatMap { before in space.inodes.map { outlook(before, $0, reserve: 0) } }
        return (outlook(oldest.bytes, space.bytes, reserve: reserve), inodes ?? .unknown)
    }

    private func oldest(after time: Int64) throws -> (time: Int64, bytes: Int64, inodes: Int64?)? {
        guard access(file.string, F_OK) == 0 else { return nil }
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(10)
        return try DatabaseQueue(path: file.string, configuration: configuration).read { database in
            guard try database.tableExists("space") else { return nil }
            let row = try Row.fetchOne(
                database, sql: "SELECT time, bytes, inodes FROM space WHERE path = ? AND time >= ? ORDER BY time LIMIT 1",
                arguments: [backupPath, time])
            return row.map { ($0[0], $0[1], $0[2]) }
        }
    }
}
