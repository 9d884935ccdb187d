import BackupStoreTesting
import SystemPackage
import Testing

@testable import BackupStore

@Suite("Recovery")
struct RecoveryTests {
    @Test("R5: an index that catches up does not remove again what was begun anew after its removal")
    func removalBeforeCatchUp() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        try writer.append(message(1, folder: 2, time: 1, change: 1))
        try writer.commit()
        _ = try writer.removeHistories([.item(account: account, id: 1)], time: 2)
        try writer.append(message(1, folder: 5, time: 3, change: 3))
        try writer.commit()
        try writer.append(message(2, time: 4, change: 4))
        store.disk.failing = { $0.hasPrefix("write accounts/") ? .noSpace : nil }
        try writer.commit()  // In the journal; the index stays behind.
        store.disk.failing = nil
        #expect(try writer.item(account, 2) != nil)
        #expect(try writer.item(account, 1)?.fields["folder"] == 5)
        try writer.rebuildIndex()
        #expect(try writer.item(account, 1)?.fields["folder"] == 5)
        #expect(try writer.history(of: .item(account: account, id: 1)).lines.map(\.sequence) == [3])
        try writer.close()
    }

    @Test("R5: a writer that is killed again and again before its checkpoint has no more to replay each time")
    func killedAgain() throws {
        let store = try StoreOnDisk()
        store.options.replayLimit = 5
        var next: Int64 = 1
        for _ in 1...10 {
            let writer = try store.open()
            #expect(writer.recovery.replayed <= 8)
            for _ in 1...4 {
                try writer.append(message(next, time: next, change: next))
                try writer.commit()
                next += 1
            }
            store.crash(writer, .everything)
        }
        let writer = try store.open()
        for id in 1..<next { #expect(try writer.history(of: .item(account: account, id: id)).lines.count == 1) }
        try writer.close()
    }

    @Test("R7: a copy that saw the journal's folder before a restart has the group that the restart carried over")
    func carriedGroup() throws {
        let store = try StoreOnDisk()
        var writer = try store.open()
        for n in 1...3 {
            try writer.append(message(Int64(n), time: 1, change: Int64(n), position: "p\(n)"))
            try writer.commit()
        }
        let listed = store.files("journal/")
        store.crash(writer, .everything)
        writer = try store.open()
        #expect(store.files("journal/segment-").count == 2 && writer.lastSequence == 3)
        store.crash(writer, .everything)
        for name in store.files("journal/") where !listed.contains(name) { store.disk.vanish(name) }
        for name in store.files("accounts/") { store.disk.vanish(name) }  // Copied before everything.
        store.disk.vanish("journal/instance")
        store.removeIndex()
        let reader = try store.reader()
        #expect(try reader.info().isCopy && reader.info().lastSequence == 3)
        #expect(try reader.info().position == "p3")
        for id in [Int64(1), 2, 3] { #expect(try reader.history(of: .item(account: account, id: id)).lines.count == 1) }
        reader.close()
    }

    /// A path whose last group was written, but whose sync failed; the process has ended, and the next one reads it out of the page cache.
    private func unpromised() throws -> StoreOnDisk {
        let store = try StoreOnDisk()
        let writer = try store.open()
        try writer.append(message(1, time: 1, change: 1, position: "p1"))
        try writer.commit()
        try writer.append(message(2, time: 2, change: 2, position: "p2"))
        store.disk.failing = { $0.hasPrefix("syncdata journal/") ? .ioError : nil }
        #expect(throws: StoreError.self) { try writer.commit() }
        store.crash(writer, .everything)
        return store
    }

    @Test("R10: a call or the power fails while a group that no sync had promised is carried over: no damage is left behind", arguments: [nil, Errno.ioError])
    func carriedUnpromised(error: Errno?) throws {
        let whole = try unpromised()
        try whole.open().close()
        let trace = whole.disk.trace
        let first = try #require(trace.firstIndex { $0.hasPrefix("open journal/segment-0000000002") })
        let last = try #require(trace[first...].firstIndex(of: "sync journal/"))
        var torn = 0
        for call in first...last + 2 {
            for seed in UInt64(0)..<(error == nil ? 6 : 1) {
                let store = try unpromised()
                store.disk.faults = [SimulatedFault(call: store.disk.calls + call, error: error)]
                #expect(throws: (any Error).self) { try store.open() }
                store.disk = store.disk.afterCrash(error == nil ? .random(seed: seed) : .everything)
                let storeID = try StoreIdentity.read(store.disk, BackupPath(store.path)).storeID
                torn += try JournalFolder(store.disk, BackupPath(store.path), storeID: storeID).segments.count { $0.header == nil && $0.size > 0 }
                try goOn(store, "call \(call), seed \(seed)")
            }
        }
        #expect(torn > 0)
    }

    @Test("R10: a segment whose making failed leaves no damage behind when the power fails after the next was begun")
    func failedCheckpoint() throws {
        var failures = 0
        for call in 1... {
            let store = try StoreOnDisk()
            let writer = try store.open()
            try writer.append(message(1, time: 1, change: 1, position: "p1"))
            try writer.commit()
            store.disk.faults = [SimulatedFault(call: store.disk.calls + call, error: .ioError)]
            do {
                try writer.checkpoint()
                #expect(failures > 5)
                return try writer.close()
            } catch { failures += 1 }
            try writer.append(message(2, time: 2, change: 2, position: "p2"))
            try writer.commit()
            store.crash(writer)
            try goOn(store, "call \(call)")
        }
    }

    /// Goes on with a path whose last transactions are 1 or 2, in two more processes, after each of which the power fails.
    private func goOn(_ store: StoreOnDisk, _ what: Comment) throws {
        for round in 0...1 {
            let writer = try store.open()
            let known = writer.lastSequence
            #expect((1...2).contains(known - UInt64(round)), what)
            for id in 1...Int64(known) { #expect(try writer.history(of: .item(account: account, id: id)).lines.count == 1, what) }
            #expect(try writer.info().position == "p\(known)", what)
            let next = Int64(known) + 1
            try writer.append(message(next, time: next, change: next, position: "p\(next)"))
            try writer.commit()
            store.crash(writer)
        }
        try store.open().close()
        let report = try FileStoreCheck(of: store.path, temporaryFolder: store.folder.path, files: store.disk).run()
        #expect(report.findings.isEmpty && report.transactions == Int(report.lastSequence), "\(what): \(report.findings)")
    }

    @Test("R7: a writer that refuses copies leaves a copy a copy")
    func refusedCopy() throws {
        let store = try StoreOnDisk()
        var writer = try store.open()
        try writer.append(message(1, time: 1, change: 1))
        try writer.commit()
        try writer.close()
        store.disk.vanish("journal/instance")
        let before = store.disk.contents()
        store.options.refusesCopies = true
        let error = #expect(throws: StoreError.self) { try store.open() }
        #expect(error?.code == .isCopy)
        #expect(store.disk.contents() == before)
        store.options.refusesCopies = false
        writer = try store.open()
        #expect(writer.recovery.wasCopy)
        try writer.close()
        store.options.refusesCopies = true
        try store.open().close()
    }

    @Test("R4: the position outlives the segment that held it and the index", arguments: [false, true])
    func positionWithoutItsSegment(asCopy: Bool) throws {
        let store = try StoreOnDisk()
        let clock = Clock()
        store.options.now = { clock.time }
        let writer = try store.open()
        try writer.append(message(1, time: 1, change: 1, position: "one"))
        try writer.commit()
        let first = store.newestSegment
        for n in 2...5 {
            try writer.checkpoint()
            clock.time += 10 * 86_400_000
            try writer.append(message(Int64(n), time: 1, change: Int64(n)))
            try writer.commit()
        }
        #expect(!store.files("journal/").contains(first))
        store.crash(writer)
        store.removeIndex()
        if asCopy { store.disk.vanish("journal/instance") }
        let again = try store.open()
        #expect(again.position == "one" && again.lastSequence == 5 && again.recovery.indexRebuilt)
        again.abandon()
    }

    @Test("R10: what a failed sync left in the page cache is never believed, nor doubled once it is durable")
    func secondSync() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        try writer.append(message(1, time: 1, change: 1, position: "one"))
        try writer.commit()
        try writer.append(message(2, time: 2, change: 2, position: "two"))
        let clock = Clock()
        clock.time = 0
        store.disk.failing = {  // Once: a second sync would succeed and save nothing.
            guard $0.hasPrefix("syncdata") else { return nil }
            clock.time += 1
            return clock.time == 1 ? .ioError : nil
        }
        #expect(throws: StoreError.self) { try writer.commit() }
        try? writer.commit()
        #expect(writer.lastSequence == 1 && writer.position == "one")
        try writer.append(message(2, time: 2, change: 2, position: "two"))
        try writer.commit()
        try writer.checkpoint()
        store.crash(writer, .synced)
        for name in store.files("journal/segment-").dropLast() { store.disk.vanish(name) }
        let again = try store.open()
        #expect(again.lastSequence == 2 && again.position == "two")
        for id in [Int64(1), 2] {
            let history = try again.history(of: .item(account: account, id: id))
            #expect(history.lines.map(\.sequence) == [UInt64(id)] && history.damage.isEmpty)
        }
        again.abandon()
    }

    @Test("R10: what a failed commit dropped does not come back with the next process, where the writer was closed in peace",
        arguments: [true, false])
    func failedCommitThenClose(rollsBack: Bool) throws {
        let store = try StoreOnDisk()
        var writer = try store.open()
        try writer.append(message(1, time: 1, change: 1, position: "a"))
        try writer.commit()
        var hasFailed = false
        store.disk.failing = { what in
            guard !hasFailed, what.hasPrefix("syncdata") else { return nil }
            hasFailed = true
            return .ioError
        }
        try writer.append(message(2, time: 2, change: 2, position: "b"))
        #expect(throws: StoreError.self) { try writer.commit() }
        if rollsBack { try writer.rollback() }
        try writer.close()
        store.disk = store.disk.afterCrash(.everything)
        writer = try store.open()
        #expect(writer.lastSequence == 1 && writer.position == "a")
        #expect(try writer.item(account, 2) == nil)
        try writer.close()
    }

    @Test("R5: a segment that was old before any checkpoint stays until the checkpoint after the next one")
    func oldSegmentWithoutCheckpoint() throws {
        let store = try StoreOnDisk()
        let clock = Clock()
        store.options.now = { clock.time }
        var writer = try store.open()
        try writer.append(message(1, time: 1, change: 1))
        try writer.commit()
        try writer.checkpoint()
        try writer.append(message(2, time: 1, change: 2))
        try writer.commit()
        let old = store.newestSegment
        store.crash(writer, .everything)
        writer = try store.open()
        #expect(store.newestSegment != old)
        for id in [Int64(3), 4] {
            #expect(store.files("journal/").contains(old), "before checkpoint \(id)")
            clock.time += 10 * 86_400_000
            try writer.append(message(id, time: 1, change: id))
            try writer.commit()
            try writer.checkpoint()
        }
        #expect(!store.files("journal/").contains(old))
        writer.abandon()
    }

    @Test("R15: an index made anew has each reason for a scan once")
    func marksOnce() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        for n in 1...3 {
            var transaction = message(1, time: 1, change: Int64(n))
            transaction.marks = [Mark(reason: "reason \(n)", time: 1), Mark(reason: "other reason \(n)", time: 1)]
            try writer.append(transaction)
            try writer.commit()
        }
        let marks = try writer.marks(account)
        #expect(marks.count == 6)
        try writer.checkpoint()
        try writer.rebuildIndex()
        #expect(try writer.marks(account) == marks)
        writer.abandon()
    }

    @Test("An account_stat counts what a purge has left")
    func statAfterPurge() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        for n in 1...4 { try writer.append(message(Int64(n % 2), time: 1, change: Int64(n))) }
        try writer.commit()
        _ = try writer.removeHistories([.item(account: account, id: 1)], time: 2)
        try writer.checkpoint()
        let stat = try AccountStat.newest(store.disk, BackupPath(store.path), account)
        #expect(stat?.sequence == 5 && stat?.items == 1 && stat?.lines == 2)
        try writer.rebuildIndex()
        try writer.append(message(0, time: 3, change: 5))
        try writer.commit()
        try writer.checkpoint()
        #expect(try AccountStat.newest(store.disk, BackupPath(store.path), account)?.lines == 3)
        try writer.close()
    }

    @Test("A segment of another store is damage, and nothing of it is taken in")
    func foreignSegment() throws {
        let (store, other) = (try StoreOnDisk(), try StoreOnDisk())
        var writer = try store.open()
        try writer.append(message(1, time: 1, change: 1))
        try writer.commit()
        store.crash(writer, .everything)
        let theirs = try other.open()
        for n in 2...4 {
            try theirs.append(message(Int64(n), time: 1, change: Int64(n)))
            try theirs.commit()
        }
        theirs.abandon()
        let name = other.newestSegment
        store.disk.place(name.replacing("segment-0000000001", with: "segment-0000000002"), other.disk.contents()[name]!)
        store.removeIndex()
        let reader = try store.reader()
        #expect(reader.recovery.findings.contains { $0.reason.contains("belongs to store") })
        #expect(try reader.info().lastSequence == 1)
        reader.close()
        writer = try store.open()
        #expect(writer.lastSequence == 1 && store.files("accounts/").count == 1)
        writer.abandon()
    }

    @Test("No name in a journal leads out of the backup path", arguments: ["../../etc", "/etc", "a/b", "", ".tmp-x"])
    func namesInJournal(name: String) {
        for key in [HistoryKey.item(account: name, id: 1), .accountInfo(name), .mailbox(name), .directory(.domains, name)] {
            var records: [UInt8] = []
            JournalRecord.append(removal: key, to: &records)
            #expect(throws: ByteCursor.OutOfBounds.self, "\(key)") {
                try records.withUnsafeBytes { try JournalRecord.forEach(in: $0) { _ in } }
            }
        }
        let header: JSONObject = ["seq": 1, "generation": 1, "time": 1, "kind": "x", "account": .string(name)]
        #expect(TransactionHeader(header) == nil)
    }

    @Test("R9: a change number means the latest generation that has reached it")
    func changeAcrossGenerations() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        for (generation, change) in [(1, 5), (1, 8), (2, 2), (2, 6)] as [(Int64, Int64)] {
            var transaction = message(1, time: 1, change: change)
            transaction.generation = generation
            try writer.append(transaction)
        }
        try writer.commit()
        let cuts = try [Int64(1), 2, 5, 7, 8].map { try writer.cut(account, change: $0)?.sequence }
        #expect(cuts == [nil, 3, 3, 4, 4])
        writer.abandon()
    }

    @Test("R10: a failed syncfs takes back what histories had in the page cache; they are written anew", arguments: [true, false])
    func historiesAfterFailedSync(byCheckpoint: Bool) throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        try writer.append(message(1, time: 1, change: 1))
        try writer.commit()  // Item 1 is in its history, not synced.
        store.disk.failing = { $0 == "syncfs" ? .ioError : nil }
        if byCheckpoint {
            #expect(throws: StoreError.self) { try writer.checkpoint() }
        } else {
            try writer.append(message(2, time: 2, change: 2, blob: try writer.stageBlob(Array("abc".utf8))))
            #expect(throws: StoreError.self) { try writer.commit() }
        }
        store.disk.failing = nil
        try writer.append(message(3, time: 3, change: 3))
        try writer.commit()
        try writer.checkpoint()
        store.crash(writer, .synced)
        let again = try store.open()
        for id in [Int64(1), 3] {
            let history = try again.history(of: .item(account: account, id: id))
            #expect(history.lines.count == 1 && history.damage.isEmpty, "item \(id): \(history.damage)")
        }
        again.abandon()
    }
}
