import BackupStore
import LifeChecks
import RedoLog
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
                deliver alice@example.com subject Lunch as lunch
                deliver alice@example.com subject Lunch reply @lunch
                chat alice@example.com subject Hello
                appointment alice@example.com uid-1 subject Standup days 5 attendees bob@example.com alarm 10 flags f tags Red as standup
                exception alice@example.com uid-1 2 subject Cancelled
                reply alice@example.com uid-1 bob@example.com AC
                task alice@example.com uid-2 subject Taxes days 3 as taxes
                exception alice@example.com uid-2 2 start 1795100000 subject Later
                document alice@example.com story.txt text one description first as story
                revise alice@example.com @story text two
                revise alice@example.com @story text three
                revise alice@example.com @story text four
                revise alice@example.com @story text five
                purge-revision alice@example.com @story 1
                purge-revision alice@example.com @story 3
                retention alice@example.com /Work 30d
                url alice@example.com /Work https://example.org/feed
                grant alice@example.com /Work bob@example.com rw
                """))
        let (alice, tag) = (bench.alice, try #require(try bench.alice.tags().first { $0.name == "Red" }))
        try alice.setRetention(keep: ["10d"], purge: ["90d"], of: tag.id)
        let work = try #require(try alice.folder(at: "/Work"))
        try alice.setOfflineDays(7, ofFolder: work)
        try alice.disableActiveSync(true, ofFolder: FolderID.inbox)
        try alice.setSubscription(date: 1_794_000_000_000, guid: "g-1", ofFolder: work)
        try alice.setDefaultView(.contact, ofFolder: work)
        let story = try #require(try alice.items().first { $0.name == "story.txt" })
        try alice.grant(Grant(granteeType: 1, grantee: bench.bob.accountID, rights: 1), onDocument: story.id)
        // A group that names a contact which comes after it.
        let photo = ContactAttachment(name: "photo.png", contentType: "image/png", bytes: [1, 2, 3])
        let group = try alice.createContactGroup(named: "Team", members: ["I:bob@example.com"])
        let member = try alice.createContact(["firstName": "Eve"])
        var list = MetadataDictionary()
        var entry = MetadataDictionary()
        (entry["t"], entry["v"]) = (.string("C"), .string("\(member)"))
        list["m"] = .list([.dictionary(entry)])
        try alice.modifyContact(
            group, ["type": "group", "nickname": "Team", "groupMember": list.text(forColumn: false)], attachments: [photo])
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
        let log = try Verification().run(Verification.files(in: bench.server.redoLog.archive) + [bench.server.redoLog.log])
        #expect(!log.isDamaged && log.openCount == 0, "\(log.problems)")
        try engine.close()

        let differences = try bench.differences(restored: copy.accountID)
        #expect(differences == [])
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        // What of these the server computes and no log tells comes with a scan.
        try bench.backUp { engine in
            try engine.begin()
            try engine.scan(account: copy.accountID)
            #expect(try engine.marks(copy.accountID).isEmpty)
        }
        #expect(try bench.differences() == [])
        func types(_ account: String) throws -> [String: Int] {
            Dictionary(try reader.items(account, .alive).map { ($0.fields["type"]?.string ?? "", 1) }, uniquingKeysWith: +)
        }
        let there = try types(copy.accountID)
        #expect(try there == types(bench.alice.accountID))
        #expect(
            there == [
                "folder": 18, "search": 1, "mountpoint": 1, "tag": 1, "message": 3, "conversation": 1, "chat": 1, "contact": 4,
                "document": 2, "comment": 1, "note": 1, "appointment": 1, "task": 1,
            ], "\(there)")
        let copied = try #require(try copy.items().first { $0.name == "story.txt" })
        #expect(try copy.revisions(of: copied.id).map(\.version) == [2, 4], "what the source had purged is purged")
    }
}
