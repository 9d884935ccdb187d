import BackupStore
import Foundation
import SandboxServer
import SystemPackage
import Testing

@testable import BackupCore

/// A living mailbox that gets back what it lost.
@Suite("Undelete and the restore of single items")
struct UndeleteTests {
    private func undelete(
        _ bench: Bench, from start: RestoreMoment? = nil, to end: RestoreMoment = .last, original: Bool = false,
        stop: @escaping () -> Bool = { false }
    ) throws -> RestoreReport {
        var undelete = Undelete(account: "alice@example.com", start: start, end: end)
        undelete.toOriginalFolders = original
        return try reading(bench) { try undelete.run(from: $0, to: bench.server, stateFolder: bench.folder.path.appending("state"), stop: stop) }
    }

    private func restore(_ bench: Bench, _ item: Int64, _ moment: RestoreMoment = .last, folder: String? = nil) throws -> RestoreReport {
        let restore = ItemRestore(account: "alice@example.com", item: item, moment: moment, folder: folder)
        return try reading(bench) { try restore.run(from: $0, to: bench.server, stateFolder: bench.folder.path.appending("state")) }
    }

    private func reading<Result>(_ bench: Bench, _ body: (StoreReader) throws -> Result) throws -> Result {
        let store = try StoreReader(opening: bench.backupPath)
        defer { store.close() }
        return try body(store)
    }

    private func mail(_ bench: Bench, _ subject: String) throws -> Int64 {
        try bench.server.deliver(message(subject), to: ["alice@example.com"])[0].itemID
    }

    private func paths(_ bench: Bench) throws -> [String: [String]] {
        var found: [String: [String]] = [:]
        for row in try bench.alice.items() where row.type == .message {
            found[try bench.alice.path(ofFolder: row.folderID ?? 0) ?? "?", default: []].append(row.subject ?? "")
        }
        return found.mapValues { $0.sorted() }
    }

    @Test("What was deleted comes back below a folder of its own, without the IMAP flag \\Deleted; what lives is left alone")
    func dedicatedFolder() throws {
        let bench = try Bench()
        defer { bench.remove() }
        let work = try bench.alice.createFolder(named: "Work")
        let (kept, lost, filed) = (try mail(bench, "kept"), try mail(bench, "lost"), try mail(bench, "filed"))
        try bench.alice.move([filed], to: work)
        try bench.alice.alterFlag(.deleted, add: true, of: [lost])
        try bench.alice.delete([lost, filed])
        try bench.backUp()
        // The scan saw none of the deleted: only what the log told is known.
        let again = try mail(bench, "again")
        try bench.alice.alterFlag(.deleted, add: true, of: [again])
        try bench.alice.delete([again])
        try bench.backUp()
        let report = try undelete(bench)
        #expect(report.addsUp && report.unrestored.isEmpty)
        let name = LivingMailbox.undeleteName
        #expect(try paths(bench) == ["/Inbox": ["kept"], "/\(name)/Inbox": ["again"]])
        let back = try #require(try bench.alice.items().first { $0.subject == "again" })
        #expect(!back.flags.contains(.deleted) && back.id != again)
        #expect(try bench.alice.item(kept) != nil)
    }

    @Test("Into the original folders: out of Trash, with the tag, and a folder that is gone comes back")
    func originalFolders() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp()
        let work = try bench.alice.createFolder(named: "Work")
        let deep = try bench.alice.createFolder(named: "Deep", in: work)
        let (trashed, filed) = (try mail(bench, "trashed"), try mail(bench, "filed"))
        try bench.alice.move([filed], to: deep)
        try bench.alice.move([trashed], to: 3)
        try bench.alice.delete([trashed])
        try bench.alice.deleteFolder(work)
        try bench.backUp()
        let report = try undelete(bench, original: true)
        #expect(report.addsUp && report.unrestored.isEmpty, "\(report.text)")
        #expect(try paths(bench) == ["/Inbox": ["trashed"], "/Work/Deep": ["filed"]])
        for row in try bench.alice.items() where row.type == .message { #expect(row.tags == [LivingMailbox.undeleteName]) }
    }

    @Test("Only deletions in the window count, and its last second is in it")
    func window() throws {
        let clock = Clock()
        var options = SandboxServer.Options()
        options.clock = { clock.now }
        let bench = try Bench(options: options)
        defer { bench.remove() }
        try bench.backUp()
        let ids = try ["one", "two", "three"].map { try mail(bench, $0) }
        for id in ids {
            clock.now += 60_000
            try bench.alice.delete([id])
        }
        try bench.backUp()
        let second: Int64 = 1_795_000_120
        let report = try undelete(bench, from: .second(second), to: .second(second))
        #expect(report.restored == 2, "the item, and a folder for it: \(report.text)")
        #expect(try paths(bench).values.flatMap(\.self) == ["two"])
        #expect(throws: CoreError.self) { try undelete(bench, from: .second(second), to: .second(1)) }
    }

    @Test("Run again, it restores nothing twice; stopped, it continues")
    func again() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp()
        let ids = try (0..<5).map { try mail(bench, "mail \($0)") }
        try bench.alice.delete(ids)
        try bench.backUp()
        var asked = 0
        let stopped = try undelete(bench) { asked += 1; return asked > 8 }
        #expect(stopped.isStopped && stopped.addsUp)
        let rest = try undelete(bench)
        #expect(!rest.isStopped && rest.addsUp)
        let third = try undelete(bench)
        #expect(third.restored == 0 && third.skipped == 5 && third.addsUp, "\(third.text)")
        #expect(try bench.alice.items().filter { $0.type == .message }.count == 5)
    }

    @Test("One item comes back as it was last or at a change, into its folder or another")
    func oneItem() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp()
        let work = try bench.alice.createFolder(named: "Work")
        let id = try mail(bench, "one")
        let unread = try #require(try bench.alice.item(id)).modMetadata
        try bench.alice.move([id], to: work)
        try bench.alice.markRead([id])
        try bench.alice.delete([id])
        try bench.alice.deleteFolder(work)
        try bench.backUp()
        #expect(try restore(bench, id).restored == 2)
        #expect(try paths(bench) == ["/Work": ["one"]])
        #expect(try restore(bench, id, .change(unread), folder: "/Out/Here").unrestored.isEmpty)
        #expect(try paths(bench) == ["/Work": ["one"], "/Out/Here": ["one"]])
        #expect(try bench.alice.items().filter { $0.type == .message }.map(\.unread).sorted { $0 ?? 0 < $1 ?? 0 } == [0, 1])
        let second = try restore(bench, id)
        #expect(second.skipped == 1 && second.restored == 0)
        #expect(throws: CoreError.self) { try restore(bench, 99_999) }
    }

    /// A clock that a test sets.
    private final class Clock: @unchecked Sendable {
        // Unchecked: one thread.
        var now: Int64 = 1_795_000_000_000
    }
}
