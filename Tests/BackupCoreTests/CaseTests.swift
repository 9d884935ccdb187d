import BackupStore
import Foundation
import SystemPackage
import Testing

@testable import BackupCore

/// What other backup systems lost data over, where the server and its log come in (Documentation/Cases.md).
@Suite("Cases that others lost data over: server, log and restore")
struct CaseTests {
    // MARK: Success over nothing

    @Test("Histories that are gone whole: the account is marked when the index is made anew, and a restore says so",
        arguments: [true, false])
    func restoreOverNothing(rebuildsByCommand: Bool) throws {
        let bench = try RestoringBench()
        try bench.commit((0..<6).map { try bench.message(300 + $0) })
        try bench.store.close()
        // The journal forgets what it held: it would bring back the last states.
        var options = StoreOptions()
        options.journalKeepDays = 0
        func reopened() throws -> StoreWriter {
            try StoreWriter(opening: bench.backupPath, serverID: "11111111-0000-4000-8000-000000000001", options: options)
        }
        for n in 0..<3 {
            let store = try reopened()
            try store.append(StoreTransaction(account: "other", time: Int64(n), marks: [Mark(reason: "\(n)", time: 0)]))
            try store.commit()
            try store.close()
            usleep(3000)  // A segment is old when a millisecond has gone by.
        }
        for id in 300..<306 { try FileManager.default.removeItem(at: bench.historyFile(Int64(id))) }
        if !rebuildsByCommand {
            try FileManager.default.removeItem(atPath: bench.backupPath.appending("index/index.sqlite").string)
        }
        var store = try reopened()
        if rebuildsByCommand { try store.rebuildIndex() }
        let reason = "6 of its histories are gone from the backup path, with all states"
        #expect(try store.marks(bench.account).map(\.reason) == [reason])
        try store.close()
        // It is known for good, not only until the next checkpoint counts what is left.
        store = try reopened()
        try store.rebuildIndex()
        #expect(try store.marks(bench.account).map(\.reason) == [reason])
        try store.close()
        let target = MemoryTarget()
        let report = try bench.restore(to: target)
        #expect(report.selection.marks.map(\.reason) == [reason])
        #expect(report.addsUp && target.mail["/Inbox"] == nil, "\(target.mail)")
    }

    @Test("Every content of a mailbox is gone: each item is named as unrestored, and the restore is not complete")
    func noContentLeft() throws {
        let bench = try RestoringBench()
        try bench.commit((0..<40).map { try bench.message(300 + $0) })
        try bench.store.close()
        try FileManager.default.removeItem(atPath: bench.backupPath.appending("items").string)
        try FileManager.default.createDirectory(atPath: bench.backupPath.appending("items").string, withIntermediateDirectories: true)
        let target = MemoryTarget()
        let report = try bench.restore(to: target)
        #expect(!report.isComplete && report.addsUp && report.restored == 0)
        #expect(report.unrestored.map(\.id) == Array(Int64(300)..<340))
        #expect(report.unrestored.allSatisfy { $0.reason == .readError })
        #expect(target.mail["/Inbox"] == nil, "\(target.mail)")
    }

    // MARK: Times that do not fit

    private func agrees(_ bench: Bench) throws {
        let differences = try bench.differences()
        #expect(differences == [])
    }

    @Test("A backup path put back from an older copy: what the log still has is followed again, nothing is there twice")
    func olderCopy() throws {
        let bench = try Bench()
        defer { bench.remove() }
        _ = try bench.server.deliver(message("before the copy"), to: ["alice@example.com"])
        try bench.backUp()
        let copy = bench.backupPath.removingLastComponent().appending("copy")
        try FileManager.default.copyItem(atPath: bench.backupPath.string, toPath: copy.string)
        for n in 0..<5 {
            _ = try bench.server.deliver(message("after the copy \(n)"), to: ["alice@example.com"])
            if n == 2 { try bench.server.rollOver() }
        }
        try bench.backUp()
        // The path is lost, and the copy put in its place: the journal went back, the redo log did not.
        try FileManager.default.removeItem(atPath: bench.backupPath.string)
        try FileManager.default.moveItem(atPath: copy.string, toPath: bench.backupPath.string)
        try bench.backUp()
        try agrees(bench)
        let reader = try StoreReader(opening: bench.backupPath)
        #expect(try reader.marks(bench.alice.accountID).isEmpty, "the log had all of it")
        reader.close()
    }

    @Test("The same after the log of between was lost: the account is marked, and after the scan nothing is missing")
    func olderCopyWithoutItsLog() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp()
        let copy = bench.backupPath.removingLastComponent().appending("copy")
        try FileManager.default.copyItem(atPath: bench.backupPath.string, toPath: copy.string)
        _ = try bench.server.deliver(message("lost with the log"), to: ["alice@example.com"])
        try bench.backUp()
        try bench.server.rollOver()
        for file in try bench.server.redoLog.archivedFiles() { try FileManager.default.removeItem(atPath: file.path.string) }
        _ = try bench.server.deliver(message("logged later"), to: ["alice@example.com"])
        try FileManager.default.removeItem(atPath: bench.backupPath.string)
        try FileManager.default.moveItem(atPath: copy.string, toPath: bench.backupPath.string)
        let engine = try BackupEngine(
            source: bench.server, store: try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id))
        try engine.begin()
        try engine.catchUp()
        let reasons = try engine.marks(bench.alice.accountID).map(\.reason)
        #expect(reasons.contains { $0.contains("gap") }, "\(reasons)")
        try engine.scan(account: "alice@example.com", confirmingDeletions: true)
        #expect(try engine.marks(bench.alice.accountID).isEmpty)
        try engine.close()
        try agrees(bench)
    }

    @Test("A backup path moved to another machine is one: it is written to as before, and nothing is there twice")
    func moved() throws {
        let bench = try Bench()
        defer { bench.remove() }
        _ = try bench.server.deliver(message("one"), to: ["alice@example.com"])
        try bench.backUp()
        // A copy has other inodes, as on another disk; the original is gone.
        let moved = bench.backupPath.removingLastComponent().appending("moved")
        try FileManager.default.copyItem(atPath: bench.backupPath.string, toPath: moved.string)
        try FileManager.default.removeItem(atPath: bench.backupPath.string)
        try FileManager.default.moveItem(atPath: moved.string, toPath: bench.backupPath.string)
        _ = try bench.server.deliver(message("two"), to: ["alice@example.com"])
        try bench.backUp()
        try agrees(bench)
        let report = try StoreCheck(of: bench.backupPath).run()
        #expect(!report.isDamaged && !report.isCopy, "\(report.findings)")
    }

    // MARK: Size

    @Test("A mailbox of very many items in a hundred folders: each comes back once, in its folder, as of then and now")
    func manyItems() throws {
        // A million by ZXBACKUP_ITEMS=1000000: a million small files.
        let count = Int64(ProcessInfo.processInfo.environment["ZXBACKUP_ITEMS"] ?? "") ?? 2000
        let bench = try RestoringBench()
        try bench.commit((0..<100).map { bench.folder(300 + $0, "Folder \($0)") })
        let body = try bench.message(1, in: 2, "a newsletter")
        func state(_ n: Int64, in folder: Int64) -> ItemState {
            var state = body
            state.row.id = 1000 + n
            state.row.folderID = folder
            return state
        }
        for first in stride(from: 0, to: count, by: 500) {
            try bench.commit((first..<min(count, first + 500)).map { state($0, in: 300 + $0 % 100) })
        }
        let then = bench.second
        // Everything of half of the folders is moved into one, in one transaction.
        try bench.commit((0..<count).filter { $0 % 100 < 50 }.map { state($0, in: 399) })
        try bench.store.close()
        for (moment, expected) in [(RestoreMoment.second(then), 100), (.last, 50)] {
            let target = MemoryTarget()
            let report = try bench.restore(moment, to: target, stateFolder: bench.stateFolder.appending("\(expected)"))
            #expect(report.isComplete && report.addsUp)
            #expect(target.state.messages.count == count)
            let folders = Dictionary(grouping: target.state.messages) { $0.row.folderID }.mapValues(\.count)
            #expect(folders.count == expected)
            let least = Int(count) / 100
            #expect(folders.values.sorted() == (expected == 100 ? Array(repeating: least, count: 100)
                : Array(repeating: least, count: 49) + [least * 51]))
        }
    }
}
