import BackupStoreTesting
import SystemPackage
import Testing

@testable import BackupStore

@Suite("The journal")
struct JournalTests {
    /// A store with `count` groups of one message each in one segment, not materialised by a checkpoint.
    private func store(groups count: Int) throws -> (StoreOnDisk, FileStoreWriter<SimulatedFileSystem>) {
        let store = try StoreOnDisk()
        let writer = try store.open()
        for n in 1...count {
            try writer.append(message(Int64(n), time: Int64(n) * 1000, change: Int64(n), position: "p\(n)"))
            try writer.commit()
        }
        return (store, writer)
    }

    @Test("R6: cut off anywhere, the committed groups before the cut are there and the tail is reported as torn")
    func torn() throws {
        let (store, writer) = try store(groups: 3)
        writer.abandon()
        let segment = store.newestSegment
        let whole = store.disk.contents()[segment]!
        var ends: [Int64] = []
        let name = try #require(SegmentName(String(segment.dropFirst(8))))
        let reader = try SegmentReader(name, store.disk, BackupPath(store.path))
        _ = try reader.scan(limit: nil) { ends.append($0.end) }
        #expect(ends.count == 3 && ends.last == Int64(whole.count))
        for length in stride(from: Int(reader.start), to: whole.count, by: 5) {
            store.disk.damage(segment) { $0 = Array(whole[..<length]) }
            let found = try SegmentReader(name, store.disk, BackupPath(store.path)).scan(limit: nil)
            let expected = ends.last { $0 <= Int64(length) } ?? reader.start
            #expect(found.end == expected, "cut at \(length)")
            #expect(found.damage.map(\.finding) == (Int64(length) == expected ? [] : [.tornTail]), "cut at \(length)")
        }
    }

    @Test("R6: a flipped byte before later groups is corruption, reported with its place, and the rest is read")
    func corrupt() throws {
        let (store, writer) = try store(groups: 4)
        writer.abandon()
        let segment = store.newestSegment
        let name = try #require(SegmentName(String(segment.dropFirst(8))))
        let whole = store.disk.contents()[segment]!
        var groups: [JournalGroup] = []
        let start = try SegmentReader(name, store.disk, BackupPath(store.path)).start
        _ = try SegmentReader(name, store.disk, BackupPath(store.path)).scan(limit: nil) { groups.append($0) }
        for place in stride(from: Int(start), to: whole.count, by: 11) {
            store.disk.damage(segment) {
                $0 = whole; $0[place] ^= 0x80
            }
            var sequences: [UInt64] = []
            let found = try SegmentReader(name, store.disk, BackupPath(store.path)).scan(limit: nil) {
                sequences.append($0.lastSequence)
            }
            let hit = try #require(groups.firstIndex { $0.start <= Int64(place) && Int64(place) < $0.end })
            #expect(sequences == [1, 2, 3, 4].filter { $0 != UInt64(hit + 1) }, "byte \(place)")
            #expect(found.damage.count == 1 && found.damage[0].offset == groups[hit].start, "byte \(place)")
            #expect(found.damage.first?.finding == (hit == 3 ? .tornTail : .corrupt), "byte \(place)")
        }
    }

    @Test("R6: a corrupt group does not stop recovery; the histories that have it keep it")
    func recoverPastCorruption() throws {
        let (store, writer) = try store(groups: 4)
        let segment = store.newestSegment
        store.crash(writer, .everything)
        let start = store.disk.contents()[segment]!.count / 4
        store.disk.damage(segment) { $0[start + 40] ^= 1 }
        let again = try store.open()
        #expect(again.recovery.findings.contains { $0.finding == .corrupt && $0.file == segment }, "\(again.recovery)")
        #expect(again.lastSequence == 4)
        #expect(try again.items(account, .all).count == 4)
        #expect(again.position == "p4")
        try again.close()
    }

    @Test("R6: the newest group damaged after its commit: index and histories prove that it was committed")
    func damagedNewestGroup() throws {
        let (store, writer) = try store(groups: 3)
        let segment = store.newestSegment
        store.crash(writer, .everything)
        store.disk.damage(segment) { $0[$0.count - 30] ^= 1 }
        let again = try store.open()
        #expect(again.lastSequence == 3, "the sequence is not used again")
        #expect(try again.append(message(9, time: 9000, change: 9)) == 4)
        try again.commit()
        #expect(try again.history(of: .item(account: account, id: 3)).lines.map(\.sequence) == [3])
        try again.close()
    }

    @Test("R3: a large transaction spans frames and is there whole or not at all")
    func largeTransaction() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        let filler = JSONValue.string(String(repeating: "x", count: 10_000))
        func add(_ count: Int64) throws {
            try writer.begin(StoreTransaction(account: account, time: 5, change: 5, position: "large"))
            for id in 1...count {
                try writer.add(NewState(key: .item(account: account, id: id), fields: ["type": "message", "filler": filler]))
            }
        }
        try add(1200)  // 12 MB: more than is held, more than a frame.
        #expect(writer.segment?.hasSpilled == true, "R12: the group is not in memory whole")
        #expect(writer.group.bytes.count <= 8 << 20, "R12: nor are its lines")
        try writer.rollback()
        #expect(try writer.items(account, .all).isEmpty)
        try writer.append(message(7, time: 7, change: 7, position: "small"))
        try writer.commit()
        #expect(writer.lastSequence == 1)

        try add(1200)
        let unfinished = store.disk.afterCrash(.everything)
        try writer.end()
        try writer.commit()
        #expect(try writer.history(of: .item(account: account, id: 1200)).lines.count == 1)
        #expect(writer.lastSequence == 2)
        store.crash(writer)
        store.removeIndex()
        let again = try store.open()
        #expect(again.position == "large")
        var count = 0
        try again.items(account, .all) { _ in count += 1 }
        #expect(count == 1200)
        again.abandon()

        store.disk = unfinished
        store.removeIndex()
        let before = try store.open()
        #expect(before.position == "small" && before.lastSequence == 1)
        #expect(try before.items(account, .all).count == 1, "R3: nothing of the unfinished transaction")
        before.abandon()
    }

    @Test("R4: the position is that of the last committed transaction, through checkpoints, crashes and a lost index")
    func position() throws {
        let store = try StoreOnDisk()
        var writer = try store.open()
        try writer.append(message(1, time: 1, change: 1, position: "one"))
        try writer.append(StoreTransaction(account: nil, time: 1, position: "bare"))
        try writer.commit()
        try writer.append(message(2, time: 2, change: 2))
        try writer.commit()
        #expect(writer.position == "bare", "no position keeps the one before")
        try writer.append(message(3, time: 3, change: 3, position: "lost"))
        store.crash(writer)
        writer = try store.open()
        #expect(writer.position == "bare")
        try writer.close()
        store.removeIndex()
        writer = try store.open()
        #expect(writer.position == "bare" && writer.lastSequence == 3)
        #expect(writer.recovery.indexRebuilt)
        try writer.close()
    }

    @Test("R5: sealed segments stay for journalKeepDays and until a later checkpoint is durable")
    func sealing() throws {
        let store = try StoreOnDisk()
        let clock = Clock()
        store.options.now = { clock.time }
        let writer = try store.open()
        var sealed: [String] = []
        for n in 1...5 {
            try writer.append(message(Int64(n), time: 1, change: Int64(n)))
            try writer.commit()
            sealed.append(store.newestSegment)
            try writer.checkpoint()
            clock.time += 86_400_000
        }
        #expect(Set(sealed).isSubset(of: store.files("journal/")), "five days are not seven")
        #expect(store.files("journal/checkpoint-").count == 2, "new names; older ones go (R13)")
        clock.time += 6 * 86_400_000
        try writer.append(message(9, time: 1, change: 9))
        try writer.commit()
        try writer.checkpoint()
        #expect(!store.files("journal/").contains(sealed[0]))
        #expect(store.files("journal/").contains(sealed[4]))
        try writer.close()
        #expect(try store.open().lastSequence == 6)
    }

    @Test(
        "R10: after a failed sync nothing is acknowledged, the segment is abandoned, and the writer goes on from disk",
        arguments: [true, false], [true, false])
    func failedSync(ofJournal: Bool, rollsBack: Bool) throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        try writer.append(message(1, time: 1, change: 1, position: "one"))
        try writer.commit()
        let segment = store.newestSegment
        let blob = try writer.stageBlob(Array("abc".utf8))
        try writer.append(message(2, time: 2, change: 2, blob: blob, position: "two"))
        store.disk.failing = { ofJournal ? ($0.hasPrefix("syncdata") ? .ioError : nil) : ($0 == "syncfs" ? .ioError : nil) }
        let error = #expect(throws: StoreError.self) { try writer.commit() }
        #expect(error?.code == .syncFailed)
        #expect(writer.lastSequence == 1 && writer.position == "one")
        store.disk.failing = nil
        if rollsBack {
            try writer.rollback()
        } else {
            #expect(try writer.item(account, 2) == nil, "what was not acknowledged is not seen")
        }

        let again = try writer.stageBlob(Array("abc".utf8))
        #expect(try writer.append(message(3, time: 3, change: 3, blob: again, position: "three")) == 2)
        try writer.commit()
        #expect(store.newestSegment != segment, "the segment is abandoned")
        // Histories written before the failed sync were in pages that Linux now calls clean: they were written anew.
        store.crash(writer)
        let after = try store.open()
        #expect(after.lastSequence == 2 && after.position == "three")
        #expect(try after.items(account, .all).map(\.key) == [.item(account: account, id: 1), .item(account: account, id: 3)])
        #expect(try after.history(of: .item(account: account, id: 1)).lines.count == 1)
        try after.close()
        store.disk = store.disk.afterCrash(.synced)
        #expect(try store.open().history(of: .item(account: account, id: 1)).lines.count == 1, "durable by the checkpoint")
    }

    @Test("R6: a segment that a crash left without a header is no damage beside the one that took its number", arguments: [0, 1] as [UInt64])
    func leftover(salt: UInt64) throws {
        let store = try StoreOnDisk()
        var writer = try store.open()
        try writer.append(message(1, time: 1, change: 1, position: "one"))
        try writer.commit()
        let newest = try #require(SegmentName(String(store.newestSegment.dropFirst("journal/".count))))
        writer.abandon()
        // Before the other in the order of names, or behind it.
        let name = "journal/\(SegmentName(number: newest.number, salt: salt == 0 ? 1 : .max))"
        store.disk.place(name, [UInt8](repeating: 0, count: 304))
        let check = try FileStoreCheck(of: store.path, files: store.disk).run()
        #expect(check.findings.allSatisfy { $0.severity == .note } && check.findings.contains { $0.file == name }, "\(check.findings)")
        let reader = try store.reader()
        #expect(try reader.history(of: .item(account: account, id: 1)).lines.count == 1)
        reader.close()
        writer = try store.open()
        #expect(writer.recovery.findings.isEmpty && writer.lastSequence == 1 && writer.position == "one")
        #expect(store.files(name).isEmpty)
        try writer.close()
    }

    @Test("R10: a segment whose first sync failed in another process is written again before it is used")
    func unsyncedHeader() throws {
        let store = try StoreOnDisk()
        let first = try store.open()
        try first.append(message(1, time: 1, change: 1))
        try first.commit()
        let current = store.newestSegment
        store.disk.failing = { $0.hasPrefix("sync journal/segment") && !$0.hasSuffix(current) ? .ioError : nil }
        #expect(throws: StoreError.self) { try first.checkpoint() }
        store.disk.failing = nil
        store.crash(first, .everything)  // The process ends, the machine does not.
        #expect(store.newestSegment != current)
        let second = try store.open()
        try second.append(message(2, time: 2, change: 2))
        try second.commit()
        store.crash(second)
        let check = try FileStoreCheck(of: store.path, files: store.disk).run()
        #expect(check.findings.allSatisfy { $0.severity == .note }, "\(check.findings)")
        let third = try store.open()
        #expect(third.lastSequence == 2 && third.recovery.findings.isEmpty)
        try third.close()
    }

    @Test("R6: sealed segments go one after the other: a power failure in between is no gap", arguments: 1...24 as ClosedRange<UInt64>)
    func removalInOrder(seed: UInt64) throws {
        let store = try StoreOnDisk()
        let clock = store.disk.clock
        store.options.now = { clock.now }
        var writer = try store.open()
        for number in 1...8 {
            try writer.append(message(Int64(number), time: 1, change: Int64(number)))
            try writer.commit()
            try writer.checkpoint()
        }
        clock.now += 10 * 86_400_000
        try writer.append(message(9, time: 1, change: 9))
        try writer.commit()
        let sealed = store.files("journal/segment-").count
        var count = 0
        store.disk.failing = { what in
            if what.hasPrefix("remove journal/segment") { count += 1 }
            return count > Int(seed % 6) ? .ioError : nil
        }
        do { try writer.checkpoint() } catch is StoreError {}  // Somewhere in the middle.
        store.disk.failing = nil
        store.crash(writer, .random(seed: seed))
        let numbers = store.files("journal/segment-").compactMap { SegmentName(String($0.dropFirst("journal/".count)))?.number }
        #expect(numbers.last! - numbers.first! + 1 == numbers.count && numbers.count <= sealed + 1, "\(numbers)")
        writer = try store.open()
        #expect(writer.recovery.findings.isEmpty && writer.lastSequence == 9)
        try writer.close()
    }

    @Test("R10: any errno at any call of a run loses nothing that was acknowledged", arguments: [Errno.ioError, .noSpace])
    func errnoAnywhere(error: Errno) throws {
        for call in stride(from: 60, to: 190, by: 3) {
            let folder = TemporaryFolder()
            let path = folder.appending("backup")
            try PosixFileSystem().makeFolder(path)
            try PosixFileSystem().makeFolder(path.appending("index"))
            var disk = SimulatedFileSystem(base: path)
            disk.faults = [.init(call: call, error: error, tornBytes: call % 40)]
            var run = StandardRun()
            _ = try? run.run(on: disk, at: path)  // Whether the error shows depends on the call; what was promised counts.
            let place = "\(error) at call \(call) (\(disk.trace.count >= call ? disk.trace[call - 1] : ""))"
            disk = disk.afterCrash(.synced)
            guard try disk.status(path.appending("zxbackup.json")) != nil else { continue }
            let writer = try FileStoreWriter(opening: path, serverID: "server-1", files: disk)
            try checkInvariants(writer, run.acknowledged, place)
            writer.abandon()
        }
    }

    @Test("R10: an error that dropped earlier transactions of the group cannot be overlooked")
    func droppedGroup() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        try writer.append(message(1, time: 1, change: 1, position: "one"))
        try writer.begin(StoreTransaction(account: account, time: 2, position: "two"))
        store.disk.failing = { $0.hasPrefix("write journal/") ? .noSpace : nil }
        let filler = JSONValue.string(String(repeating: "x", count: 2 << 20))
        #expect(throws: (any Error).self) {
            try writer.add(NewState(key: .item(account: account, id: 2), fields: ["filler": filler]))
        }
        store.disk.failing = nil
        for _ in 0..<2 {
            let error = #expect(throws: StoreError.self) { try writer.append(message(3, time: 3, change: 3, position: "three")) }
            #expect(error?.code == .groupDropped)
            #expect(throws: StoreError.self) { try writer.commit() }
        }
        #expect(writer.position == nil)
        try writer.rollback()
        #expect(try writer.append(message(3, time: 3, change: 3, position: "three")) == 1)
        try writer.commit()
        #expect(try writer.items(account, .all).map(\.key) == [.item(account: account, id: 3)])
        try writer.close()
    }

    @Test("Histories that could not be written are written from the journal by the next call")
    func failedMaterialisation() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        try writer.append(message(1, time: 1, change: 1, position: "one"))
        store.disk.failing = { $0.hasPrefix("write accounts/") ? .noSpace : nil }
        try writer.commit()
        #expect(writer.lastSequence == 1, "it is committed: the journal has it")
        #expect(throws: (any Error).self) { try writer.append(message(2, time: 2, change: 2)) }
        store.disk.failing = nil
        #expect(try writer.append(message(2, time: 2, change: 2)) == 2)
        try writer.commit()
        for id in [Int64(1), 2] { #expect(try writer.history(of: .item(account: account, id: id)).lines.count == 1) }
        try writer.close()
    }
}

final class Clock: @unchecked Sendable {
    // One test, one thread.
    var time: Int64 = 1_700_000_000_000
}
