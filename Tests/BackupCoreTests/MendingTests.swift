import BackupStore
import BackupStoreTesting
import Foundation
import LifeChecks
import SandboxServer
import SystemPackage
import Testing

@testable import BackupCore

/// Damages of a real backup path, mended with the help of the live server.
@Suite("A backup path that is mended with its server")
struct MendingTests {
    /// Alice's and Bob's mailboxes with something of everything, backed up.
    private func filled() throws -> Bench {
        let bench = try Bench()
        for number in 0..<12 {
            _ = try bench.server.deliver(message("mail \(number)", body: String(repeating: "\(number) ", count: 50)), to: ["alice@example.com", "bob@example.com"])
        }
        let folder = try bench.alice.createFolder(named: "Work")
        let ids = try bench.server.deliver(message("to be moved"), to: ["alice@example.com"]).map(\.itemID)
        try bench.alice.move(ids, to: folder)
        try bench.alice.alterTag("red", add: true, of: ids)
        try bench.backUp()
        try bench.bob.delete(try bench.server.deliver(message("gone"), to: ["bob@example.com"]).map(\.itemID))
        try bench.backUp()
        return bench
    }

    private func files(_ bench: Bench, _ folder: String) -> [String] {
        let names = FileManager.default.enumerator(atPath: bench.backupPath.appending(folder).string)
        var found: [String] = []
        while let name = names?.nextObject() as? String {
            if names?.fileAttributes?[.type] as? FileAttributeType == .typeRegular { found.append("\(folder)/\(name)") }
        }
        return found.sorted()
    }

    /// Forgets the journal but its last segment: what it has would bring everything back.
    private func forgetJournal(_ bench: Bench) throws {
        let segments = files(bench, "journal").filter { $0.contains("segment-") }
        for name in segments.dropLast() { try FileManager.default.removeItem(atPath: bench.backupPath.string + "/" + name) }
    }

    private func damage(_ bench: Bench, _ file: String, _ generator: inout SeededGenerator) throws -> String {
        let place = URL(fileURLWithPath: bench.backupPath.string + "/" + file)
        var bytes = try Array(Data(contentsOf: place))
        let what: String
        switch Int.random(in: 0..<5, using: &generator) {
        case 0:
            try FileManager.default.removeItem(at: place)
            return "\(file): removed"
        case 1:
            bytes = []
            what = "emptied"
        case 2 where bytes.count > 1:
            bytes = Array(bytes.prefix(Int.random(in: 1..<bytes.count, using: &generator)))
            what = "cut at \(bytes.count)"
        case 3 where bytes.count { $0 == 10 } > 1:
            var lines = bytes.split(separator: 10, omittingEmptySubsequences: false).map(Array.init)
            lines.remove(at: Int.random(in: 0..<lines.count - 1, using: &generator))
            bytes = Array(lines.joined(separator: [10]))
            what = "a line removed"
        default:
            guard !bytes.isEmpty else { return "" }
            let offset = Int.random(in: 0..<bytes.count, using: &generator)
            bytes[offset] ^= UInt8.random(in: 1...255, using: &generator)
            what = "byte \(offset) flipped"
        }
        try Data(bytes).write(to: place)
        return "\(file): \(what)"
    }

    private static let trials = ProcessInfo.processInfo.environment["ZXBACKUP_DAMAGES"].flatMap { Int($0) } ?? 12

    @Test("Random damages of histories, contents, journal and index: found, mended, and the mailboxes are what the server has; what is left is named")
    func random() throws {
        var generator = SeededGenerator(seed: 11)
        var (found, mended, named, refused) = (0, 0, 0, 0)
        let master = try filled()
        defer { master.remove() }
        let kept = master.folder.path.appending("kept").string
        try FileManager.default.copyItem(atPath: master.backupPath.string, toPath: kept)
        for trial in 0..<Self.trials {
            // Copied back into the same folder: the path stays the original.
            for name in try FileManager.default.contentsOfDirectory(atPath: master.backupPath.string) {
                try FileManager.default.removeItem(atPath: master.backupPath.appending(name).string)
            }
            for name in try FileManager.default.contentsOfDirectory(atPath: kept) {
                try FileManager.default.copyItem(atPath: "\(kept)/\(name)", toPath: master.backupPath.appending(name).string)
            }
            try makeOriginal(master)
            if trial % 2 == 0 { try forgetJournal(master) }
            var damages: [String] = []
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let folder = ["accounts", "accounts", "items", "items", "journal", "index"].randomElement(using: &generator)!
                let names = files(master, folder).filter { !$0.hasSuffix("/lock") && !$0.hasSuffix("/instance") }
                // Nothing is left of a folder whose only file an earlier damage took.
                if let name = names.randomElement(using: &generator) { damages.append(try damage(master, name, &generator)) }
            }
            let engine: BackupEngine
            do {
                engine = try BackupEngine(
                    source: master.server, store: try StoreWriter(opening: master.backupPath, serverID: master.server.identity.id))
            } catch let error as StoreError {
                refused += 1
                #expect(!error.description.isEmpty, "\(damages)")
                continue
            }
            let report = try engine.checkAndMend()
            try engine.catchUp()
            try engine.smartScan(.impolite)
            try engine.close()
            if report.found.isDamaged { found += 1 }
            if report.left.isDamaged { named += 1 } else { mended += 1 }
            // What the server has no more cannot come back: contents of what is gone, and commits that only the histories know of.
            for finding in report.left.findings where finding.severity == .damage {
                #expect([.blobMissing, .journalBehind].contains(finding.kind), "trial \(trial), \(damages): \(finding)")
            }
            #expect(report.unscanned.isEmpty, "trial \(trial), \(damages): \(report.unscanned)")
            #expect(throws: Never.self, "trial \(trial), \(damages)") {
                let differences = try master.differences()
                #expect(differences.isEmpty, "trial \(trial), \(damages): \(differences.prefix(3)), \(report.mended)")
            }
        }
        print("mendings: \(Self.trials) trials, \(found) found, \(mended) mended, \(named) named, \(refused) refused")
        #expect(mended > Self.trials / 2)
    }

    /// A folder that was copied back has another inode; the path is the same.
    private func makeOriginal(_ bench: Bench) throws {
        try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id).close()
    }

    @Test("A content that both sides share is fetched from the server; one that is nowhere is named, and marks its account")
    func contents() throws {
        let bench = try filled()
        defer { bench.remove() }
        for file in files(bench, "items") { try Data().write(to: URL(fileURLWithPath: bench.backupPath.string + "/" + file)) }
        let engine = try BackupEngine(
            source: bench.server, store: try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id))
        // A deep scan suspects that, and leaves it to the check.
        #expect(try engine.scan(account: "alice@example.com", deep: true).damagedFiles > 10 && engine.statistics.suspicions == 1)
        let report = try engine.checkAndMend()
        #expect(report.found.damages > 10)
        // Of what Bob has deleted the server has nothing.
        #expect(report.left.findings.filter { $0.severity == .damage }.map(\.kind) == [.blobMissing], "\(report.left.findings)")
        #expect(Set(report.scanned) == ["alice@example.com", "bob@example.com"])
        try engine.close()
        #expect(try bench.differences().isEmpty)
    }

    @Test("A history and its content that are lost together, which only the index still knows: one mending fetches both", arguments: ["cut", "removed"])
    func historyWithItsContent(damage: String) throws {
        let bench = try filled()
        defer { bench.remove() }
        let reader = try StoreReader(opening: bench.backupPath)
        let moved = try #require(reader.items(bench.alice.accountID, .alive).first { $0.fields["subject"]?.string == "to be moved" })
        let blob = try #require(moved.blobs.first)
        let itemID = try #require({ if case .item(_, let id) = moved.key { id } else { nil } }() as Int64?)
        reader.close()
        try forgetJournal(bench)
        let history = try #require(files(bench, "accounts/\(bench.alice.accountID)/items").first { $0.hasSuffix("/\(itemID)") })
        try Data().write(to: URL(fileURLWithPath: bench.backupPath.string + "/" + history))
        let content = bench.backupPath.string + "/" + (try #require(files(bench, "items").first { $0.hasSuffix("/\(blob.id)") }))
        if damage == "cut" { try Data(Data(contentsOf: URL(fileURLWithPath: content)).prefix(100)).write(to: URL(fileURLWithPath: content)) }
        if damage == "removed" { try FileManager.default.removeItem(atPath: content) }
        let engine = try BackupEngine(
            source: bench.server, store: try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id))
        let report = try engine.checkAndMend()
        #expect(report.found.isDamaged && !report.left.isDamaged, "\(report.found.findings), \(report.left.findings)")
        #expect(report.unscanned.isEmpty, "\(report.unscanned)")
        try engine.close()
        #expect(try bench.differences() == [])
    }

    @Test("A rotten index that makes up an account has nobody scanned who is not there, nor a history written", arguments: [nil, 0, 1, 2, 3])
    func madeUpAccount(onlyPlace: Int?) throws {
        let bench = try filled()
        defer { bench.remove() }
        let file = URL(fileURLWithPath: bench.backupPath.appending("index/index.sqlite").string)
        let store = try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id)
        let engine = try BackupEngine(source: bench.server, store: store)
        try engine.begin()
        try engine.rebuildIndex()
        try engine.close()
        if onlyPlace != nil {
            try forgetJournal(bench)
            let history = try #require(files(bench, "accounts/\(bench.bob.accountID)/items").last)
            try FileManager.default.removeItem(atPath: bench.backupPath.string + "/" + history)
            // Then the next checkpoint has something to say of the account.
            let checkpoint = files(bench, "journal").filter { $0.contains("checkpoint-") }.max { ($0.count, $0) < ($1.count, $1) }
            try FileManager.default.removeItem(atPath: bench.backupPath.string + "/" + #require(checkpoint))
        }
        // One byte of every place that names the account, or of one of them, which is then not as histories and journal say.
        var bytes = try Data(contentsOf: file)
        let id = Data(bench.bob.accountID.utf8)
        var place = bytes.startIndex
        var count = 0
        while let found = bytes.range(of: id, in: place..<bytes.endIndex) {
            if onlyPlace ?? count == count { bytes[found.lowerBound + 25] = 0xFF }
            (place, count) = (found.upperBound, count + 1)
        }
        #expect(count > onlyPlace ?? 0)
        try bytes.write(to: file)
        let again = try BackupEngine(
            source: bench.server, store: try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id))
        let report = try again.checkAndMend()
        #expect(report.found.isDamaged && !report.left.isDamaged, "\(report.left.findings)")
        #expect(report.unscanned.isEmpty, "\(report.unscanned)")
        #expect(Set(report.mended.histories.compactMap(\.key.account)).isSubset(of: [bench.alice.accountID, bench.bob.accountID]))
        try again.close()
        #expect(try Set(FileManager.default.contentsOfDirectory(atPath: bench.backupPath.string + "/accounts")) == [bench.alice.accountID, bench.bob.accountID])
        #expect(try bench.differences() == [])
    }

    @Test("Whatever page of the index is rotten: it is made anew, and everything is there")
    func rottenPages() throws {
        let bench = try filled()
        defer { bench.remove() }
        let file = URL(fileURLWithPath: bench.backupPath.appending("index/index.sqlite").string)
        let sound = try Data(contentsOf: file)
        #expect(sound.count > 20 * 4096)
        for page in 1..<sound.count / 4096 {
            var bytes = sound
            bytes[page * 4096] ^= 0x55
            try bytes.write(to: file)
            let store = try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id)
            let engine = try BackupEngine(source: bench.server, store: store)
            let report = try engine.checkAndMend()
            // Without what the writer and the engine ask at the start, they have made it anew.
            #expect(report.found.isDamaged || store.recovery.indexRebuilt, "page \(page)")
            #expect(!report.left.isDamaged, "page \(page): \(report.left.findings)")
            try engine.close()
            #expect(try bench.differences() == [], "page \(page)")
        }
    }

    @Test("checkZimbra: what either side has alone, or says otherwise, is listed; nothing is written")
    func comparison() throws {
        let bench = try filled()
        defer { bench.remove() }
        let source = FaultySource(bench.server)
        let engine = try BackupEngine(source: source, store: try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id))
        defer { try? engine.close() }  // What it did is told.
        try engine.catchUp()
        #expect(try engine.compareWithServer().allSatisfy(\.isEmpty))
        let before = engine.lastSequence
        let rows = try engine.store.items(bench.alice.accountID, .alive).filter { $0.fields["type"]?.string == "message" }
        let ids = rows.compactMap { if case .item(_, let id) = $0.key { id } else { nil } }
        source.isHidden = { $0.id == ids[0] && $0.folderID != 11 }
        source.changeRow = { if $0.id == ids[1] { $0.flags.insert(.flagged) } }
        let different = try engine.compareWithServer(["ALICE@example.com"])
        #expect(different.count == 1)
        #expect(Set(different[0].items.map { "\($0.id) \($0.kind.rawValue)" }) == ["\(ids[0]) only in the backup", "\(ids[1]) differs"])
        source.isHidden = { _ in false }
        source.changeRow = { _ in }
        source.otherContent = { location in location.itemID == ids[2] ? Array("other".utf8) : nil }
        let contents = try engine.compareWithServer(["alice@example.com"])
        #expect(contents[0].counts.isEmpty && contents[0].problems.count == 1, "\(contents)")
        source.otherContent = { _ in nil }
        // The log has not told of it, and nobody has scanned.
        source.hiddenMailboxes = [2]
        #expect(try engine.compareWithServer(["bob@example.com"])[0].problems.count == 1)
        #expect(throws: CoreError.self) { try engine.compareWithServer(["nobody@example.com"]) }
        #expect(engine.lastSequence == before)
    }
}
