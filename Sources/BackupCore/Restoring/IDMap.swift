import GRDB
import SystemPackage

/// Which item of a target mailbox is which item of the backup: how a restore knows what it did before.
///
/// A map belongs to one target (account id and mailbox) and lies in the state folder. The intent to write an item is durable
/// before it is written, so that after a crash at most ``maximumInFlight`` items need to be looked up in the target.
final class IDMap {
    /// Intents that may be open at a time.
    static let maximumInFlight = 64

    /// What is known of an item.
    enum Entry: Equatable {
        /// It was about to be written when the restore was interrupted.
        case inFlight
        /// It became this item of the target.
        case restored(Int64)
    }

    private let database: DatabaseQueue
    private let origin: Int64
    /// Written and not recorded yet; the next durable write records them.
    private var finished: [(source: Int64, target: Int64)] = []
    private var dropped: [Int64] = []

    /// Opens the map of a target mailbox.
    ///
    /// - Parameter origin: names the source mailbox and its life: ids are unique within one only (R9).
    /// - Throws: `alreadyRunning` when another restore fills the same mailbox.
    init(folder: FilePath, account: String, mailbox: Int64, origin name: String) throws {
        let folder = folder.appending("idmaps")
        try StateFolder.make(folder)
        // A server's ids are UUIDs; anything else must not become a path.
        let safe = String(account.map { $0.isLetter || $0.isNumber || $0 == "-" ? $0 : "_" })
        do {
            database = try StateFolder.database(folder.appending("\(safe)-\(mailbox).sqlite"), alone: true)
            origin = try database.write { database in
                try database.execute(
                    sql: """
                        CREATE TABLE IF NOT EXISTS origin (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
                        CREATE TABLE IF NOT EXISTS item (
                            origin INTEGER NOT NULL, source INTEGER NOT NULL, target INTEGER, PRIMARY KEY (origin, source)
                        ) WITHOUT ROWID;
                        CREATE TABLE IF NOT EXISTS label (origin INTEGER PRIMARY KEY, name TEXT NOT NULL);
                        CREATE INDEX IF NOT EXISTS item_target ON item (target) WHERE target IS NOT NULL;
                        """)
                try database.execute(sql: "INSERT OR IGNORE INTO origin (name) VALUES (?)", arguments: [name])
                return try Int64.fetchOne(database, sql: "SELECT id FROM origin WHERE name = ?", arguments: [name]) ?? 0
            }
        } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
            throw CoreError(
                CoreError.Code("alreadyRunning"), doing: "opening the id map", subject: "account \(account)",
                reason: "another restore into this account is running", remedy: "Wait until it ends")
        }
    }

    /// What is known of an item.
    func entry(of source: Int64) throws -> Entry? {
        if let done = finished.last(where: { $0.source == source }) { return .restored(done.target) }
        return try database.read { database in
            let row = try Row.fetchOne(
                database, sql: "SELECT target FROM item WHERE origin = ? AND source = ?", arguments: [origin, source])
            guard let row else { return nil }
            let target: Int64? = row["target"]
            return target.map { .restored($0) } ?? .inFlight
        }
    }

    /// The target's id of every item, for comparisons: of all origins, and held at once.
    func targets() throws -> [Int64: Int64] {
        try database.read { database in
            let rows = try Row.fetchAll(database, sql: "SELECT source, target FROM item WHERE target IS NOT NULL")
            return Dictionary(rows.map { ($0[0] as Int64, $0[1] as Int64) }) { first, _ in first }
        }
    }

    /// Whether an item of the target is known to come from the backup.
    func isMapped(target: Int64) throws -> Bool {
        if finished.contains(where: { $0.target == target }) { return true }
        return try database.read {
            try Bool.fetchOne($0, sql: "SELECT EXISTS (SELECT 1 FROM item WHERE target = ?)", arguments: [target]) ?? false
        }
    }

    /// Makes the intent to write these items durable, and what was finished before.
    func intend(_ sources: [Int64]) throws {
        precondition(sources.count <= Self.maximumInFlight)
        try database.write { database in
            for source in dropped {
                try database.execute(
                    sql: "DELETE FROM item WHERE origin = ? AND source = ? AND target IS NULL", arguments: [origin, source])
            }
            for (source, target) in finished {
                try database.execute(
                    sql: "INSERT OR REPLACE INTO item (origin, source, target) VALUES (?, ?, ?)", arguments: [origin, source, target])
            }
            for source in sources {
                try database.execute(
                    sql: "INSERT OR REPLACE INTO item (origin, source, target) VALUES (?, ?, NULL)", arguments: [origin, source])
            }
        }
        finished = []
        dropped = []
    }

    /// The item was written; recorded with the next durable write.
    func finish(_ source: Int64, as target: Int64) { finished.append((source, target)) }

    /// The item was not written after all.
    func drop(_ source: Int64) { dropped.append(source) }

    /// Items whose intent is durable and whose outcome is not.
    func inFlight() throws -> [Int64] {
        try database.read {
            try Int64.fetchAll($0, sql: "SELECT source FROM item WHERE origin = ? AND target IS NULL", arguments: [origin])
        }
    }

    /// The name that the restore was begun with, if it still holds; otherwise a new one, durable before it is first used.
    func label(where holds: (String) -> Bool, _ choose: () throws -> String) throws -> String {
        try database.write { database in
            let known = try String.fetchOne(database, sql: "SELECT name FROM label WHERE origin = ?", arguments: [origin])
            if let known, holds(known) { return known }
            let name = try choose()
            try database.execute(sql: "INSERT OR REPLACE INTO label (origin, name) VALUES (?, ?)", arguments: [origin, name])
            return name
        }
    }

    /// Forgets the name: the next restore with the same parameters chooses one.
    func forgetLabel() throws {
        try database.write { try $0.execute(sql: "DELETE FROM label WHERE origin = ?", arguments: [origin]) }
    }

    /// Records what was finished, and lets go of the file.
    func close() throws {
        try intend([])
        try database.close()
    }
}
