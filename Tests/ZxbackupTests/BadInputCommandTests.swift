import BackupCore
import BackupStore
import Foundation
import SandboxServer
import SystemPackage
import Testing

@testable import zxbackup

@Suite("Bad input: commands, accounts, items, dates and names, as an administrator meets them")
struct BadInputCommandTests {
    /// A server with Bob's mailbox and one message, backed up.
    private func workplace(options: SandboxServer.Options = .init()) throws -> (place: Workplace, item: Int64) {
        let place = try Workplace(options: options)
        _ = try place.server.createAccount(name: "bob@example.com")
        let item = try place.server.deliver(Workplace.message("One"), to: ["bob@example.com"])[0].itemID
        #expect(place.zx("init").status == .successful)
        #expect(place.zx("serve", "--once").status == .successful)
        try place.server.close()  // One process or object writes at a time; the next operation opens it again.
        return (place, item)
    }

    @Test("An unknown command or parameter, or a value that is none: the reason, the help, exit status 64, and nothing is done",
        arguments: [
        ["getItm", "bob@example.com", "257"],
        ["doRestoreOnNewAccount", "bob@example.com", "bob2@example.com", "last", "colour", "red"],
        ["doRestoreOnNewAccount", "bob@example.com", "bob2@example.com", "last", "hide_in_gal", "perhaps"],
        ["doRestoreOnNewAccount", "bob@example.com", "bob2@example.com"],
        ["doExportMailbox", "bob@example.com", "OUT", "format", "zip"],
        ["doExportMailbox", "bob@example.com", "OUT", "--format"], ["getItem", "bob@example.com", "two"],
        ["doItemRestore", "bob@example.com", "99999999999999999999"],
        ["doExportMailbox", "bob@example.com", "OUT", "date", "31/02/2026 10:00:00"],
        ["--colour", "init"], ["doUndelete", "bob@example.com", "yesterday", "last"],
    ])
    func notUnderstood(_ words: [String]) throws {
        let (place, _) = try workplace()
        let out = place.folder.appending("out").string
        let words = words.map { $0 == "OUT" ? out : $0 }
        let result = try BuiltProgram.run(["--config", place.config] + words)
        #expect(result.status == 64 && result.output.isEmpty, "\(words)")
        let reason = result.errors.split(separator: "\n").first.map(String.init) ?? ""
        #expect(words.contains { reason.contains($0.trimmingCharacters(in: ["-"])) }, "the word that is wrong: \(reason)")
        #expect(!FileManager.default.fileExists(atPath: out))
        #expect(try place.server.findAccount("bob2@example.com") == nil)
        let whole = place.zx("doRestoreOnNewAccount", "bob@example.com", "bob2@example.com", "last")
        #expect(whole.text.contains("Restored Items: 1\n"), "\(whole.errors)")
    }

    @Test("An unknown account: each command names it and says how to list them, and makes nothing", arguments: [
        ["getItem", "nobody@example.com", "257"], ["getAccountInfo", "nobody@example.com"],
        ["doExportMailbox", "nobody@example.com", "OUT"],
        ["doRestoreOnNewAccount", "nobody@example.com", "bob2@example.com", "last"],
        ["doUndelete", "nobody@example.com", "first", "last"],
        ["doRestoreDeletedAccount", "nobody@example.com", "bob2@example.com"], ["doItemRestore", "nobody@example.com", "257"],
    ])
    func unknownAccount(_ words: [String]) throws {
        let (place, _) = try workplace()
        let out = place.folder.appending("out").string
        let result = run(["--config", place.config] + words.map { $0 == "OUT" ? out : $0 })
        #expect(result.status == .failed && result.text.isEmpty)
        let reason = "looking for an account in the backup: nobody@example.com: no account of the backup has this name or id"
        #expect(result.errors.contains(reason))
        #expect(result.errors.contains("getAvailableAccounts lists them"))
        #expect(!FileManager.default.fileExists(atPath: out))
        #expect(try place.server.findAccount("bob2@example.com") == nil)
        let listed = place.zx("getAvailableAccounts", "output_headers", "accountList")
        #expect(listed.text == "\taccounts\n\t\tbob@example.com\n")
    }

    @Test("An unknown item, and one that was not there yet, are told apart and refused")
    func unknownItem() throws {
        let (place, item) = try workplace()
        try place.server.close()
        let none = place.zx("getItem", "bob@example.com", "99999")
        #expect(none.status == .failed && none.errors == "account bob@example.com has no item 99999 in the backup\n")
        let restored = place.zx("doItemRestore", "bob@example.com", "99999")
        #expect(restored.status == .failed && restored.errors.contains("item 99999 of bob@example.com"), "\(restored.errors)")
        #expect(restored.errors.contains("the backup has no such item")
            && restored.errors.contains("getItem bob@example.com 99999 date all"))
        let early = place.zx("getItem", "bob@example.com", "\(item)", "date", "01/01/2001 00:00:00")
        #expect(early.status == .failed && early.errors.contains("has no item \(item) in the backup at that date"))
        #expect(place.zx("getItem", "bob@example.com", "\(item)").status == .successful)
    }

    private static let dated = [
        ["getItem", "bob@example.com", "257", "date"], ["getAccountInfo", "bob@example.com", "date"],
        ["getAvailableAccounts", "date"],
        ["doExportMailbox", "bob@example.com", "OUT", "date"], ["doRestoreOnNewAccount", "bob@example.com", "bob2@example.com"],
        ["doItemRestore", "bob@example.com", "257", "date"], ["doUndelete", "bob@example.com", "first"],
        ["getAvailableDomains", "--backup_path", "BACKUP", "--date"],
    ]

    @Test("A date in the future is refused in words, and nothing is made", arguments: dated)
    func future(_ words: [String]) throws {
        let (place, item) = try workplace()
        try place.server.close()
        let out = place.folder.appending("out").string
        let words = ["--config", place.config] + words.map {
            $0 == "OUT" ? out : $0 == "BACKUP" ? place.backup : $0 == "257" ? "\(item)" : $0
        }
        let result = run(words + ["31/12/2199 23:59:59"])
        #expect(result.status == .failed && result.text.isEmpty, "\(result.text)")
        #expect(result.errors.contains("31/12/2199 23:59:59: it lies in the future"), "\(result.errors)")
        #expect(result.errors.contains("'last' means the latest state"), "\(result.errors)")
        #expect(!FileManager.default.fileExists(atPath: out))
        #expect(try place.server.findAccount("bob2@example.com") == nil)
        let whole = place.zx("doRestoreOnNewAccount", "bob@example.com", "bob2@example.com", "last")
        #expect(whole.text.contains("Restored Items: 1\n"), "\(whole.errors)")
    }

    @Test("A search up to a second that has not come yet is refused, too", arguments: ["before", "after"])
    func futureSearch(_ parameter: String) throws {
        let (place, _) = try workplace()
        let result = place.zx("doItemSearch", "bob@example.com", parameter, "31/12/2199 23:59:59")
        #expect(result.status == .failed && result.text.isEmpty)
        #expect(result.errors.contains("31/12/2199 23:59:59: it lies in the future"), "\(result.errors)")
        #expect(result.errors.contains("Without \(parameter), all until now is searched"))
    }

    @Test("A date before the first scan is refused with the date from which on the account is known, and nothing is made",
        arguments: [
        ["doExportMailbox", "bob@example.com", "OUT", "date", "DATE"],
        ["doRestoreOnNewAccount", "bob@example.com", "bob2@example.com", "DATE"],
        ["doItemRestore", "bob@example.com", "257", "date", "DATE"],
    ])
    func beforeFirstScan(_ words: [String]) throws {
        let (place, _) = try workplace()
        try place.server.close()
        let out = place.folder.appending("out").string
        for date in ["01/01/2001 00:00:00", "2001-01-01T00:00:00Z"] {
            let result = run(["--config", place.config] + words.map { $0 == "OUT" ? out : $0 == "DATE" ? date : $0 })
            #expect(result.status == .failed && result.text.isEmpty)
            #expect(result.errors.contains("the backup knows the account from its first scan on, "), "\(result.errors)")
            #expect(result.errors.contains("Choose that moment or a later one"), "\(result.errors)")
        }
        #expect(!FileManager.default.fileExists(atPath: out))
        #expect(try place.server.findAccount("bob2@example.com") == nil)
    }

    /// Central Europe, without the machine's own time zones: on 25/10/2026 the hour from 2 to 3 occurs twice.
    private static let zone = ["TZ": "CET-1CEST,M3.5.0,M10.5.0/3"]

    @Test("R14: of an hour that occurs twice it is said which second was taken, and how the other is named; both are to be had")
    func hourTwice() throws {
        // In the first of the two hours Bob has no folder yet, in the second he has one.
        let first = Int64(1_761_438_600_000)  // 26/10/2025 02:30:00 +02:00
        let time = TestClock(first)
        var options = SandboxServer.Options()
        options.clock = { time.milliseconds }
        let place = try Workplace(options: options)
        _ = try place.server.createAccount(name: "bob@example.com")
        let mailbox = try place.server.openMailbox("bob@example.com")
        #expect(place.zx("init").status == .successful)
        try place.server.rollOver()
        time.milliseconds += 1_800_000
        let folder = try mailbox.createFolder(named: "Early")
        time.milliseconds += 1_800_000  // 02:30:00 +01:00
        try mailbox.renameFolder(folder, to: "Late")
        try place.server.close()
        // Without its inventory the log alone is the source, with the times that it tells.
        let log = place.folder.appending("log.yaml").string
        try Data("server: {kind: log, path: server/redolog}\nbackupPath: replayed\nstateFolder: state\n".utf8)
            .write(to: URL(fileURLWithPath: log))
        func zx(_ words: String...) throws -> (status: Int32, text: String, errors: String) {
            let result = try BuiltProgram.run(["--config", log] + words, environment: Self.zone)
            return (result.status, String(decoding: result.output, as: UTF8.self), result.errors)
        }
        #expect(try zx("init").status == 0)
        let served = try zx("serve", "--once")
        #expect(served.status == 0, "\(served.errors)")

        let id = try #require(try place.server.findAccount("bob@example.com")?.id)
        let text = "26/10/2025 02:40:00"
        let twice = try zx("getItem", id, "\(folder)", "date", text)
        #expect(twice.errors.hasPrefix(
            "parameter date: '\(text)' occurs twice, because the clock was put back: taken is the earlier one, "
            + "2025-10-26T02:40:00+02:00. To mean the later one, give 2025-10-26T02:40:00+01:00\n"), "\(twice.errors)")
        #expect(twice.status == 1, "the folder came at 02:00:00 +01:00")
        let later = try zx("getItem", id, "\(folder)", "date", "2025-10-26T02:40:00+01:00")
        #expect(later.status == 0 && later.errors.isEmpty && later.text.contains("Late"), "\(later.errors)")
        let once = try zx("getItem", id, "\(folder)", "date", "26/10/2025 03:00:00")
        #expect(once.status == 0 && once.errors.isEmpty, "\(once.errors)")
        let never = try zx("getItem", id, "\(folder)", "date", "29/03/2026 02:30:00")
        #expect(never.status == 64 && never.errors.contains("there is no such day or time in the server's time zone"),
            "\(never.errors)")
    }

    @Test("Two accounts that had one name: the living one is meant, the other is named with its id, and both are to be had")
    func sameName() throws {
        let (place, first) = try workplace()
        let old = try #require(try place.server.findAccount("bob@example.com")?.id)
        try place.server.deleteAccount("bob@example.com")
        _ = try place.server.createAccount(name: "bob@example.com")
        let new = try #require(try place.server.findAccount("bob@example.com")?.id)
        _ = try place.server.deliver(Workplace.message("Two"), to: ["bob@example.com"])
        let served = place.zx("serve", "--once")
        #expect(served.status == .successful, "\(served.errors)")
        try place.server.close()

        let listed = place.zx("getAvailableAccounts").text
        #expect(listed.contains(old + " (deleted)") && listed.contains(new + "\n"), "\(listed)")
        let warning = "Other accounts had the name bob@example.com, too (\(old)). Meant is \(new), which is alive; give an id"
        #expect(place.zx("getAccountInfo", "bob@example.com").errors.contains(warning))
        let byName = place.zx("doRestoreOnNewAccount", "bob@example.com", "new@example.com", "last")
        #expect(byName.status == .successful && byName.text.contains(warning) && byName.text.contains("bob@example.com (\(new))"),
            "\(byName.text)")
        let byID = place.zx("doRestoreDeletedAccount", old, "old@example.com")
        #expect(byID.status == .successful && !byID.text.contains("Other accounts"), "\(byID.errors)\(byID.text)")
        for (account, subject) in [("new@example.com", "Two"), ("old@example.com", "One")] {
            #expect(try place.server.openMailbox(account).items(inFolder: 2).map(\.subject) == [subject])
        }
        #expect(place.zx("getItem", old, "\(first)", "dump_blob", "true").text.contains("Subject: One"))

        try place.server.deleteAccount("bob@example.com")
        #expect(place.zx("serve", "--once").status == .successful)
        try place.server.close()
        let both = place.zx("getAccountInfo", "bob@example.com")
        #expect(both.errors.contains("Meant is \(new), which changed last"), "\(both.errors)")
    }

    @Test("Names in the output cannot drive the terminal, break its lines or turn the direction of reading")
    func terminal() throws {
        let place = try Workplace()
        let odd = "\u{1B}[2J\u{7}\u{9B}31m\u{202E}gpj.exe\u{2066}\u{200F}\u{2028}x"
        _ = try place.server.createAccount(
            name: "bob@example.com", attributes: ["displayName": [odd + "\n\tdeleted  true"], "zimbra\u{1B}c": ["x"]])
        let item = try place.server.deliver(Workplace.message("a\(odd)b"), to: ["bob@example.com"])[0].itemID
        #expect(place.zx("init").status == .successful)
        #expect(place.zx("serve", "--once").status == .successful)
        try place.server.close()
        let printed = [
            place.zx("getItem", "bob@example.com", "\(item)"), place.zx("--json", "getItem", "bob@example.com", "\(item)"),
            place.zx("getAccountInfo", "bob@example.com"), place.zx("--json", "getAccountInfo", "bob@example.com"),
            place.zx("getItem", odd, "257"), place.zx(odd), place.zx("getItem", "bob@example.com", "257", odd, "x"),
            place.zx("doExportMailbox", "bob@example.com", place.folder.appending("no/" + odd).string),
            place.zx("doRestoreOnNewAccount", "bob@example.com", "\u{1B}[2J@example.com", "last"),
        ]
        var texts = printed.flatMap { [$0.text, $0.errors] }
        for words in [["show", "server", "bob@example.com", "2"], ["deliver", "server", "--to", odd + "@example.com", odd]] {
            let result = try BuiltProgram.run(["sandbox"] + words, in: place.folder.string)
            texts += [String(decoding: result.output, as: UTF8.self), result.errors]
        }
        for text in texts {
            #expect(!text.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n"
                && $0 != "\t" || (0x7F...0x9F).contains($0.value) })
            #expect(text.unicodeScalars.allSatisfy { !["\u{202E}", "\u{2066}", "\u{200F}", "\u{2028}"].contains($0) },
                "\(text.debugDescription)")
        }
        let shown = #"\u001b[2J\u0007\u009b31m\u202egpj.exe\u2066\u200f\u2028x"#
        // Of a subject the mail parser has already taken the C0 characters away.
        let subject = #"\u009b31m\u202egpj.exe\u2066\u200f"#
        #expect(printed[0].text.contains(subject) && printed[1].text.contains(subject), "\(printed[0].text)")
        #expect(printed[2].text.contains(shown + #"\n\tdeleted  true"# + "\n") && printed[4].errors.contains(shown))
        #expect(printed[3].text.contains(#""displayName":[""# + shown + #"\n\tdeleted  true"]"#), "\(printed[3].text)")
        #expect(texts[18].contains(subject), "\(texts[18])")
        // What was shown escaped is kept as it was.
        let reader = try StoreReader(opening: FilePath(place.backup))
        defer { reader.close() }
        #expect(try BackedUpAccount.find("bob@example.com", in: reader).entry["displayName"] == odd + "\n\tdeleted  true")
    }
}

/// A clock that a test sets.
final class TestClock: @unchecked Sendable {
    // Unchecked: one test, one thread.
    var milliseconds: Int64
    init(_ milliseconds: Int64) { self.milliseconds = milliseconds }
}
