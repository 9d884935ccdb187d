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
        ("account noaddress", "no address"), ("account a@x.org\ndeliver a@x.org size big", "line 2: \"big\" is no number"),
    ])
    func failing(text: String, part: String) throws {
        let test = try TestServer()
        let scenario = try Scenario(text)
        let error = #expect(throws: SandboxError.self) { try ScenarioRun(on: test.server).run(scenario) }
        #expect(error?.code == .scenario)
        #expect(error?.description.contains(part) == true, "\(error?.description ?? "")")
    }
}
