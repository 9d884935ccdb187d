import BackupStore
import Foundation
import SandboxServer
import SystemPackage
import Testing

@testable import BackupCore

@Suite("backupBloblessMode")
struct BloblessTests {
    /// How the living items of a backup stand that have a content.
    private struct Contents {
        var kept: [Int64: BlobID] = [:]
        var leftOut: Set<Int64> = []

        init(_ bench: Bench) throws {
            let reader = try StoreReader(opening: bench.backupPath)
            defer { reader.close() }
            for item in try reader.items(bench.alice.accountID, .alive) {
                guard let state = ItemState(indexed: item), !(state.row.blobDigest ?? "").isEmpty else { continue }
                if let blob = state.blob {
                    kept[state.row.id] = blob.id
                    #expect(blob.id.description == state.row.blobDigest)
                } else {
                    leftOut.insert(state.row.id)
                }
                #expect(state.doubts.allSatisfy { !$0.hasPrefix("content") }, "\(state.row.id): \(state.doubts)")
            }
        }
    }

    /// Differences between the rows; an item without its content has none of its blob.
    private func differences(_ bench: Bench) throws -> [String] { try bench.differences().filter { !$0.hasSuffix(": another blob") } }

    private func blobs(_ bench: Bench) throws -> Set<String> {
        Set(try FileManager.default.subpathsOfDirectory(atPath: bench.backupPath.appending("items").string).filter { $0.hasSuffix("=") })
    }

    private func scan(_ bench: Bench, deep: Bool = false, keepsContents: Bool) throws -> ScanStatistics {
        var done = ScanStatistics()
        try bench.backUp { engine in
            engine.settings.keepsContents = keepsContents
            try engine.begin()
            try engine.catchUp()
            var options = SmartScanOptions.impolite
            options.deep = deep
            done = try engine.smartScan(options)
        }
        return done
    }

    @Test("A life goes on without contents; its rows are those of the server, and what was kept stays", arguments: [1, 2, 3] as [UInt64])
    func life(seed: UInt64) throws {
        let bench = try Bench()
        defer { bench.remove() }
        var life = try SandboxLife(on: bench.server, seed: seed, accounts: ["alice@example.com", "bob@example.com"])
        try life.run(operations: 150)
        try bench.backUp()
        let (before, files) = (try Contents(bench), try blobs(bench))
        #expect(!before.kept.isEmpty && before.leftOut.isEmpty)

        try bench.backUp { engine in
            engine.settings.keepsContents = false
            try engine.begin()
            try life.run(operations: 150)
            _ = try bench.server.deliver(message("shared"), to: ["alice@example.com", "bob@example.com"])
            try engine.catchUp()
        }
        #expect(try differences(bench) == [])
        #expect(try blobs(bench) == files, "nothing new, nothing gone")
        let now = try Contents(bench)
        #expect(!now.leftOut.isEmpty)
        #expect(before.kept.allSatisfy { now.kept[$0.key] == $0.value || now.kept[$0.key] == nil }, "an old content is named as before")

        #expect(try scan(bench, deep: true, keepsContents: false).damagedFiles == 0)
        #expect(try blobs(bench) == files)
        #expect(try FileStoreCheck(of: bench.backupPath).run().findings.isEmpty)

        let filling = try scan(bench, keepsContents: true)
        #expect(filling.newFiles >= now.leftOut.count && filling.skippedItems == 0, "\(filling.problems)")
        #expect(try Contents(bench).leftOut.isEmpty)
        #expect(try bench.differences() == [])
        #expect(try scan(bench, keepsContents: true).unchangedAccounts == 2, "it is done")
        #expect(try FileStoreCheck(of: bench.backupPath).run().findings.isEmpty)
    }

    @Test("A first scan without contents reads none, and says how many it left out; documents keep their versions' places")
    func first() throws {
        let bench = try Bench()
        defer { bench.remove() }
        var life = try SandboxLife(on: bench.server, seed: 4, accounts: ["alice@example.com", "bob@example.com"])
        try life.run(operations: 300)
        var statistics = ScanStatistics()
        try bench.backUp { engine in
            engine.settings.keepsContents = false
            statistics = try engine.begin()
        }
        #expect(statistics.newFiles == 0 && statistics.leftOutFiles > 0 && statistics.skippedItems == 0)
        #expect(statistics.problems.contains { $0.hasSuffix("contents of alice@example.com were left out: backupBloblessMode is true") })
        #expect(try blobs(bench).isEmpty)
        #expect(try differences(bench) == [])
        _ = try scan(bench, keepsContents: true)
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        for item in try reader.items(bench.alice.accountID, .alive) {
            let state = try #require(ItemState(indexed: item))
            for version in state.revisions { #expect((version.blob == nil) == (version.row.blobDigest ?? "").isEmpty) }
        }
        #expect(try Contents(bench).leftOut.isEmpty)
    }

    @Test("A restore names each item whose content was left out, and brings back the others")
    func restore() throws {
        let bench = try Bench()
        defer { bench.remove() }
        let kept = try bench.server.deliver(message("kept"), to: ["alice@example.com"])[0].itemID
        try bench.backUp()
        var leftOut: Int64 = 0
        try bench.backUp { engine in
            engine.settings.keepsContents = false
            leftOut = try bench.server.deliver(message("left out"), to: ["alice@example.com"])[0].itemID
            try bench.alice.markRead([kept])
            try engine.catchUp()
        }
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        let report = try RestoreOnNewAccount(source: "alice@example.com", destination: "new@example.com", moment: .last)
            .run(from: reader, to: bench.server, stateFolder: bench.folder.path.appending("state"))
        #expect(report.unrestored.map(\.id) == [leftOut])
        #expect(report.unrestored.first?.detail.contains("backupBloblessMode") == true)
        #expect(try bench.server.openMailbox("new@example.com").items().contains { $0.subject == "kept" && $0.unread != 1 })
    }

    @Test("What was kept goes with its item's retention, not before; the sender's columns are those of the content that was not kept")
    func retention() throws {
        let bench = try Bench()
        defer { bench.remove() }
        let kept = try bench.server.deliver(message("kept"), to: ["alice@example.com"])[0].itemID
        try bench.backUp()
        try bench.backUp { engine in
            engine.settings.keepsContents = false
            _ = try bench.server.deliver(message("other", from: "dave@example.com"), to: ["alice@example.com"])
            try bench.alice.delete([kept])
            try engine.catchUp()
            let report = try engine.purge(PurgeRequest(itemDays: 30, accountDays: 30))
            #expect(report.items == 0)
        }
        #expect(try blobs(bench).count == 1)
        #expect(try differences(bench) == [])
        #expect(try FileStoreCheck(of: bench.backupPath).run().findings.isEmpty)
    }
}
