import BackupStore
import Foundation
import SandboxServer
import SystemPackage
import Testing

@testable import BackupCore

/// A server that answers with less than it has: nothing is taken for deleted that may still be there.
@Suite("What vanishes at once")
struct VanishedTests {
    /// A bench with many messages, backed up.
    private func filled(_ count: Int) throws -> Bench {
        let bench = try Bench()
        for number in 0..<count { _ = try bench.server.deliver(message("m\(number)"), to: ["alice@example.com"]) }
        try bench.backUp()
        return bench
    }

    /// Scans alice through a spoilt source.
    @discardableResult
    private func scan(
        _ bench: Bench, confirms: Bool = false, _ spoil: (FaultySource) -> Void
    ) throws -> (statistics: ScanStatistics, notices: [String], marks: [String]) {
        let source = FaultySource(bench.server)
        let engine = try BackupEngine(
            source: source, store: try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id))
        defer { try? engine.close() }  // What it did is in the result.
        try engine.begin()
        try engine.catchUp()
        spoil(source)
        let statistics = try engine.scan(account: "alice@example.com", confirmingDeletions: confirms)
        return (statistics, engine.statistics.notices, try engine.marks("alice@example.com").map(\.reason))
    }

    private func alive(_ bench: Bench) throws -> (certain: Int, presumed: Int) {
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        let states = try reader.items(bench.alice.accountID, .all).compactMap { ItemState(indexed: $0) }
            .filter { $0.row.subject?.hasPrefix("m") == true }
        return (states.count { !$0.deleted }, states.count { $0.deleted && $0.presumed })
    }

    @Test("Tables that are empty delete nothing: the scan ends with an error")
    func emptyTables() throws {
        let bench = try filled(5)
        defer { bench.remove() }
        let error = #expect(throws: CoreError.self) { try scan(bench) { $0.isHidden = { _ in true } } }
        #expect(error?.code == .serverUnreadable, "\(String(describing: error))")
        #expect(try alive(bench).certain == 5)
    }

    @Test("More than a fifth of an account and 100 items at once are presumed deletions with a Critical message; asked for, they are certain")
    func share() throws {
        let bench = try filled(300)
        defer { bench.remove() }
        let hidden: (ItemRow) -> Bool = { $0.type == .message && $0.id % 2 == 0 }
        let first = try scan(bench) { $0.isHidden = hidden }
        #expect(first.statistics.deletedItems == 150)
        #expect(try alive(bench) == (150, 150))
        #expect(first.notices.contains { $0.hasPrefix("Critical: 150 of ") && $0.contains("confirm_deletions true") }, "\(first.notices)")
        #expect(first.marks.count == 1 && first.marks[0].contains("150"), "\(first.marks)")
        // They were there all the time.
        let second = try scan(bench) { _ in }
        #expect(try alive(bench) == (300, 0) && second.marks == [])
        // An administrator knows that they are gone.
        try scan(bench, confirms: true) { $0.isHidden = hidden }
        #expect(try alive(bench) == (150, 0))
    }

    @Test("Fewer are deletions", arguments: [90, 100])
    func fewer(count: Int) throws {
        let bench = try filled(200)
        defer { bench.remove() }
        let ids = Set(try bench.alice.items().filter { $0.type == .message }.map(\.id).prefix(count))
        let result = try scan(bench) { $0.isHidden = { ids.contains($0.id) } }
        #expect(result.notices == [] && result.marks == [])
        #expect(try alive(bench) == (200 - count, 0))
    }

    @Test("A volume that is not there ends the scan; nothing of the account changes, and the next scan completes it")
    func volume() throws {
        let bench = try Bench()
        defer { bench.remove() }
        for number in 0..<5 { _ = try bench.server.deliver(message("m\(number)"), to: ["alice@example.com"]) }
        let missing = CoreError(.volumeMissing, doing: "reading", subject: "/store", reason: "it is not mounted", remedy: "")
        let source = FaultySource(bench.server)
        source.blobFailure = missing
        var engine = try BackupEngine(
            source: source, store: try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id))
        try engine.begin()
        try engine.catchUp()
        #expect(engine.statistics.notices.contains { $0.contains("could not be scanned") && $0.contains("not mounted") })
        try engine.close()
        source.blobFailure = nil
        engine = try BackupEngine(
            source: source, store: try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id))
        try engine.begin()
        try engine.catchUp()
        try engine.close()
        #expect(try alive(bench).certain == 5)
        #expect(try bench.differences() == [])
    }

    @Test("A directory that names no account at all deletes none; one that lacks an account is asked again before that counts")
    func directory() throws {
        let bench = try filled(2)
        defer { bench.remove() }
        func isDeleted(_ mailbox: SandboxMailbox) throws -> Bool {
            let reader = try StoreReader(opening: bench.backupPath)
            defer { reader.close() }
            return try reader.accountInfo(mailbox.accountID)?.isDeleted ?? false
        }
        func follow(_ spoil: (FaultySource) -> Void) throws -> [String] {
            let source = FaultySource(bench.server)
            spoil(source)
            let engine = try BackupEngine(
                source: source, store: try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id))
            defer { try? engine.close() }  // What it did is in the result.
            try engine.begin()
            for _ in 0..<3 { try engine.catchUp() }  // Each looks at the directory.
            return engine.statistics.notices
        }
        let notices = try follow { $0.hiddenAccounts = [bench.alice.accountID, bench.bob.accountID] }
        #expect(notices.count { $0.hasPrefix("Critical: the directory names no account") } == 1, "told once: \(notices)")
        #expect(try !isDeleted(bench.alice) && !isDeleted(bench.bob))
        // Listings of a replica that is behind; asked for by its id, the account is there.
        _ = try follow { $0.hiddenFromListing = [.accountInfo(bench.alice.accountID)] }
        #expect(try !isDeleted(bench.alice))
        _ = try follow { $0.hiddenAccounts = [bench.alice.accountID] }
        #expect(try isDeleted(bench.alice) && !isDeleted(bench.bob))
    }
}
