import BackupStore
import BackupStoreTesting
import Foundation
import LifeChecks
import SandboxServer
import SystemPackage
import Testing

@testable import BackupCore

@Suite("Purge")
struct PurgeTests {
    /// A server that is followed, on a machine whose clocks a test moves.
    private final class Followed {
        let bench: Bench
        let clock = SimulatedClock(1_795_425_774_937)
        private(set) var engine: BackupEngine

        init() throws {
            bench = try Bench()
            engine = try Self.engine(bench, clock)
            try engine.begin()
            try engine.catchUp()
        }

        deinit {
            try? engine.close()  // A test that ended is judged already.
            bench.remove()
        }

        private static func engine(_ bench: Bench, _ clock: SimulatedClock) throws -> BackupEngine {
            var options = StoreOptions()
            (options.now, options.sinceBoot) = ({ clock.now }, { clock.sinceBoot })
            let store = try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id, options: options)
            return try BackupEngine(source: bench.server, store: store)
        }

        func restart() throws {
            try engine.close()
            engine = try Self.engine(bench, clock)
            try engine.begin()
        }

        /// Days pass while the service works.
        func pass(days: Int64) throws {
            for _ in 0...days * 24 / 19 {
                clock.pass(19 * 3_600_000)
                try engine.catchUp()
            }
        }

        func deliver(_ subject: String, to recipients: [String] = ["alice@example.com"]) throws -> Int64 {
            try bench.server.deliver(message(subject), to: recipients)[0].itemID
        }

        @discardableResult
        func purge(items: Int64 = 30, accounts: Int64 = 30, trial: Bool = false) throws -> PurgeReport {
            try engine.purge(PurgeRequest(itemDays: items, accountDays: accounts, isTrial: trial))
        }

        var alice: String { get throws { try #require(try bench.server.findAccount("alice@example.com")).id } }

        func reading<Result>(_ body: (StoreReader) throws -> Result) throws -> Result {
            let reader = try StoreReader(opening: bench.backupPath)
            defer { reader.close() }
            return try body(reader)
        }
    }

    @Test("What was deleted long enough ago goes with all its states; what lives, and what was deleted later, stays")
    func items() throws {
        let followed = try Followed()
        let old = try followed.deliver("old"), young = try followed.deliver("young"), kept = try followed.deliver("kept")
        try followed.bench.alice.delete([old])
        try followed.engine.catchUp()
        try followed.pass(days: 20)
        try followed.bench.alice.delete([young])
        try followed.engine.catchUp()
        #expect(try followed.purge().accounts.isEmpty)
        try followed.pass(days: 20)

        let trial = try followed.purge(trial: true)
        #expect(trial.items == 1 && trial.accounts.map(\.items) == [[old]])
        #expect(try followed.engine.store.item(followed.alice, old) != nil, "a trial removes nothing")
        let report = try followed.purge()
        #expect(report.accounts.map(\.items) == [[old]] && report.accounts[0].name == "alice@example.com")
        #expect(report.accounts[0].deletions != nil && !report.accounts[0].isWhole && report.expired.count == 1)
        let store = followed.engine.store
        #expect(try store.item(followed.alice, old) == nil && store.history(of: .item(account: followed.alice, id: old)).lines.isEmpty)
        #expect(try store.item(followed.alice, young)?.isDeleted == true && store.item(followed.alice, kept)?.isDeleted == false)
        #expect(try followed.purge().items == 0, "a second one finds nothing")
        try followed.restart()
        #expect(try followed.bench.differences() == [])
        #expect(try PurgeRecord.last(in: followed.engine.store)?.items == 0)
    }

    @Test("A content that another account has, too, stays as long as anybody has it")
    func sharedContent() throws {
        let followed = try Followed()
        let id = try followed.deliver("shared", to: ["alice@example.com", "bob@example.com"])
        try followed.bench.alice.delete([id])
        try followed.pass(days: 40)
        #expect(try followed.purge().expired.count == 0)
        let bob = try #require(try followed.bench.bob.items().first { $0.type == .message })
        let account = try #require(try followed.bench.server.findAccount("bob@example.com")).id
        let blob = try #require(try followed.engine.store.item(account, bob.id)?.blobs.first)
        #expect(try followed.engine.store.blobBytes(blob).count == Int(blob.size))
        try followed.bench.bob.delete([bob.id])
        try followed.pass(days: 40)
        let report = try followed.purge()
        #expect(report.expired.count == 1 && report.expired.bytes == blob.stored)
        #expect(try followed.engine.store.blobBytes(blob).count == Int(blob.size), "for some days it can still be read")
        try followed.pass(days: 9)
        #expect(try followed.purge().removed.count == 1)
        #expect(throws: StoreError.self) { try followed.engine.store.blobBytes(blob) }
    }

    @Test("A deleted account goes whole when its own retention is over; until then nothing of it does")
    func account() throws {
        let followed = try Followed()
        for number in 0..<3 { _ = try followed.deliver("mail \(number)", to: ["bob@example.com"]) }
        let bob = try #require(try followed.bench.server.findAccount("bob@example.com")).id
        try followed.engine.catchUp()
        try followed.bench.server.deleteAccount("bob@example.com")
        try followed.restart()
        try followed.engine.catchUp()
        #expect(try followed.engine.store.accountInfo(bob)?.isDeleted == true)
        try followed.pass(days: 40)
        #expect(try followed.purge(items: 30, accounts: 90).accounts.isEmpty, "what was in it is kept as long as the account")
        #expect(try followed.purge(items: 30, accounts: 0).accounts.isEmpty)
        let export = try followed.reading { try Selection(account: bob, at: .last, in: $0).warnings }
        #expect(!export.contains { $0.contains("Purge has taken") })
        try followed.pass(days: 60)
        let report = try followed.purge(items: 0, accounts: 90)
        #expect(report.accounts.map(\.id) == [bob] && report.accounts[0].isWhole && report.accounts[0].items.count > 3)
        #expect(try !followed.engine.store.accounts().contains(bob))
        #expect(!FileManager.default.fileExists(atPath: followed.bench.backupPath.appending("accounts/\(bob)").string))
        try followed.restart()
        try followed.engine.catchUp()
        #expect(try !followed.engine.store.accounts().contains(bob))
        let check = try StoreCheck(of: followed.bench.backupPath).run()
        #expect(check.findings.isEmpty, "\(check.findings)")
    }

    @Test("A purge that is stopped goes on with the next one, also in the middle of an account")
    func stopped() throws {
        let followed = try Followed()
        for number in 0..<530 { _ = try followed.deliver("mail \(number)", to: ["bob@example.com"]) }
        let bob = try #require(try followed.bench.server.findAccount("bob@example.com")).id
        try followed.engine.catchUp()
        try followed.bench.server.deleteAccount("bob@example.com")
        try followed.restart()
        try followed.pass(days: 40)
        let trial = try followed.purge(trial: true)
        #expect(trial.accounts.count == 1 && trial.accounts[0].isWhole && trial.items > 530)
        var left = 520  // Asked for each item.
        let report = try followed.engine.purge(PurgeRequest(itemDays: 30, accountDays: 30), stop: { left -= 1; return left < 0 })
        #expect(report.isStopped && report.accounts.count == 1 && !report.accounts[0].isWhole)
        #expect((501..<530).contains(report.accounts[0].items.count))
        #expect(try followed.engine.store.accountInfo(bob) != nil)
        #expect(try PurgeRecord.last(in: followed.engine.store)?.isStopped == true)
        let rest = try followed.purge()
        #expect(rest.accounts.map(\.isWhole) == [true] && rest.accounts[0].items.count + report.accounts[0].items.count > 530)
        #expect(try !followed.engine.store.accounts().contains(bob))
    }

    @Test("Under legal hold nothing of an account goes, until the hold is lifted; it outlives the service")
    func legalHold() throws {
        let followed = try Followed()
        try followed.bench.alice.delete([try followed.deliver("evidence")])
        try followed.engine.catchUp()
        #expect(try followed.engine.setLegalHold(true, of: ["ALICE@example.com"]).map(\.name) == ["alice@example.com"])
        #expect(throws: CoreError.self) { try followed.engine.setLegalHold(true, of: ["bob@example.com", "nobody@example.com"]) }
        try followed.restart()
        try followed.engine.rebuildIndex()
        #expect(try followed.engine.legalHolds().accounts == [followed.alice], "all names are looked up before one is held")
        try followed.pass(days: 40)
        let report = try followed.purge()
        #expect(try report.items == 0 && report.held == [followed.alice])
        try followed.engine.setLegalHold(true, of: nil)
        #expect(try followed.engine.legalHolds().accounts.count == 2)
        try followed.engine.setLegalHold(false, of: nil)
        #expect(try followed.purge().items == 1)
    }

    @Test("R15: a presumed deletion starts no retention")
    func presumed() throws {
        let followed = try Followed()
        let id = try followed.deliver("perhaps")
        try followed.engine.catchUp()
        let account = try followed.alice
        var state = try #require(try followed.engine.store.item(account, id).flatMap { ItemState(indexed: $0) })
        (state.deleted, state.presumed) = (true, true)
        try followed.engine.store.append(
            StoreTransaction(account: account, time: WallClock.milliseconds, states: [state.newState(account: account)]))
        try followed.engine.store.commit()
        try followed.pass(days: 100)
        #expect(try followed.purge().items == 0)
        #expect(try followed.engine.store.item(account, id)?.isPresumed == true)
    }

    @Test("R11: neither a clock that jumps nor dates of another century make anything go early")
    func clocks() throws {
        let followed = try Followed()
        try followed.bench.alice.delete([try followed.deliver("young")])
        for date in [0, 4_102_444_800] as [Int64] {
            let id = try followed.deliver("from afar")
            try followed.bench.alice.setDate(date, of: id)
            try followed.bench.alice.delete([id])
        }
        try followed.engine.catchUp()
        try followed.pass(days: 5)
        let right = followed.clock.now
        for jump in [-1_000_000_000_000, 1_000_000_000_000, -right] {
            followed.clock.now = right + jump
            try followed.engine.catchUp()
            #expect(try followed.purge().items == 0)
            try followed.restart()
        }
        followed.clock.now = right
        try followed.pass(days: 30)
        #expect(try followed.purge().items == 3)
    }

    @Test("R14: a moment from which purge has taken something is served with a warning, a later one without")
    func warning() throws {
        let followed = try Followed()
        let folder = try followed.bench.alice.createFolder(named: "Plans")
        let id = try followed.bench.alice.addMessage(message("in a folder that goes"), folder: folder)
        let kept = try followed.deliver("kept")
        try followed.engine.catchUp()
        let before = try followed.bench.alice.lastChange()
        try followed.bench.alice.move([kept], to: folder)
        let inFolder = try followed.bench.alice.lastChange()
        try followed.bench.alice.move([kept], to: 2)
        try followed.bench.alice.delete([id])
        try followed.bench.alice.deleteFolder(folder)
        let after = try followed.bench.alice.lastChange()
        try followed.pass(days: 40)
        #expect(try followed.purge().items == 2)
        _ = try followed.deliver("later")
        try followed.restart()
        try followed.engine.catchUp()
        // By id: the selection is of the account.
        let account = try followed.alice
        for (change, count) in [(before, 1), (inFolder, 1), (after, 0)] {
            let found = try followed.reading { try Selection(account: account, at: .change(change), in: $0).warnings }
                .filter { $0.contains("Purge has taken items that were deleted after this moment, until ") }
            #expect(found.count == count, "change \(change)")
        }

        // The message that was in the folder comes back, though the folder is gone from the backup.
        try followed.engine.close()
        let restore = RestoreOnNewAccount(source: account, destination: "back@example.com", moment: .change(inFolder))
        let report = try followed.reading {
            try restore.run(from: $0, to: followed.bench.server, stateFolder: followed.bench.folder.path.appending("state"))
        }
        #expect(report.unrestored.isEmpty && report.warnings.contains { $0.contains("Purge has taken") }, "\(report)")
        let restored = try followed.bench.server.openMailbox("back@example.com").items().filter { $0.type == .message }
        #expect(restored.map(\.subject) == ["kept"])

        let undelete = Undelete(account: account, start: nil, end: .last)
        let undone = try followed.reading {
            try undelete.run(from: $0, to: followed.bench.server, stateFolder: followed.bench.folder.path.appending("state2"))
        }
        #expect(undone.warnings.contains { $0.contains("Purge has taken") })
    }

    @Test("The work of a purge grows with what goes, not with what is kept")
    func work() throws {
        var statements: [Int] = []
        for kept in [10, 200] {
            let folder = try TemporaryFolder()
            defer { folder.remove() }
            let path = folder.path.appending("backup")
            for place in [path, path.appending("index")] { try FileManager.default.createDirectory(atPath: place.string, withIntermediateDirectories: true) }
            let disk = SimulatedFileSystem(base: path)
            try FileStoreWriter.create(path, serverID: "server", files: disk)
            var options = StoreOptions()
            let clock = disk.clock
            (options.now, options.sinceBoot) = ({ clock.now }, { clock.sinceBoot })
            let writer = try FileStoreWriter(opening: path, serverID: "server", options: options, files: disk)
            for id in 1...kept + 5 {
                let blob = try writer.stageBlob(Array("mail \(id)".utf8))
                try writer.append(
                    StoreTransaction(
                        account: "a", time: 1, change: Int64(id),
                        states: [
                            NewState(
                                key: .item(account: "a", id: Int64(id)), fields: ["type": "message", "deleted": .bool(id <= 5)],
                                blobs: [blob])
                        ]))
            }
            try writer.commit()
            _ = try writer.expireReleasedBlobs()  // A new index is gone through once.
            for _ in 0..<10 {
                clock.pass(19 * 3_600_000)
                try writer.checkpoint()
            }
            let before = disk.calls
            let page = try writer.deletedItems("a", before: try writer.sequence(olderThan: 3), after: nil, limit: 100)
            try writer.removeHistories(page.map(\.key), with: StoreTransaction(account: "a", time: 2, kind: "purge"))
            #expect(try writer.expireReleasedBlobs().count == 5)
            statements.append(disk.calls - before)
            try writer.close()
        }
        #expect(statements[0] == statements[1], "calls of the file system")
    }
}
