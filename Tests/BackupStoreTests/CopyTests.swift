import Glibc
import BackupStoreTesting
import SystemPackage
import Testing

@testable import BackupStore

/// What a writer thread has acknowledged so far.
final class Progress: @unchecked Sendable {
    private let lock = Lock()
    private var sequence: UInt64 = 0
    private var stop = false
    var acknowledged: UInt64 { lock.locked { sequence } }
    var mustStop: Bool { lock.locked { stop } }
    func acknowledge(_ sequence: UInt64) { lock.locked { self.sequence = sequence } }
    func end() { lock.locked { stop = true } }
}

@Suite("Copies and concurrent readers", .serialized)
struct CopyTests {
    let folder = TemporaryFolder()
    var path: FilePath { folder.appending("backup") }

    /// Runs `body` while another thread commits two messages at a time, with checkpoints in between.
    private func whileWriting(_ body: (Progress) throws -> Void) throws {
        try StoreWriter.create(path, serverID: "s")
        let writer = try StoreWriter(opening: path, serverID: "s")
        let progress = Progress()
        let done = Progress()
        let thread = ThreadBox {
            var n: Int64 = 0
            while !progress.mustStop {
                usleep(4000)
                if n >= 400 { continue }  // Enough to look at; the load is not the point.
                do {
                    for _ in 0..<2 {
                        n += 1
                        let blob = try writer.stageBlob(Array("Subject: \(n)\r\n\r\n\(n / 3)".utf8))
                        try writer.append(message(n % 50 + 1, time: n * 1000, change: n, blob: blob, position: "p\(n)"))
                    }
                    try writer.commit()
                    progress.acknowledge(writer.lastSequence)
                    if n % 40 == 0 { try writer.checkpoint() }
                } catch {
                    Issue.record("writing: \(error)")
                    break
                }
            }
            done.acknowledge(1)
        }
        thread.start()
        defer {
            progress.end()
            while done.acknowledged == 0 { usleep(1000) }
            try? writer.close()
        }
        while progress.acknowledged < 20 { usleep(1000) }
        try body(progress)
    }

    /// Everything up to `sequence` is there, once; nothing is damaged.
    private func check(_ store: some StoreReading, upTo sequence: UInt64, isGrowing: Bool = false, _ context: String) throws {
        let last = try store.info().lastSequence
        #expect(last >= sequence, "\(context)")
        var seen: [UInt64: Int] = [:]
        for item in try store.items(account, .all) {
            let history = try store.history(of: item.key)
            #expect(
                history.damage.allSatisfy { $0.finding == .cutByCopy || $0.finding == .tornTail }, "\(history.damage) \(context)")
            for line in history.lines {
                seen[line.sequence, default: 0] += 1
                for blob in line.blobs { #expect(try store.blobBytes(blob.id).count == Int(blob.size), "\(context)") }
            }
            let last = history.lines.last?.sequence ?? 0
            #expect(isGrowing ? last >= item.sequence : last == item.sequence, "\(context)")
        }
        for number in 1..<(sequence + 1) {
            #expect(seen[number] == 1, "transaction \(number) of \(sequence), \(last): \(context)")
        }
    }

    @Test("R7: a copy made at any instant opens and holds all that was committed before it began", arguments: 0..<4)
    func copyWhileWriting(order: Int) throws {
        try whileWriting { progress in
            for round in 0..<(order == 0 ? 2 : 1) {
                let copy = folder.appending("copy-\(round)")
                let before = progress.acknowledged
                try copyInOrder(order, to: copy)
                let reader = try StoreReader(opening: copy)
                #expect(try reader.info().isCopy && reader.usesPrivateIndex)
                try check(reader, upTo: before, "reader, order \(order), round \(round)")
                let last = try reader.info().lastSequence
                reader.close()

                let writer = try StoreWriter(opening: copy, serverID: "s")
                #expect(writer.recovery.wasCopy)
                try check(writer, upTo: before, "writer, order \(order), round \(round)")
                #expect(writer.lastSequence == last)
                try writer.append(message(7000, time: 1, change: 7000))
                try writer.commit()
                try writer.close()
                let again = try StoreWriter(opening: copy, serverID: "s")
                #expect(!again.recovery.wasCopy && again.recovery.isClean, "now it is an original: \(again.recovery)")
                try check(again, upTo: before, "reopened, order \(order), round \(round)")
                try again.close()
                FolderTree.remove(copy)
            }
        }
    }

    /// `cp -r` visits folders in whatever order the file system gives.
    private func copyInOrder(_ order: Int, to copy: FilePath) throws {
        let files = PosixFileSystem()
        try files.makeFolder(copy)
        var names = try files.list(path).sorted { $0.name < $1.name }
        switch order {
        case 0: break
        case 1: names.reverse()
        case 2: names.sort { a, b in (a.name == "journal" ? 0 : 1, a.name) < (b.name == "journal" ? 0 : 1, b.name) }
        default: names.sort { a, b in (a.name == "items" ? 0 : 1, a.name) < (b.name == "items" ? 0 : 1, b.name) }
        }
        for entry in names {
            if entry.isFolder {
                // What vanishes between the listing and its turn is left out, as cp and rsync do.
                try TemporaryFolder.copy(path.appending(entry.name), to: copy.appending(entry.name)) {
                    $0.lastComponent!.string.hasPrefix(".tmp-")
                }
            } else if let bytes = try files.readSmallFile(path.appending(entry.name)) {
                let file = try files.open(copy.appending(entry.name), .createNew)
                try bytes.withUnsafeBytes { try file.write($0, at: 0) }
            }
            usleep(20_000)
        }
    }

    @Test("R7: a state whose blob did not make it is reported as cut by the copy; the item keeps its previous state")
    func cutByCopy() throws {
        try StoreWriter.create(path, serverID: "s")
        let writer = try StoreWriter(opening: path, serverID: "s")
        let first = try writer.stageBlob(Array("one".utf8))
        try writer.append(message(1, folder: 2, time: 1000, change: 1, blob: first))
        try writer.append(message(2, folder: 2, time: 1000, change: 2))
        try writer.commit()
        try writer.checkpoint()
        let second = try writer.stageBlob(Array("two".utf8))
        try writer.append(message(1, folder: 3, time: 2000, change: 3, blob: second))
        try writer.commit()
        try writer.close()
        let copy = folder.appending("copy")
        try TemporaryFolder.copy(path, to: copy) { $0.lastComponent!.string == second.id.description }

        let key = HistoryKey.item(account: account, id: 1)
        func look(_ store: some StoreReading, _ recovery: RecoveryReport?) throws {
            #expect(try store.item(account, 1)?.fields["folder"] == 2, "the previous state")
            let history = try store.history(of: key)
            #expect(history.lines.map(\.sequence) == [1])
            #expect(history.damage.map(\.finding) == [.cutByCopy])
            if let recovery { #expect(recovery.findings.map(\.finding) == [.cutByCopy], "\(recovery)") }
        }
        let reader = try StoreReader(opening: copy)
        try look(reader, reader.recovery)
        reader.close()
        var onCopy = try StoreWriter(opening: copy, serverID: "s")
        try look(onCopy, onCopy.recovery)
        try onCopy.close()
        onCopy = try StoreWriter(opening: copy, serverID: "s")
        try look(onCopy, nil)
        try onCopy.rebuildIndex()
        try look(onCopy, nil)
        // The original knows nothing of it.
        try onCopy.close()
        #expect(try StoreReader(opening: path).item(account, 1)?.fields["folder"] == 3)
    }

    @Test("R7: nothing is written to a path that is only read")
    func readOnly() throws {
        try StoreWriter.create(path, serverID: "s")
        let writer = try StoreWriter(opening: path, serverID: "s")
        try writer.append(message(1, time: 1000, change: 1))
        try writer.commit()
        writer.abandon()
        let copy = folder.appending("copy")
        try TemporaryFolder.copy(path, to: copy)
        func listing() throws -> [String] {
            var found: [String] = []
            func walk(_ place: FilePath) throws {
                for entry in try PosixFileSystem().list(place) {
                    let child = place.appending(entry.name)
                    let status = try PosixFileSystem().status(child)
                    found.append("\(child) \(status!.size) \(status!.inode)")
                    if entry.isFolder { try walk(child) }
                }
            }
            try walk(copy)
            return found.sorted()
        }
        let before = try listing()
        let private_ = folder.appending("private")
        try PosixFileSystem().makeFolder(private_)
        let reader = try StoreReader(opening: copy, temporaryFolder: private_)
        #expect(try reader.items(account, .all).count == 1)
        #expect(try !PosixFileSystem().list(private_).isEmpty)
        reader.close()
        #expect(try PosixFileSystem().list(private_).isEmpty, "the private index goes with the reader")
        #expect(try listing() == before)
    }

    @Test("A reader works while a writer writes, and sees all that was committed before it opened")
    func concurrentReader() throws {
        try whileWriting { progress in
            for _ in 0..<8 {
                let before = progress.acknowledged
                let reader = try StoreReader(opening: path)
                try check(reader, upTo: before, isGrowing: true, "concurrent")
                reader.close()
            }
        }
    }

    @Test("A reader after a crash sees what is committed, without a writer's help")
    func readerAfterCrash() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        try writer.append(message(1, time: 1000, change: 1, position: "one"))
        try writer.commit()
        try writer.checkpoint()
        try writer.append(message(1, folder: 9, time: 2000, change: 2, position: "two"))
        try writer.commit()
        store.crash(writer, .synced)  // The history's second line is gone; the journal has it.
        let reader = try store.reader()
        #expect(reader.usesPrivateIndex)
        #expect(try reader.item(account, 1)?.fields["folder"] == 9)
        #expect(try reader.history(of: .item(account: account, id: 1)).lines.map(\.sequence) == [1, 2])
        #expect(try reader.info().position == "two")
        reader.close()
    }
}

/// A plain thread.
final class ThreadBox: @unchecked Sendable {
    private let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    func start() {
        var thread = pthread_t()
        let box = Unmanaged.passRetained(self)
        pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<ThreadBox>.fromOpaque(argument!).takeRetainedValue().body()
                return nil
            }, box.toOpaque())
        pthread_detach(thread)
    }
}
