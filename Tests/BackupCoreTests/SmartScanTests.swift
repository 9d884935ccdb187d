import BackupStore
import BackupStoreTesting
import Foundation
import LifeChecks
import RedoLog
import SandboxServer
import SystemPackage
import Testing

@testable import BackupCore

@Suite("The smart scan")
struct SmartScanTests {
    /// A bench whose source counts and can be spoilt, with an engine that has followed the log to its end.
    private final class Followed {
        let bench: Bench
        let source: FaultySource
        private(set) var engine: BackupEngine

        init(messages: Int = 3) throws {
            bench = try Bench()
            for number in 0..<messages { _ = try bench.server.deliver(SmartScanTests.mail(number), to: ["alice@example.com"]) }
            source = FaultySource(bench.server)
            engine = try Self.engine(bench, source)
            try engine.begin()
            try engine.catchUp()
        }

        deinit {
            try? engine.close()  // What it did is told.
            bench.remove()
        }

        private static func engine(_ bench: Bench, _ source: FaultySource) throws -> BackupEngine {
            try BackupEngine(
                source: source, store: try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id))
        }

        func restart() throws {
            try engine.close()
            engine = try Self.engine(bench, source)
        }

        func deliver(_ subject: String) throws {
            _ = try bench.server.deliver(message(subject), to: ["alice@example.com"])
        }

        @discardableResult
        func scan(_ options: SmartScanOptions = .impolite) throws -> ScanStatistics { try engine.smartScan(options) }

        /// Writes a transaction beside the engine.
        func write(_ transaction: StoreTransaction) throws {
            try engine.close()
            let store = try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id)
            try store.append(transaction)
            try store.commit()
            try store.close()
            engine = try Self.engine(bench, source)
        }

        func read<Result>(_ body: (StoreReader) throws -> Result) throws -> Result {
            let reader = try StoreReader(opening: bench.backupPath)
            defer { reader.close() }
            return try body(reader)
        }

        func life() throws -> MailboxLife {
            try read { try #require(try $0.state(of: .mailbox(bench.alice.accountID)).flatMap { MailboxLife(accountID: bench.alice.accountID, fields: $0.fields) }) }
        }
    }

    private static func mail(_ number: Int) -> [UInt8] { message("m\(number)") }

    @Test("Where nothing changed no mailbox is looked into, and nothing is written")
    func unchanged() throws {
        let followed = try Followed()
        try followed.scan()
        let (reads, sequence, rows) = (followed.source.reads, followed.engine.lastSequence, followed.source.rowsRead)
        let statistics = try followed.scan()
        #expect(statistics.unchangedAccounts == 2 && statistics.accounts == 0 && statistics.checkedItems == 0, "\(statistics)")
        #expect(followed.source.reads == reads && followed.source.rowsRead == rows)
        #expect(followed.engine.lastSequence == sequence)
    }

    @Test("Of a mailbox that changed the numbers of all are compared, and the rows read that changed; the log has told the rest")
    func changed() throws {
        let followed = try Followed(messages: 150)
        try followed.scan()
        let token = try followed.life().scannedChange ?? 0
        try followed.deliver("new")
        let ids = try followed.bench.alice.items().filter { $0.type == .message }.map(\.id)
        try followed.bench.alice.markRead(Array(ids.prefix(4)))
        let statistics = try followed.scan()
        let items = try followed.bench.alice.items()
        let changed = items.count { $0.modMetadata > token }
        #expect(changed >= 5)
        #expect(statistics.accounts == 1 && statistics.unchangedAccounts == 1, "\(statistics)")
        #expect(statistics.readRows == changed + statistics.lookedAgain, "\(statistics), \(changed) changed")
        // Tags count too; none is there.
        #expect(statistics.checkedItems == items.count && statistics.newMetadata == 0, "\(statistics)")
        #expect(try followed.bench.differences() == [])
        let problems = try followed.read { try HistoryProblems.repeated(in: $0) }
        #expect(problems == [])
    }

    @Test("What is written while a mailbox is looked at is told by the log: no state is doubled, none lost")
    func busyServer() throws {
        let followed = try Followed()
        try followed.scan()
        try followed.deliver("wakes the scan")
        var delivered: [Int64] = []
        followed.source.beforeRead = { mailbox in
            guard mailbox == followed.bench.alice.mailboxID, delivered.isEmpty else { return }
            for number in 0..<20 {
                let id = try followed.bench.server.deliver(message("busy \(number)"), to: ["alice@example.com"])[0].itemID
                try followed.bench.alice.markRead([id])
                delivered.append(id)
            }
        }
        let statistics = try followed.scan()
        #expect(statistics.accounts == 1 && statistics.newMetadata == 0, "\(statistics)")
        #expect(delivered.count == 20)
        try followed.engine.catchUp()
        #expect(try followed.bench.differences() == [])
        try followed.read { reader in
            for id in delivered {
                let kinds = try reader.history(of: .item(account: followed.bench.alice.accountID, id: id)).lines.map(\.kind)
                #expect(kinds == ["redolog", "redolog"], "item \(id)")
            }
            #expect(try HistoryProblems.repeated(in: reader) == [])
        }
    }

    @Test("A row that changes without a number is found when it is its turn, within thirty scans; by a deep scan at once", arguments: [false, true])
    func unnumbered(deep: Bool) throws {
        let followed = try Followed(messages: 450)
        try followed.scan()
        let id = try #require(try followed.bench.alice.items().filter { $0.type == .message }.map(\.id).max())
        followed.source.changeRow = { if $0.id == id { $0.uuid = "a-repair-tool-wrote-this" } }
        var options = SmartScanOptions.impolite
        options.deep = deep
        var scans = 0
        var found = 0
        repeat {
            try followed.deliver("scan \(scans)")
            found = try followed.scan(options).newMetadata
            scans += 1
        } while found == 0 && scans < 30
        #expect(found == 1)
        #expect(deep ? scans == 1 : (2...6).contains(scans), "\(scans) scans for 450 messages and their conversations, 100 at a time")
        let uuid = try followed.read { try $0.item(followed.bench.alice.accountID, id)?.fields["uuid"]?.string }
        #expect(uuid == "a-repair-tool-wrote-this")
    }

    @Test("A deletion that left no number behind is found in a mailbox that changed, and in every other after a week")
    func silentDeletion() throws {
        let followed = try Followed()
        try followed.scan()
        let gone = try #require(try followed.bench.alice.items().first { $0.subject == "m1" && $0.type == .message }?.id)
        followed.source.isHidden = { $0.id == gone }
        #expect(try followed.scan().deletedItems == 0, "nothing says that the mailbox changed")
        var life = try followed.life()
        life.scannedTime = WallClock.milliseconds - 8 * 86_400_000
        try followed.write(
            StoreTransaction(
                account: life.accountID, time: WallClock.milliseconds, kind: "scan",
                states: [NewState(key: .mailbox(life.accountID), fields: life.fields)]))
        let statistics = try followed.scan()
        #expect(statistics.deletedItems == 1 && statistics.accounts == 1, "\(statistics)")
        let state = try followed.read { try $0.item(life.accountID, gone) }
        #expect(state?.isDeleted == true && state?.isPresumed == false)
        // R15: when it was last known to be there, and the scan that found it gone.
        let notBefore = try #require(state?.fields["not_before"]?.string)
        let alive = try followed.read { try #require(try $0.history(of: .item(account: life.accountID, id: gone)).lines.dropLast().last) }
        #expect(notBefore == TimeText.iso(alive.time), "the scan before it was longer ago than its last state")
    }

    @Test("The scan time of a clock that is wrong is not believed", arguments: [Int64(400), -400])
    func clock(days: Int64) throws {
        let followed = try Followed()
        try followed.scan()
        var life = try followed.life()
        life.scannedTime = WallClock.milliseconds + days * 86_400_000
        try followed.write(
            StoreTransaction(
                account: life.accountID, time: WallClock.milliseconds, kind: "scan",
                states: [NewState(key: .mailbox(life.accountID), fields: life.fields)]))
        #expect(try followed.scan().accounts == 1)
        #expect(try followed.scan().accounts == 0)
    }

    @Test("An account that is marked is read whole, and its mark settled; what a scan has left itself is not a reason for that")
    func marked() throws {
        let followed = try Followed(messages: 120)
        try followed.scan()
        try followed.write(
            StoreTransaction(
                account: followed.bench.alice.accountID, time: WallClock.milliseconds, kind: "mark",
                marks: [Mark(reason: RealTimeScanner.repeatedReason, time: WallClock.milliseconds)]))
        let items = try followed.bench.alice.items().count
        let statistics = try followed.scan()
        #expect(statistics.accounts == 1 && statistics.readRows == items, "\(statistics), \(items) items")
        #expect(try followed.engine.marks("alice@example.com") == [])

        // A content that nobody can read.
        followed.source.blobFailure = CoreError(.blobMissing, doing: "reading", subject: "x", reason: "it is gone")
        followed.source.changeRow = { if $0.subject == "m7" && $0.type == .message { $0.blobDigest = "qvTGHdzF6KLavt4PO0gs2a6pQ00=" } }
        let deep = try followed.engine.scan(account: "alice@example.com")
        #expect(deep.skippedItems == 1)
        let marks = try followed.engine.marks("alice@example.com")
        #expect(marks.count == 1 && !marks[0].asksForScan, "\(marks)")
        try followed.deliver("another")
        followed.source.blobFailure = nil
        let again = try followed.scan()
        #expect(again.readRows < items && again.skippedItems == 0, "\(again)")
        #expect(try followed.engine.marks("alice@example.com") == [], "it was read with those that are in doubt")
    }

    @Test("Presumed deletions keep their mark through later scans, until they are confirmed or the items are there again")
    func presumed() throws {
        let followed = try Followed(messages: 300)
        try followed.scan()
        let hidden: (ItemRow) -> Bool = { $0.type == .message && $0.id % 2 == 0 }
        followed.source.isHidden = hidden
        try followed.deliver("wakes the scan")
        let first = try followed.scan()
        #expect(first.presumedDeletions >= 150, "\(first)")
        let marks = try followed.engine.marks("alice@example.com")
        #expect(marks.count == 1 && !marks[0].asksForScan)
        try followed.deliver("wakes it again")
        #expect(try followed.scan().presumedDeletions == 0)
        let reasons = try followed.engine.marks("alice@example.com").map(\.reason)
        #expect(reasons.count == 1 && reasons[0].hasPrefix("\(first.presumedDeletions) "), "\(reasons)")
        followed.source.isHidden = { _ in false }
        try followed.deliver("and again")
        let last = try followed.scan()
        #expect(try followed.engine.marks("alice@example.com") == [], "\(last)")
        #expect(try followed.bench.differences() == [])
    }

    @Test("Answers without a single mailbox or account end the scan; nothing is taken for deleted")
    func emptyAnswers() throws {
        let followed = try Followed()
        try followed.scan()
        followed.source.hiddenAccounts = [followed.bench.alice.accountID, followed.bench.bob.accountID]
        let directory = #expect(throws: CoreError.self) { try followed.scan() }
        #expect(directory?.code == .serverUnreadable && directory?.reason.contains("directory names no account") == true)
        followed.source.hiddenAccounts = []
        followed.source.hiddenMailboxes = [followed.bench.alice.mailboxID, followed.bench.bob.mailboxID]
        let database = #expect(throws: CoreError.self) { try followed.scan() }
        #expect(database?.reason.contains("database names no mailbox") == true)
        followed.source.hiddenMailboxes = []
        followed.source.directoryIsDown = true
        #expect(throws: (any Error).self) { try followed.scan() }
        followed.source.directoryIsDown = false
        let critical = followed.engine.statistics.notices.filter { $0.hasPrefix("Critical: the scan ended") }
        #expect(critical.count == 2, "\(followed.engine.statistics.notices)")
        try followed.scan()
        #expect(try followed.bench.differences() == [])
        #expect(try followed.read { try $0.accounts().filter { id in try followed.engine.marks(id) != [] } } == [])
    }

    @Test("A mailbox that the tables lack, and no log told the end of, marks its account and deletes nothing")
    func missingMailbox() throws {
        let followed = try Followed()
        followed.source.hiddenMailboxes = [followed.bench.alice.mailboxID]
        try followed.scan()
        try followed.scan()
        let reasons = try followed.engine.marks("alice@example.com").map(\.reason)
        #expect(reasons == ["the server's tables do not have mailbox \(followed.bench.alice.mailboxID)"])
        #expect(followed.engine.statistics.notices.count { $0.hasPrefix("Critical") } == 1, "told once")
        followed.source.hiddenMailboxes = []
        try followed.scan()
        #expect(try followed.engine.marks("alice@example.com") == [])
        #expect(try followed.bench.differences() == [])
    }

    @Test("A mailbox that cannot be read is told of and marked, and the others are scanned; the next scan comes to it first")
    func unreadable() throws {
        let followed = try Followed()
        try followed.scan()
        for name in ["alice", "bob"] { _ = try followed.bench.server.deliver(message("more"), to: ["\(name)@example.com"]) }
        followed.source.beforeRead = { [alice = followed.bench.alice] in if $0 == alice.mailboxID { throw FaultySource.Failure() } }
        let statistics = try followed.scan()
        #expect(statistics.failedAccounts == 1 && statistics.accounts == 1 && statistics.problems.count == 1, "\(statistics)")
        #expect(try followed.engine.marks("alice@example.com").contains { $0.asksForScan })
        var order: [Int64] = []
        followed.source.beforeRead = { order.append($0) }
        _ = try followed.bench.server.deliver(message("and more"), to: ["bob@example.com"])
        try followed.scan()
        #expect(order == [followed.bench.alice.mailboxID, followed.bench.bob.mailboxID])
        #expect(try followed.engine.marks("alice@example.com") == [])
    }

    @Test("A volume that is not there, too little space, too many contents that cannot be read: the scan ends, and goes on when that is over")
    func ends() throws {
        let followed = try Followed(messages: 5)
        followed.source.changeRow = { row in
            if row.type == .message { row.blobDigest = row.blobDigest.map { _ in "qvTGHdzF6KLavt4PO0gs2a6pQ0\(row.id % 10)=" } }
        }
        func mark() throws {
            try followed.write(
                StoreTransaction(
                    account: followed.bench.alice.accountID, time: WallClock.milliseconds, kind: "mark",
                    marks: [Mark(reason: "a test", time: WallClock.milliseconds)]))
        }
        try mark()
        followed.source.blobFailure = CoreError(.volumeMissing, doing: "reading", subject: "/store", reason: "it is not mounted")
        #expect(#expect(throws: CoreError.self) { try followed.scan() }?.code == .volumeMissing)
        followed.source.blobFailure = CoreError(.blobMissing, doing: "reading", subject: "x", reason: "it is gone")
        var options = SmartScanOptions.impolite
        options.readErrorThreshold = 2
        let error = #expect(throws: CoreError.self) { try followed.scan(options) }
        #expect(error?.code == .tooManyReadErrors && error?.reason.hasPrefix("3 contents") == true, "\(String(describing: error))")
        #expect(try followed.engine.marks("alice@example.com").map(\.reason) == ["a test"], "nothing of the mailbox was written")
        options.readErrorThreshold = 5
        #expect(try followed.scan(options).skippedItems == 5)
        followed.engine.settings.spaceThreshold = .max
        try followed.engine.lastSpaceCheckForTests()
        #expect(#expect(throws: CoreError.self) { try followed.scan() }?.code == .tooLittleSpace)
        followed.engine.settings.spaceThreshold = 0
        try followed.engine.lastSpaceCheckForTests()
        followed.source.changeRow = { _ in }
        followed.source.blobFailure = nil
        try followed.scan()
        #expect(try followed.engine.marks("alice@example.com") == [])
    }

    @Test("What lies where only the mail server reaches it is counted apart, neither missing nor in doubt; it comes when it can be read")
    func notReadableHere() throws {
        let bench = try Bench()
        defer { bench.remove() }
        for number in 0..<5 { _ = try bench.server.deliver(Self.mail(number), to: ["alice@example.com"]) }
        try bench.server.rollOver()  // The log that is followed does not hold their contents.
        let source = FaultySource(bench.server)
        source.blobFailure = CoreError(.notReadableHere, doing: "reading", subject: "locator s3@@key", reason: "it is an external store's")
        let engine = try BackupEngine(
            source: source, store: try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id))
        let statistics = try engine.smartScan(.impolite)
        #expect(statistics.notReadableHere == 5 && statistics.skippedItems == 0 && statistics.problems.count == 1, "\(statistics)")
        #expect(statistics.problems[0].hasPrefix("5 contents of alice@example.com lie where only the mail server"))
        #expect(try engine.marks("alice@example.com") == [])
        _ = try bench.server.deliver(message("wakes the scan"), to: ["alice@example.com"])
        let again = try engine.smartScan(.impolite)
        #expect(again.readRows - again.lookedAgain < 5, "they are not in doubt: \(again)")
        // It is their turn, and the store is here again.
        source.blobFailure = nil
        _ = try bench.server.deliver(message("wakes it again"), to: ["alice@example.com"])
        #expect(try engine.smartScan(.impolite).newFiles == 5)
        try engine.close()
        #expect(try bench.differences() == [])
    }

    @Test("A former version that could not be read is in doubt, and read again by the next scan")
    func version() throws {
        let bench = try Bench()
        defer { bench.remove() }
        let id = try bench.alice.saveDocument(Array("one".utf8), named: "plan.txt")
        try bench.alice.addRevision(Array("two".utf8), to: id)
        try bench.server.rollOver()
        let source = FaultySource(bench.server)
        source.blobFailure = CoreError(.blobMissing, doing: "reading", subject: "x", reason: "it is gone")
        let engine = try BackupEngine(
            source: source, store: try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id))
        #expect(try engine.smartScan(.impolite).skippedItems == 2)
        #expect(try engine.smartScan(.impolite).skippedItems == 2, "nothing changed, and it is tried again")
        source.blobFailure = nil
        #expect(try engine.smartScan(.impolite).newFiles == 2)
        #expect(try engine.marks("alice@example.com") == [])
        try engine.close()
        #expect(try bench.differences() == [])
    }

    @Test("Stopped anywhere and run again, until it comes through: complete, nothing skipped, nothing doubled", arguments: [UInt64(1), 2, 3])
    func stopped(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let bench = try Bench()
        defer { bench.remove() }
        for number in 0..<6 {
            let name = "user\(number)@example.com"
            _ = try bench.server.createAccount(name: name)
            for message in 0..<(number * 7) { _ = try bench.server.deliver(Self.mail(message), to: [name]) }
        }
        try bench.server.rollOver()  // The log that is followed does not tell of them.
        var stops = 0
        var statistics: ScanStatistics?
        while statistics == nil {
            let engine = try BackupEngine(
                source: bench.server, store: try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id))
            var looks = Int.random(in: 0..<300, using: &random)
            do {
                statistics = try engine.smartScan(.impolite, stop: {
                    looks -= 1
                    return looks < 0
                })
                try engine.catchUp()
            } catch let error as CoreError where error.code == .stopped {
                stops += 1
            }
            try engine.close()
            // Life goes on.
            _ = try bench.server.deliver(message("after \(stops)"), to: ["user\(stops % 6)@example.com"])
            try #require(stops < 500)
        }
        try bench.backUp { engine in
            try engine.smartScan(.impolite)
            #expect(try engine.smartScan(.impolite).unchangedAccounts == bench.server.mailboxes().count)
        }
        #expect(stops > 3)
        #expect(try bench.differences() == [])
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        #expect(try HistoryProblems.repeated(in: reader) == [])
        #expect(try reader.accounts().allSatisfy { try reader.marks($0) == [] })
    }

    @Test("A backup path without anything is filled by the scan alone")
    func first() throws {
        let bench = try Bench()
        defer { bench.remove() }
        _ = try bench.server.deliver(message("one"), to: ["alice@example.com", "bob@example.com"])
        try bench.server.rollOver()  // The log that is followed tells of nothing.
        try bench.backUp { engine in
            var last = SmartScanProgress()
            let statistics = try engine.smartScan(.impolite, progress: { last = $0 })
            #expect(statistics.newAccounts == 2 && statistics.accounts == 2, "\(statistics)")
            #expect(last.done == 2 && last.total == 2 && last.statistics == statistics)
        }
        #expect(try bench.differences() == [])
    }

    @Test("An account that left the directory is told of by the scan; a log without its server is refused")
    func directory() throws {
        let followed = try Followed()
        followed.source.hiddenAccounts = [followed.bench.bob.accountID]
        #expect(try followed.scan().deletedAccounts == 1)
        #expect(try followed.scan().deletedAccounts == 0)
        #expect(try followed.read { try $0.accountInfo(followed.bench.bob.accountID)?.isDeleted } == true)
        let archive = try LogArchive(folder: followed.bench.server.redoLog.log.removingLastComponent())
        let path = followed.bench.folder.path.appending("other")
        try StoreWriter.create(path, serverID: archive.identity.id)
        let engine = try BackupEngine(source: archive, store: try StoreWriter(opening: path, serverID: archive.identity.id))
        defer { try? engine.close() }  // Nothing was written.
        #expect(#expect(throws: CoreError.self) { try engine.smartScan() }?.code == .serverUnreadable)
    }
}

extension BackupEngine {
    /// The next look at the space is a new one.
    fileprivate func lastSpaceCheckForTests() throws { lastSpaceCheck = nil }
}
