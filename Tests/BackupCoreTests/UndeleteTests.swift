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

    @Test("A window that begins or ends in the future is refused before anything is written")
    func future() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.alice.delete([try mail(bench, "lost")])
        try bench.backUp()
        let before = try paths(bench)
        let far = RestoreMoment.second(7_258_118_399)
        for (start, end) in [(nil, far), (far, .last)] {
            #expect { _ = try undelete(bench, from: start, to: end) } throws: { ($0 as? CoreError)?.code == .inTheFuture }
        }
        #expect(try paths(bench) == before)
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
        let name = try #require(try bench.alice.folders().compactMap(\.name).first { $0.hasPrefix("Undelete ") })
        #expect(name.wholeMatch(of: /Undelete \d\d-\d\d-\d{4} \d\d\.\d\d\.\d\d/) != nil)
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
        for row in try bench.alice.items() where row.type == .message { #expect(row.tags == [LivingMailbox.tagName(WallClock.milliseconds)]) }
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

    @Test("The same window goes on in the folder that it began with; another has one of its own, whose name nothing else has")
    func folders() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp()
        let clock = Clock()
        let name = LivingMailbox.folderName(clock.now)
        func run(from start: RestoreMoment? = nil) throws -> RestoreReport {
            var undelete = Undelete(account: "alice@example.com", start: start, end: .last)
            undelete.clock = { clock.now }
            return try reading(bench) { try undelete.run(from: $0, to: bench.server, stateFolder: bench.folder.path.appending("state")) }
        }
        for place in 0..<2 {
            try bench.alice.delete([try mail(bench, "mail \(place)")])
            try bench.backUp()
            #expect(try run().skipped == place)
            #expect(try run().restored == 0)
        }
        #expect(try paths(bench) == ["/\(name)/Inbox": ["mail 0", "mail 1"]])
        #expect(try run(from: .change(1)).isComplete)
        #expect(try paths(bench)["/\(name) (2)/Inbox"] == ["mail 0", "mail 1"])
    }

    @Test("R10: an item whose state at the moment cannot be read is refused, not brought back as it was before")
    func damagedItem() throws {
        let bench = try RestoringBench()
        let message = try bench.message(300)
        try bench.commit(message)
        let moved = try bench.commit(bench.moved(message, to: 5))
        try bench.commit(bench.deleted(message))
        try bench.store.checkpoint()
        let text = try String(contentsOf: bench.historyFile(300), encoding: .utf8)
        try Data(text.replacingOccurrences(of: "\"folder\":5", with: "\"folder\":6").utf8).write(to: bench.historyFile(300))
        let target = target(of: bench)
        let store = try StoreReader(opening: bench.backupPath)
        defer { store.close() }
        for moment in [RestoreMoment.last, .second(moved)] {
            #expect {
                _ = try ItemRestore(account: "ann@example.com", item: 300, moment: moment).run(from: store, to: target, stateFolder: bench.stateFolder)
            } throws: { ($0 as? CoreError)?.code == .damagedHistory }
        }
        #expect(target.state.messages.isEmpty)
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

    /// A history written by hand, and a server that has the account.
    private func target(of bench: RestoringBench) -> MemoryTarget {
        let target = MemoryTarget()
        target.state.accounts[bench.account] = AccountEntry(id: bench.account, name: "ann@example.com")
        return target
    }

    private func item(_ id: Int64, _ type: ItemType, in folder: Int64, _ name: String? = nil, metadata: String? = nil) -> ItemState {
        var row = ItemRow(id: id, type: type)
        row.folderID = folder
        row.name = name
        row.subject = name
        row.metadata = metadata
        return ItemState(row: row)
    }

    private func undelete(_ bench: RestoringBench, to target: MemoryTarget) throws -> RestoreReport {
        let store = try StoreReader(opening: bench.backupPath)
        defer { store.close() }
        return try Undelete(account: "ann@example.com", start: nil, end: .last)
            .run(from: store, to: target, stateFolder: bench.stateFolder)
    }

    @Test("Every type comes back: contacts, appointments, tasks, notes, documents with their comments, searches")
    func allTypes() throws {
        let bench = try RestoringBench()
        var document = item(300, .document, in: 2, "plan.txt", metadata: "d2:ct10:text/plain1:vi10ee")
        document.blob = try bench.store.stageBlob(Array("the plan".utf8))
        document.row.blobDigest = document.blob?.id.description
        var comment = item(299, .comment, in: 2)
        comment.row.parentID = 300
        let items = [
            document, comment, item(301, .contact, in: 2, metadata: "d3:fldd9:firstName3:Annee"), item(302, .appointment, in: 2, "tea"),
            item(303, .task, in: 2, "tidy"), item(304, .note, in: 2, "note"), item(305, .searchFolder, in: 1, "unread"),
            item(306, .conversation, in: 9),
        ]
        try bench.commit(items)
        try bench.commit(items.map { bench.deleted($0) })
        let target = target(of: bench)
        let report = try undelete(bench, to: target)
        #expect(report.addsUp && report.unrestored.isEmpty, "\(report.text)")
        let back = target.state.messages
        #expect(Set(back.map(\.row.type)) == [.document, .comment, .contact, .appointment, .task, .note])
        let made = try #require(back.first { $0.row.type == .document })
        #expect(made.bytes == Array("the plan".utf8) && made.row.metadata == document.row.metadata)
        #expect(back.first { $0.row.type == .comment }?.row.parentID == made.id, "the comment belongs to the new document")
        #expect(target.state.folders.values.contains { $0.type == .searchFolder && $0.name == "unread" })
        #expect(Set(back.compactMap(\.row.folderID)).count == 1)
    }

    @Test("What cannot be had is classed, and the rest is restored")
    func unrestored() throws {
        let bench = try RestoringBench()
        let states = try (300..<306).map { try bench.message($0) }
        var unread = states[5]
        unread.blob = nil
        try bench.commit(Array(states.dropLast()) + [unread])
        try bench.commit((states.dropLast() + [unread]).map { bench.deleted($0) })
        try bench.store.checkpoint()
        try FileManager.default.removeItem(at: bench.file(of: states[0]))
        var bytes = try Data(contentsOf: bench.file(of: states[1]))
        bytes[bytes.count / 2] ^= 0x55
        try bytes.write(to: bench.file(of: states[1]))
        let target = target(of: bench)
        target.fault = { _, name in name.hasPrefix("addItem") && target.state.messages.count == 2 ? .refused : nil }
        let report = try undelete(bench, to: target)
        #expect(report.addsUp && report.asked > report.restored)
        let reasons = Dictionary(grouping: report.unrestored, by: \.id).mapValues { $0[0].reason }
        #expect(reasons[301] == .broken && reasons[305] == .readError && reasons[300] != nil)
        #expect(reasons.values.contains(.invalid) && target.state.messages.count == 2)
    }

    @Test("R10: a history that is damaged where the deletion or the state before it would be is a broken item", arguments: [0, 1, 2])
    func damaged(line: Int) throws {
        let bench = try RestoringBench()
        let message = try bench.message(300)
        try bench.commit(message, try bench.message(301))
        try bench.commit(bench.moved(message, to: 5))
        try bench.commit(bench.deleted(message), bench.deleted(try bench.message(301)))
        try bench.commit(bench.moved(message, to: 5))
        try bench.commit(bench.deleted(bench.moved(message, to: 5)))
        try bench.store.checkpoint()
        // The state before the first deletion, that deletion, and the last state alive.
        var lines = try String(contentsOf: bench.historyFile(300), encoding: .utf8).split(separator: "\n").map(String.init)
        lines[line + 1] = lines[line + 1].replacingOccurrences(of: "\"generation\":1", with: "\"generation\":7")
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: bench.historyFile(300))
        let target = target(of: bench)
        let report = try undelete(bench, to: target)
        #expect(report.addsUp)
        if line < 2 {
            // What lies before the last state alive does not matter.
            #expect(report.unrestored == [] && target.state.messages.count == 2)
        } else {
            #expect(report.unrestored.map(\.id) == [300] && report.unrestored.first?.reason == .broken)
            #expect(report.text.contains("unrestored items: 300\nbroken: 1\n") && target.state.messages.count == 1)
        }
    }

    @Test("Stopped before midnight and continued after it, nothing comes twice: the folder is the one it began with", arguments: [false, true])
    func midnight(original: Bool) throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp()
        let ids = try (0..<5).map { try mail(bench, "mail \($0)") }
        try bench.alice.delete(ids)
        try bench.backUp()
        let clock = Clock()
        var undelete = Undelete(account: "alice@example.com", start: nil, end: .last)
        undelete.toOriginalFolders = original
        undelete.clock = { clock.now }
        let (state, kept) = (bench.folder.path.appending("state"), bench.folder.path.appending("kept"))
        var asked = 0
        // What a kill leaves while the fourth of the five is about to be written.
        let stopped = try reading(bench) {
            try undelete.run(from: $0, to: bench.server, stateFolder: state, stop: {
                asked += 1
                if asked == 9 { try? FileManager.default.copyItem(atPath: state.string, toPath: kept.string) }
                return asked >= 9
            })
        }
        #expect(stopped.isStopped)
        #expect(try bench.alice.items().filter { $0.type == .message }.count == 3)
        clock.now += 86_400_000
        let report = try reading(bench) { try undelete.run(from: $0, to: bench.server, stateFolder: kept) }
        #expect(report.addsUp && report.isComplete)
        let back = try bench.alice.items().filter { $0.type == .message }
        #expect(back.count == 5 && Set(back.map(\.folderID)).count == 1 && Set(back.map(\.tags)).count == 1)
    }

    @Test("An account that the server does not have is refused, with the command that brings it back")
    func noAccount() throws {
        let bench = try RestoringBench()
        #expect { _ = try undelete(bench, to: MemoryTarget()) } throws: { "\($0)".contains("doRestoreOnNewAccount") }
    }

    /// A clock that a test sets.
    private final class Clock: @unchecked Sendable {
        // Unchecked: one thread.
        var now: Int64 = 1_795_000_000_000
    }
}
