import BackupStore
import RedoLog
import SandboxServer
import SystemPackage
import Testing

@testable import BackupCore

@Suite("Scans that do not end as they should")
struct ScanFaultTests {
    private func withStore<Result>(_ bench: Bench, _ body: (StoreWriter) throws -> Result) throws -> Result {
        let store = try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id)
        let result = Swift.Result { try body(store) }
        try store.close()
        return try result.get()
    }

    @discardableResult
    private func backUp(
        _ bench: Bench, from source: FaultySource, _ body: (BackupEngine) throws -> Void = { try $0.begin(); try $0.catchUp() }
    ) throws -> FollowStatistics {
        let engine = try BackupEngine(
            source: source, store: try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id))
        try body(engine)
        let statistics = engine.statistics
        try engine.close()
        return statistics
    }

    private func marks(_ bench: Bench, _ account: String) throws -> [String] {
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        return try reader.marks(account).map(\.reason)
    }

    @Test("A mailbox that cannot be scanned is told of; the others are backed up, and it is scanned at the next start")
    func unreadableMailbox() throws {
        let bench = try Bench()
        defer { bench.remove() }
        _ = try bench.server.deliver(message("both"), to: ["alice@example.com", "bob@example.com"])
        try bench.server.rollOver()  // The log that is followed does not tell of the mailboxes' beginning.
        let source = FaultySource(bench.server)
        source.unreadableMailboxes = [bench.alice.mailboxID]
        let statistics = try backUp(bench, from: source) { engine in
            try engine.begin()
            _ = try bench.server.deliver(message("more"), to: ["alice@example.com", "bob@example.com"])
            try engine.catchUp()
        }
        #expect(statistics.notices.count == 1 && statistics.notices[0].contains("alice@example.com"), "\(statistics.notices)")
        #expect(try bench.differences().allSatisfy { $0.contains("mailbox \(bench.alice.mailboxID)") })
        source.unreadableMailboxes = []
        #expect(try backUp(bench, from: source).notices == [])
        #expect(try bench.differences() == [])
    }

    @Test("Following goes on past a new mailbox that cannot be compared: its account is marked until it can")
    func unreadableNewMailbox() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp()
        _ = try bench.server.createAccount(name: "dora@example.com")
        let dora = try bench.server.openMailbox("dora@example.com")
        _ = try bench.server.deliver(message("welcome"), to: ["dora@example.com"])
        let source = FaultySource(bench.server)
        source.unreadableMailboxes = [dora.mailboxID]
        let statistics = try backUp(bench, from: source) { engine in
            try engine.begin()
            var idle = 0
            try engine.follow(until: { idle > 3 }) { _ in
                idle += 1
                if idle == 2 { _ = try bench.server.deliver(message("later"), to: ["bob@example.com"]) }
            }
        }
        #expect(statistics.notices.filter { $0.contains("compared") }.count == 1)
        #expect(try marks(bench, dora.accountID).contains { $0.contains("compared") })
        #expect(try bench.differences().allSatisfy { $0.contains("mailbox \(dora.mailboxID)") })
        source.unreadableMailboxes = []
        try backUp(bench, from: source)
        #expect(try bench.differences() == [])
        #expect(try marks(bench, dora.accountID) == [])
    }

    @Test("What is logged while a mailbox is scanned is in the scan, and costs one more look at the server")
    func changesDuringTheScan() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.server.rollOver()
        let source = FaultySource(bench.server)
        source.beforeRead = { mailbox in
            guard mailbox == bench.alice.mailboxID, source.reads[mailbox] == 1 else { return }
            for number in 0..<20 { _ = try bench.server.deliver(message("m\(number)"), to: ["alice@example.com"]) }
        }
        try backUp(bench, from: source)
        #expect(try bench.differences() == [])
        #expect(try #require(source.reads[bench.alice.mailboxID]) <= 2)
    }

    @Test("R14: what is learned of an account later than changes is recorded after them, and no clock stepped back")
    func learnedLater() throws {
        var options = SandboxServer.Options()
        options.clock = { SandboxServer.wallClock() - 3_600_000 }  // The log is followed an hour later.
        let bench = try Bench(options: options)
        defer { bench.remove() }
        try bench.backUp()
        let item = try bench.server.deliver(message("an hour ago"), to: ["alice@example.com"])[0].itemID
        try bench.server.modifyAccount(bench.alice.accountID, attributes: ["displayName": ["Alice"]])
        try bench.backUp()
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        let info = try #require(try reader.accountInfo(bench.alice.accountID))
        let change = try #require(try reader.item(bench.alice.accountID, item))
        #expect(info.fields["displayName"] != nil || info.fields["attributes"] != nil)
        #expect(info.sequence > change.sequence)
        let selection = try Selection(account: bench.alice.accountID, at: .change(try #require(change.change)), in: reader)
        #expect(selection.warnings == [] && !selection.cut.clockSteppedBack)
    }

    @Test("A later scan that ends with an error writes nothing")
    func takesBack() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp()
        for number in 0..<3 { _ = try bench.server.deliver(message("m\(number)"), to: ["alice@example.com"]) }
        try withStore(bench) { store in
            let before = store.lastSequence
            let account = try #require(try bench.server.accounts().first { $0.id == bench.alice.accountID })
            let life = MailboxLife(accountID: account.id, mailboxID: bench.alice.mailboxID, generation: 1)
            var scan = MailboxScan(
                source: bench.server, intake: ContentIntake(store: store, keepsContents: true), account: account, time: 1_795_000_000_000, isFirst: false)
            scan.progress = { if $0.newMetadata == 2 { throw FaultySource.Failure() } }
            #expect(throws: FaultySource.Failure.self) {
                _ = try bench.server.withMailbox(life.mailboxID) { try scan.run($0, life: life, position: nil) }
            }
            try store.commit()
            #expect(store.lastSequence == before)
        }
    }

    @Test("A picture is of one moment, whatever is done and asked while it is looked at")
    func picture() throws {
        let bench = try Bench()
        defer { bench.remove() }
        let seen = try #require(
            try bench.server.withMailbox(bench.alice.mailboxID) { picture in
                _ = try bench.server.deliver(message("later"), to: ["alice@example.com"])
                let now = try bench.server.withMailbox(bench.alice.mailboxID) { $0.change }
                #expect(now == picture.change + 1)
                var (numbers, rows): (Set<Int64>, Set<Int64>) = ([], [])
                try picture.numbers(in: .mailbox) { id, change in
                    numbers.insert(id)
                    #expect(change <= picture.change)
                }
                try picture.items(in: .mailbox, nil) { row, _ in rows.insert(row.id) }
                #expect(numbers == rows)
                var chosen: [Int64] = []
                try picture.items(in: .mailbox, [2, 5, 999_999]) { row, _ in chosen.append(row.id) }
                #expect(chosen.sorted() == [2, 5])
                return numbers.count
            })
        #expect(try bench.alice.items().count > seen)
        #expect(try bench.server.withMailbox(999) { _ in } == nil)
    }

    @Test("A mailbox that is gone before its first scan begins no life")
    func goneBeforeFirstScan() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try withStore(bench) { store in
            let scanner = try RealTimeScanner(source: bench.server, store: store, logger: .init(label: "test"))
            var row = try #require(try bench.server.mailboxes().first)
            row.id = 999
            _ = try scanner.firstScan(of: row, account: AccountEntry(id: row.accountID, name: "x"))
            #expect(scanner.mailboxes.known(account: row.accountID) == nil)
        }
    }

    @Test("R12: a deleted mailbox ends item by item, with all its items, in one transaction")
    func endsLargeMailboxes() throws {
        let bench = try Bench()
        defer { bench.remove() }
        for number in 0..<700 { _ = try bench.server.deliver(message("m\(number)"), to: ["bob@example.com"]) }
        try bench.backUp()
        try bench.server.deleteMailbox(ofAccount: "bob@example.com")
        try bench.backUp()
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        #expect(try reader.items(bench.bob.accountID, .alive).isEmpty)
        let ended = try reader.items(bench.bob.accountID, .all)
        #expect(ended.count > 700 && Set(ended.map(\.sequence)).count == 1)
    }

    @Test("R12: what the server has no more ends in batches")
    func endsMissing() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try withStore(bench) { store in
            for start in stride(from: Int64(10_000), to: 11_300, by: 100) {
                let states = (start..<start + 100).map { id in
                    var row = ItemRow(id: id, type: .message)
                    row.folderID = 2
                    return ItemState(row: row).newState(account: bench.alice.accountID)
                }
                try store.append(StoreTransaction(account: bench.alice.accountID, time: 1000, kind: "scan", states: states))
            }
            try store.commit()
        }
        try bench.backUp()
        let differences = try bench.differences()
        #expect(differences == [])
    }

    @Test("The server's store is asked for a content whose place the log does not tell")
    func contentWithoutLocator() throws {
        let bench = try Bench()
        defer { bench.remove() }
        let delivery = try bench.server.deliver(message("in the store"), to: ["alice@example.com"])[0]
        let row = try #require(try bench.alice.item(delivery.itemID))
        let read = try bench.server.openBlob(
            BlobLocation(
                mailboxID: bench.alice.mailboxID, itemID: row.id, modContent: row.modContent, locator: nil, size: row.size,
                digest: row.blobDigest))
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 1)
        defer { buffer.deallocate() }
        #expect(try Int64(read(buffer)) == row.size)
    }

    @Test("An account that the directory has no more is recorded as deleted, and again as alive when it comes back")
    func deletedAccounts() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp()
        func deleted() throws -> Bool? {
            let reader = try StoreReader(opening: bench.backupPath)
            defer { reader.close() }
            return try BackedUpAccount(bench.bob.accountID, in: reader)?.isDeleted
        }
        #expect(try deleted() == false)
        for hidden in [true, false] {
            let source = FaultySource(bench.server)
            if hidden { source.hiddenAccounts = [bench.bob.accountID] }
            try backUp(bench, from: source)
            #expect(try deleted() == hidden)
        }
    }

    @Test("A mailbox's deletion in a log without its server is its account's")
    func deletedInTheLog() throws {
        let bench = try LogBench()
        try bench.backUp()
        try bench.log(.deleteMailbox, mailbox: 2)
        try bench.backUp()
        #expect(try bench.read { try BackedUpAccount(LogBench.bob, in: $0)?.isDeleted } == true)
        #expect(try bench.read { try BackedUpAccount(LogBench.alice, in: $0)?.isDeleted } == false)
    }
}
