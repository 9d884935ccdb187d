import BackupStoreTesting
import SystemPackage
import Testing

@testable import BackupStore

/// What other backup systems lost data over, as far as a backup path alone is concerned (Documentation/Cases.md).
@Suite("Cases that others lost data over: the backup path")
struct CaseTests {
    private static let bodies = (0..<6).map { n in Array("Subject: \(n)\r\n\r\n".utf8) + [UInt8](repeating: UInt8(n), count: 900 * n) }

    /// Six messages, three behind a checkpoint.
    private func fill(_ writer: FileStoreWriter<SimulatedFileSystem>) throws {
        for (n, body) in Self.bodies.enumerated() {
            let blob = try writer.stageBlob(body)
            try writer.append(message(Int64(300 + n), time: Int64(n), change: Int64(n), blob: blob, position: "p\(n)"))
            try writer.commit()
            if n == 2 { try writer.checkpoint() }
        }
    }

    /// Every message of `fill` with its content, or what is missing of them.
    private func missing(_ store: some StoreReading, _ ids: Range<Int64> = 300..<306) throws -> [String] {
        try ids.compactMap { id in
            guard let item = try store.item(account, id), let blob = item.blobs.first else { return "item \(id)" }
            return try store.blobBytes(blob.id) == Self.bodies[Int(id - 300)] ? nil : "content of \(id)"
        }
    }

    private func check(_ store: StoreOnDisk) throws -> [CheckFinding] {
        let report = try FileStoreCheck(of: store.path, temporaryFolder: store.folder.path, files: store.disk).run()
        return report.findings.filter { $0.severity == .damage }
    }

    // MARK: After a power failure

    @Test("A file that can be made again has length 0 after a power failure: nothing is missing, and it is made again")
    func emptyFiles() throws {
        let original = try StoreOnDisk()
        let writer = try original.open()
        try fill(writer)
        try writer.close()
        let files = original.disk.contents()
        let kinds = ["account_stat-", "checkpoint-", "instance"]
        let names = files.keys.filter { name in kinds.contains { name.split(separator: "/").last!.hasPrefix($0) } }.sorted()
        #expect(Set(names.map { $0.split(separator: "/").last!.prefix(5) }) == ["accou", "check", "insta"], "\(names)")
        for name in names + ["index/index.sqlite"] {
            let store = try StoreOnDisk(of: files, asCopy: false)
            if name.hasPrefix("index") {
                store.removeIndex()
                try PosixFileSystem().open(store.path.appending(name), .createNew).close()
            } else {
                store.disk.damage(name) { $0 = [] }
            }
            let reader = try store.reader()
            #expect(try missing(reader) == [], "\(name), reading")
            reader.close()
            // What was damaged goes with the checkpoint after the next one.
            for n in 0..<2 {
                let writer = try store.open()
                #expect(try missing(writer) == [], "\(name), writing")
                try writer.append(message(Int64(400 + n), time: Int64(9 + n), change: Int64(9 + n)))
                try writer.commit()
                try writer.close()
            }
            #expect(try check(store) == [], "\(name)")
            let last = try store.open()
            #expect(last.recovery.findings.isEmpty && last.lastSequence == 8, "\(name): \(last.recovery.findings)")
            try last.close()
        }
    }

    @Test("The identity has length 0: refused with what to do, and nothing is made anew over it")
    func emptyIdentity() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        try fill(writer)
        try writer.close()
        var whole: [UInt8] = []
        store.disk.damage("zxbackup.json") { bytes in
            whole = bytes
            bytes = []
        }
        let before = store.disk.contents()
        for opening in [{ _ = try store.open() }, { _ = try store.reader() }, { _ = try check(store) }] {
            #expect { try opening() } throws: { "\($0)".contains("zxbackup.json") && "\($0)".contains("from a copy") }
        }
        #expect { try FileStoreWriter.create(store.path, serverID: "server-1", files: store.disk) } throws: { $0 is StoreError }
        #expect(store.disk.contents() == before)
        store.disk.damage("zxbackup.json") { $0 = whole }
        let reader = try store.reader()
        defer { reader.close() }
        #expect(try missing(reader) == [])
    }

    // MARK: Disks that are full

    @Test("The disk is full in the middle, then an index is made, then something is deleted: nothing that is named goes",
        arguments: [Errno.noSpace, Errno(rawValue: 122)])
    func fullThenRepairThenDelete(error: Errno) throws {
        var hasFailed = false
        for room in stride(from: 2000, to: 12_000, by: 450) {
            let store = try StoreOnDisk()
            store.disk.limits.bytes = room
            store.disk.limits.error = error
            var writer = try store.open()
            do {
                try fill(writer)
            } catch let full as StoreError {
                #expect([.noSpace, .groupDropped, .syncFailed].contains(full.code), "\(full)")
                hasFailed = true
            }
            try writer.rollback()
            let count = Int64(writer.lastSequence)
            // The repair and the deletion that an administrator tries, without room, each in a process of its own.
            for attempt in 0..<3 {
                do { try writer.rebuildIndex() } catch let full as StoreError { #expect(full.code == .noSpace, "\(full)") }
                store.crash(writer, attempt == 1 ? .synced : .everything)
                store.disk.limits.bytes = room
                store.disk.limits.error = error
                do {
                    writer = try store.open()
                } catch {
                    store.disk.limits.bytes = .max
                    writer = try store.open()
                }
                guard count > 1, attempt == 1 else { continue }
                var gone: [BlobID] = []
                do { gone = try writer.removeHistories([.item(account: account, id: 300)], time: 50) } catch let full as StoreError {
                    #expect([.noSpace, .groupDropped].contains(full.code), "\(full)")
                    try writer.rollback()
                }
                do {
                    _ = try writer.expireBlobs(gone, day: "2026-11-26")
                    try writer.emptyExpired(day: "2026-11-26")
                } catch let full as StoreError { #expect(full.code == .noSpace, "\(full)") }
            }
            store.disk.limits.bytes = .max
            #expect(try missing(writer, 301..<(300 + max(1, count))) == [], "with room for \(room)")
            // With room again the work completes.
            let last = try writer.stageBlob(Self.bodies[5])
            try writer.append(message(305, time: 60, change: 60, blob: last))
            try writer.commit()
            try writer.close()
            #expect(try check(store) == [], "with room for \(room)")
        }
        #expect(hasFailed)
    }

    // MARK: Work that is killed half way

    @Test("A purge that is killed at any call is completed by the next, and nothing stays broken")
    func killedPurge() throws {
        let keys = (300..<303).map { HistoryKey.item(account: account, id: $0) }
        var call = 1
        while true {
            let store = try StoreOnDisk()
            var writer = try store.open()
            try fill(writer)
            try writer.checkpoint()
            store.disk.faults = [SimulatedFault(call: store.disk.calls + call, error: nil, tornBytes: call % 60)]
            func purge(_ writer: FileStoreWriter<SimulatedFileSystem>) throws {
                let there = try keys.filter { try !writer.history(of: $0).lines.isEmpty }
                let gone = try writer.removeHistories(there, time: 50)
                _ = try writer.expireBlobs(gone, day: "2026-11-26")
                try writer.emptyExpired(day: "2026-11-26")
            }
            do {
                try purge(writer)
                #expect(call > 20)
                return
            } catch where store.disk.isDead {}
            store.crash(writer, call % 2 == 0 ? .synced : .random(seed: UInt64(call)))
            writer = try store.open()
            try purge(writer)
            #expect(try missing(writer, 303..<306) == [], "call \(call)")
            try writer.close()
            #expect(try check(store) == [], "call \(call)")
            call += 3
        }
    }

    @Test("A check that is killed at any call leaves the path as it was, and the next one works")
    func killedCheck() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        try fill(writer)
        try writer.close()
        let before = store.disk.contents()
        var call = 1
        while true {
            store.disk.faults = [SimulatedFault(call: store.disk.calls + call, error: nil)]
            _ = try? check(store)
            guard store.disk.isDead else { break }
            #expect(store.disk.contents() == before)
            store.disk = store.disk.afterCrash(.everything)
            call += 5
        }
        #expect(call > 20)
        store.disk.faults = []
        #expect(try check(store) == [])
    }

    // MARK: Names and contents

    @Test("A file that lies under a blob's name with another content is not taken for the blob",
        arguments: [[], [0, 0, 0, 0], Array("an editor's backup".utf8)] as [[UInt8]])
    func sameNameOtherContent(_ bytes: [UInt8]) throws {
        let store = try StoreOnDisk()
        var writer = try store.open()
        let id = Self.bodies[3].withUnsafeBytes { BlobID(of: $0) }
        let name = "items/\(id.description.prefix(2))/\(id)"
        // As a power failure leaves it between the rename and the commit.
        store.disk.place(name, bytes)
        let blob = try writer.stageBlob(Self.bodies[3])
        try writer.append(message(303, time: 1, change: 1, blob: blob))
        try writer.commit()
        #expect(try missing(writer, 303..<304) == [])
        // And a committed one that changed later is written again when its content comes again.
        store.crash(writer)
        store.disk.damage(name) { $0 = bytes }
        writer = try store.open()
        let again = try writer.stageBlob(Self.bodies[3])
        try writer.append(message(304, time: 2, change: 2, blob: again))
        try writer.commit()
        #expect(try missing(writer, 303..<304) == [])
        try writer.close()
        #expect(try check(store) == [])
    }

    // MARK: File systems that cannot do everything

    @Test("A file system without fsync of folders is refused when the path is made, in words, and leaves nothing half made",
        arguments: [Errno.invalidArgument, .notSupported], [true, false])
    func noSyncOfFolders(_ error: Errno, reliableSyncfs: Bool) throws {
        let folder = TemporaryFolder()
        let path = folder.appending("backup")
        for folder in [path, path.appending("index")] { try PosixFileSystem().makeFolder(folder) }
        let disk = SimulatedFileSystem(base: path, reliableSyncfs: reliableSyncfs)
        disk.failing = { $0.hasPrefix("sync ") && $0.hasSuffix("/") ? error : nil }
        #expect { try FileStoreWriter.create(path, serverID: "server-1", files: disk) } throws: { thrown in
            guard let thrown = thrown as? StoreError else { return false }
            return thrown.remedy.contains("file system") && thrown.remedy.contains("ext4")
        }
        // On a file system that can, the same folder becomes a path.
        disk.failing = nil
        try FileStoreWriter.create(path, serverID: "server-1", files: disk)
        try FileStoreWriter(opening: path, serverID: "server-1", files: disk).close()
    }

    @Test("A file system without locks is refused by writers, in words; reading works", arguments: [Errno.noLocks, .notSupported])
    func noLocks(_ error: Errno) throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        try fill(writer)
        try writer.close()
        store.disk.failing = { $0.hasPrefix("lock ") ? error : nil }
        #expect { _ = try store.open() } throws: { thrown in
            guard let thrown = thrown as? StoreError else { return false }
            return thrown.remedy.contains("file system") && thrown.remedy.contains("locks")
        }
        let reader = try store.reader()
        defer { reader.close() }
        #expect(try missing(reader) == [])
    }

    @Test("A subtree without permission costs what lies in it, by name; the others are read and written, and nothing is lost")
    func closedSubtree() throws {
        let store = try StoreOnDisk()
        let other = "6f1c5a3e-0000-4000-8000-00000000000b"
        var writer = try store.open()
        try fill(writer)
        try writer.append(message(300, time: 9, change: 1, account: other))
        try writer.commit()
        try writer.close()
        let closed = "accounts/\(other)"
        store.disk.failing = { $0.contains(closed) ? .permissionDenied : nil }

        let reader = try store.reader()
        #expect(try missing(reader) == [])
        #expect { _ = try reader.history(of: .item(account: other, id: 300)) } throws: { error in
            "\(error)".contains(other) && "\(error)".contains("must belong to the user")
        }
        reader.close()
        let findings = try check(store)
        #expect(!findings.isEmpty && findings.allSatisfy { "\($0)".contains(other) }, "\(findings)")

        // A writer could not carry out what it commits: it is refused.
        #expect { _ = try store.open() } throws: { error in
            "\(error)".contains(closed) && "\(error)".contains("must belong to the user")
        }
        // Closed under a writer at work, it is told, and nothing that was acknowledged is lost.
        store.disk.failing = nil
        writer = try store.open()
        store.disk.failing = { $0.contains(closed) ? .permissionDenied : nil }
        try writer.append(message(310, time: 10, change: 10, position: "q"))
        try writer.append(message(301, time: 10, change: 2, account: other))
        var told = ""
        do { try writer.commit() } catch { told = "\(error)" }
        let committed = writer.lastSequence
        do { try writer.checkpoint() } catch { told += "\(error)" }
        #expect(told.contains(closed) && told.contains("must belong to the user"), "\(told)")
        store.crash(writer)
        // The permission is given back.
        writer = try store.open()
        #expect(writer.lastSequence == committed && committed == 9)
        #expect(try missing(writer) == [])
        #expect(try writer.item(account, 310) != nil && writer.item(other, 301) != nil && writer.item(other, 300) != nil)
        try writer.close()
        #expect(try check(store) == [])
    }
}
