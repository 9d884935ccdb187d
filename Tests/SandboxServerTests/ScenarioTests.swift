import BackupCore
import Testing

@testable import SandboxServer

@Suite("Scenarios")
struct ScenarioTests {
    @Test("A scenario tells what happened to a mailbox")
    func story() throws {
        let test = try TestServer()
        let scenario = try Scenario(
            """
            # The story of a folder.
            domain example.com
            account alice@example.com zimbraDumpsterEnabled=TRUE "displayName=Alice A."
            account bob@example.com
            deliver alice@example.com,bob@example.com from "Bob <bob@x.org>" subject "Plans" text "Come \\"at\\" ten." as plans
            deliver alice@example.com subject "Re: Plans" reply @plans
            folder alice@example.com /Work/2026
            move alice@example.com /Work/2026 @plans "Re: Plans"
            flag alice@example.com f @plans
            create-tag alice@example.com Red color 5
            tag alice@example.com Red 257
            add alice@example.com folder /Work flags fu tags Red,Blue date 1700000000 subject Old as old
            copy alice@example.com /Inbox @old
            draft alice@example.com subject "A draft" as draft
            update-draft alice@example.com @draft subject "A better draft"
            grant alice@example.com /Work bob@example.com rw
            rename-folder alice@example.com /Work/2026 Done
            color alice@example.com /Work 3
            read alice@example.com @old
            mark before
            empty-folder alice@example.com /Work
            rollover
            """)
        let run = ScenarioRun(on: test.server)
        var lines: [Int] = []
        try run.run(scenario) { lines.append($0.line) }
        #expect(lines == Array(2...22))
        #expect(run.marks["before"] != nil)
        let alice = try test.server.openMailbox("alice@example.com")
        #expect(try test.server.findAccount("alice@example.com")?["displayName"] == "Alice A.")
        #expect(try alice.folder(at: "/Work/Done") == nil)
        let work = try #require(try alice.folder(at: "/Work"))
        #expect(try alice.items(inFolder: work) == [])
        #expect(try alice.dumpster().count == 3)
        #expect(try alice.items(inFolder: 2).map(\.subject) == ["Old"])
        #expect(try alice.items(inFolder: 2)[0].tags == ["Red", "Blue"])
        #expect(try alice.items(inFolder: 6).map(\.subject) == ["A better draft"])
        #expect(try test.server.openMailbox("bob@example.com").items(inFolder: 2).map(\.subject) == ["Plans"])
        for name in ["alice@example.com", "bob@example.com"] {
            let mailbox = try test.server.openMailbox(name)
            try checkConsistency(of: mailbox)
            try compare(try #require(try derive(test)[mailbox.mailboxID]), with: mailbox)
        }
    }

    @Test("Every other kind of item has its commands")
    func allKinds() throws {
        let test = try TestServer()
        let scenario = try Scenario(
            """
            account alice@example.com zimbraDumpsterEnabled=TRUE zimbraMailTrashLifetime=30d
            account bob@example.com
            contact alice@example.com firstName=Bob lastName=Stone "company=Stone & Co" tags Work as bob
            modify-contact alice@example.com @bob firstName=Bob email=bob@x.org
            group alice@example.com "The team" @bob dora@x.org as team
            document alice@example.com plan.txt text "Version one" description first as plan
            revise alice@example.com @plan text "Version two"
            revise alice@example.com plan.txt text "Version three" type text/html
            purge-revision alice@example.com @plan 1
            lock alice@example.com @plan
            unlock alice@example.com @plan
            comment alice@example.com @plan "Looks good" as remark
            rename-document alice@example.com @plan final.txt
            note alice@example.com "Buy milk" color 3 as note
            edit-note alice@example.com @note "Buy more milk"
            chat alice@example.com subject Chat text Hello as chat
            update-chat alice@example.com @chat subject "Longer chat"
            appointment alice@example.com uid-1 subject Daily start 1800000000 minutes 15 days 5 alarm 10 attendees bob@example.com as daily
            exception alice@example.com uid-1 2 start 1800090000 subject "Daily, later"
            exception alice@example.com uid-1 4
            answer alice@example.com @daily TE
            reply alice@example.com uid-1 bob@example.com AC
            snooze alice@example.com @daily 30
            dismiss alice@example.com @daily
            task alice@example.com uid-2 subject Taxes as taxes
            search-folder alice@example.com Unread is:unread
            modify-search alice@example.com /Unread "is:unread in:inbox" sort nameAsc
            mount alice@example.com "Bob's mail" bob@example.com /Inbox
            folder alice@example.com /Feed
            url alice@example.com /Feed https://example.org/feed
            retention alice@example.com /Feed 30d
            deliver alice@example.com subject Lunch as lunch
            deliver alice@example.com subject "Re: Lunch" reply @lunch as answer
            copy-conversation alice@example.com /Feed @lunch
            imap-copy alice@example.com /Feed @answer
            date alice@example.com @lunch 1600000000
            custom-data alice@example.com @lunch zwc key=value
            create-tag alice@example.com Red
            color-tag alice@example.com Red 4
            track-imap alice@example.com
            delete alice@example.com @taxes @team @lunch
            recover alice@example.com /Calendar Taxes
            delete-from-dumpster alice@example.com @team
            flag alice@example.com x @answer
            expunge alice@example.com
            purge alice@example.com
            """)
        var lines: [Int] = []
        try ScenarioRun(on: test.server).run(scenario) { lines.append($0.line) }
        #expect(lines == Array(1...46))
        let alice = try test.server.openMailbox("alice@example.com")
        let rows = try alice.items()
        let plan = try #require(rows.first { $0.name == "final.txt" })
        #expect(try alice.revisions(of: plan.id).map(\.version) == [2])
        #expect(rows.first { $0.type == .comment }?.subject == "Looks good")
        #expect(rows.first { $0.type == .note }?.subject == "Buy more milk")
        #expect(rows.first { $0.type == .chat }?.subject == "Longer chat")
        #expect(rows.first { $0.type == .task }?.folderID == 10)
        let daily = try MetadataDictionary(parsing: try #require(rows.first { $0.type == .appointment }).metadata)
        #expect(daily.integer("nc") == 3)
        #expect(daily.dictionary("inv0")?.string("ptst") == "TE")
        #expect(daily.dictionary("inv2")?.string("mthd") == "CANCEL")
        #expect(daily.dictionary("rl")?.integer("n") == 1)
        #expect(rows.filter { $0.type == .searchFolder || $0.type == .mountpoint }.compactMap(\.name) == ["Unread", "Bob's mail"])
        #expect(Set(try alice.dumpster().compactMap(\.subject)) == ["Lunch"])
        try checkConsistency(of: alice)
        try compare(try #require(try derive(test)[alice.mailboxID]), with: alice)
    }

    @Test("What cannot be understood is refused with its line, before anything is done", arguments: [
        ("account a@x.org\n\ndelver a@x.org", "line 3: there is no command \"delver\""),
        ("move a@x.org /Inbox", "line 1: \"move\" needs more: move ADDRESS PATH ITEM…"),
        ("deliver a@x.org subject", "line 1: \"subject\" has no value"),
        ("deliver a@x.org subject a subject b", "line 1: \"subject\" is given twice"),
        ("deliver a@x.org subject \"a", "line 1: a quote is not closed"),
        ("folder a@x.org /a /b", "line 1: \"/b\" is too much for \"folder\": folder ADDRESS PATH"),
    ])
    func parsing(text: String, message: String) throws {
        let error = #expect(throws: SandboxError.self) { try Scenario(text) }
        #expect(error?.code == .scenario)
        #expect(error?.description == message)
    }

    @Test("What fails is reported with its line", arguments: [
        ("deliver nobody@x.org subject a", "there is no account nobody@x.org"),
        ("account a@x.org\nmove a@x.org /Nowhere 257", "line 2"), ("account a@x.org\nread a@x.org @x", "line 2: there is no item named @x"),
        ("account a@x.org\nrename-folder a@x.org /Inbox x", "/Inbox is a system folder"),
        ("account a@x.org\naccount a@x.org", "line 2"), ("account a@x.org x", "line 1: \"x\" is no attribute=value"),
        ("account a@x.org\nexception a@x.org u 1", "line 2: there is no series u in this scenario"),
        ("account a@x.org\ncontact a@x.org nothing", "line 2: \"nothing\" is no name=value"),
        ("account a@x.org\nanswer a@x.org 257 XX", "line 2"), ("account noaddress", "no address"), ("account a@x.org\ndeliver a@x.org size big", "line 2: \"big\" is no number"),
    ])
    func failing(text: String, part: String) throws {
        let test = try TestServer()
        let scenario = try Scenario(text)
        let error = #expect(throws: SandboxError.self) { try ScenarioRun(on: test.server).run(scenario) }
        #expect(error?.code == .scenario)
        #expect(error?.description.contains(part) == true, "\(error?.description ?? "")")
    }
}
