import BackupStoreTesting
import SystemPackage
import Testing

@testable import BackupStore

@Suite("The check of a backup path")
struct CheckTests {
    /// Two accounts, a domain, states old and new, a blob twice and one alone, a purge, marks; closed unless a writer is wanted.
    private func filled() throws -> (store: StoreOnDisk, writer: FileStoreWriter<SimulatedFileSystem>) {
        let store = try StoreOnDisk()
        let writer = try store.open()
        let shared = try writer.stageBlob(Array("shared body".utf8))
        for n in 1...4 {
            try writer.append(message(Int64(n), folder: 2, time: Int64(n), change: Int64(n), blob: shared, position: "p\(n)"))
            try writer.commit()
        }
        try writer.checkpoint()
        let alone = try writer.stageBlob(Self.alone)
        for n in 5...8 {
            var transaction = message(Int64(n - 4), folder: 5, time: Int64(n), change: Int64(n), blob: n == 6 ? alone : nil)
            if n > 6 { transaction.marks = [Mark(reason: "reason \(n)", candidates: [Int64(n)], time: 1)] }
            try writer.append(transaction)
        }
        try writer.append(message(1, time: 9, change: 1, account: otherAccount))
        try writer.append(
            StoreTransaction(
                account: nil, time: 10,
                states: [NewState(key: .directory(.domains, "domain-1"), fields: ["type": "domain", "name": "example.com"])]))
        try writer.commit()
        _ = try writer.removeHistories([.item(account: account, id: 4)], time: 11)
        return (store, writer)
    }

    private static let alone = Array(String(repeating: "alone in the world\n", count: 40).utf8)
    private let otherAccount = "6f1c5a3e-0000-4000-8000-00000000000b"

    private func check(_ store: StoreOnDisk, threads: Int = 1) throws -> CheckReport {
        var check = FileStoreCheck(of: store.path, temporaryFolder: store.folder.path, files: store.disk)
        check.threads = threads
        return try check.run()
    }

    /// The same path, piece by piece.
    private func checkParts(_ store: StoreOnDisk) throws -> CheckReport {
        var whole = CheckReport()
        for scope in [CheckScope.rest, .accounts([account]), .accounts([otherAccount])] {
            var check = FileStoreCheck(of: store.path, temporaryFolder: store.folder.path, files: store.disk)
            check.scope = scope
            whole += try check.run()
        }
        return whole
    }

    private func damage(_ report: CheckReport) -> [CheckFinding] { report.findings.filter { $0.severity == .damage } }

    @Test("A sound path is sound: closed, with a writer at work, after a crash, as a copy, without its index")
    func sound() throws {
        let (store, writer) = try filled()
        var report = try check(store)
        #expect(report.findings.isEmpty, "\(report.findings)")
        #expect(report.lastSequence == 11 && report.accounts == 2 && report.histories == 5 && report.states == 8)
        #expect(report.blobs == 2 && report.transactions == 11 && report.pendingStates == 0)
        try writer.close()
        report = try check(store)
        #expect(report.findings.isEmpty, "\(report.findings)")
        let parts = try checkParts(store)
        #expect(parts.findings.isEmpty, "\(parts.findings)")
        #expect(parts.histories == report.histories && parts.states == report.states && parts.accounts == report.accounts)
        #expect(parts.transactions == report.transactions && parts.lastSequence == report.lastSequence)
        for survival in [Survival.everything, .synced] {
            let (store, writer) = try filled()
            store.crash(writer, survival)
            report = try check(store)
            #expect(report.findings.isEmpty && report.lastSequence == 11, "\(survival): \(report.findings)")
            #expect(report.pendingStates == (survival.description == "synced" ? 5 : 0))
            store.removeIndex()
            report = try check(store)
            #expect(report.findings.map(\.kind) == [.indexUnusable] && !report.isDamaged, "\(report.findings)")
            store.disk.vanish("journal/instance")
            report = try check(store)
            #expect(report.findings.isEmpty && report.isCopy, "\(report.findings)")
        }
    }

    @Test("Nothing is written to the path, and the temporary index goes with the check")
    func writesNothing() throws {
        let (store, writer) = try filled()
        try writer.close()
        let before = store.disk.contents()
        let listed = try PosixFileSystem().list(store.folder.path).map(\.name)
        _ = try check(store)
        #expect(store.disk.contents() == before)
        #expect(try PosixFileSystem().list(store.folder.path).map(\.name) == listed)
    }

    /// One kind of damage, how it is made, and what is to be found.
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var kinds: Set<String>
        var isDamage = true
        var make: @Sendable (StoreOnDisk) throws -> Void

        init(_ name: String, _ kinds: Set<CheckFinding.Kind>, isDamage: Bool = true, _ make: @escaping @Sendable (StoreOnDisk) throws -> Void) {
            (testDescription, self.kinds, self.isDamage, self.make) = (name, Set(kinds.map(\.description)), isDamage, make)
        }
    }

    static let cases: [Case] = [
        Case("a blob is gone", [.blobMissing]) { store in store.disk.vanish(store.files("items/")[0]) },
        Case("a blob lies in expired/ only", [.blobExpired]) { store in
            let name = store.files("items/")[0]
            store.disk.place("expired/2026-11-25/\(name.split(separator: "/").last!)", store.disk.contents()[name]!)
            store.disk.vanish(name)
        },
        Case("a bit of a blob's content flips", [.blobDamaged]) { store in
            store.disk.damage(store.files("items/")[0]) { $0[$0.count - 6] ^= 1 }
        },
        Case("a blob is compressed twice", [.blobCompressedTwice]) { store in
            store.disk.damage(store.files("items/")[0]) { $0 = compressed($0) }
        },
        Case("a blob of another length with the same content", [.blobDamaged], isDamage: false) { store in
            let id = alone.withUnsafeBytes { BlobID(of: $0) }.description
            store.disk.damage("items/\(id.prefix(2))/\(id)") { $0 = compressed(alone, level: 9) }
        },
        Case("an orphan", [.blobOrphaned], isDamage: false) { store in
            let bytes = Array("orphan".utf8)
            let id = bytes.withUnsafeBytes { BlobID(of: $0) }.description
            store.disk.place("items/\(id.prefix(2))/\(id)", compressed(bytes))
        },
        Case("a line flips", [.lineDamaged]) { store in store.disk.damage(historyFile(2)) { $0[40] ^= 1 } },
        Case("a line is torn", [.lineTorn, .statesMissing]) { store in store.disk.damage(historyFile(3)) { $0.removeLast(9) } },
        Case("the last line is gone", [.statesMissing]) { store in
            store.disk.damage(historyFile(2)) { $0 = Array($0[...$0.firstIndex(of: 10)!]) }
        },
        Case("the first line is gone", [.linesMissing]) { store in
            store.disk.damage(historyFile(2)) { $0 = Array($0[($0.firstIndex(of: 10)! + 1)...]) }
        },
        Case("two lines are swapped", [.linesMissing, .lineDamaged]) { store in
            store.disk.damage(historyFile(2)) { bytes in
                let end = bytes.firstIndex(of: 10)! + 1
                bytes = Array(bytes[end...] + bytes[..<end])
            }
        },
        Case("a history is empty", [.statesMissing]) { store in store.disk.damage(historyFile(1)) { $0 = [] } },
        Case("a history is gone", [.statesMissing]) { store in store.disk.vanish(historyFile(3)) },
        Case("a domain's history is gone", [.statesMissing]) { store in store.disk.vanish("domains/domain-1") },
        Case("a history lies under another item's name", [.statesMissing, .indexDiffers]) { store in
            store.disk.place(historyFile(77), store.disk.contents()[historyFile(3)]!)
            store.disk.vanish(historyFile(3))
        },
        Case("the newest group of the journal flips", [.journalTorn, .journalBehind]) { store in
            store.disk.damage(store.newestSegment) { $0[$0.count - 10] ^= 1 }
        },
        Case("an older group of the journal flips", [.journalDamaged]) { store in
            store.disk.damage(store.files("journal/segment-")[1]) { $0[$0.count / 2] ^= 1 }
        },
        Case("a sealed segment is gone", [.journalDamaged]) { store in
            let segments = store.files("journal/segment-")
            store.disk.vanish(segments[segments.count - 2])
        },
        Case("a segment of another store", [.journalDamaged]) { store in
            let other = try StoreOnDisk()
            let writer = try other.open()
            for n in 20...22 {
                try writer.append(message(Int64(n), time: 1, change: Int64(n)))
                try writer.commit()
            }
            try writer.checkpoint()
            try writer.append(message(20, time: 1, change: 30))
            try writer.commit()
            writer.abandon()
            let name = other.newestSegment
            store.disk.place(name.replacing("segment-0000000002", with: "segment-0000000009"), other.disk.contents()[name]!)
        },
        Case("a checkpoint flips", [.checkpointDamaged]) { store in
            store.disk.damage(store.files("journal/checkpoint-").last!) { $0[9] ^= 1 }
        },
        Case("journal/instance flips", [.instanceDamaged]) { store in store.disk.damage("journal/instance") { $0[9] ^= 1 } },
        Case("an account_stat flips", [.statDamaged]) { store in
            store.disk.damage(store.files("accounts/\(account)/account_stat").last!) { $0[9] ^= 1 }
        },
        Case("an account_stat is gone", [.statDamaged]) { store in
            for name in store.files("accounts/\(account)/account_stat") { store.disk.vanish(name) }
        },
        Case("the index is of another time", [.indexUnusable], isDamage: false) { store in
            let index = try StoreIndex(writing: store.path.appending("index/index.sqlite"))
            try index.use("test") { try $0.setMeta("sequence", "3") }
            index.close()
        },
        Case("the index says something else of a state", [.indexDiffers]) { store in try sql(store, "UPDATE items SET folder = 9 WHERE id = 2") },
        Case("the index has a row too few", [.indexDiffers]) { store in try sql(store, "DELETE FROM items WHERE id = 2") },
        Case("the index has another time of a change", [.indexDiffers]) { store in try sql(store, "UPDATE changes SET time = 77 WHERE seq = 3") },
        Case("the index has a reason for a scan too few", [.indexDiffers]) { store in try sql(store, "DELETE FROM marks WHERE seq = 7") },
        Case("the index has another position", [.indexDiffers]) { store in try sql(store, "UPDATE meta SET value = 'x' WHERE name = 'position'") },
        Case("the index is no database", [.indexUnusable], isDamage: false) { store in
            let file = try PosixFileSystem().open(store.path.appending("index/index.sqlite"), .update)
            let junk = [UInt8](repeating: 7, count: 100)
            try junk.withUnsafeBytes { try file.write($0, at: 0) }
            file.close()
        },
        Case("a purged history is there again", [.historyBack]) { store in
            var bytes: [UInt8] = []
            let header = TransactionHeader(message(4, time: 4, change: 4), sequence: 4)
            _ = HistoryCoding.encode(message(4, time: 4, change: 4).states[0], header, after: HistoryTail(), into: &bytes)
            store.disk.place(historyFile(4), bytes)
        },
        Case("an editor's files", [.unexpectedFile], isDamage: false) { store in
            store.disk.place(historyFile(2) + "~", [1])
            store.disk.place("journal/notes.txt", [1])
            store.disk.place("items/README", [1])
            store.disk.place("accounts/\(account)/items/02/003", [1])
        },
        Case("names that differ in case only", [.caseTwins, .unexpectedFile], isDamage: false) { store in
            store.disk.place("journal/LOCK", [1])
        },
    ]

    @Test("Damage is found for what it is, and nothing else is", arguments: cases, [true, false])
    func found(_ damage: Case, isClosed: Bool) throws {
        let (store, writer) = try filled()
        try writer.checkpoint()
        var transaction = message(2, folder: 7, time: 12, change: 12, position: "p12")
        transaction.marks = [Mark(reason: "late", time: 1)]
        try writer.append(transaction)
        try writer.commit()
        if isClosed { try writer.close() } else { store.crash(writer, .everything) }
        if isClosed, damage.testDescription.contains("newest group") { return }  // The newest segment is empty then.
        #expect(try check(store).findings.isEmpty)
        try damage.make(store)
        let report = try check(store)
        let parallel = try check(store, threads: 4)
        #expect(parallel.findings == report.findings && parallel.blobs == report.blobs && parallel.blobBytes == report.blobBytes)
        let kinds = Set(report.findings.map(\.kind.description))
        #expect(kinds.isSuperset(of: damage.kinds), "\(report.findings)")
        // What follows from it may be told of too.
        let others = kinds.subtracting(damage.kinds).subtracting(["statesMissing", "statDamaged", "indexDiffers", "checkpointDamaged", "blobOrphaned"])
        #expect(others.isEmpty, "\(report.findings)")
        #expect(report.isDamaged == damage.isDamage, "\(report.findings)")
        let parts = try checkParts(store)
        // Of tables that belong to no account alone, only a whole check makes others to compare with.
        let isOfNone = ["a reason for a scan too few", "another position"].contains { damage.testDescription.hasSuffix($0) }
        #expect(parts.isDamaged == (damage.isDamage && !isOfNone), "\(parts.findings)")
        if !isOfNone { #expect(Set(parts.findings.map(\.kind.description)).isSuperset(of: damage.kinds), "\(parts.findings)") }
        for finding in report.findings {
            #expect(!finding.file.isEmpty && !finding.file.hasPrefix("/") && !finding.reason.isEmpty && !finding.remedy.isEmpty)
        }
    }

    @Test("A finding names account, item and place")
    func places() throws {
        let (store, writer) = try filled()
        try writer.close()
        let second = Int64(store.disk.contents()[historyFile(2)]!.firstIndex(of: 10)! + 1)
        store.disk.damage(historyFile(2)) { $0[Int(second) + 30] ^= 1 }
        let finding = try #require(try check(store).findings.first { $0.kind == .lineDamaged })
        #expect(finding.file == historyFile(2) && finding.offset == second && finding.length > 50)
        #expect(finding.account == account && finding.item == 2)
    }

    @Test("A writer that commits, purges, makes checkpoints and rebuilds meanwhile is never taken for damage", arguments: 1...3)
    func writerAtWork(seed: UInt64) throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        let work = WorkMeanwhile(writer, seed: seed)
        for _ in 0..<30 { try work.step() }
        let before = store.disk.calls
        _ = try check(store)
        let calls = store.disk.calls - before
        for call in stride(from: 3 + Int(seed) * 7, to: calls, by: 31) {
            // Between two calls of the check the writer works.
            let start = store.disk.calls
            var isDone = false
            store.disk.beforeCall = { number in
                guard !isDone, number >= start + call else { return }
                isDone = true
                for _ in 0..<6 { try! work.step() }
            }
            let report = try check(store)
            store.disk.beforeCall = nil
            #expect(damage(report).isEmpty, "seed \(seed), call \(call): \(report.findings)")
        }
        try writer.close()
        #expect(try damage(check(store)).isEmpty)
    }

    @Test(
        "Whatever a rotten index holds instead of numbers and texts, nothing traps: readers refuse it, the check finds it",
        arguments: [
            "UPDATE items SET seq = 'x'", "UPDATE items SET first = 'x'", "UPDATE items SET first = -1", "UPDATE items SET line = x'00'",
            "UPDATE items SET lines = 'x'", "UPDATE items SET lines = 9223372036854775807", "UPDATE items SET id = id + 0.5",
            "UPDATE entries SET line = 7", "UPDATE entries SET seq = 'x'", "UPDATE changes SET time = 'soon'",
            "UPDATE changes SET generation = 'x'", "UPDATE marks SET mark = 'x'", "UPDATE blobs SET size = 'x'",
            "UPDATE accounts SET lines = 'x'", "UPDATE meta SET value = x'FF' WHERE name = 'position'",
            "ALTER TABLE overlay RENAME COLUMN line TO lime", "ALTER TABLE marks RENAME TO barks",
        ])
    func rottenIndex(statement: String) throws {
        let (store, writer) = try filled()
        try writer.close()
        try Self.sql(store, statement)
        let report = try check(store)
        #expect(report.counts[.indexDiffers, default: 0] > 0, "\(report.findings)")
        for open in [{ try store.reader() as any StoreReading }, { try store.open() as any StoreReading }] {
            // Each of these may throw; none may trap.
            guard let reading = try? open() else { continue }
            for account in [account, otherAccount] {
                _ = try? reading.items(account, .all) { _ in }
                _ = try? reading.cut(account, atOrBeforeSecond: 1)
                _ = try? reading.changes(of: account)
                _ = try? reading.marks(account)
            }
            _ = try? reading.state(of: .directory(.domains, "domain-1"))
            if let writer = reading as? FileStoreWriter<SimulatedFileSystem> {
                _ = try? writer.append(message(2, time: 20, change: 20))
                try? writer.commit()
                try? writer.checkpoint()
                writer.abandon()
            } else {
                (reading as? FileStoreReader<SimulatedFileSystem>)?.close()
            }
        }
    }

    @Test("A check can be stopped, and says how far it is")
    func stopped() throws {
        let (store, writer) = try filled()
        try writer.close()
        var asked = 0
        var seen: [CheckProgress.Phase] = []
        let report = try FileStoreCheck(of: store.path, temporaryFolder: store.folder.path, files: store.disk).run(
            stop: {
                asked += 1
                return asked > 2
            }, progress: { seen.append($0.phase) })
        #expect(report.isStopped && !report.isDamaged && seen.contains(.states) && seen.contains(.blobs))
    }

    @Test("A file that cannot be read is told of, and the rest is checked")
    func unreadable() throws {
        let (store, writer) = try filled()
        try writer.close()
        store.disk.failing = { $0 == "open \(historyFile(2))" ? .permissionDenied : nil }
        store.disk.damage(historyFile(3)) { $0[40] ^= 1 }
        let report = try check(store)
        #expect(report.counts[.unreadable] == 1 && report.counts[.lineDamaged] == 1, "\(report.findings)")
    }

    @Test("Findings beyond the limit are counted, not kept")
    func limit() {
        var report = CheckReport()
        for n in 0..<(CheckReport.limit + 5) { report.add(CheckFinding(.blobMissing, file: "\(n)", "gone")) }
        #expect(report.findings.count == CheckReport.limit && report.counts[.blobMissing] == Int64(CheckReport.limit + 5))
    }

    private static func sql(_ store: StoreOnDisk, _ text: String) throws {
        let index = try StoreIndex(writing: store.path.appending("index/index.sqlite"))
        try index.use("test") { try $0.database.execute(sql: text) }
        index.close()
    }

    private static func compressed(_ bytes: [UInt8], level: Int = 2) -> [UInt8] {
        let compressor = Compressor(level: level)
        var result: [UInt8] = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 64)
        defer { buffer.deallocate() }
        bytes.withUnsafeBytes { bytes in
            try! compressor.run(bytes, last: true, buffer: buffer) { result += $0 }
        }
        return result
    }
}

/// What a writer does while somebody checks.
private final class WorkMeanwhile {
    private let writer: FileStoreWriter<SimulatedFileSystem>
    private var generator: SeededGenerator
    private var n: Int64 = 0

    init(_ writer: FileStoreWriter<SimulatedFileSystem>, seed: UInt64) {
        self.writer = writer
        generator = SeededGenerator(seed: seed)
    }

    func step() throws {
        n += 1
        switch Int.random(in: 0..<12, using: &generator) {
        case 0..<7:
            let blob = try writer.stageBlob(Array("body \(n % 7)".utf8))
            var transaction = message(n % 6, folder: n % 3, time: n, change: n, blob: blob, position: "p\(n)")
            transaction.clearsMarks = n % 5 == 0
            if n % 4 == 0 { transaction.marks = [Mark(reason: "reason \(n)", time: n)] }
            try writer.append(transaction)
            if n % 2 == 0 { try writer.commit() }
        case 7: try writer.commit()
        case 8:
            try writer.commit()
            try writer.checkpoint()
        case 9:
            try writer.commit()
            try writer.rebuildIndex()
        default:
            let blobs = try writer.removeHistories([.item(account: account, id: n % 6)], time: n)
            _ = try writer.expireBlobs(blobs, day: "2026-11-25")
            if n % 3 == 0 { try writer.emptyExpired(day: "2026-11-25") }
        }
    }
}
