import BackupStoreTesting
import Foundation
import Synchronization
import SystemPackage
import Testing

@testable import BackupStore

/// A writer at work on a thread of its own: small transactions, commits, and a checkpoint every few of them.
private final class BusyWriter: Sendable {
    /// What a commit acknowledged: the latest line of each item.
    struct Acknowledged {
        var sequence: UInt64 = 0
        var checkpoints = 0
        var latest: [Int64: (sequence: UInt64, value: Int64, blob: BlobID)] = [:]
    }

    private let acknowledged = Mutex(Acknowledged())
    private let failure = Mutex<String?>(nil)
    private let isStopped = Atomic(false)
    /// Microseconds between two rounds.
    private let pause = Atomic(UInt32(0))
    private let isDone = DispatchSemaphore(value: 0)

    init(at path: FilePath, seed: UInt64) {
        let thread = Thread { [self] in
            do {
                let writer = try StoreWriter(opening: path, serverID: "server-1")
                var generator = SeededGenerator(seed: seed)
                while !isStopped.load(ordering: .relaxed) {
                    try work(writer, &generator)
                    usleep(pause.load(ordering: .relaxed))
                }
                try writer.close()
            } catch {
                failure.withLock { $0 = "\(error)" }
            }
            isDone.signal()
        }
        thread.start()
    }

    private func work(_ writer: StoreWriter, _ generator: inout SeededGenerator) throws {
        var new = acknowledged.withLock { $0 }
        for _ in 0..<5 {
            let id = Int64.random(in: 1...60, using: &generator)
            let value = Int64.random(in: 0...Int64.max, using: &generator)
            let size = Int.random(in: 0...3000, using: &generator)
            let blob = try writer.stageBlob((0..<size).map { _ in UInt8.random(in: 32..<96, using: &generator) })
            let sequence = try writer.append(
                StoreTransaction(
                    account: account, time: value % 1_000_000_000_000, kind: "redolog",
                    states: [
                        NewState(
                            key: .item(account: account, id: id), fields: ["type": "message", "value": .int(value)], blobs: [blob])
                    ], position: "\(value)"))
            new.latest[id] = (sequence, value, blob.id)
        }
        try writer.commit()
        new.sequence = writer.lastSequence
        if new.sequence % 10 == 0 {
            try writer.checkpoint()
            new.checkpoints += 1
        }
        acknowledged.withLock { $0 = new }
    }

    /// Works on at a pace that a copy keeps up with: else the path grows for as long as it is copied.
    func slowDown() { pause.store(100_000, ordering: .relaxed) }

    var soFar: Acknowledged { acknowledged.withLock { $0 } }

    /// What made the work fail, nil when nothing did.
    func stop() -> String? {
        isStopped.store(true, ordering: .relaxed)
        isDone.wait()
        return failure.withLock { $0 }
    }
}

/// `make copies COPIES=200` does the same with more copies.
@Suite("Copies by the real rsync")
struct RsyncTests {
    private static let program = "/usr/bin/rsync"
    private static let copies = ProcessInfo.processInfo.environment["ZXBACKUP_COPIES"].flatMap { Int($0) } ?? 2

    /// After so many copies another path is begun: each takes longer than the one before.
    private static let copiesOfAPath = 5

    @Test(
        "R7: each copy of a path at work opens, and holds all that was committed before it began; once more on top, the same",
        .enabled(if: FileManager.default.isExecutableFile(atPath: program), "rsync is not installed"))
    func rsync() throws {
        var spanned: [Int] = []
        for first in stride(from: 0, to: Self.copies, by: Self.copiesOfAPath) {
            let folder = TemporaryFolder()
            let path = folder.appending("backup")
            try StoreWriter.create(path, serverID: "server-1")
            let writer = BusyWriter(at: path, seed: UInt64(first + 7))
            while writer.soFar.checkpoints < 30 { usleep(10_000) }
            writer.slowDown()
            for number in first..<min(first + Self.copiesOfAPath, Self.copies) {
                let copy = folder.appending("copy")
                for round in ["new", "on top"] {
                    let before = writer.soFar
                    try rsync(path, to: copy)
                    if round == "new" { spanned.append(writer.soFar.checkpoints - before.checkpoints) }
                    try check(copy, before, "copy \(number), \(round)")
                }
                try FileManager.default.removeItem(atPath: copy.string)
            }
            #expect(writer.stop() == nil)
        }
        let shortest = spanned.min() ?? 0
        print("\(spanned.count) copies by rsync and as many on top, each new one over \(shortest) checkpoints or more")
    }

    /// As slow as it takes for some checkpoints to pass: about three seconds.
    private func rsync(_ path: FilePath, to copy: FilePath) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.program)
        process.arguments = ["-a", "--delete", "--bwlimit=\(max(50, kilobytes(path) / 3))", path.string + "/", copy.string + "/"]
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        // 24: files vanished on the way, as the journal's do.
        #expect([0, 24].contains(process.terminationStatus))
    }

    private func kilobytes(_ path: FilePath) -> Int {
        let names = FileManager.default.enumerator(atPath: path.string)
        var bytes = 0
        while names?.nextObject() != nil { bytes += names?.fileAttributes?[.size] as? Int ?? 0 }
        return bytes / 1024
    }

    private func check(_ copy: FilePath, _ before: BusyWriter.Acknowledged, _ place: String) throws {
        let reader = try StoreReader(opening: copy)
        defer { reader.close() }
        let info = try reader.info()
        #expect(info.isCopy && info.lastSequence >= before.sequence, "\(place)")
        for (id, expected) in before.latest {
            let history = try reader.history(of: .item(account: account, id: id))
            let line = history.lines.first { $0.sequence == expected.sequence }
            #expect(line?.fields["value"]?.int == expected.value, "item \(id) in \(place): \(history.damage)")
            #expect(history.damage.allSatisfy { $0.finding == .cutByCopy }, "item \(id) in \(place): \(history.damage)")
            try reader.readBlob(expected.blob) { _ in }
        }
    }
}
