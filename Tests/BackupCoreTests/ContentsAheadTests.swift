import BackupStore
import Foundation
import SandboxServer
import Synchronization
import SystemPackage
import Testing

@testable import BackupCore

@Suite("Contents that are taken in ahead of a scan")
struct ContentsAheadTests {
    /// A server whose mailboxes have some hundred messages, a few of them shared.
    private func filled(messages: Int = 300) throws -> Bench {
        let bench = try Bench()
        for number in 0..<messages {
            let recipients = number % 7 == 0 ? ["alice@example.com", "bob@example.com"] : [number % 2 == 0 ? "alice@example.com" : "bob@example.com"]
            _ = try bench.server.deliver(message("m\(number)", body: String(repeating: "line \(number)\r\n", count: number % 90)), to: recipients)
        }
        // What the log tells of comes from the log: this is the scan's.
        try bench.server.rollOver()
        return bench
    }

    private func temporaries(_ bench: Bench) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: bench.backupPath.appending("items").string).filter { $0.hasPrefix(".tmp") }
    }

    @Test("On however many threads: the same mailboxes, nothing left over, the check is content", arguments: [1, 2, 5])
    func threads(count: Int) throws {
        let bench = try filled()
        defer { bench.remove() }
        try bench.backUp { engine throws in
            engine.settings.contentThreads = count
            let statistics = try engine.begin()
            #expect(statistics.skippedItems == 0 && statistics.newFiles == 343)
            try engine.catchUp()
            #expect(try temporaries(bench).isEmpty, "every content that was begun was needed")
        }
        #expect(try bench.differences() == [])
        #expect(try FileStoreCheck(of: bench.backupPath).run().findings.isEmpty)
    }

    @Test("A scan that is stopped leaves nothing staged behind, and the next one completes it", arguments: [1, 50, 250])
    func stopped(after items: Int) throws {
        let bench = try filled()
        defer { bench.remove() }
        try bench.backUp { engine throws in
            var seen = 0
            #expect(throws: CoreError.self) {
                try engine.smartScan(.impolite, stop: {
                    seen += 1
                    return seen > items
                })
            }
            #expect(try temporaries(bench).isEmpty, "what was on its way was let go of")
            #expect(try engine.smartScan(.impolite).skippedItems == 0)
        }
        #expect(try bench.differences() == [])
        #expect(try FileStoreCheck(of: bench.backupPath).run().findings.isEmpty)
    }

    @Test("Contents that cannot be read are named one by one, and only they")
    func unreadable() throws {
        let bench = try filled()
        defer { bench.remove() }
        let source = FaultySource(bench.server)
        source.otherContent = { location in
            if location.itemID % 10 == 0 { throw CoreError(.blobDamaged, doing: "reading", subject: "item \(location.itemID)", reason: "test", remedy: "") }
            return nil
        }
        let engine = try BackupEngine(source: source, store: try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id))
        let statistics = try engine.begin()
        let ids = try [bench.alice, bench.bob].flatMap { try $0.items() }.filter { $0.type == .message && $0.id % 10 == 0 }
        #expect(statistics.skippedItems == ids.count && ids.count > 20)
        for id in ids { #expect(statistics.problems.contains { $0.hasPrefix("item \(id.id) of ") }) }
        source.otherContent = { _ in nil }
        #expect(try engine.smartScan(.impolite).newFiles == ids.count)
        try engine.close()
        #expect(try bench.differences() == [])
    }

    @Test("A volume that vanishes ends the scan; what was staged of it is let go of, and nothing is taken for deleted")
    func volume() throws {
        let bench = try filled()
        defer { bench.remove() }
        let source = FaultySource(bench.server)
        source.blobFailure = CoreError(.volumeMissing, doing: "reading", subject: "store", reason: "test", remedy: "")
        let engine = try BackupEngine(source: source, store: try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id))
        let error = #expect(throws: CoreError.self) { try engine.smartScan(.impolite) }
        #expect(error?.code == .volumeMissing)
        #expect(try temporaries(bench).isEmpty)
        source.blobFailure = nil
        try engine.smartScan(.impolite)
        try engine.close()
        #expect(try bench.differences() == [])
    }

    @Test("What is staged may be taken back: the file goes with the last of those who staged it, and a published one stays")
    func unstaging() throws {
        let bench = try Bench()
        defer { bench.remove() }
        let store = try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id)
        defer { try? store.close() }  // The test is judged.
        let blob = try store.stageBlob(Array("twice".utf8))
        _ = try store.stageBlob(Array("twice".utf8))
        store.unstage(blob)
        #expect(try store.isStaged(blob))
        #expect(try temporaries(bench).count == 1)
        store.unstage(blob)
        #expect(try !store.isStaged(blob))
        #expect(try temporaries(bench).isEmpty)
        store.unstage(blob)
        let kept = try store.stageBlob(Array("kept".utf8))
        var row = ItemRow(id: 257, type: .message)
        row.blobDigest = kept.id.description
        try store.append(
            StoreTransaction(account: bench.alice.accountID, time: 1000, states: [ItemState(row: row, blob: kept).newState(account: bench.alice.accountID)]))
        try store.commit()
        let again = try store.stageBlob(Array("kept".utf8))
        store.unstage(again)
        #expect(try store.blobBytes(kept.id) == Array("kept".utf8))
    }
}
