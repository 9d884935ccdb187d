import BackupCore
import BackupStore
import Foundation
import Testing

@Suite("What a restore brings back: the mailbox at a moment")
struct RestoringMomentTests {
    @Test("R14: the prefix of the changes up to the end of that second, never a mixture")
    func prefix() throws {
        let bench = try RestoringBench()
        let first = try bench.message(300)
        let second = try bench.message(301)
        try bench.commit(bench.folder(400, "Work"))
        try bench.commit(first)
        let wanted = try bench.commit(second, bench.moved(first, to: 400))
        try bench.commit(bench.deleted(second))
        try bench.commit(try bench.message(302), bench.moved(first, to: 3))

        let target = MemoryTarget()
        let report = try bench.restore(.second(wanted), to: target)
        #expect(target.mail == ["/Work": ["message 300"], "/Inbox": ["message 301"]])
        #expect(report.addsUp && report.unrestored.isEmpty && report.restored == 3)
        #expect(report.selection.cut.last.time / 1000 == wanted)
        #expect(report.selection.cut.next.map { $0.time / 1000 } == wanted + 1)
    }

    @Test("R14: a change number includes what a look at the server completed of that change, and nothing later")
    func completed() throws {
        let bench = try RestoringBench()
        try bench.commit(try bench.message(300, "as the log says"))
        try bench.scan(upTo: 101, try bench.message(300, "as the server says"))
        try bench.commit(try bench.message(301))
        try bench.scan(upTo: 102, try bench.message(302))
        let target = MemoryTarget()
        let report = try bench.restore(.change(101), to: target)
        #expect(target.mail == ["/Inbox": ["as the server says"]])
        #expect(report.selection.cut.next?.change == 102)
    }

    @Test("R14: a change number is a moment too")
    func changeNumber() throws {
        let bench = try RestoringBench()
        try bench.commit(try bench.message(300))
        let change = bench.change
        try bench.commit(try bench.message(301))
        let target = MemoryTarget()
        let report = try bench.restore(.change(change), to: target)
        #expect(target.mail == ["/Inbox": ["message 300"]])
        #expect(report.selection.cut.last.change == change)
        #expect(report.selection.cut.next?.change == change + 1)
    }

    @Test("R14: the change up to which the first scan saw is a moment too, though the log never told of it")
    func scannedChange() throws {
        let bench = try RestoringBench()
        let second = try bench.commit(try bench.message(300))
        try bench.commit(try bench.message(301))
        let report = try bench.restore(.change(100), to: MemoryTarget())
        #expect(report.asked == 0)
        #expect(report.selection.cut.last.change == 100)
        #expect(report.selection.cut.next?.change == 101)
        #expect(report.selection.cut.next.map { $0.time / 1000 } == second)
    }

    @Test("Every second of a seeded life comes back as it was", arguments: [UInt64(42), 20_251_125])
    func everySecond(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let bench = try RestoringBench()
        var living: [Int64: ItemState] = [:]
        var expected: [(second: Int64, mail: [String: [String]])] = []
        try bench.commit(bench.folder(400, "Work"))
        for step in 0..<25 {
            var states: [ItemState] = []
            switch Int.random(in: 0..<4, using: &random) {
            case 0, 1: states = [try bench.message(1000 + Int64(step), in: Bool.random(using: &random) ? 2 : 400)]
            case 2: states = living.values.randomElement(using: &random).map { [bench.moved($0, to: 400)] } ?? []
            default: states = living.values.randomElement(using: &random).map { [bench.deleted($0)] } ?? []
            }
            for state in states { living[state.row.id] = state.deleted ? nil : state }
            let second = try bench.commit(states, at: bench.second + Int64.random(in: 0...1, using: &random))
            let mail = Dictionary(grouping: living.values) { $0.row.folderID == 400 ? "/Work" : "/Inbox" }
                .mapValues { $0.map { "message \($0.row.id)" }.sorted() }
            if expected.last?.second == second { expected.removeLast() }
            expected.append((second, mail))
        }
        for (second, mail) in expected {
            let target = MemoryTarget()
            let report = try bench.restore(.second(second), to: target, stateFolder: bench.stateFolder.appending("\(second)"))
            #expect(target.mail == mail, "seed \(seed), second \(second)")
            #expect(report.addsUp && report.unrestored.isEmpty)
        }
    }

    @Test("R14: a moment before the account's first scan is refused, and nothing is written")
    func tooEarly() throws {
        let bench = try RestoringBench()
        try bench.commit(try bench.message(300))
        for moment in [RestoreMoment.second(999), .change(99)] {
            let target = MemoryTarget()
            #expect { _ = try bench.restore(moment, to: target) } throws: { ($0 as? CoreError)?.code == .beforeFirstScan }
            #expect(target.writes == 0)
        }
        #expect(try bench.restore(.second(1000), to: MemoryTarget()).restored == 0)
    }

    @Test("What is refused names its moments as dates")
    func dates() throws {
        let bench = try RestoringBench()
        #expect { _ = try bench.restore(.second(999), to: MemoryTarget()) } throws: {
            let text = "\($0)"
            return text.contains(TimeText.local(second: 999)) && text.contains(TimeText.local(second: 1000))
                && !text.contains("second")
        }
        #expect(TimeText.iso(1_795_000_000_123) == "2026-11-18T11:06:40.123Z" && TimeText.iso(-1) == "1969-12-31T23:59:59.999Z")
        for time in [Int64.min, .max] {
            #expect(!TimeText.local(time).isEmpty && !TimeText.iso(time).isEmpty && !TimeText.local(second: time).isEmpty)
        }
    }

    @Test("A mailbox that was deleted comes back as it was just before; the date after the deletion is refused")
    func deletedAccount() throws {
        let bench = try RestoringBench()
        try bench.commit(try bench.message(300))
        try bench.endLife()
        try bench.describe(attributes: ["displayName": ["Ann"]], deleted: true)
        let target = MemoryTarget()
        let report = try bench.restore(.last, to: target)
        #expect(target.mail == ["/Inbox": ["message 300"]])
        #expect(report.warnings.contains { $0.contains("deleted") })
        #expect(throws: CoreError.self) { try bench.restore(.second(bench.second), to: MemoryTarget()) }
    }

    @Test("R9: an id of an earlier life of the mailbox is another item")
    func generations() throws {
        let bench = try RestoringBench()
        try bench.commit(try bench.message(300, "first life"), try bench.message(301, "gone with the first life"))
        let before = bench.second
        try bench.endLife()
        bench.generation = 2
        var life = MailboxLife(accountID: bench.account, mailboxID: 4, generation: 2)
        life.scannedChange = 0
        try bench.store.append(
            StoreTransaction(
                account: bench.account, generation: 2, time: (bench.second + 1) * 1000,
                states: SystemFolders.rows.map { ItemState(row: $0).newState(account: bench.account) }
                    + [NewState(key: .mailbox(bench.account), fields: life.fields)]))
        try bench.commit(try bench.message(300, "second life"), at: bench.second + 2)

        let now = MemoryTarget()
        _ = try bench.restore(.last, to: now)
        #expect(now.mail == ["/Inbox": ["second life"]])
        let then = MemoryTarget()
        _ = try bench.restore(.second(before), to: then, stateFolder: bench.stateFolder.appending("then"))
        #expect(then.mail == ["/Inbox": ["first life", "gone with the first life"]])
    }

    @Test("Accounts are found by id and by name; a name that was used twice means the account that is alive")
    func names() throws {
        let bench = try RestoringBench()
        let other = "bbbbbbbb-0000-4000-8000-00000000000b"
        let entry = AccountEntry(id: other, name: "ann@example.com")
        try bench.store.append(
            StoreTransaction(account: other, time: 1, states: [NewState(key: .accountInfo(other), fields: entry.fields(deleted: true))]))
        try bench.store.commit()
        #expect(try BackedUpAccount.find("ANN@example.com", in: bench.store).entry.id == bench.account)
        #expect(try BackedUpAccount.find(other, in: bench.store).isDeleted)
        #expect { _ = try BackedUpAccount.find("nobody", in: bench.store) } throws: { ($0 as? CoreError)?.code == .unknownAccount }
    }
}
