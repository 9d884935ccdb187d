import BackupStore
import SandboxServer
import SystemPackage
import Testing

@testable import BackupCore

/// A server that is restored into while its log is followed.
@Suite("A restore into a server that is followed")
struct FollowedRestoreTests {
    @Test("What comes back is in the server's log: who follows it has the new account as its tables are")
    func followed() throws {
        var options = SandboxServer.Options()
        options.clock = { 1_795_000_000_000 }  // What no record can date, the date of a search folder, is the same.
        let bench = try Bench(options: options)
        defer { bench.remove() }
        try ScenarioRun(on: bench.server).run(
            try Scenario(
                """
                create-tag alice@example.com Red color 5
                folder alice@example.com /Work
                add alice@example.com folder /Work flags fu tags Red subject Plans
                contact alice@example.com firstName=Ann lastName=Doe email=ann@example.org tags Red as ann
                flag alice@example.com f @ann
                date alice@example.com @ann 1700000000
                custom-data alice@example.com @ann crm stage=new
                group alice@example.com Friends @ann bob@example.com
                note alice@example.com "Water the plants" color 3 as plants
                date alice@example.com @plants 1700000001
                document alice@example.com plan.txt text "the plan" description first as plan
                date alice@example.com @plan 1700000002
                tag alice@example.com Red @plan
                comment alice@example.com @plan "Well done"
                search-folder alice@example.com Unread is:unread
                mount alice@example.com Bobs bob@example.com /Inbox
                """))
        try bench.backUp()
        let store = try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id)
        let engine = try BackupEngine(source: bench.server, store: store)
        try engine.begin()
        try engine.catchUp()
        func restore(stop: @escaping () -> Bool) throws -> RestoreReport {
            try RestoreOnNewAccount(source: "alice@example.com", destination: "copy@example.com", moment: .last)
                .run(from: store, to: bench.server, stateFolder: bench.folder.path.appending("state"), stop: stop)
        }
        // The new mailbox is looked at before anything is in it: of the rest only the log tells.
        #expect(try restore { true }.isStopped)
        try engine.catchUp()
        let copy = try bench.server.openMailbox("copy@example.com")
        #expect(try store.items(copy.accountID, .alive).count == 17, "the system folders")
        let report = try restore { false }
        #expect(report.isComplete && report.addsUp, "\(report.text)")
        let statistics = try engine.catchUp()
        #expect(statistics.notices == [] && statistics.unapplied == [:])
        #expect(try store.history(of: .mailbox(copy.accountID)).lines.last?.kind == "scan")
        try engine.close()

        #expect(try bench.differences() == [])
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        func types(_ account: String) throws -> [String: Int] {
            Dictionary(try reader.items(account, .alive).map { ($0.fields["type"]?.string ?? "", 1) }, uniquingKeysWith: +)
        }
        let there = try types(copy.accountID)
        #expect(try there == types(bench.alice.accountID))
        #expect(there["contact"] == 2 && there["document"] == 1 && there["comment"] == 1 && there["note"] == 1)
    }
}
