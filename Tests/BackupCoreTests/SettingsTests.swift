import BackupStore
import Foundation
import SandboxServer
import SystemPackage
import Testing

@testable import BackupCore

/// Preferences, filters, signatures, identities and data sources, from a server through its backup to another account.
@Suite("Settings of an account, on a sandbox server")
struct SettingsTests {
    private static let secret = "AQABAgMEBQYHCAkKCwwNDg+WKnQXYrDbhZDGFvy2HYv/"

    private func restore(
        _ bench: Bench, _ moment: RestoreMoment, to name: String, dataSources: Bool = true
    ) throws -> (account: AccountEntry, report: RestoreReport) {
        let store = try StoreReader(opening: bench.backupPath)
        defer { store.close() }
        var restore = RestoreOnNewAccount(source: "alice@example.com", destination: name, moment: moment)
        restore.restoresDataSources = dataSources
        let report = try restore.run(from: store, to: bench.server, stateFolder: bench.folder.path.appending("state"))
        return (try #require(try bench.server.findAccount(name)), report)
    }

    private func deliver(_ bench: Bench, _ subject: String) throws -> Int64 {
        let id = try bench.server.deliver(message(subject), to: ["alice@example.com"])[0].itemID
        return try #require(try bench.alice.item(id)).modMetadata
    }

    private func run(_ bench: Bench, _ scenario: String) throws { try ScenarioRun(on: bench.server).run(try Scenario(scenario)) }

    @Test("Each kind comes back as it was at either of two moments, with the new account's ids")
    func roundTrip() throws {
        let bench = try Bench()
        defer { bench.remove() }
        // Ids that the new account will not have.
        for number in 0..<5 { _ = try deliver(bench, "early \(number)") }
        let folder = try bench.alice.createFolder(named: "Fetched")
        try run(bench, "contact alice@example.com firstName=Alice as me")
        let card = try #require(try bench.alice.items().last { $0.type == .contact }).id
        try run(
            bench,
            """
            delete alice@example.com 257 258 259
            set alice@example.com zimbraPrefLocale=it zimbraPrefMailFoldersCheckedForNewMsgIndicator=2,\(folder) zimbraPrefDefaultCalendarId=10
            set alice@example.com "zimbraMailSieveScript=require [\\"fileinto\\"];\\nif true { fileinto \\"/Fetched\\"; }"
            set alice@example.com zimbraSignatureId=sig-own zimbraSignatureName=Own "zimbraPrefMailSignature=Alice A."
            set alice@example.com zimbraPrefDefaultSignatureId=sig-work zimbraPrefForwardReplySignatureId=sig-own
            set alice@example.com "zimbraACE=\(bench.bob.accountID) usr sendAs" zimbraPrefMailForwardingAddress=a@example.org
            signature alice@example.com Work zimbraSignatureId=sig-work zimbraPrefMailSignatureHTML=<b>A</b> zimbraPrefMailSignatureContactId=\(card)
            identity alice@example.com Sales zimbraPrefIdentityId=id-sales zimbraPrefFromAddress=sales@example.com zimbraPrefDefaultSignatureId=sig-work
            data-source alice@example.com "Old mail" zimbraDataSourceId=ds-old zimbraDataSourceType=imap zimbraDataSourceEnabled=TRUE
            data-source alice@example.com "Old mail" zimbraDataSourceFolderId=\(folder) zimbraDataSourcePassword=\(Self.secret)
            data-source alice@example.com "Old mail" "zimbraDataSourceLastError=no answer"
            """)
        try bench.backUp()
        let first = try deliver(bench, "one")
        try bench.backUp()
        try run(
            bench,
            """
            set alice@example.com zimbraPrefLocale=de zimbraMailSieveScript= zimbraPrefDefaultSignatureId=sig-own
            signature alice@example.com Work zimbraPrefMailSignatureHTML=<i>A</i>
            signature alice@example.com Late zimbraSignatureId=sig-late zimbraPrefMailSignature=late
            delete-identity alice@example.com Sales
            delete-data-source alice@example.com "Old mail"
            """)
        try bench.backUp()
        let second = try deliver(bench, "two")
        try bench.backUp()

        let (then, report) = try restore(bench, .change(first), to: "then@example.com")
        #expect(report.isComplete && report.settings == 20, "\(report.text)")
        let mailbox = try bench.server.openMailbox("then@example.com")
        let newFolder = try #require(try mailbox.folder(at: "/Fetched"))
        let newCard = try #require(try mailbox.items().first { $0.type == .contact }).id
        #expect(newFolder != folder && newCard != card)
        #expect(then["zimbraPrefLocale"] == "it" && then["zimbraPrefMailFoldersCheckedForNewMsgIndicator"] == "2,\(newFolder)")
        #expect(then["zimbraMailSieveScript"] == "require [\"fileinto\"];\nif true { fileinto \"/Fetched\"; }")
        #expect(then["zimbraPrefDefaultCalendarId"] == "10" && then["zimbraPrefMailForwardingAddress"] == "a@example.org")
        #expect(then["zimbraSignatureId"] == "sig-own" && then["zimbraPrefMailSignature"] == "Alice A.")
        #expect(then["zimbraPrefDefaultSignatureId"] == "sig-work" && then["zimbraPrefForwardReplySignatureId"] == "sig-own")
        #expect(then["zimbraACE"] == "\(bench.bob.accountID) usr sendAs")
        #expect(then["zimbraMailDeliveryAddress"] == "then@example.com" && then["zimbraId"] == then.id)
        #expect(then.children.map(\.title).sorted() == ["data source 'Old mail'", "identity 'Sales'", "signature 'Work'"])
        let source = try #require(then.children.first { $0.kind == .dataSource })
        #expect(source["zimbraDataSourceFolderId"] == "\(newFolder)" && source["zimbraDataSourcePassword"] == Self.secret)
        #expect(source["zimbraDataSourceEnabled"] == "FALSE" && source["zimbraDataSourceLastError"] == nil && source.id == "ds-old")
        let signature = try #require(then.children.first { $0.kind == .signature })
        #expect(signature["zimbraPrefMailSignatureHTML"] == "<b>A</b>" && signature["zimbraPrefMailSignatureContactId"] == "\(newCard)")
        let identity = try #require(then.children.first { $0.kind == .identity })
        #expect(identity["zimbraPrefFromAddress"] == "sales@example.com" && identity["zimbraPrefDefaultSignatureId"] == "sig-work")
        #expect(report.text.contains("data source 'Old mail', zimbraDataSourceEnabled: it is switched off"))
        #expect(!report.text.contains(Self.secret))

        for (name, moment) in [("now@example.com", RestoreMoment.change(second)), ("last@example.com", .last)] {
            let (now, report) = try restore(bench, moment, to: name)
            #expect(report.isComplete && report.unrestoredSettings == [])
            #expect(now["zimbraPrefLocale"] == "de" && now["zimbraMailSieveScript"] == nil)
            #expect(now["zimbraPrefDefaultSignatureId"] == "sig-own")
            #expect(now.children.map(\.title) == ["signature 'Work'", "signature 'Late'"])
            #expect(now.children.first?["zimbraPrefMailSignatureHTML"] == "<i>A</i>")
        }
    }

    @Test("Data sources stay away where they are not wanted, and what the server makes from feeds is not made twice")
    func dataSources() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try run(
            bench,
            """
            data-source alice@example.com Old zimbraDataSourceType=pop3 zimbraDataSourceFolderId=2 zimbraDataSourceEnabled=FALSE
            data-source alice@example.com Feed zimbraDataSourceType=rss zimbraDataSourceFolderId=2
            data-source alice@example.com Gone zimbraDataSourceType=imap zimbraDataSourceFolderId=999
            """)
        try bench.backUp()
        let (with, report) = try restore(bench, .last, to: "with@example.com")
        #expect(with.children.map(\.name) == ["Old"])
        #expect(report.unrestoredSettings.map(\.name) == ["data source 'Feed'", "data source 'Gone'"] && report.isComplete)
        let (without, silent) = try restore(bench, .last, to: "without@example.com", dataSources: false)
        #expect(without.children == [] && silent.unrestoredSettings == [])
    }

    @Test("Sections of a mailbox stay where they are: the report names those of the moment")
    func sections() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.alice.setConfig("zwc", ["theme": "dark"])
        try bench.backUp()
        try bench.alice.setConfig("carbonio_ws", ["seen": "yes"])
        let both = try deliver(bench, "both")
        try bench.alice.setConfig("zwc", [:])
        try bench.backUp()
        func missing(_ moment: RestoreMoment, to name: String) throws -> [String] {
            let report = try restore(bench, moment, to: name).report
            #expect(report.isComplete && report.addsUp)
            return report.unrestoredSettings.map(\.name)
        }
        #expect(try missing(.change(both), to: "one@example.com") == ["mailbox section carbonio_ws", "mailbox section zwc"])
        #expect(try missing(.last, to: "two@example.com") == ["mailbox section carbonio_ws"])
    }

    @Test("While the log is followed, what changes in the directory is noticed without a restart")
    func following() throws {
        let bench = try Bench()
        defer { bench.remove() }
        let store = try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id)
        let engine = try BackupEngine(source: bench.server, store: store, directoryInterval: .zero)
        try engine.begin()
        var states: [Int64] = []
        try engine.follow(until: { states.last == 2 }) { _ in
            if states.isEmpty {
                try run(bench, "signature alice@example.com Work zimbraPrefMailSignature=A")
                try bench.server.modifyAccount(bench.bob.accountID, attributes: ["zimbraDumpsterEnabled": ["TRUE"]])
            }
            states.append(try store.accountInfo(bench.alice.accountID)?.ordinal ?? 0)
        }
        #expect(Set(states) == [1, 2], "one state more, whatever the number of looks")
        #expect(try store.accountInfo(bench.alice.accountID)?.fields["signatures"]?.array?.count == 1)
        // What the directory says of the dumpster holds for what the log tells from now on.
        let item = try bench.server.deliver(message("kept"), to: ["bob@example.com"])[0].itemID
        try bench.bob.delete([item])
        try engine.catchUp()
        #expect(try store.item(bench.bob.accountID, item)?.fields["dumpster"]?.bool == true)
        try engine.close()
    }

    @Test("A directory that does not answer is told of once, and following goes on")
    func silentDirectory() throws {
        let bench = try Bench()
        defer { bench.remove() }
        let source = FaultySource(bench.server)
        let store = try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id)
        let engine = try BackupEngine(source: source, store: store)
        try engine.begin()
        try engine.catchUp()
        source.directoryIsDown = true
        let looks = source.looks
        for _ in 0..<3 { try engine.catchUp() }
        #expect(source.looks == looks + 3 && engine.statistics.notices.count == 1)
        source.directoryIsDown = false
        try run(bench, "identity alice@example.com Sales")
        try engine.catchUp()
        #expect(try store.accountInfo(bench.alice.accountID)?.fields["identities"] != nil)
        try engine.close()
    }

    @Test("The sandbox keeps entries below an account's: unique by kind and name, gone with it")
    func sandbox() throws {
        let bench = try Bench()
        defer { bench.remove() }
        let alice = bench.alice.accountID
        let work = AccountChild(.signature, attributes: ["zimbraSignatureName": ["Work"], "zimbraPrefMailSignature": ["A"]])
        let id = try bench.server.addChild(work, toAccount: "alice@example.com")
        #expect(throws: SandboxError.self) { try bench.server.addChild(work, toAccount: alice) }
        #expect(throws: SandboxError.self) { try bench.server.addChild(AccountChild(.identity, attributes: [:]), toAccount: alice) }
        try bench.server.addChild(work, toAccount: "bob@example.com")
        try bench.server.modifyChild(.signature, named: "work", ofAccount: alice, attributes: ["zimbraPrefMailSignature": ["B"], "zimbraSignatureName": ["x"]])
        let children = try #require(try bench.server.findAccount(alice)).children
        #expect(children.map(\.id) == [id] && children[0].name == "Work" && children[0]["zimbraPrefMailSignature"] == "B")
        try bench.server.deleteAccount(alice)
        #expect(try bench.server.accounts().flatMap(\.children).map(\.name) == ["Work"], "Bob's")
        #expect(throws: SandboxError.self) { try bench.server.deleteChild(.identity, named: "Work", ofAccount: "bob@example.com") }
        try bench.server.deleteChild(.signature, named: "Work", ofAccount: "bob@example.com")
        #expect(try bench.server.accounts().flatMap(\.children) == [])
    }
}

@Suite("Settings of an account, at a server that answers in its own way")
struct SettingsTranslationTests {
    private func child(_ kind: AccountChild.Kind, _ name: String, _ attributes: [String: [String]] = [:]) -> AccountChild {
        AccountChild(kind, attributes: attributes.merging([kind.nameAttribute: [name], kind.idAttribute: ["\(name)-id"]]) { $1 })
    }

    @Test("Every id becomes the new one; what has none is named with its reason, and ids of others stay")
    func ids() throws {
        let bench = try RestoringBench()
        var card = ItemRow(id: 310, type: .contact)
        card.folderID = 2
        try bench.commit(bench.folder(400, "Work"), try bench.message(300), ItemState(row: card))
        try bench.describe(
            attributes: [
                "zimbraPrefMailFoldersCheckedForNewMsgIndicator": ["2,400,999"], "zimbraPrefDefaultCalendarId": ["\(bench.account):400"],
                "zimbraPrefDefaultSignatureId": ["Work-id"], "zimbraPrefForwardReplySignatureId": ["11111111-1111-1111-1111-111111111111"],
                "zimbraPrefMailSignatureContactId": ["310"], "zimbraChildAccount": [bench.account, "elsewhere"],
                "zimbraACE": [
                    "\(bench.account) usr sendAs", "elsewhere usr sendAs", "list grp sendAs", "99999999-9999-9999-9999-999999999999 pub viewFreeBusy",
                ],
                "zimbraAccountStatus": ["closed"], "zimbraTwoFactorAuthSecret": ["x"], "zimbraMemberOf": ["group"],
            ],
            children: [
                child(.identity, "Sales", ["zimbraPrefDefaultSignatureId": ["Work-id"], "zimbraPrefForwardReplySignatureId": ["gone"]]),
                child(.signature, "Work", ["zimbraPrefMailSignatureContactId": ["310"]]),
                child(.dataSource, "Old", ["zimbraDataSourceFolderId": ["400"], "zimbraPrefDefaultSignatureId": ["Work-id"]]),
            ])
        let target = MemoryTarget()
        let report = try bench.restore(to: target)
        let made = try #require(target.restored)
        let folder = try #require(target.state.folders.values.first { $0.name == "Work" }).id
        let contact = try #require(target.state.messages.first { $0.row.type == .contact }).id
        #expect(folder != 400 && contact != 310)
        #expect(made["zimbraPrefMailFoldersCheckedForNewMsgIndicator"] == "2,\(folder)" && made["zimbraPrefDefaultCalendarId"] == "\(folder)")
        #expect(made["zimbraPrefDefaultSignatureId"] == "new-Work-id" && made["zimbraPrefMailSignatureContactId"] == "\(contact)")
        #expect(made["zimbraPrefForwardReplySignatureId"] == "11111111-1111-1111-1111-111111111111", "no signature")
        #expect(made.attributes["zimbraChildAccount"] == [made.id])
        #expect(made.attributes["zimbraACE"] == ["\(made.id) usr sendAs", "99999999-9999-9999-9999-999999999999 pub viewFreeBusy"])
        #expect(made["zimbraAccountStatus"] == nil && made["zimbraTwoFactorAuthSecret"] == nil && made["zimbraMemberOf"] == nil)
        #expect(made.children.map(\.kind) == [.signature, .identity, .dataSource])
        #expect(made.children.map { $0["zimbraPrefDefaultSignatureId"] } == [nil, "new-Work-id", "new-Work-id"])
        #expect(made.children[0]["zimbraPrefMailSignatureContactId"] == "\(contact)" && made.children[2]["zimbraDataSourceFolderId"] == "\(folder)")
        #expect(made.children[1]["zimbraPrefForwardReplySignatureId"] == nil)
        #expect(
            Set(report.unrestoredSettings.map(\.name)) == [
                "zimbraPrefMailFoldersCheckedForNewMsgIndicator", "zimbraChildAccount", "zimbraACE", "zimbraAccountStatus",
                "zimbraTwoFactorAuthSecret", "zimbraMemberOf", "identity 'Sales', zimbraPrefForwardReplySignatureId",
            ])
        #expect(report.unrestoredSettings.allSatisfy { !$0.isRefused && !$0.reason.isEmpty } && report.isComplete)
        #expect(report.text.contains("zimbraAccountStatus: it was closed; the new account is active\n"))
    }

    @Test("An account without settings restores as before, without a word about them")
    func none() throws {
        let bench = try RestoringBench(attributes: [:])
        try bench.commit(try bench.message(300))
        let target = MemoryTarget()
        let report = try bench.restore(to: target)
        #expect(target.writes == 2 && report.isComplete && report.settings == 0 && !report.text.contains("Settings"))
    }

    @Test("What the server refuses is named, the rest goes through, and no secret is repeated")
    func refused() throws {
        let bench = try RestoringBench()
        try bench.commit(try bench.message(300))
        try bench.describe(
            attributes: ["displayName": ["Ann"], "zimbraPrefBad": ["x"], "zimbraPrefLocale": ["it"]],
            children: [
                child(.signature, "Work"), child(.identity, "Sales", ["zimbraPrefDefaultSignatureId": ["Work-id"]]),
                child(.dataSource, "Old", ["zimbraDataSourceFolderId": ["2"], "zimbraDataSourcePassword": ["s3cret"]]),
            ])
        let target = MemoryTarget()
        target.echo = ", was s3cret"
        target.fault = { _, name in name.contains("zimbraPrefBad") || name.contains("'Work'") || name.contains("'Old'") ? .refused : nil }
        let report = try bench.restore(to: target)
        #expect(target.restored?.attributes == ["displayName": ["Ann"], "zimbraPrefLocale": ["it"]])
        #expect(target.restored?.children.map(\.title) == ["identity 'Sales'"])
        #expect(report.settings == 3 && !report.isComplete && report.unrestored == [] && report.addsUp)
        #expect(report.unrestoredSettings.filter(\.isRefused).map(\.name) == ["signature 'Work'", "data source 'Old'", "zimbraPrefBad"])
        #expect(report.unrestoredSettings.filter { !$0.isRefused }.map(\.name) == ["identity 'Sales', zimbraPrefDefaultSignatureId"])
        #expect(report.unrestoredSettings[1].reason.hasSuffix("was VALUE-BLOCKED"))
        #expect(report.text.contains("Unrestored Settings: 4\n") && report.text.contains("- unrestored settings -\naccount: ann@example.com\n"))
    }

    @Test("R10: settings whose history is damaged at the moment are not restored, and that is told")
    func damaged() throws {
        let bench = try RestoringBench()
        let second = try bench.commit(try bench.message(300))
        try bench.describe(attributes: ["displayName": ["Two"]])
        try bench.commit(try bench.message(301))
        try bench.describe(attributes: ["displayName": ["Three"]])
        try bench.store.checkpoint()
        let file = URL(fileURLWithPath: bench.backupPath.string).appending(path: "accounts/\(bench.account)/account_info")
        let text = try String(contentsOf: file, encoding: .utf8)
        try Data(text.replacingOccurrences(of: "Two", with: "Too").utf8).write(to: file)
        let target = MemoryTarget()
        let report = try bench.restore(.second(second), to: target)
        #expect(target.restored?.attributes == [:] && target.mail == ["/Inbox": ["message 300"]])
        #expect(report.unrestoredSettings.map(\.name) == ["all settings"] && !report.isComplete)
    }

    @Test("An account's line of history says what the entry says")
    func coding() throws {
        let entry = AccountEntry(
            id: "a", name: "ann@example.com", attributes: ["b": ["2", "1"], "a": []],
            children: [child(.identity, "Sales"), child(.signature, "Work", ["zimbraPrefMailSignature": ["x\ny"]]), child(.dataSource, "Old")])
        #expect(AccountEntry(id: "a", fields: entry.fields(deleted: false)) == entry)
        #expect(AccountEntry(id: "a", name: "x").fields(deleted: true).members.map(\.name) == ["type", "name", "deleted", "attributes"])
    }

    @Test(
        "Secrets are known by their names",
        arguments: [
            "userPassword", "zimbraDataSourcePassword", "zimbraDataSourceOAuthToken", "zimbraDataSourceOAuthRefreshToken",
            "zimbraDataSourceOAuthClientSecret", "zimbraDataSourceSmtpAuthPassword", "zimbraTwoFactorAuthSecret", "zimbraAppSpecificPassword",
        ])
    func secrets(name: String) { #expect(SecretAttributes.contains(name) && !SecretAttributes.contains(name + "Enabled")) }
}
