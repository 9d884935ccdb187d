import BackupStoreTesting
import SystemPackage
import Testing

@testable import BackupStore

@Suite("Mending a backup path")
struct MendingTests {
    private typealias Writer = FileStoreWriter<SimulatedFileSystem>

    /// Three histories of some states, each with a content, behind two checkpoints.
    private func filled(_ states: Int = 5) throws -> (store: StoreOnDisk, blobs: [BlobReference]) {
        let store = try StoreOnDisk()
        let writer = try store.open()
        var blobs: [BlobReference] = []
        for n in 1...states {
            for id in 1...3 as ClosedRange<Int64> {
                let blob = try writer.stageBlob(Array("content \(n) of \(id), \(String(repeating: "x", count: 200))".utf8))
                blobs.append(blob)
                try writer.append(message(id, folder: Int64(n), time: Int64(n * 10) + id, change: Int64(n * 10) + id, blob: blob))
            }
            try writer.commit()
            try writer.checkpoint()
        }
        try writer.close()
        return (store, blobs)
    }

    private func check(_ store: StoreOnDisk) throws -> CheckReport {
        try FileStoreCheck(of: store.path, temporaryFolder: store.folder.path, files: store.disk).run()
    }

    /// Checks and mends, as a service does.
    private func mend(_ store: StoreOnDisk) throws -> MendReport {
        let writer = try store.open()
        defer { try? writer.close() }  // What it did is looked at.
        try writer.checkpoint()
        return try writer.mend(try check(store).findings)
    }

    private func kinds(_ report: CheckReport) -> [CheckFinding.Kind] { report.findings.filter { $0.severity == .damage }.map(\.kind) }

    /// Without the journal, whose lines would bring everything back.
    private func forgetJournal(_ store: StoreOnDisk) throws {
        let segments = store.files("journal/segment-")
        for name in segments.dropLast() { store.disk.vanish(name) }
    }

    @Test("A damaged, removed or swapped line comes back from the journal, byte by byte", arguments: [0, 2, 4])
    func fromJournal(line: Int) throws {
        for damage in ["flipped", "removed", "cut"] {
            let (store, _) = try filled()
            let name = historyFile(2)
            let whole = try #require(store.disk.contents()[name])
            var lines = whole.split(separator: 0x0A).map { Array($0) + [0x0A] }
            switch damage {
            case "flipped": lines[line][40] ^= 1
            case "removed": lines.remove(at: line)
            default: lines[line] = Array(lines[line].prefix(30)) + [0x0A]
            }
            store.disk.place(name, Array(lines.joined()))
            #expect(try check(store).isDamaged, "\(damage) \(line)")
            let report = try mend(store)
            #expect(report.histories.map(\.lost) == [0] && report.unmended.isEmpty, "\(damage) \(line): \(report)")
            #expect(store.disk.contents()[name] == whole)
            #expect(try check(store).findings.isEmpty, "\(damage) \(line)")
        }
    }

    @Test("What the journal has no more is lost and named: the history goes on without it, in order, and its account is marked")
    func lost() throws {
        let (store, _) = try filled()
        try forgetJournal(store)
        let name = historyFile(2)
        var bytes = try #require(store.disk.contents()[name])
        bytes[100] ^= 1
        store.disk.place(name, bytes)
        let report = try mend(store)
        #expect(report.histories == [MendReport.History(key: .item(account: account, id: 2), states: 4, lost: 1)])
        #expect(report.doubted == [account] && report.moved == [name])
        #expect(try !check(store).isDamaged)
        let writer = try store.open()
        #expect(try writer.history(of: .item(account: account, id: 2)).lines.map(\.change) == [22, 32, 42, 52])
        #expect(try writer.marks(account).contains { $0.candidates == [2] })
        // And it can be written on.
        try writer.append(message(2, folder: 9, time: 99, change: 99))
        try writer.commit()
        try writer.close()
        #expect(try !check(store).isDamaged)

        // What was moved away does not come back over what was written since.
        let quarantine = try #require(report.quarantine).dropFirst("quarantine/".count)
        let again = try store.open()
        let undone = try again.undoMending(String(quarantine))
        #expect(undone.back.isEmpty && undone.left.map(\.file) == [name])
        try again.close()
    }

    @Test("A history that vanished whole comes back from the journal, or as its last state from the index; else its account is marked")
    func vanished() throws {
        for (hasJournal, hasIndex) in [(true, true), (false, true), (false, false)] {
            let (store, _) = try filled()
            if !hasJournal { try forgetJournal(store) }
            store.disk.vanish(historyFile(3))
            if !hasIndex { store.removeIndex() }
            let report = try mend(store)
            let writer = try store.open()
            let changes = try writer.history(of: .item(account: account, id: 3)).lines.map(\.change)
            let expected: [Int64?] = hasJournal ? [13, 23, 33, 43, 53] : hasIndex ? [53] : []
            #expect(changes == expected, "\(hasJournal), \(hasIndex): \(report)")
            #expect(try hasJournal || !writer.marks(account).isEmpty)
            try writer.close()
            #expect(try !check(store).isDamaged, "\(hasJournal), \(hasIndex)")
        }
    }

    @Test("A damaged content moves away, and is taken again when it is staged again; one compressed twice is whole again")
    func contents() throws {
        let (store, blobs) = try filled()
        let name = BackupPath("").relative(BackupPath("").blob(blobs[7].id)).trimmingPrefix("/")
        let whole = try #require(store.disk.contents()[String(name)])
        var bytes = whole
        bytes[bytes.count / 2] ^= 0x10
        store.disk.place(String(name), bytes)
        let report = try mend(store)
        #expect(report.moved == [String(name)] && report.doubted == [account])
        #expect(try kinds(check(store)) == [.blobMissing])
        let writer = try store.open()
        let again = try writer.stageBlob(Array("content 3 of 2, \(String(repeating: "x", count: 200))".utf8))
        #expect(again.id == blobs[7].id)
        try writer.append(message(2, folder: 9, time: 99, change: 99, blob: again))
        try writer.commit()
        try writer.close()
        #expect(try !check(store).isDamaged)

        var twice: [UInt8] = []
        let compressor = Compressor(level: 2)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        defer { buffer.deallocate() }
        try whole.withUnsafeBytes { try compressor.run($0, last: true, buffer: buffer) { twice.append(contentsOf: $0) } }
        store.disk.place(String(name), twice)
        #expect(try kinds(check(store)) == [.blobCompressedTwice])
        #expect(try mend(store).restored == [String(name)])
        #expect(store.disk.contents()[String(name)] == whole)
        #expect(try !check(store).isDamaged)
    }

    @Test("Orphans and files of strangers move away with a manifest, and come back; what lies beside our folders is left alone")
    func strangers() throws {
        let (store, _) = try filled()
        let files: [String: [UInt8]] = [
            "items/ab/notes": [1], "accounts/\(account)/items/02/2~": [2], "journal/core": [3], "server/x": [4], "readme": [5],
        ]
        for (name, bytes) in files { store.disk.place(name, bytes) }
        let report = try mend(store)
        #expect(Set(report.moved) == Set(files.keys).subtracting(["readme"]))
        #expect(report.unmended.map(\.file) == ["readme"])
        #expect(store.disk.contents()["readme"] == [5])
        let quarantine = try #require(report.quarantine)
        for name in report.moved { #expect(store.disk.contents()["\(quarantine)/\(name)"] == files[name], "\(name)") }
        #expect(try check(store).findings.map(\.file) == ["readme"])
        let writer = try store.open()
        #expect(Set(try writer.undoMending(String(quarantine.dropFirst(11))).back) == Set(report.moved))
        try writer.close()
        for (name, bytes) in files { #expect(store.disk.contents()[name] == bytes, "\(name)") }
        for name in ["", "..", "../journal", "nothing"] {
            let other = try store.open()
            #expect(throws: StoreError.self) { try other.undoMending(name) }
            try other.close()
        }
    }

    @Test("A manifest that somebody forged leads nowhere outside of the backup path")
    func forged() throws {
        let (store, _) = try filled()
        store.disk.place("items/ab/notes", [1])
        let report = try mend(store)
        let quarantine = try #require(report.quarantine)
        let lines = ["../../x", "/etc/passwd", "accounts/../../x", "a//b", ""].map { "{\"file\":\"\($0)\",\"reason\":\"\"}\n" }
        store.disk.place("\(quarantine)/manifest.jsonl", Array((lines.joined() + "garbage\n").utf8))
        let writer = try store.open()
        let undone = try writer.undoMending(String(quarantine.dropFirst(11)))
        #expect(undone.back.isEmpty && undone.left.isEmpty)
        try writer.close()
    }

    @Test("A damaged journal whose states are in the histories is moved away up to the damage, and leaves no gap (R6)")
    func journal() throws {
        let (store, _) = try filled()
        let segments = store.files("journal/segment-")
        let damaged = segments[2]
        var bytes = try #require(store.disk.contents()[damaged])
        bytes[bytes.count / 2] ^= 1
        store.disk.place(damaged, bytes)
        #expect(try kinds(check(store)).contains(.journalDamaged))
        let report = try mend(store)
        #expect(Set(report.moved) == Set(segments.prefix(3)), "\(report)")
        #expect(try check(store).findings.isEmpty, "\(store.files("journal/"))")
    }

    @Test("A purged history that is back goes again; what was written of the item since stays")
    func back() throws {
        let store = try StoreOnDisk()
        let clock = store.disk.clock
        store.options.now = { clock.now }
        let writer = try store.open()
        for id in [1, 2] as [Int64] { try writer.append(message(id, folder: 2, time: 10, change: 10)) }
        try writer.commit()
        try writer.checkpoint()
        let before = store.disk.contents()
        try writer.removeHistories([.item(account: account, id: 1), .item(account: account, id: 2)], time: 11)
        try writer.append(message(2, folder: 3, time: 12, change: 12))
        try writer.commit()
        try writer.close()
        for id in [1, 2] as [Int64] { store.disk.place(historyFile(id), try #require(before[historyFile(id)])) }
        let later = try store.open()
        let found = try check(store)
        #expect(found.isDamaged)
        // The segment that tells of the purge goes with the mending's own checkpoint.
        store.disk.clock.now += 30 * 86_400_000
        let report = try later.mend(found.findings)
        try later.close()
        #expect(try check(store).findings.isEmpty, "\(report)")
        let reader = try store.reader()
        #expect(try reader.history(of: .item(account: account, id: 1)).lines.isEmpty)
        #expect(try reader.history(of: .item(account: account, id: 2)).lines.map(\.change) == [12])
        reader.close()
    }

    @Test("A crash at any call of a mending loses nothing: the next one ends it")
    func crashes() throws {
        let (sample, _) = try filled(3)
        try forgetJournal(sample)
        let name = historyFile(2)
        var bytes = try #require(sample.disk.contents()[name])
        bytes[100] ^= 1
        sample.disk.place(name, bytes)
        sample.disk.place("items/ab/notes", [1])
        let files = sample.disk.contents()
        for call in 1... {
            let store = try StoreOnDisk(of: files, asCopy: false)
            let writer = try store.open()
            try writer.checkpoint()
            let found = try check(store).findings
            store.disk.faults = [SimulatedFault(call: store.disk.calls + call, error: nil)]
            do {
                _ = try writer.mend(found)
                try writer.close()
            } catch where store.disk.isDead {}  // The power failed.
            guard store.disk.isDead else { return }
            store.crash(writer, .random(seed: UInt64(call)))
            _ = try mend(store)
            #expect(try !check(store).isDamaged, "call \(call)")
            let reader = try store.reader()
            #expect(try reader.history(of: .item(account: account, id: 2)).lines.map(\.change) == [22, 32], "call \(call)")
            #expect(try reader.marks(account).contains { $0.reason.contains("damaged") || $0.reason.contains("gone") }, "call \(call)")
            reader.close()
        }
    }

    @Test("Random damages of everything: what is left is named, nothing is invented, what is lost marks its account")
    func random() throws {
        let folder = TemporaryFolder()
        let report = try Mendings(folder: folder.path).run(damages: 150, seed: 1)
        #expect(report.broken.isEmpty, "\(report.broken.prefix(5))")
        #expect(report.mended > 50, "\(report)")
    }
}
