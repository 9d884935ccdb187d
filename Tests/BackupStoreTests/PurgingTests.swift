import BackupStoreTesting
import SystemPackage
import Testing

@testable import BackupStore

@Suite("Purging and store days")
struct PurgingTests {
    private static let hour: Int64 = 3_600_000

    /// A store whose clocks a test moves.
    private func store(reliableSyncfs: Bool = true) throws -> StoreOnDisk {
        let store = try StoreOnDisk(reliableSyncfs: reliableSyncfs)
        let clock = store.disk.clock
        store.options.now = { clock.now }
        store.options.sinceBoot = { clock.sinceBoot }
        return store
    }

    /// Days pass, and the service looks at the clock every few hours.
    private func pass(_ days: Int64, _ store: StoreOnDisk, _ writer: FileStoreWriter<SimulatedFileSystem>) throws {
        for _ in 0..<days * 4 {
            store.disk.clock.pass(6 * Self.hour)
            try writer.checkpoint()
        }
    }

    private func deleted(_ id: Int64, change: Int64, presumed: Bool = false) -> StoreTransaction {
        var fields: JSONObject = ["type": "message", "deleted": true]
        if presumed { fields["presumed"] = true }
        return StoreTransaction(
            account: account, time: change, change: change, states: [NewState(key: .item(account: account, id: id), fields: fields)])
    }

    // MARK: Store days

    @Test("R11: hours that a checkpoint noted are in the day that was over after it: a crash does not count them once more", arguments: [false, true])
    func hoursCountOnce(longSegment: Bool) throws {
        let store = try store()
        var writer = try store.open()
        store.disk.clock.pass(19 * Self.hour)
        try writer.checkpoint()
        // A long segment is sealed by the commit that ends the day.
        if longSegment {
            store.options.checkpointBytes = 1
            try writer.close()
            writer = try store.open()
        }
        store.disk.clock.pass(Self.hour)
        try writer.countStoreDay()
        #expect(try writer.storeDays().count == 1)
        for hours in 1...19 {
            store.crash(writer)
            writer = try store.open()
            store.disk.clock.pass(Self.hour)
            try writer.countStoreDay()
            #expect(try writer.storeDays().count == 1, "after \(hours) hours")
            try writer.checkpoint(always: true)
        }
        store.disk.clock.pass(Self.hour)
        try writer.checkpoint()
        #expect(try writer.storeDays().count == 2)
        try writer.close()
    }

    @Test("R11: a store day is 20 hours of a writer's work, however many processes they were")
    func days() throws {
        let store = try store()
        var writer = try store.open()
        #expect(try writer.storeDays().count == 0)
        store.disk.clock.pass(19 * Self.hour)
        try writer.checkpoint()
        #expect(try writer.storeDays().count == 0)
        try writer.close()
        store.disk.clock.pass(100 * Self.hour)  // Nobody works.
        store.disk.clock.reboot()
        writer = try store.open()
        try writer.checkpoint()
        #expect(try writer.storeDays().count == 0)
        store.disk.clock.pass(Self.hour)
        try writer.checkpoint()
        #expect(try writer.storeDays().count == 1)
        for _ in 0..<100 {
            store.disk.clock.pass(Self.hour)
            try writer.checkpoint()
        }
        #expect(try writer.storeDays().count == 6)
        try writer.close()
    }

    @Test("R11: what an idle writer has worked outlives its being killed, but for an hour")
    func idle() throws {
        let store = try store()
        var writer = try store.open()
        for _ in 0..<200 {
            store.disk.clock.pass(Self.hour / 10)
            try writer.checkpoint()
        }
        #expect(try writer.storeDays().count == 1)
        for _ in 0..<190 {
            store.disk.clock.pass(Self.hour / 10)
            try writer.checkpoint()
        }
        store.crash(writer)
        writer = try store.open()
        for _ in 0..<20 {
            store.disk.clock.pass(Self.hour / 10)
            try writer.checkpoint()
        }
        #expect(try writer.storeDays().count == 2)
        try writer.close()
    }

    @Test("R11: no jump of a clock counts more than one day")
    func jumps() throws {
        let store = try store()
        let writer = try store.open()
        store.disk.clock.now += 1_000_000 * Self.hour
        try writer.checkpoint()
        #expect(try writer.storeDays().count == 0)
        store.disk.clock.pass(1_000_000 * Self.hour)  // A machine that slept, or a virtual one that was moved.
        try writer.checkpoint()
        try writer.checkpoint()
        #expect(try writer.storeDays().count == 1)
        try writer.close()
    }

    @Test("R11: old is what is old by store days and by the wall clock, both")
    func age() throws {
        let store = try store()
        let writer = try store.open()
        try writer.append(message(257, time: -5, change: 1))  // A date of 1969 makes nothing old.
        try writer.commit()
        let noted = writer.lastSequence
        func isOld(_ days: Int64) throws -> Bool { try writer.sequence(olderThan: days) > noted }
        #expect(try !isOld(1))
        try pass(2, store, writer)
        #expect(try isOld(1) && !isOld(2))
        // The wall clock jumps ahead: store days hold. It jumps back: the wall clock holds.
        let right = store.disk.clock.now
        store.disk.clock.now = right + 100_000 * Self.hour
        #expect(try !isOld(30))
        store.disk.clock.now = 0
        #expect(try !isOld(1))
        try pass(40, store, writer)
        store.disk.clock.now = right + 40 * 24 * Self.hour
        #expect(try isOld(30) && !isOld(1000))
        #expect(try writer.sequence(olderThan: 0) == 0 && writer.sequence(olderThan: .max) == 0)
        try writer.close()
    }

    @Test("R5, R11: a checkpoint vouches for no day whose note is not in its history yet")
    func dayNotWritten() throws {
        let store = try store()
        var writer = try store.open()
        store.disk.clock.pass(20 * Self.hour)
        store.disk.failing = { $0.contains("records/store_days") ? .tooManyOpenFiles : nil }
        do { try writer.checkpoint() } catch is StoreError {}
        store.disk.failing = nil
        store.crash(writer)
        writer = try store.open()
        #expect(try writer.storeDays().count == 1 && writer.history(of: StoreDays.key).damage.isEmpty)
        try writer.close()
    }

    // MARK: What goes

    @Test("Deleted items come in the order of their deletions, a page at a time; the living and the presumed are not among them")
    func deletedItems() throws {
        let store = try store()
        let writer = try store.open()
        for id in 1...9 { try writer.append(message(Int64(id), time: 1, change: Int64(id))) }
        for (place, id) in [5, 3, 8, 1].enumerated() { try writer.append(deleted(Int64(id), change: Int64(20 + place))) }
        try writer.append(deleted(7, change: 30, presumed: true))
        let end = try writer.append(deleted(2, change: 31))
        try writer.commit()
        var (found, last): ([Int64], IndexedItem?) = ([], nil)
        while true {
            let page = try writer.deletedItems(account, before: end, after: last, limit: 3)
            found += page.compactMap { if case .item(_, let id) = $0.key { id } else { nil } }
            guard let item = page.last else { break }
            last = item
        }
        #expect(found == [5, 3, 8, 1])
        try writer.append(deleted(7, change: 32))  // A look at the server made it certain.
        try writer.commit()
        #expect(try writer.deletedItems(account, before: .max, after: last, limit: 9).count == 2)
        try writer.close()
    }

    @Test("R2: what a purge that was killed left behind goes with the next one, wherever it was killed", arguments: [true, false])
    func killed(reliableSyncfs: Bool) throws {
        var (call, isOver) = (0, false)
        while !isOver {
            call += 3
            let store = try store(reliableSyncfs: reliableSyncfs)
            var writer = try store.open()
            let shared = try writer.stageBlob(Array("in both".utf8))
            for id in [1, 2] as [Int64] {
                let own = try writer.stageBlob(Array("only in \(id)".utf8))
                try writer.append(
                    StoreTransaction(
                        account: account, time: id, change: id,
                        states: [NewState(key: .item(account: account, id: id), fields: ["type": "message"], blobs: [own, shared])]))
            }
            try writer.commit()
            store.disk.faults = [SimulatedFault(call: store.disk.calls + call, error: nil)]
            do {
                try writer.removeHistories([.item(account: account, id: 1)], with: .purge(5))
                #expect(try writer.expireReleasedBlobs().count == 1)
                isOver = true
            } catch where store.disk.isDead {}  // The power failed.
            store.crash(writer, call % 2 == 0 ? .synced : .random(seed: UInt64(call)))
            writer = try store.open()
            if try writer.state(of: .item(account: account, id: 1)) != nil {
                try writer.removeHistories([.item(account: account, id: 1)], with: .purge(5))
            }
            _ = try writer.expireReleasedBlobs()
            #expect(store.files("items/").count == 2 && store.files("expired/").count == 1, "call \(call)")
            #expect(try writer.blobBytes(shared.id) == Array("in both".utf8))
            try writer.close()
        }
        #expect(call > 20)
    }

    @Test("R2, R10: a move whose sync failed is made good before the blob is forgotten: a power failure takes it back", arguments: [true, false])
    func failedMove(reliableSyncfs: Bool) throws {
        for call in 1... {
            let store = try store(reliableSyncfs: reliableSyncfs)
            var writer = try store.open()
            let blob = try writer.stageBlob(Array("soon gone".utf8))
            try writer.append(
                StoreTransaction(
                    account: account, time: 1, change: 1,
                    states: [NewState(key: .item(account: account, id: 1), fields: ["type": "message"], blobs: [blob])]))
            try writer.commit()
            try writer.removeHistories([.item(account: account, id: 1)], with: .purge(5))
            store.disk.faults = [SimulatedFault(call: store.disk.calls + call, error: .ioError)]
            var hasFailed = false
            do { _ = try writer.expireReleasedBlobs() } catch { hasFailed = true }
            let isOver = store.disk.calls < store.disk.faults[0].call
            store.disk.faults = []
            _ = try writer.expireReleasedBlobs()
            // It was closed; so that nobody looks for what a crash may have left.
            try writer.close()
            store.disk = store.disk.afterCrash(.synced)
            writer = try store.open()
            _ = try writer.expireReleasedBlobs()
            #expect(store.files("items/").isEmpty, "call \(call), \(hasFailed)")
            try writer.close()
            if isOver { return }
        }
    }

    @Test("R2: blobs of a group that was never committed are found after the crash, and after the index was made anew")
    func orphans() throws {
        let store = try store()
        var writer = try store.open()
        let kept = try writer.stageBlob(Array("kept".utf8))
        try writer.append(message(1, time: 1, change: 1, blob: kept))
        try writer.commit()
        let lost = try writer.stageBlob(Array("lost".utf8))
        try writer.append(message(2, time: 2, change: 2, blob: lost))
        store.disk.failing = { $0.hasPrefix("write journal/") ? .ioError : nil }  // Behind the blobs, before the commit.
        #expect(throws: StoreError.self) { try writer.commit() }
        store.disk.failing = nil
        store.crash(writer, .everything)
        #expect(store.files("items/").count == 2)
        writer = try store.open()
        #expect(try writer.expireReleasedBlobs().count == 1)
        #expect(try writer.blobBytes(kept.id) == Array("kept".utf8))
        #expect(store.files("expired/").map { $0.hasSuffix(lost.id.description) } == [true])
        try writer.removeHistories([.item(account: account, id: 1)], with: .purge(3))
        try writer.close()
        store.removeIndex()  // It would have known which blobs were released.
        writer = try store.open()
        #expect(try writer.expireReleasedBlobs().count == 1 && store.files("items/").isEmpty)
        try writer.close()
    }

    @Test("R2: a blob that was moved back for a state that never came goes with the next purge")
    func movedBackForNothing() throws {
        let store = try store()
        var writer = try store.open()
        let bytes = Array("wanted, and then not".utf8)
        try writer.append(message(1, time: 1, change: 1, blob: try writer.stageBlob(bytes)))
        try writer.removeHistories([.item(account: account, id: 1)], with: .purge(2))
        #expect(try writer.expireReleasedBlobs().count == 1)
        _ = try writer.stageBlob(bytes)
        #expect(store.files("items/").count == 1)
        try writer.close()
        writer = try store.open()
        #expect(try writer.expireReleasedBlobs().count == 1 && store.files("items/").isEmpty)
        try writer.close()
    }

    @Test("R2: where a history is damaged, no content goes: what cannot be read may need it")
    func damaged() throws {
        let store = try store()
        var writer = try store.open()
        for id in [1, 2] as [Int64] {
            try writer.append(message(id, time: id, change: id, blob: try writer.stageBlob(Array("of \(id)".utf8))))
        }
        try writer.commit()
        try writer.close()
        store.disk.damage(historyFile(2)) { $0[$0.count / 2] ^= 1 }
        store.removeIndex()
        store.disk.clock.now += 20 * 24 * Self.hour
        for file in store.files("journal/segment-").dropLast() { store.disk.vanish(file) }  // As after a week.
        writer = try store.open()
        try writer.removeHistories([.item(account: account, id: 1)], with: .purge(3))
        let error = #expect(throws: StoreError.self) { _ = try writer.expireReleasedBlobs() }
        #expect(error?.code == .damaged && store.files("items/").count == 2)
        try writer.close()
    }

    @Test("R2, R11: what was moved away is gone for good after seven days of both clocks, and its folder with it")
    func grace() throws {
        let store = try store()
        let writer = try store.open()
        let blob = try writer.stageBlob(Array("going".utf8))
        try writer.append(message(1, time: 1, change: 1, blob: blob))
        try writer.removeHistories([.item(account: account, id: 1)], with: .purge(2))
        #expect(try writer.expireReleasedBlobs().bytes == blob.stored)
        try pass(5, store, writer)
        store.disk.clock.now += 1000 * 24 * Self.hour
        #expect(try writer.emptyExpired().count == 0)
        #expect(try writer.blobBytes(blob.id) == Array("going".utf8), "it can be read until then")
        store.disk.clock.now -= 1000 * 24 * Self.hour
        try pass(4, store, writer)
        var gone = try writer.emptyExpired()
        #expect(gone.count == 1 && gone.bytes == blob.stored)
        #expect(store.files("expired/").isEmpty)
        #expect(try store.disk.list(store.path.appending("expired")).isEmpty)
        gone = try writer.emptyExpired()
        #expect(gone == PurgedBlobs())
        try writer.close()
    }

    @Test("A purge that the journal tells of, but no more what it purged, is counted by the next account_stat all the same")
    func removalAlone() throws {
        let store = try store()
        var writer = try store.open()
        try writer.append(message(1, time: 1, change: 1))
        try writer.commit()
        try writer.checkpoint()
        try writer.append(message(1, time: 2, change: 1, account: StandardRun.second))
        try writer.commit()
        try writer.checkpoint()
        try writer.removeHistories([.item(account: account, id: 1)], with: .purge(3))
        store.crash(writer, .everything)
        store.disk.vanish(try #require(store.files("journal/segment-").first))  // As after a week.
        store.removeIndex()
        writer = try store.open()
        try writer.close()
        #expect(try AccountStat.newest(store.disk, BackupPath(store.path), account)?.items == 0)
    }

    @Test("Lines of a purged history that are there again are found, also where the history was begun anew")
    func backAgain() throws {
        let store = try store()
        let writer = try store.open()
        try writer.append(message(1, time: 1, change: 1))
        try writer.commit()
        let before = try #require(store.disk.contents()[historyFile(1)])
        try writer.removeHistories([.item(account: account, id: 1)], with: .purge(2))
        try writer.checkpoint()
        try writer.append(message(1, time: 3, change: 3))
        try writer.commit()
        writer.abandon()
        #expect(try FileStoreCheck(of: store.path, files: store.disk).run().isDamaged == false)
        store.disk.damage(historyFile(1)) { $0 = before }
        let check = try FileStoreCheck(of: store.path, files: store.disk).run()
        #expect(check.findings.contains { $0.kind == .historyBack && $0.file == historyFile(1) }, "\(check.findings)")
    }

    @Test("An account that was purged whole leaves nothing, whatever crashes on the way", arguments: [true, false])
    func wholeAccount(reliableSyncfs: Bool) throws {
        var (call, isOver) = (0, false)
        while !isOver {
            call += 2
            let store = try store(reliableSyncfs: reliableSyncfs)
            var writer = try store.open()
            try writer.append(message(1, time: 1, change: 1))
            try writer.append(
                StoreTransaction(
                    account: account, time: 2, states: [NewState(key: .accountInfo(account), fields: ["type": "account", "deleted": true])],
                    marks: [Mark(reason: "doubt", time: 2)]))
            try writer.append(message(1, time: 3, change: 3, account: StandardRun.second))
            try writer.commit()
            try writer.checkpoint()
            func purge(_ writer: FileStoreWriter<SimulatedFileSystem>) throws {
                if try writer.accountInfo(account) != nil {
                    try writer.removeHistories([.item(account: account, id: 1), .accountInfo(account)], with: .purge(4))
                }
                try writer.removePurgedAccounts()
            }
            store.disk.faults = [SimulatedFault(call: store.disk.calls + call, error: nil)]
            do {
                try purge(writer)
                isOver = true
            } catch where store.disk.isDead {}  // The power failed.
            store.crash(writer, call % 4 == 0 ? .synced : .random(seed: UInt64(call)))
            if call % 3 == 0 { store.removeIndex() }
            writer = try store.open()
            #expect(writer.recovery.vanished.isEmpty, "call \(call)")
            try purge(writer)
            #expect(try writer.accounts() == [StandardRun.second] && writer.marks(account).isEmpty, "call \(call)")
            try writer.close()
            #expect(store.files("accounts/\(account)").isEmpty && !store.files("accounts/\(StandardRun.second)").isEmpty)
            let check = try FileStoreCheck(of: store.path, files: store.disk).run()
            #expect(check.findings.isEmpty, "call \(call): \(check.findings)")
        }
        #expect(call > 20)
    }

    @Test("Whatever a power failure takes back of a purged account's end, nothing counts what is gone", arguments: 1...60 as ClosedRange<UInt64>)
    func wholeAccountTakenBack(seed: UInt64) throws {
        let store = try store(reliableSyncfs: seed % 2 == 0)
        var writer = try store.open()
        try writer.append(message(1, time: 1, change: 1))
        try writer.append(
            StoreTransaction(
                account: account, time: 2, states: [NewState(key: .accountInfo(account), fields: ["type": "account", "deleted": true])]))
        try writer.commit()
        try writer.checkpoint()
        try writer.removeHistories([.item(account: account, id: 1), .accountInfo(account)], with: .purge(4))
        try writer.removePurgedAccounts()
        store.crash(writer, .random(seed: seed))
        writer = try store.open()
        try writer.append(message(1, time: 5, change: 1, account: StandardRun.second))
        try writer.commit()
        try writer.close()
        // After a week the journal tells of it no more, and the index is made anew.
        for file in store.files("journal/segment-").dropLast() { store.disk.vanish(file) }
        store.removeIndex()
        writer = try store.open()
        #expect(writer.recovery.vanished.isEmpty)
        try writer.close()
    }
}
