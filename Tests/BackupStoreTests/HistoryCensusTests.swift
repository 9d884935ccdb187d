import BackupStoreTesting
import SystemPackage
import Testing

@testable import BackupStore

@Suite("Histories that vanished whole")
struct HistoryCensusTests {
    private let day: Int64 = 86_400_000

    /// A path with items 1 to 4 of an account, at a checkpoint.
    private func store(_ clock: SimulatedClock = SimulatedClock()) throws -> StoreOnDisk {
        let store = try StoreOnDisk()
        store.options.now = { clock.now }
        let writer = try store.open()
        for id: Int64 in 1...4 { try writer.append(message(id, time: id, change: id)) }
        try writer.append(message(1, folder: 5, time: 5, change: 5))
        try writer.commit()
        try writer.close()
        return store
    }

    /// Goes on for weeks without touching the account, until the journal has forgotten what it held.
    private func forget(_ store: StoreOnDisk, _ clock: SimulatedClock) throws {
        for n: Int64 in 1...4 {
            clock.now += 10 * day
            let writer = try store.open()
            try writer.append(message(n, time: 100 + n, change: n, account: "other"))
            try writer.commit()
            try writer.close()
        }
        #expect(store.files("journal/segment-").count < 4, "the old segments are gone")
    }

    private func rebuild(_ store: StoreOnDisk) throws -> [String] {
        let writer = try store.open()
        try writer.rebuildIndex()
        let findings = writer.recovery.findings
        #expect(findings.allSatisfy { $0.finding == .missing })
        try writer.close()
        return findings.map { "\($0.file): \($0.reason)" }
    }

    @Test("One whose lines the journal still has is named when the index is made anew; nothing is said where all are there")
    func named() throws {
        let store = try store()
        #expect(try rebuild(store) == [])
        try store.disk.remove(store.path.appending(historyFile(1)))
        #expect(try rebuild(store) == ["\(historyFile(1)): the history is gone; the journal still has 2 of its lines"])
    }

    @Test("Later, how many are gone is known from the account's stat, also to a reader that makes an index of its own")
    func counted() throws {
        let clock = SimulatedClock()
        let store = try store(clock)
        try forget(store, clock)
        for id: Int64 in [2, 3] { try store.disk.remove(store.path.appending(historyFile(id))) }
        // What came after the stat does not make up for it.
        var writer = try store.open()
        try writer.append(message(9, time: 200, change: 9))
        try writer.commit()
        store.crash(writer, .everything)
        let expected =
            "accounts/\(account)/items: 2 histories are gone, which is not known: account_stat-5 counts 4 items, 2 are there"
        store.removeIndex()
        let reader = try store.reader()
        #expect(reader.recovery.findings.map { "\($0.file): \($0.reason)" } == [expected])
        reader.close()
        #expect(try rebuild(store) == [expected])
        // The account's next stat counts what is left; what is gone stays known by a mark.
        writer = try store.open()
        try writer.rebuildIndex()
        #expect(writer.recovery.findings == [])
        let reasons = try writer.marks(account).map(\.reason)
        #expect(reasons == ["2 of its histories are gone from the backup path, with all states"])
        try writer.close()
    }

    @Test("The account is marked, too, where the index is made anew under a writer at work", arguments: [false, true])
    func underWriter(afterFailedCommit: Bool) throws {
        let clock = SimulatedClock()
        let store = try store(clock)
        try forget(store, clock)
        let writer = try store.open()
        for id: Int64 in [2, 3] { try store.disk.remove(store.path.appending(historyFile(id))) }
        store.removeIndex()
        if afterFailedCommit {
            store.disk.failing = { $0.hasPrefix("syncdata") ? .ioError : nil }
            try writer.append(message(8, time: 199, change: 8))
            #expect(throws: StoreError.self) { try writer.commit() }
            store.disk.failing = nil
            try writer.rollback()
        }
        try writer.append(message(9, time: 200, change: 9))
        try writer.commit()
        #expect(try writer.marks(account).map(\.reason) == ["2 of its histories are gone from the backup path, with all states"])
        #expect(try writer.item(account, 9) != nil)
        try writer.close()
    }

    @Test("What purge removed is not missed, before the next checkpoint and after it, and long after", arguments: [false, true])
    func removed(comesAgain: Bool) throws {
        let clock = SimulatedClock()
        let store = try store(clock)
        let writer = try store.open()
        _ = try writer.removeHistories([.item(account: account, id: 2), .item(account: account, id: 3)], time: 50)
        if comesAgain {
            try writer.append(message(3, time: 51, change: 51))
            try writer.commit()
        }
        try writer.rebuildIndex()
        #expect(writer.recovery.findings == [])
        store.crash(writer)
        #expect(try rebuild(store) == [])
        try forget(store, clock)
        #expect(try rebuild(store) == [])
    }

    @Test("A history whose first lines are damaged is there, and is not counted as gone")
    func damaged() throws {
        let store = try store()
        let file = try store.disk.open(store.path.appending(historyFile(1)), .update)
        try [UInt8](repeating: 0x78, count: 20).withUnsafeBytes { try file.write($0, at: 4) }
        file.close()
        let writer = try store.open()
        try writer.rebuildIndex()
        #expect(writer.recovery.findings.map(\.finding) == [.corrupt])
        try writer.close()
    }
}
