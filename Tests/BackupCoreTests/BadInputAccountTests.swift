import BackupStore
import Foundation
import SandboxServer
import SystemPackage
import Testing

@testable import BackupCore

@Suite("Bad input: mailboxes without an account, names used twice, moments that cannot be")
struct BadInputAccountTests {
    private func backUp(_ bench: Bench, from source: FaultySource) throws -> FollowStatistics {
        let engine = try BackupEngine(
            source: source, store: try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id))
        try engine.begin()
        try engine.catchUp()
        defer { try? engine.close() }
        return engine.statistics
    }

    @Test("A mailbox without an account is told of, backed up and followed like the others, and can be restored")
    func orphan() throws {
        let bench = try Bench()
        defer { bench.remove() }
        let names = ["alice@example.com", "bob@example.com"]
        _ = try bench.server.deliver(message("one"), to: names)
        let source = FaultySource(bench.server)
        source.hiddenAccounts = [bench.alice.accountID]
        for round in 0..<2 {
            let notices = try backUp(bench, from: source).notices
            let told = try #require(notices.first { $0.contains("which the directory does not have") }, "\(notices)")
            #expect(told.hasPrefix("mailbox \(bench.alice.mailboxID) belongs to account \(bench.alice.accountID)"), "\(told)")
            #expect(told.contains("it is backed up") && told.contains("Restore it by that id"), "\(told)")
            #expect(notices.count == 1)
            #expect(try bench.differences() == [])
            _ = try bench.server.deliver(message("round \(round)"), to: names)
        }
        _ = try backUp(bench, from: source)
        #expect(try bench.differences() == [])
        let reader = try StoreReader(opening: bench.backupPath)
        let report = try RestoreOnNewAccount(source: bench.alice.accountID, destination: "new@example.com", moment: .last)
            .run(from: reader, to: bench.server, stateFolder: bench.folder.path.appending("state"))
        reader.close()
        #expect(report.isComplete && report.addsUp, "\(report.unrestored)")
        let copies = try bench.server.openMailbox("new@example.com").items(inFolder: 2)
        #expect(Set(copies.map(\.subject)) == ["one", "round 0", "round 1"])
        // The account comes back: all is as if it had never been away.
        source.hiddenAccounts = []
        #expect(try backUp(bench, from: source).notices == [])
        let after = try StoreReader(opening: bench.backupPath)
        defer { after.close() }
        #expect(try !BackedUpAccount.find("alice@example.com", in: after).isDeleted)
    }

    @Test("A second in the future is refused before anything is written; the last second of the backup is not")
    func future() throws {
        let bench = try RestoringBench()
        let last = try bench.commit(try bench.message(300), at: WallClock.milliseconds / 1000 + 5000)
        let target = MemoryTarget()
        #expect { _ = try bench.restore(.second(last + 1), to: target) } throws: {
            let error = $0 as? CoreError
            return error?.code == .inTheFuture && error?.subject == TimeText.local(second: last + 1)
                && "\($0)".contains("'last' means the latest state")
        }
        #expect(target.writes == 0)
        let destination = bench.folder.path.appending("out")
        #expect { _ = try bench.export(at: .second(last + 1), name: "out") } throws: { ($0 as? CoreError)?.code == .inTheFuture }
        #expect(!FileManager.default.fileExists(atPath: destination.string))
        // A server whose clock is ahead of this machine's has changed its mailbox then.
        #expect(try bench.restore(.second(last), to: target).restored == 1)
    }

    @Test("Accounts that had one name one after the other are restored each by its id; by the name it is said which one is meant")
    func namesakes() throws {
        let bench = try RestoringBench()
        try bench.commit(try bench.message(300))
        let older = "bbbbbbbb-0000-4000-8000-00000000000b"
        let entry = AccountEntry(id: older, name: "Ann@Example.com")
        var life = MailboxLife(accountID: older, mailboxID: 2, generation: 1)
        life.scannedChange = 1
        let old = try bench.message(300, "of the older account")
        try bench.store.append(
            StoreTransaction(
                account: older, time: 1_000_000, change: 2,
                states: [NewState(key: .accountInfo(older), fields: entry.fields(deleted: true))]
                    + (SystemFolders.rows.map { ItemState(row: $0) } + [old]).map { $0.newState(account: older) }
                    + [NewState(key: .mailbox(older), fields: life.fields)]))
        try bench.store.commit()
        let target = MemoryTarget()
        let report = try bench.restore(to: target)
        #expect(target.mail == ["/Inbox": ["message 300"]])
        let warning = "Other accounts had the name ann@example.com, too (\(older)). Meant is \(bench.account), which is alive"
        #expect(report.warnings.contains { $0.contains(warning) })
        let second = MemoryTarget()
        let other = try bench.restore(to: second, source: older, stateFolder: bench.stateFolder.appending("older"))
        #expect(second.mail == ["/Inbox": ["of the older account"]]
            && other.warnings.allSatisfy { !$0.contains("Other accounts") })
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        let destination = bench.folder.path.appending("out")
        let export = try MailboxExport(account: "ann@example.com", destination: destination).run(from: reader)
        #expect(export.isComplete && export.warnings.contains { $0.contains("Meant is \(bench.account)") })
    }
}
