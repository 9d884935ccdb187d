import BackupCore
import BackupStore
import BackupStoreTesting
import SandboxServer
import SystemPackage

/// A seeded life of a server whose backup is purged again and again, while it is scanned, restored from, crashes and fails, and while
/// the clocks of its machine jump.
///
/// Nothing that is kept ever loses a content; nothing goes before its retention is over by the time that really passed; and when the
/// weather is good, two purges leave nothing that is over.
public struct PurgeCheck: Sendable {
    /// What came of it.
    public struct Outcome: Sendable {
        /// Purges that came to their end.
        public var purges = 0
        /// Items that were gone after them.
        public var purged = 0
        /// Accounts that were gone after them.
        public var accounts = 0
        /// How often the power failed.
        public var crashes = 0
        /// How often the wall clock jumped.
        public var jumps = 0
        /// Contents that were read, each for every purge that it outlived.
        public var contents = 0
        /// Invariants that did not hold, in words, each with the seed.
        public var broken: [String] = []

        /// Nothing yet.
        public init() {}

        /// Adds another schedule's.
        public static func += (left: inout Outcome, right: Outcome) {
            left.purges += right.purges
            left.purged += right.purged
            left.accounts += right.accounts
            left.crashes += right.crashes
            left.jumps += right.jumps
            left.contents += right.contents
            left.broken += right.broken
        }
    }

    /// Names the schedule.
    public var seed: UInt64
    /// How many steps it has.
    public var steps = 60

    /// A schedule that was not begun yet.
    public init(seed: UInt64) { self.seed = seed }

    private static let hour: Int64 = 3_600_000
    /// A store day, at least (R11).
    private static let day = 20 * hour
    private static let begin: Int64 = 1_795_425_774_937

    /// Lives the life in an empty folder.
    public func run(in folder: FilePath) throws -> Outcome {
        let time = LifeClock()
        let server = try SandboxServer.create(at: folder.appending("server"), options: time.options)
        var life = try SandboxLife(on: server, seed: seed, accounts: ["alice@example.com", "bob@example.com"])
        life.changesAccounts = true
        let backup = try StormyBackup(of: server, at: folder.appending("backup"), seed: seed, calm: 600)
        backup.clock.now = Self.begin
        var schedule = Schedule(backup: backup, generator: BackupStoreTesting.SeededGenerator(seed: seed ^ 0x9096E))
        do {
            try backup.catchUp()
            for _ in 1...steps { try schedule.step(&life, time) }
            try schedule.end(server)
        } catch {
            schedule.outcome.broken.append("\(error)")
        }
        schedule.outcome.crashes = backup.crashes
        schedule.outcome.broken = schedule.outcome.broken.map { "seed \(seed): \($0)" }
        if !schedule.outcome.broken.isEmpty { schedule.outcome.broken.append("    \(backup.story)") }
        backup.close()
        return schedule.outcome
    }

    /// A schedule on its way.
    private struct Schedule {
        let backup: StormyBackup
        var generator: BackupStoreTesting.SeededGenerator
        var outcome = Outcome()
        /// Milliseconds that really passed.
        var passed: Int64 = 0
        /// What is known of the items and accounts of the backup: since when they are deleted, by the time that really passed.
        var items: [HistoryKey: Int64?] = [:]
        var accounts: [String: Int64?] = [:]

        mutating func step(_ life: inout SandboxLife, _ time: LifeClock) throws {
            switch Int.random(in: 0..<20, using: &generator) {
            case 0..<8:
                for _ in 0..<Int.random(in: 1...6, using: &generator) { _ = try life.step() }
                try look()
            case 8..<13: try pass(Int64.random(in: 1...60, using: &generator), time)
            case 13:
                // Both ways, by minutes or by decades.
                let days = generator.once(in: 2) ? Int64.random(in: -30_000...30_000, using: &generator) : Int64.random(in: -3...3, using: &generator)
                backup.clock.now += days * 24 * PurgeCheck.hour
                outcome.jumps += 1
            case 14: backup.clock.now = PurgeCheck.begin + passed
            case 15:
                try backup.attempt { try $0.close() }
                backup.close()
                if generator.once(in: 2) { backup.clock.reboot() }
            case 16:
                try scan()
                try look()
            default: try purge(Int64.random(in: 1...3, using: &generator), Int64.random(in: 1...4, using: &generator))
            }
        }

        /// Time passes; the service looks at the clock every few hours.
        private mutating func pass(_ hours: Int64, _ time: LifeClock) throws {
            var left = hours
            while left > 0 {
                let part = min(left, Int64.random(in: 1...19, using: &generator))
                left -= part
                passed += part * PurgeCheck.hour
                backup.clock.pass(part * PurgeCheck.hour)
                time.advance(part * PurgeCheck.hour)
                try look()
            }
        }

        private func scan() throws {
            try backup.attempt { engine in
                var options = SmartScanOptions()
                options.yields = false
                try engine.smartScan(options)
            }
        }

        /// Takes in what the log tells, and notes what is there.
        private mutating func look() throws {
            try backup.catchUp()
            let passed = passed
            func since(_ known: Int64??, _ isDeleted: Bool) -> Int64? { isDeleted ? known.flatMap { $0 } ?? passed : nil }
            try backup.look { reader in
                for account in try reader.accounts() {
                    let isDeleted = try reader.accountInfo(account)?.isDeleted ?? false
                    accounts[account] = .some(since(accounts[account], isDeleted))
                    try reader.items(account, .all) { items[$0.key] = .some(since(items[$0.key], $0.isDeleted)) }
                }
            }
        }

        private mutating func purge(_ itemDays: Int64, _ accountDays: Int64) throws {
            try look()
            try backup.attempt { try $0.purge(PurgeRequest(itemDays: itemDays, accountDays: accountDays)) }
            outcome.purges += 1
            try backup.look { try compare($0, itemDays, accountDays) }
        }

        /// What is gone went by right, and what is kept can be read.
        private mutating func compare(
            _ reader: FileStoreReader<SimulatedFileSystem>, _ itemDays: Int64, _ accountDays: Int64
        ) throws {
            func isOver(_ since: Int64?, _ days: Int64) -> Bool { since.map { passed - $0 >= days * PurgeCheck.day } ?? false }
            let kept = try Set(reader.accounts())
            for (account, deleted) in accounts where !kept.contains(account) {
                if !isOver(deleted, accountDays) { outcome.broken.append("account \(account) went too early") }
                accounts[account] = nil
                outcome.accounts += 1
            }
            for (key, deleted) in items where try reader.state(of: key) == nil {
                let account = key.account ?? ""
                // What was in a deleted account goes with the account.
                let isRight = accounts[account].map { $0 == nil && isOver(deleted, itemDays) } ?? true
                if !isRight { outcome.broken.append("\(key) went too early, \(passed - (deleted ?? passed)) ms after its deletion") }
                items[key] = nil
                outcome.purged += 1
            }
            try readAll(reader)
        }

        /// Every content of every state that is kept can be read.
        private mutating func readAll(_ reader: FileStoreReader<SimulatedFileSystem>) throws {
            var read: Set<BlobID> = []
            for account in try reader.accounts() {
                for item in try reader.items(account, .all) {
                    let history = try reader.history(of: item.key)
                    outcome.broken += history.damage.map { "\(item.key): \($0)" }
                    for blob in history.lines.flatMap(\.blobs) where read.insert(blob.id).inserted {
                        do {
                            try reader.readBlob(blob) { _ in }
                        } catch {
                            outcome.broken.append("\(item.key): \(error)")
                        }
                    }
                }
            }
            outcome.contents += read.count
        }

        /// The weather is good, the clock right, and everything that is deleted over.
        mutating func end(_ server: SandboxServer) throws {
            let time = LifeClock()
            try backup.restart()
            backup.clock.now = PurgeCheck.begin + passed
            try look()
            try pass(24 * 6, time)
            try purge(3, 4)
            try pass(24 * 10, time)
            try purge(3, 4)
            // An item may have come back from the server's dumpster after its history went: then the account is marked.
            try scan()
            let reader = try backup.reader()
            defer { reader.close() }
            for account in try reader.accounts() {
                if try reader.accountInfo(account)?.isDeleted == true { outcome.broken.append("account \(account) is left") }
                let left = try reader.items(account, .all).filter { $0.isDeleted && !$0.isPresumed }
                if let first = left.first { outcome.broken.append("\(left.count) deleted items are left, first \(first.key)") }
            }
            outcome.broken += backup.files("expired/").map { "\($0) is left" }
            outcome.broken += try backup.check().map { "\($0)" }
            for row in try server.mailboxes() {
                var contents = BackedUpContents()
                let note = try MailboxNote(of: row, after: 0, on: server)
                if note.change > 1 { outcome.broken += try note.differences(in: reader, &contents).map { "\(note): \($0)" } }
            }
        }
    }
}
