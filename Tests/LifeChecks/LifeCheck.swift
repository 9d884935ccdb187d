import BackupCore
import BackupStore
import RedoLog
import SandboxServer
import SystemPackage

/// A seeded life of a server, backed up and compared with what its tables held at random moments.
///
/// The proof of a backup: the mailboxes selected from the history as of each moment are the tables as they were noted then, and
/// restored into a new account they are the same mailbox under other ids. What such a restore does is in the server's log, too:
/// whoever follows that has the new account as its tables are.
public struct LifeCheck: Sendable {
    /// What came of it.
    public struct Outcome: Sendable {
        /// Mailboxes selected from the history and compared.
        public var selections = 0
        /// Mailboxes restored and compared.
        public var restores = 0
        /// Items compared in selections.
        public var items = 0
        /// In words, each with the seed, the mailbox and the moment.
        public var differences: [String] = []

        /// Nothing yet.
        public init() {}

        /// Adds another life's.
        public static func += (left: inout Outcome, right: Outcome) {
            left.selections += right.selections
            left.restores += right.restores
            left.items += right.items
            left.differences += right.differences
        }
    }

    /// Names the life.
    public var seed: UInt64
    /// How many operations it has.
    public var operations = 200
    /// At how many moments the tables are noted.
    public var moments = 5
    /// Changes what was noted, to prove that a difference is found.
    public var spoil: (@Sendable (inout MailboxNote) -> Void)?

    /// A life that was not lived yet.
    public init(seed: UInt64) { self.seed = seed }

    private static let accounts = ["alice@example.com", "bob@example.com", "carla@example.com"]

    /// Lives the life in an empty folder and compares.
    public func run(in folder: FilePath) throws -> Outcome {
        let clock = LifeClock()
        let server = try SandboxServer.create(at: folder.appending("server"), options: clock.options)
        var generator = SeededGenerator(seed: seed ^ 0x11FE)
        var life = try SandboxLife(on: server, seed: seed, accounts: Self.accounts)
        life.changesAccounts = true
        let backup = folder.appending("backup")
        try StoreWriter.create(backup, serverID: server.identity.id)
        let engine = try BackupEngine(source: server, store: try StoreWriter(opening: backup, serverID: server.identity.id))
        try engine.begin()
        var places = Set<Int>()
        while places.count < moments { places.insert(Int.random(in: 1...operations, using: &generator)) }
        var notes: [MailboxNote] = []
        var events: [String] = []
        for place in 1...operations {
            let event = try life.step()
            events.append(event.description)
            if Int.random(in: 1...40, using: &generator) == 1 { try server.rollOver() }
            // A new mailbox's system folders are in no log: the look at the server comes at once, as in a running service.
            if Int.random(in: 1...30, using: &generator) == 1 || event.beginsMailbox { try engine.catchUp() }
            clock.advance(Int64.random(in: 1...2000, using: &generator))
            guard places.contains(place) else { continue }
            for row in try server.mailboxes() {
                let earlier = notes.filter { $0.mailbox == row.id }
                var note = try MailboxNote(of: row, after: place, on: server, earlier: earlier)
                spoil?(&note)
                // Change 1 made the mailbox, before the first scan: no moment of the history has its number.
                if note.change > 1 { notes.append(note) }
            }
        }
        try engine.catchUp()
        let unapplied = engine.statistics.unapplied
        try engine.close()

        var outcome = Outcome()
        outcome.differences += unapplied.keys.sorted().map { "seed \(seed): operation \($0) is not applied" }
        var contents = BackedUpContents()
        let reader = try StoreReader(opening: backup)
        defer { reader.close() }
        for note in notes {
            outcome.selections += 1
            outcome.items += note.states.count
            outcome.differences += try note.differences(in: reader, &contents).map { "seed \(seed), \(note): \($0)" }
        }
        let follower = try BackupEngine(source: server, store: try StoreWriter(opening: backup, serverID: server.identity.id))
        try follower.begin()
        var restored: Set<String> = []
        for place in places.sorted() {
            let candidates = notes.filter { $0.place == place }
            guard !candidates.isEmpty else { continue }
            let note = candidates[Int.random(in: 0..<candidates.count, using: &generator)]
            outcome.restores += 1
            let (differences, account) = try note.restore(from: reader, to: server, folder.appending("state")) {
                // From here on only the log tells of the new mailbox.
                try follower.catchUp()
            }
            outcome.differences += differences.map { "seed \(seed), \(note) restored: \($0)" }
            restored.insert(account)
        }
        try follower.catchUp()
        outcome.differences += follower.statistics.unapplied.keys.sorted().map { "seed \(seed): operation \($0) is not applied" }
        try follower.close()
        outcome.differences += try followed(restored, on: server, backup)
        if !outcome.differences.isEmpty { outcome.differences += events.enumerated().map { "    \($0 + 1) \($1)" } }
        return outcome
    }

    /// How the accounts made by restores differ in the backup from the server's tables.
    private func followed(_ accounts: Set<String>, on server: SandboxServer, _ backup: FilePath) throws -> [String] {
        let reader = try StoreReader(opening: backup)
        defer { reader.close() }
        var contents = BackedUpContents()
        return try server.mailboxes().filter { accounts.contains($0.accountID) }.flatMap { row in
            var note = try MailboxNote(of: row, after: operations, on: server)
            note.isRestored = true
            // A calendar item that an invitation by mail made is known without what it says: so it came back, as a row.
            note.states = note.states.filter { ![.appointment, .task].contains($0.value.row.type) || $0.value.metadata["nc"] != nil }
            return try note.differences(in: reader, &contents).map { "seed \(seed), \(note) followed: \($0)" }
        }
    }
}
