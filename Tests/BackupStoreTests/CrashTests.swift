import BackupStoreTesting
import SystemPackage
import Testing

@testable import BackupStore

/// A small life of a backup path that the crash tests interrupt at every call.
struct StandardRun {
    /// What a commit acknowledged: the sequence and the position that were durable when it returned.
    struct Acknowledged: Equatable {
        var sequence: UInt64 = 0
        var position: String?
    }

    static let second = "6f1c5a3e-0000-4000-8000-000000000002"
    var acknowledged = Acknowledged()
    var wasCreated = false

    static let bodies: [[UInt8]] = (0..<6).map { n in
        Array("Subject: \(n)\r\n\r\n".utf8) + [UInt8](repeating: UInt8(n), count: 200 * n)
    }

    /// Runs to the end or to the first error.
    mutating func run(on disk: SimulatedFileSystem, at path: FilePath, compressionLevel: Int = 2) throws {
        if try disk.status(path.appending("zxbackup.json")) == nil {
            try FileStoreWriter.create(path, serverID: "server-1", files: disk)
        }
        wasCreated = true
        var options = StoreOptions()
        options.now = { 1_700_000_000_000 }
        options.compressionLevel = compressionLevel
        let writer = try FileStoreWriter(opening: path, serverID: "server-1", options: options, files: disk)
        do {
            try work(writer)
            try writer.close()
        } catch {
            writer.abandon()
            throw error
        }
    }

    mutating func work<Files: FileSystem>(_ writer: FileStoreWriter<Files>) throws {
        func commit() throws {
            try writer.commit()
            acknowledged = Acknowledged(sequence: writer.lastSequence, position: writer.position)
        }
        for step in 0..<4 {
            let blob = try writer.stageBlob(Self.bodies[step % 4])
            try writer.append(
                message(Int64(257 + step), time: Int64(step) * 1000, change: Int64(step), blob: blob, position: "a\(step)"))
            // Several states in one transaction: all or none.
            try writer.append(
                StoreTransaction(
                    account: Self.second, time: Int64(step) * 1000, change: Int64(step),
                    states: [Int64(2), 102, 202].map { id in
                        NewState(key: .item(account: Self.second, id: id), fields: ["type": "folder", "step": .int(Int64(step))])
                    }, marks: step == 1 ? [Mark(reason: "doubt", candidates: [102], time: 5)] : [], position: "b\(step)"))
            if step == 2 {
                try writer.append(message(999, time: 1, change: 1, position: "never"))
                try writer.rollback()
                let again = try writer.stageBlob(Self.bodies[5])
                try writer.append(message(700, time: 3500, change: 9, blob: again, position: "c"))
            }
            try commit()
            if step == 1 { try writer.checkpoint() }
        }
    }
}

/// What must hold of a backup path after any crash.
func checkInvariants<Store: StoreReading>(_ store: Store, _ acknowledged: StandardRun.Acknowledged, _ context: String) throws {
    let info = try store.info()
    #expect(info.lastSequence >= acknowledged.sequence, "something committed is missing: \(context)")
    if info.lastSequence == acknowledged.sequence { #expect(info.position == acknowledged.position, "\(context)") }
    var sequences: [UInt64: Int] = [:]
    for account in try store.accounts() {
        for item in try store.items(account, .all) {
            let history = try store.history(of: item.key)
            #expect(history.damage.isEmpty, "\(history.damage) \(context)")
            #expect(
                history.lines.map(\.ordinal) == Array(1...Int64(max(1, history.lines.count))), "doubled or missing: \(context)")
            #expect(history.lines.last?.sequence == item.sequence, "index and history differ: \(context)")
            for line in history.lines {
                sequences[line.sequence, default: 0] += 1
                for blob in line.blobs { #expect(try store.blobBytes(blob.id).count == Int(blob.size), "R1: \(context)") }
            }
        }
    }
    // Every transaction is there whole, and none that was rolled back.
    for sequence in 1..<(info.lastSequence + 1) {
        let count = sequences[sequence] ?? 0
        #expect(count == 1 || count == 3, "transaction \(sequence) has \(count) states: \(context)")
    }
    #expect(sequences.keys.max() ?? 0 == info.lastSequence, "\(context)")
    #expect(try store.item(account, 999) == nil, "a rolled back state is back: \(context)")
}

@Suite("Crashes at every system call")
struct CrashTests {
    /// Runs until `call`, crashes, reopens twice, looks, and finishes the run.
    private func crash(
        at call: Int, _ survival: Survival, tornBytes: Int = 0, reliableSyncfs: Bool = true, dropIndex: Bool = false
    ) throws -> Bool {
        let folder = TemporaryFolder()
        let path = folder.appending("backup")
        try PosixFileSystem().makeFolder(path)
        try PosixFileSystem().makeFolder(path.appending("index"))
        let disk = SimulatedFileSystem(base: path, reliableSyncfs: reliableSyncfs)
        disk.faults = [.init(call: call, error: nil, tornBytes: tornBytes)]
        var run = StandardRun()
        do {
            try run.run(on: disk, at: path)
            return false
        } catch  where disk.isDead {}
        let place = "call \(call) (\(disk.trace.last ?? "")), \(survival), torn \(tornBytes)"
        let second = disk.afterCrash(survival)
        if dropIndex {
            for name in ["index.sqlite", "index.sqlite-wal", "index.sqlite-shm"] {
                try? PosixFileSystem().remove(path.appending("index").appending(name))
            }
        }
        guard try second.status(path.appending("zxbackup.json")) != nil else {
            // The path was never acknowledged to exist; it can be made again.
            #expect(run.acknowledged == .init(), "\(place)")
            var again = StandardRun()
            try again.run(on: second, at: path)
            return true
        }
        let writer = try FileStoreWriter(opening: path, serverID: "server-1", files: second)
        try checkInvariants(writer, run.acknowledged, place)
        writer.abandon()
        #expect(second.contents().keys.allSatisfy { !$0.contains(".tmp-") }, "R13: unfinished files stay: \(place)")

        // A second recovery changes nothing.
        let before = second.contents().filter { $0.key.hasPrefix("accounts/") || $0.key.hasPrefix("items/") }
        let third = second.afterCrash(.everything)
        let again = try FileStoreWriter(opening: path, serverID: "server-1", files: third)
        #expect(
            again.recovery.historiesCut == 0 && again.recovery.linesAppended == 0 && again.recovery.findings.isEmpty, "\(place)")
        let after = third.contents().filter { $0.key.hasPrefix("accounts/") || $0.key.hasPrefix("items/") }
        #expect(before == after, "R5: replaying twice changes something: \(place)")
        try checkInvariants(again, run.acknowledged, place)
        guard call % 8 == 0 else {
            again.abandon()
            return true
        }
        // And it works on.
        var more = StandardRun()
        try more.work(again)
        try again.close()
        return true
    }

    @Test("R5: the marks of an account without any state outlive a power failure after the checkpoint", arguments: [true, false])
    func marksOfAnEmptyAccount(reliableSyncfs: Bool) throws {
        let store = try StoreOnDisk(reliableSyncfs: reliableSyncfs)
        let writer = try store.open()
        try writer.append(StoreTransaction(account: account, time: 1, marks: [Mark(reason: "doubt", time: 1)]))
        try writer.commit()
        try writer.checkpoint()
        store.crash(writer)
        #expect(store.files("accounts/\(account)/account_stat-").count == 1)
    }

    @Test("R2: an expired day's folder that a process made and did not sync is made durable by the next one")
    func unsyncedDay() throws {
        let store = try StoreOnDisk(reliableSyncfs: false)
        var writer = try store.open()
        let blob = try writer.stageBlob(Array("Subject: Old\r\n\r\n".utf8))
        try writer.append(message(257, time: 1, change: 1, blob: blob))
        try writer.commit()
        let gone = try writer.removeHistories([.item(account: account, id: 257)], time: 2)
        store.disk.failing = { $0 == "sync expired/" ? .ioError : nil }
        #expect(throws: StoreError.self) { _ = try writer.expireBlobs(gone, day: "2026-11-26") }
        store.disk.failing = nil
        store.crash(writer, .everything)
        writer = try store.open()
        #expect(try writer.expireBlobs(gone, day: "2026-11-26") == gone)
        store.crash(writer)
        #expect(store.files("expired/2026-11-26/").count == 1)
    }

    @Test("R1: a blob's folder that a process made and did not sync is made durable by the next one")
    func unsyncedFolderOfAnEarlierProcess() throws {
        let folder = TemporaryFolder()
        let path = folder.appending("backup")
        for folder in [path, path.appending("index")] { try PosixFileSystem().makeFolder(folder) }
        let disk = SimulatedFileSystem(base: path, reliableSyncfs: false)
        try FileStoreWriter.create(path, serverID: "server-1", files: disk)
        func deliver(_ writer: FileStoreWriter<SimulatedFileSystem>) throws {
            let blob = try writer.stageBlob(Array("Subject: Hello\r\n\r\n".utf8))
            try writer.append(message(257, time: 1, change: 1, blob: blob, position: "a"))
            try writer.commit()
        }
        let first = try FileStoreWriter(opening: path, serverID: "server-1", files: disk)
        disk.failing = { $0 == "sync items/" ? .ioError : nil }
        #expect(throws: StoreError.self) { try deliver(first) }
        first.abandon()

        let second = disk.afterCrash(.everything)
        let next = try FileStoreWriter(opening: path, serverID: "server-1", files: second)
        try deliver(next)
        try next.close()
        let third = try FileStoreReader(opening: path, files: second.afterCrash(.synced))
        defer { third.close() }
        let blob = try #require(try third.item(account, 257)?.blobs.first)
        #expect(try third.blobBytes(blob.id).count == 18)
    }

    @Test("R10: a path whose making failed at any sync is made by the next try, and what is committed to it outlives a power failure",
        arguments: [true, false])
    func failedSyncOfCreation(reliableSyncfs: Bool) throws {
        var number = 0
        while true {
            number += 1
            let folder = TemporaryFolder()
            let path = folder.appending("backup")
            for folder in [path, path.appending("index")] { try PosixFileSystem().makeFolder(folder) }
            let disk = SimulatedFileSystem(base: path, reliableSyncfs: reliableSyncfs)
            var count = 0
            disk.failing = { what in
                guard what.hasPrefix("sync") else { return nil }
                count += 1
                return count == number ? .ioError : nil
            }
            do {
                try FileStoreWriter.create(path, serverID: "server-1", files: disk)
                #expect(number > 3)
                return
            } catch is StoreError {}
            disk.failing = nil
            if try disk.status(path.appending("zxbackup.json")) == nil {
                try FileStoreWriter.create(path, serverID: "server-1", files: disk)
            }
            let writer = try FileStoreWriter(opening: path, serverID: "server-1", files: disk)
            try writer.append(message(257, time: 1, change: 1, position: "a"))
            try writer.commit()
            writer.abandon()
            let next = try FileStoreWriter(opening: path, serverID: "server-1", files: disk.afterCrash(.synced))
            #expect(next.lastSequence == 1, "sync \(number)")
            try next.close()
        }
    }

    @Test(
        "R10: what a process wrote that ended on a failed sync is made durable by the next one",
        arguments: [true, false])
    func failedSyncOfAnEarlierProcess(reliableSyncfs: Bool) throws {
        let folder = TemporaryFolder()
        let path = folder.appending("backup")
        for folder in [path, path.appending("index")] { try PosixFileSystem().makeFolder(folder) }
        let disk = SimulatedFileSystem(base: path, reliableSyncfs: reliableSyncfs)
        try FileStoreWriter.create(path, serverID: "server-1", files: disk)
        let first = try FileStoreWriter(opening: path, serverID: "server-1", files: disk)
        // The checkpoint's sync, or that of the new history's folder.
        var failed = ""
        disk.failing = { what in
            guard failed.isEmpty, what.hasPrefix("sync"), reliableSyncfs ? what.hasPrefix("syncfs") : what.contains("accounts") else {
                return nil
            }
            failed = what
            return .ioError
        }
        try first.append(message(257, time: 1, change: 1, position: "a"))
        try first.commit()
        do { try first.checkpoint() } catch is StoreError {}
        first.abandon()
        #expect(!failed.isEmpty)

        let second = disk.afterCrash(.everything)
        let next = try FileStoreWriter(opening: path, serverID: "server-1", files: second)
        try next.close()
        let third = try FileStoreReader(opening: path, files: second.afterCrash(.synced))
        defer { third.close() }
        let history = try third.history(of: .item(account: account, id: 257))
        #expect(history.lines.count == 1 && history.damage.isEmpty, "\(failed): \(history)")
    }

    @Test(
        "R3, R5: a group whose sync failed is in no history and no index before it is durable, wherever the next process dies",
        arguments: [true, false])
    func failedGroupOfAnEarlierProcess(reliableSyncfs: Bool) throws {
        var (call, isOver) = (0, false)
        while !isOver {
            call += 1
            let store = try StoreOnDisk(reliableSyncfs: reliableSyncfs)
            let first = try store.open()
            store.disk.failing = { $0.hasPrefix("sync") && $0.contains("journal/segment") ? .ioError : nil }
            try first.append(message(257, time: 1, change: 1, position: "one"))
            #expect(throws: StoreError.self) { try first.commit() }
            store.disk.failing = nil
            store.crash(first, .everything)  // The process ends, the machine does not.

            store.disk.faults = [SimulatedFault(call: store.disk.calls + call, error: nil)]
            do {
                try store.open().abandon()
                isOver = true
            } catch where store.disk.isDead {}  // The power failed.
            store.disk = store.disk.afterCrash(.synced)
            let third = try store.open()
            try third.append(message(257, time: 2, change: 2, position: "two"))
            try third.commit()
            let history = try third.history(of: .item(account: account, id: 257))
            #expect(history.damage.isEmpty && history.lines.count == Int(third.lastSequence), "call \(call): \(history)")
            third.abandon()
        }
        #expect(call > 20)
    }

    @Test("R1, R3, R5, R6: a crash that loses all that was not synced loses nothing committed")
    func loseUnsynced() throws {
        var call = 1
        while try crash(at: call, .synced) { call += 1 }
        #expect(call > 150, "the run is long enough to mean something: \(call) calls")
    }

    @Test("R5: a process that dies at any call leaves a path that recovers", arguments: [false, true])
    func processDies(dropIndex: Bool) throws {
        var call = dropIndex ? 2 : 1
        while try crash(at: call, .everything, tornBytes: call % 50, dropIndex: dropIndex) { call += 4 }
    }

    @Test("R6: a crash that keeps any part of what was not synced loses nothing committed", arguments: [11, 12] as [UInt64])
    func keepSome(seed: UInt64) throws {
        var call = Int(seed % 2) + 1
        while try crash(at: call, .random(seed: seed &* 7919 &+ UInt64(call)), tornBytes: call % 70) { call += 4 }
    }

    @Test("R1: the same where syncfs cannot be trusted and each file is synced")
    func withoutSyncfs() throws {
        var call = 1
        while try crash(at: call, .synced, reliableSyncfs: false) { call += 5 }
    }
}
