import BackupCore
import BackupStore
import Foundation
import SandboxServer
import SystemPackage
import Testing

@testable import zxbackup

/// A sandbox server, a backup path and a state folder, gone when the test is over.
final class Workplace {
    let folder: FilePath
    let server: SandboxServer
    var config: String { folder.appending("zxbackup.yaml").string }
    var backup: String { folder.appending("backup").string }

    init(options: SandboxServer.Options = .init()) throws {
        folder = FilePath(FileManager.default.temporaryDirectory.appendingPathComponent("zxbackup-\(UUID().uuidString)").path)
        try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
        server = try SandboxServer.create(at: folder.appending("server"), options: options)
        try Data("server: {kind: sandbox, path: server}\nbackupPath: backup\nstateFolder: state\n".utf8)
            .write(to: URL(fileURLWithPath: config))
    }

    deinit { try? FileManager.default.removeItem(atPath: folder.string) }

    func zx(_ words: String...) -> (status: CommandStatus, text: String, errors: String) { run(["--config", config] + words) }

    static func message(_ subject: String, _ body: String = "Hello") -> [UInt8] {
        Array("From: Ann <ann@example.com>\r\nTo: bob@example.com\r\nSubject: \(subject)\r\n\r\n\(body)\r\n".utf8)
    }
}

@Suite("From init to a restored mailbox, by the command line")
struct EndToEndTests {
    @Test("init, serve --once, getItem, doRestoreOnNewAccount")
    func story() throws {
        let place = try Workplace()
        let account = try place.server.createAccount(name: "bob@example.com", attributes: ["displayName": ["Bob"]])
        let mailbox = try place.server.openMailbox("bob@example.com")
        let work = try mailbox.createFolder(named: "Work")
        let before = try place.server.deliver(Workplace.message("before"), to: ["bob@example.com"])[0].itemID

        #expect(place.zx("init").status == .successful)
        #expect(place.zx("init").status == .failed, "a second init must not touch what is there")
        let first = place.zx("serve", "--once")
        #expect(first.status == .successful, "\(first.errors)")

        let after = try place.server.deliver(Workplace.message("after"), to: ["bob@example.com"])[0].itemID
        try mailbox.move([before], to: work)
        try mailbox.alterTag("red", add: true, of: [after])
        let change = try #require(try mailbox.item(after)).modMetadata
        try mailbox.delete([before])
        let second = place.zx("serve", "--once")
        #expect(second.status == .successful, "\(second.errors)")

        let item = place.zx("getItem", "bob@example.com", "\(before)", "date", "all")
        #expect(item.status == .successful, "\(item.errors)")
        #expect(item.text.contains("\t\tdeleted                                                     true\n"))
        #expect(item.text.hasPrefix("\titemStates\n\t\tstart_date                                                  "))
        #expect(item.text.contains("\t\tblob path \(place.backup)/items/"))

        let dump = CapturedConsole()
        _ = CommandLineProgram(console: dump.console).run(["--config", place.config, "getItem", account.id, "\(before)", "dump_blob", "true"])
        #expect(dump.output.suffix(Workplace.message("before").count).elementsEqual(Workplace.message("before")))

        try place.server.close()  // One process or object writes at a time, and now it is the restore.
        let restored = place.zx("doRestoreOnNewAccount", "bob@example.com", "bob2@example.com", "change:\(change)")
        #expect(restored.status == .successful, "\(restored.errors)")
        #expect(restored.text.contains("Unrestored Items: 0"))
        let copy = try place.server.openMailbox("bob2@example.com")
        let folder = try #require(try copy.folder(at: "/Work"))
        let moved = try copy.items(inFolder: folder)
        #expect(moved.map(\.subject) == ["before"])
        let tagged = try copy.items(inFolder: 2).first { $0.subject == "after" }
        #expect(tagged?.tags == ["red"])
        #expect(try place.server.findAccount("bob2@example.com")?["displayName"] == "Bob")

        let again = place.zx("doRestoreOnNewAccount", "bob@example.com", "bob2@example.com", "change:\(change)")
        #expect(again.status == .failed)
        #expect(again.errors.contains("exists already"))
        let early = place.zx("doRestoreOnNewAccount", "bob@example.com", "bob3@example.com", "01/01/2001 00:00:00")
        #expect(early.status == .failed)
        #expect(early.errors.contains("from its first scan on"))
        #expect(try place.server.findAccount("bob3@example.com") == nil, "refused before anything is written")
    }

    @Test("The outputs of the reading commands", arguments: [
        ("getItem", ["getItem", "bob@example.com", "ITEM"]), ("getItem-json", ["--json", "getItem", "bob@example.com", "ITEM"]),
        ("getAccountInfo", ["getAccountInfo", "bob@example.com", "backupstats", "true"]),
        ("getAccountInfo-json", ["getAccountInfo", "bob@example.com", "backupstats", "true", "--json"]),
        ("getAvailableAccounts", ["getAvailableAccounts"]), ("getAvailableAccounts-json", ["getAvailableAccounts", "--json"]),
        ("rebuildIndex", ["rebuildIndex"]), ("doRestoreOnNewAccount", ["doRestoreOnNewAccount", "bob@example.com", "b2@example.com", "last"]),
        ("doRestoreOnNewAccount-json", ["doRestoreOnNewAccount", "bob@example.com", "b2@example.com", "last", "--json"]),
        ("serve-once", ["serve", "--once"]),
    ])
    func outputs(_ name: String, _ words: [String]) throws {
        let place = try Workplace()
        let account = try place.server.createAccount(name: "bob@example.com", attributes: ["displayName": ["Bob"]])
        _ = try place.server.createAccount(name: "spam@example.com", attributes: ["zimbraIsSystemAccount": ["TRUE"]])
        let item = try place.server.deliver(Workplace.message("One"), to: ["bob@example.com"], date: 1_393_582_510_000)[0].itemID
        #expect(place.zx("init").status == .successful)
        if name != "serve-once" { #expect(place.zx("serve", "--once").status == .successful) }
        try place.server.close()
        let result = run(["--config", place.config] + words.map { $0 == "ITEM" ? "\(item)" : $0 })
        #expect(result.status == .successful, "\(result.errors)")
        let names = [place.folder.string: "<FOLDER>", account.id: "<BOB>", place.server.identity.id: "<SERVER>"]
        var text = stable(result.text, names)
        text = text.replacingOccurrences(of: #"change_date( +|":)\d+"#, with: "change_date$1<TIME>", options: .regularExpression)
        text = text.replacingOccurrences(of: #"\d{14}(\.\d+)?Z"#, with: "<TIME>", options: .regularExpression)
        try expectSnapshot(text, "\(name).txt")
    }

    @Test("A stopped restore exits with 2, and what it did is told")
    func stopped() throws {
        let place = try Workplace()
        _ = try place.server.createAccount(name: "bob@example.com")
        _ = try place.server.deliver(Workplace.message("One"), to: ["bob@example.com"])
        #expect(place.zx("init").status == .successful)
        #expect(place.zx("serve", "--once").status == .successful)
        let store = try StoreReader(opening: FilePath(place.backup))
        defer { store.close() }
        let restore = RestoreOnNewAccount(source: "bob@example.com", destination: "bob2@example.com", moment: .last)
        let report = try restore.run(from: store, to: place.server, stateFolder: place.folder.appending("state"), stop: { true })
        #expect(DoRestoreOnNewAccount.status(of: report) == .stopped && CommandStatus.stopped.rawValue == 2)
        #expect(report.text.contains("Restored Items: 0\n") && report.text.contains("Stopped by request"))
        try place.server.close()
        let continued = place.zx("doRestoreOnNewAccount", "bob@example.com", "bob2@example.com", "last")
        #expect(continued.status == .successful && continued.text.contains("Restored Items: 1\n"), "\(continued.errors)")
    }

    @Test("doUndelete, doItemRestore and doRestoreDeletedAccount bring back what was deleted")
    func deleted() throws {
        let place = try Workplace()
        _ = try place.server.createAccount(name: "bob@example.com")
        let mailbox = try place.server.openMailbox("bob@example.com")
        #expect(place.zx("init").status == .successful)
        #expect(place.zx("serve", "--once").status == .successful)
        let item = try place.server.deliver(Workplace.message("One"), to: ["bob@example.com"])[0].itemID
        try mailbox.delete([item])
        #expect(place.zx("serve", "--once").status == .successful)
        try place.server.close()

        let undelete = place.zx("doUndelete", "bob@example.com", "first", "last", "target_original_folder", "true")
        #expect(undelete.status == .successful && undelete.text.contains("Restored Items: 1\n"), "\(undelete.errors)\(undelete.text)")
        let one = place.zx("--json", "doItemRestore", "bob@example.com", "\(item)", "restore_folder", "/Out")
        #expect(one.status == .successful && one.text.contains(#""restored_items":1"#), "\(one.errors)\(one.text)")
        let out = try #require(try mailbox.folder(at: "/Out"))
        #expect(try mailbox.items(inFolder: out).map(\.subject) == ["One"])
        #expect(try mailbox.items(inFolder: 2).map { $0.tags.first?.hasPrefix("undelete_") } == [true])
        let alive = place.zx("doRestoreDeletedAccount", "bob@example.com", "bob2@example.com")
        #expect(alive.status == .failed && alive.errors.contains("not deleted"))
    }

    @Test("getAccountInfo shows signatures, identities and data sources, and no secret; restore_datasource false leaves those away")
    func settings() throws {
        let place = try Workplace()
        _ = try place.server.createAccount(name: "bob@example.com", attributes: ["userPassword": ["{SSHA}hash"]])
        _ = try place.server.openMailbox("bob@example.com")
        let entries = [
            AccountChild(.signature, attributes: ["zimbraSignatureName": ["Work"], "zimbraPrefMailSignature": ["Bob\nB."]]),
            AccountChild(.identity, attributes: ["zimbraPrefIdentityName": ["Sales"]]),
            AccountChild(
                .dataSource,
                attributes: ["zimbraDataSourceName": ["Old"], "zimbraDataSourceFolderId": ["2"], "zimbraDataSourcePassword": ["AQAB"]]),
        ]
        for entry in entries { try place.server.addChild(entry, toAccount: "bob@example.com") }
        #expect(place.zx("init").status == .successful)
        #expect(place.zx("serve", "--once").status == .successful)
        let shown = place.zx("getAccountInfo", "bob@example.com")
        #expect(shown.text.contains("\t\tsignature Work\n\t\t\tzimbraPrefMailSignature                                     Bob\\nB.\n"))
        #expect(shown.text.contains("\t\tidentity Sales\n") && shown.text.contains("\t\tdata source Old\n"))
        #expect(shown.text.contains("\t\t\tzimbraDataSourcePassword                                    VALUE-BLOCKED\n"))
        let json = place.zx("getAccountInfo", "bob@example.com", "--json")
        #expect(json.text.contains(#""zimbraDataSourcePassword":["VALUE-BLOCKED"]"#) && json.text.contains(#""identities":[{"#))
        for text in [shown.text, json.text] { #expect(!text.contains("AQAB") && !text.contains("{SSHA}hash")) }

        try place.server.close()
        let with = place.zx("doRestoreOnNewAccount", "bob@example.com", "b2@example.com", "last")
        #expect(with.status == .successful && with.text.contains("Restored Settings: "), "\(with.errors)")
        let without = place.zx("--json", "doRestoreOnNewAccount", "bob@example.com", "b3@example.com", "last", "restore_datasource", "false")
        #expect(without.status == .successful && without.text.contains(#""unrestored_settings":[]"#), "\(without.errors)\(without.text)")
        #expect(try place.server.findAccount("b2@example.com")?.children.map(\.name) == ["Work", "Sales", "Old"])
        #expect(try place.server.findAccount("b3@example.com")?.children.map(\.name) == ["Work", "Sales"])
    }

    @Test("Unknown accounts and items are refused in words")
    func unknown() throws {
        let place = try Workplace()
        #expect(place.zx("getItem", "bob@example.com", "1").errors.contains("backup"))
        #expect(place.zx("init").status == .successful)
        #expect(place.zx("getItem", "bob@example.com", "1").errors.contains("no account of the backup has this name or id"))
        _ = try place.server.createAccount(name: "bob@example.com")
        _ = try place.server.openMailbox("bob@example.com")
        #expect(place.zx("serve", "--once").status == .successful)
        let item = place.zx("getItem", "bob@example.com", "99999")
        #expect(item.status == .failed)
        #expect(item.errors == "account bob@example.com has no item 99999 in the backup\n")
        #expect(place.zx("getItem", "bob@example.com", "2", "date", "01/01/2001 00:00:00").errors.contains("at that date"))
    }

    @Test("An account list in a file, one account a line")
    func accountFile() throws {
        let place = try Workplace()
        _ = try place.server.createAccount(name: "bob@example.com")
        _ = try place.server.createAccount(name: "ann@other.org")
        #expect(place.zx("init").status == .successful)
        #expect(place.zx("serve", "--once").status == .successful)
        let file = place.folder.appending("accounts.txt").string
        let result = place.zx("getAvailableAccounts", "output_file", file, "output_headers", "accountList")
        #expect(result.status == .successful, "\(result.errors)")
        #expect(try String(contentsOfFile: file, encoding: .utf8) == "ann@other.org\nbob@example.com\n")
        #expect(place.zx("getAvailableAccounts", "domains", "other.org", "output_headers", "accountList").text == "\taccounts\n\t\tann@other.org\n")
        #expect(place.zx("getAvailableAccounts", "hide_existing_accounts", "true").text == "\taccounts\n")
    }
}
