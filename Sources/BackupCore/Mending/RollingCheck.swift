import BackupStore
import GRDB
import SystemPackage

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// When each account of a backup path was last checked, in a file of the state folder: `checks.sqlite`.
struct CheckTimes {
    private let folder: FilePath
    private let backupPath: String
    private var file: FilePath { folder.appending("checks.sqlite") }

    /// The times of a backup path, named as it is always named.
    init(stateFolder: FilePath, of backupPath: String) {
        folder = stateFolder
        self.backupPath = backupPath
    }

    /// When accounts were checked, milliseconds since 1970, by id.
    func all() throws -> [String: Int64] {
        guard access(file.string, F_OK) == 0 else { return [:] }
        return try StateFolder.database(file, alone: false).read { database in
            guard try database.tableExists("checked") else { return [:] }
            let rows = try Row.fetchAll(database, sql: "SELECT account, time FROM checked WHERE path = ?", arguments: [backupPath])
            return Dictionary(uniqueKeysWithValues: rows.map { ($0[0], $0[1]) })
        }
    }

    /// Notes that accounts were checked, durable when it returns.
    func note(_ accounts: [String], at time: Int64) throws {
        try StateFolder.make(folder)
        try StateFolder.database(file, alone: false).write { database in
            try database.execute(
                sql: """
                    CREATE TABLE IF NOT EXISTS checked (
                        path TEXT NOT NULL, account TEXT NOT NULL, time INTEGER NOT NULL, PRIMARY KEY (path, account)) WITHOUT ROWID
                    """)
            for account in accounts {
                try database.execute(sql: "INSERT OR REPLACE INTO checked VALUES (?, ?, ?)", arguments: [backupPath, account, time])
            }
        }
    }
}

/// A check of a huge backup path in pieces, over many nights: what was checked longest ago comes first, and what was checked lately
/// is left out.
public struct RollingCheck: Sendable {
    /// How far a rolling check came.
    public struct Outcome: Sendable {
        /// What the pieces found, together.
        public var report: CheckReport
        /// Accounts that were checked.
        public var checked = 0
        /// Accounts that are still due, since the check was stopped.
        public var left: Int
        /// Accounts that were checked lately enough.
        public var recent: Int
    }

    /// Accounts that are checked together: each piece reads the journal.
    private static let pieceSize = 25
    /// The name of what belongs to no account, among the times.
    private static let rest = ""
    private static let day: Int64 = 86_400_000

    private let path: FilePath
    private let times: CheckTimes
    /// Only these accounts, by id; nil = all, and what belongs to none.
    public var accounts: Set<String>?
    /// What was checked less than so many days ago is left out.
    public var maxAge: Int64
    /// Milliseconds since 1970.
    var clock: @Sendable () -> Int64 = { WallClock.milliseconds }

    /// A check of a path, named as it is always named; times are kept in the state folder.
    public init(of path: FilePath, stateFolder: FilePath, accounts: Set<String>? = nil, maxAge: Int64) {
        self.path = path
        times = CheckTimes(stateFolder: stateFolder, of: path.string)
        self.accounts = accounts
        self.maxAge = maxAge
    }

    /// Checks piece by piece; what is done is noted after each.
    ///
    /// - Throws: what opening the path throws, and the state folder's error.
    public func run(
        stop: @escaping () -> Bool = { false }, progress: @escaping (CheckProgress) -> Void = { _ in }
    ) throws -> Outcome {
        let reader = try StoreReader(opening: path)
        let known: [String]
        do {
            defer { reader.close() }
            known = try reader.accounts()
        }
        let wanted = accounts.map { accounts in known.filter(accounts.contains) } ?? [Self.rest] + known
        let now = clock()
        let times = try times.all()
        // A time that lies ahead is one of a clock that was wrong.
        func last(_ account: String) -> Int64 { times[account].flatMap { $0 <= now ? $0 : nil } ?? .min }
        let due = wanted.filter { last($0) == .min || last($0) <= now - maxAge * Self.day }
            .sorted { (last($0), $0) < (last($1), $1) }
        var outcome = Outcome(report: CheckReport(), left: due.count, recent: wanted.count - due.count)
        var rest = due[...]
        while let first = rest.first {
            // What belongs to no account is a piece of its own.
            let piece = first == Self.rest ? rest.prefix(1) : rest.prefix(Self.pieceSize).prefix { $0 != Self.rest }
            var check = StoreCheck(of: path)
            check.scope = first == Self.rest ? .rest : .accounts(Set(piece))
            let before = outcome.report
            let report = try check.run(stop: stop) { step in
                var step = step
                step.done += step.phase == .states ? before.states : before.blobs
                step.total = nil  // Of this piece only.
                progress(step)
            }
            outcome.report += report
            if report.isStopped { break }
            try self.times.note(Array(piece), at: now)
            outcome.checked += piece.count
            outcome.left -= piece.count
            rest = rest.dropFirst(piece.count)
        }
        return outcome
    }
}
