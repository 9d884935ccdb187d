import BackupCore
import BackupStore
import BackupStoreTesting
import Glibc
import SandboxServer
import SystemPackage

/// A seeded life of a server that is backed up to a simulated disk, in bad weather.
///
/// The power of the backup fails at random calls, also of a recovery; calls fail with errors; the server crashes, and its log is
/// rotated. After all of it, what is selected from the history at each moment noted is what the tables held then: nothing that
/// the log told is missing, nothing is there twice, and following goes on where it was.
///
/// With ``damagesLog`` the log is also deleted, truncated and damaged at random. Then each mailbox equals its tables, or its
/// account says why it needs a scan; and after the scan it equals them.
public struct StormCheck: Sendable {
    /// What came of it.
    public struct Outcome: Sendable {
        /// How often the power of the backup failed.
        public var crashes = 0
        /// How often the backup ended with an error.
        public var errors = 0
        /// How often the server crashed.
        public var serverCrashes = 0
        /// How often the log was damaged.
        public var damages = 0
        /// Mailboxes selected from the history and compared.
        public var selections = 0
        /// Mailboxes that differed, with a mark that says why.
        public var marked = 0
        /// Invariants that did not hold, in words, each with the seed.
        public var broken: [String] = []

        /// Nothing yet.
        public init() {}

        /// Adds another life's.
        public static func += (left: inout Outcome, right: Outcome) {
            left.crashes += right.crashes
            left.errors += right.errors
            left.serverCrashes += right.serverCrashes
            left.damages += right.damages
            left.selections += right.selections
            left.marked += right.marked
            left.broken += right.broken
        }
    }

    /// Names the life.
    public var seed: UInt64
    /// How many operations it has.
    public var operations = 100
    /// At how many moments the tables are noted.
    public var moments = 4
    /// Whether the log loses and damages records.
    public var damagesLog: Bool
    /// The power fails, or a call does, after at most so many calls.
    public var calm = 400

    /// A life that was not lived yet; every third has a log that is damaged.
    public init(seed: UInt64) {
        self.seed = seed
        damagesLog = seed % 3 == 0
    }

    private static let accounts = ["alice@example.com", "bob@example.com"]

    /// Lives the life in an empty folder and compares.
    public func run(in folder: FilePath) throws -> Outcome {
        let clock = LifeClock()
        let server = try SandboxServer.create(at: folder.appending("server"), options: clock.options)
        var generator = BackupStoreTesting.SeededGenerator(seed: seed ^ 0x5708)
        var life = try SandboxLife(on: server, seed: seed, accounts: Self.accounts)
        life.changesAccounts = !damagesLog
        let backup = try StormyBackup(of: server, at: folder.appending("backup"), seed: seed, calm: calm)
        let weather = LogWeather(location: server.redoLog, seed: seed)
        var outcome = Outcome()
        var notes: [MailboxNote] = []
        do {
            try backup.catchUp()
            for place in 1...operations {
                let event = try life.step()
                if generator.once(in: 20) { try server.rollOver() }
                if !damagesLog, generator.once(in: 50) {
                    try crash(server)
                    outcome.serverCrashes += 1
                }
                if damagesLog, generator.once(in: 25), try weather.strike() { outcome.damages += 1 }
                // A new mailbox's system folders are in no log: the look at the server comes at once, as in a running service.
                if generator.once(in: 6) || event.beginsMailbox { try backup.catchUp() }
                clock.advance(Int64.random(in: 1...2000, using: &generator))
                if !damagesLog, place % max(1, operations / moments) == 0 { try note(server, place, &notes) }
            }
            try backup.catchUp()
            try backup.restart()
            if damagesLog { try note(server, operations, &notes) }
            try compare(notes, backup, &outcome)
            if damagesLog {
                try backup.scan(Self.accounts)
                try compare(notes, backup, &outcome, isScanned: true)
            }
        } catch {
            outcome.broken.append("seed \(seed): \(error) (\(backup.story))")
        }
        outcome.crashes = backup.crashes
        outcome.errors = backup.errors
        if !outcome.broken.isEmpty { outcome.broken.append("    \(backup.story)") }
        backup.close()
        return outcome
    }

    private func note(_ server: SandboxServer, _ place: Int, _ notes: inout [MailboxNote]) throws {
        for row in try server.mailboxes() {
            let note = try MailboxNote(of: row, after: place, on: server, earlier: notes.filter { $0.mailbox == row.id })
            // Change 1 made the mailbox, before the first scan: no moment of the history has its number.
            if note.change > 1 { notes.append(note) }
        }
    }

    private func compare(
        _ notes: [MailboxNote], _ backup: StormyBackup, _ outcome: inout Outcome, isScanned: Bool = false
    ) throws {
        var contents = BackedUpContents()
        let reader = try backup.reader()
        defer { reader.close() }
        for note in notes {
            outcome.selections += 1
            let differences = try note.differences(in: reader, &contents)
            if differences.isEmpty { continue }
            if damagesLog, !isScanned, try !reader.marks(note.account).isEmpty {
                outcome.marked += 1
                continue
            }
            outcome.broken += differences.map { "seed \(seed), \(note)\(isScanned ? " scanned" : ""): \($0)" }
        }
        outcome.broken += try HistoryProblems.find(in: reader).map { "seed \(seed): \($0)" }
    }

    /// Leaves the server's lock as a process that was killed at work leaves it.
    private func crash(_ server: SandboxServer) throws {
        let file = try FileDescriptor.open(server.path.appending("server.lock"), .writeOnly)
        try file.closeAfter { _ = try file.writeAll("Wkilled-at-work-0000000000000000000000".utf8) }
    }
}
