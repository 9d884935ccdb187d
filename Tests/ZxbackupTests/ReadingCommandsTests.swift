import BackupCore
import BackupStore
import Foundation
import SandboxServer
import SystemPackage
import Testing

@testable import zxbackup

@Suite("Commands that read a backup path")
struct ReadingCommandsTests {
    /// Bob's mailbox: a folder emptied, a message deleted, one alive; and an account that is gone.
    private func workplace() throws -> (place: Workplace, deleted: Int64, alive: Int64) {
        let place = try Workplace()
        _ = try place.server.createAccount(name: "bob@example.com")
        _ = try place.server.createAccount(name: "eve@other.org")
        let mailbox = try place.server.openMailbox("bob@example.com")
        #expect(place.zx("init").status == .successful)
        #expect(place.zx("serve", "--once").status == .successful)
        let work = try mailbox.createFolder(named: "Work")
        let deleted = try place.server.deliver(
            Workplace.message("The Contract", "see inside"), to: ["bob@example.com"], date: 1_393_582_510_000)[0].itemID
        let alive = try place.server.deliver(
            Workplace.message("Lunch"), to: ["bob@example.com"], date: 1_393_582_511_000)[0].itemID
        try mailbox.move([deleted], to: work)
        try mailbox.alterTag("red", add: true, of: [alive])
        try mailbox.delete([deleted])
        try place.server.deleteAccount("eve@other.org")
        #expect(place.zx("serve", "--once").status == .successful)
        try place.server.close()
        return (place, deleted, alive)
    }

    private func ids(_ place: Workplace, _ words: String...) throws -> [Int64] {
        let result = run(["--config", place.config, "--json", "doItemSearch", "bob@example.com"] + words)
        #expect(result.status == .successful, "\(result.errors)")
        let document = try #require(try JSONValue(json: result.text.trimmed()).object)
        let items = try #require(document["items"]?.array).compactMap { $0.object?["id"]?.int }
        #expect(document["found"]?.int == Int64(items.count))
        return items
    }

    @Test("doItemSearch finds by id, text, type, time of the last change, and alive or deleted")
    func searches() throws {
        let (place, deleted, alive) = try workplace()
        #expect(try ids(place) == [deleted], "deleted messages by default")
        #expect(try ids(place, "search_filter", "all") == [deleted, alive])
        #expect(try ids(place, "search_filter", "NOT_deleted") == [alive])
        #expect(try ids(place, "id", "\(alive)") == [])
        #expect(try ids(place, "id", "\(alive)", "search_filter", "all") == [alive])
        #expect(try ids(place, "id", "99999", "search_filter", "all") == [])
        for text in ["Contract", "see inside", "Ann"] { #expect(try ids(place, "search_string", text) == [deleted], "\(text)") }
        for text in ["contract", "Lunch", "\u{1F980}"] { #expect(try ids(place, "search_string", text) == [], "\(text)") }
        #expect(try ids(place, "search_string", "red", "search_filter", "all") == [alive])
        #expect(try ids(place, "type", "contact", "search_filter", "all") == [])
        let folders = try ids(place, "type", "folder", "search_filter", "all", "search_string", "Work")
        #expect(folders.count == 1)
        #expect(Set(try ids(place, "type", "all", "search_filter", "all")).isSuperset(of: [deleted, alive, folders[0], 2]))
        #expect(try ids(place, "after", "01/01/2001 00:00:00") == [deleted])
        #expect(try ids(place, "before", "01/01/2001 00:00:00") == [])
        let change = try #require(
            try JSONValue(json: place.zx("--json", "getItem", "bob@example.com", "\(deleted)").text.trimmed())
                .object?["itemStates"]?.array?.last?.object?["change"]?.int)
        #expect(try ids(place, "after", "change:\(change)") == [deleted])
        #expect(try ids(place, "after", "change:\(change + 1)") == [])
        #expect(try ids(place, "before", "change:\(change)") == [])
        #expect(try ids(place, "before", "change:\(change + 1)") == [deleted])
    }

    @Test("doItemSearch refuses what it does not understand")
    func refusedSearches() throws {
        let (place, _, _) = try workplace()
        #expect(place.zx("doItemSearch", "nobody@example.com").errors.contains("no account of the backup has this name or id"))
        #expect(place.zx("doItemSearch", "bob@example.com", "type", "mail").status == .usage)
        #expect(place.zx("doItemSearch", "bob@example.com", "before", "last").status == .usage)
    }

    @Test("getAvailableDomains lists the domains that had an account at that date")
    func domains() throws {
        let (place, _, _) = try workplace()
        #expect(place.zx("getAvailableDomains", "last").status == .usage, "the path is mandatory")
        #expect(place.zx("getAvailableDomains", "01/01/2001 00:00:00", place.backup).text == "\tdomains\n")
        let now = place.zx("getAvailableDomains", "last", place.backup)
        #expect(now.text.contains("example.com") && !now.text.contains("other.org"), "\(now.text)\(now.errors)")
    }

    @Test("getMap shows which item became which, and refuses what is no id map")
    func map() throws {
        let (place, _, alive) = try workplace()
        #expect(place.zx("doRestoreOnNewAccount", "bob@example.com", "b2@example.com", "last").status == .successful)
        let folder = place.folder.appending("state/idmaps")
        let file = try #require(
            try FileManager.default.contentsOfDirectory(atPath: folder.string).first { $0.hasSuffix(".sqlite") })
        let copy = try place.server.openMailbox("b2@example.com")
        let new = try #require(try copy.items(inFolder: 2).first?.id)
        let path = folder.appending(file).string
        let shown = place.zx("getMap", path)
        #expect(
            shown.status == .successful && shown.text.contains("\t\t\(pad("\(alive)", 60))\(new)\n"),
            "\(shown.text)\(shown.errors)")
        let json = try #require(try JSONValue(json: place.zx("--json", "getMap", path).text.trimmed()).object)
        let map = try #require(json["maps"]?.array?.first?.object)
        #expect(map["items"]?.array?.contains(.object(["original": .int(alive), "new": .int(new)])) == true)
        #expect(map["source_account"]?.string == (try place.server.findAccount("bob@example.com"))?.id)

        for (path, reason) in [
            (place.config, "it is no id map"), (path + "x", "it cannot be read"), (folder.string, "it is no id map")
        ] {
            let refused = place.zx("getMap", path)
            #expect(refused.status == .failed && refused.errors.contains(reason), "\(path): \(refused.errors)")
        }
    }

    @Test("doCoherencyCheck says what is damaged, where and what to do, and fails; notes alone are no failure")
    func coherencyCheck() throws {
        let (place, deleted, alive) = try workplace()
        let path = FilePath(place.backup)
        let store = try StoreReader(opening: path)
        let bob = try #require(try store.accounts().first { try store.accountInfo($0)?.fields["name"]?.string == "bob@example.com" })
        store.close()
        try Data([1]).write(to: URL(fileURLWithPath: place.backup + "/notes.txt"))
        let noted = place.zx("doCoherencyCheck", place.backup)
        #expect(noted.status == .successful && noted.text.contains("\tnote: unexpectedFile\n"), "\(noted.text)")
        let name = "accounts/\(bob)/items/\(deleted < 10 ? "0" : "")\(deleted % 100)/\(deleted)"
        let file = URL(fileURLWithPath: place.backup + "/" + name)
        var bytes = try Data(contentsOf: file)
        bytes[50] ^= 1
        try bytes.write(to: file)
        let result = place.zx("doCoherencyCheck", place.backup, "--json")
        #expect(result.status == .failed)
        let document = try #require(try JSONValue(json: result.text.trimmed()).object)
        let finding = try #require(document["findings"]?.array?.compactMap(\.object).first { $0["kind"] == "lineDamaged" })
        #expect(finding["severity"] == "damage" && finding["file"] == .string(name) && finding["item"] == .int(deleted))
        #expect(finding["account"] == .string(bob) && finding["offset"] == 0 && finding["remedy"]?.string?.isEmpty == false)
        #expect(document["damaged"] == true && document["counts"]?.object?["unexpectedFile"] == 1)
        let shown = place.zx("doCoherencyCheck", place.backup)
        #expect(shown.status == .failed && shown.text.contains("\tdamage: lineDamaged\n") && shown.text.contains("damaged\n"))
        let refused = place.zx("doCoherencyCheck", place.backup, "notifications", "bob")
        #expect([.usage, .failed].contains(refused.status) && refused.errors.contains("notifications"), "\(refused.errors)")
        let his = place.zx("doCoherencyCheck", place.backup, "accounts", "bob@example.com")
        #expect(his.status == .failed && his.text.contains("\tdamage: lineDamaged\n"), "\(his)")
        #expect(run(["--config", place.config, "doCoherencyCheck", place.backup, "accounts", "all", "fixBackup", "false"]).status == .failed)
        #expect(alive != deleted)
        #expect(place.zx("doCoherencyCheck", place.folder.string).errors.contains("has no zxbackup.json"))
    }

    @Test(
        "Their outputs, for people and for programs",
        arguments: [
            ("getAvailableDomains", ["getAvailableDomains", "last", "BACKUP"]), ("getBackupInfo", ["getBackupInfo"]),
            ("doItemSearch", ["doItemSearch", "bob@example.com", "search_filter", "all"]),
            ("doCoherencyCheck", ["doCoherencyCheck", "BACKUP"]),
            ("doItemSearch-raw", ["doItemSearch", "bob@example.com", "raw_metadata", "true"]),
            ("getProperty", ["getProperty"]), ("setProperty", ["setProperty", "BACKUPcompressionlevel", "9"])
        ])
    func outputs(_ name: String, _ words: [String]) throws {
        let (place, _, _) = try workplace()
        let store = try StoreReader(opening: FilePath(place.backup))
        let names = [
            place.folder.string: "<FOLDER>", place.server.identity.id: "<SERVER>", try store.info().storeID: "<STORE>",
            try #require(try place.server.findAccount("bob@example.com")).id: "<BOB>"
        ]
        store.close()
        for (form, options) in [("", []), ("-json", ["--json"])] {
            let result = run(["--config", place.config] + options + words.map { $0 == "BACKUP" ? place.backup : $0 })
            #expect(result.status == .successful, "\(result.errors)")
            var text = stable(result.text, names)
            for (pattern, shown) in [
                (#"change_date( +|":)\d+"#, "change_date$1<TIME>"), (#"free (space|inodes) +.*"#, "free $1 <N>"),
                (#"(free_bytes|free_inodes|checkpoint_sequence|applied|oldestOpen|createTime)":\d+"#, "$1\":<N>"),
                (#"fingerprint":"[0-9a-f]+""#, "fingerprint\":<F>"), (#"up to byte \d+"#, "up to byte <N>"),
                (#"checkpoint +\d+"#, "checkpoint <N>")
            ] {
                text = text.replacingOccurrences(of: pattern, with: shown, options: .regularExpression)
            }
            try expectSnapshot(text, "\(name)\(form).txt")
        }
    }
}

@Suite("Properties")
struct PropertyCommandTests {
    @Test("A property that was set is shown, and survives; its default is told")
    func sets() throws {
        let place = try Workplace()
        #expect(place.zx("getProperty", "name", "backupcompressionlevel").text.hasSuffix(" 2\n"))
        #expect(!FileManager.default.fileExists(atPath: place.folder.appending("state").string), "reading makes nothing")
        #expect(place.zx("setProperty", "backupcompressionlevel", "7").status == .successful)
        #expect(place.zx("setProperty", "ZxBackup_RealTimeScanner", "FALSE").status == .successful)
        #expect(place.zx("getProperty", "backupCompressionLevel").text.hasSuffix(" 7 (default 2)\n"))
        #expect(
            place.zx("--json", "getProperty", "name", "zxbackup_realtimescanner").text
                == #"{"properties":[{"name":"ZxBackup_RealTimeScanner","value":false,"default":true}]}"# + "\n")
    }

    @Test(
        "Unknown names are refused with the nearest one, names without effect by name, values in words",
        arguments: [
            (["backupCompresionLevel", "3"], "unknown property 'backupCompresionLevel'; did you mean backupCompressionLevel?"),
            (["x", "3"], "unknown property 'x'. getProperty lists them"),
            (["backupnumberthreadsforaccounts", "2"], "property backupNumberThreadsForAccounts is not available yet"),
            (["backupCompressionLevel", "10"], "a number from 1 to 9 is expected"),
            (["backupCompressionLevel", "high"], "a whole number is expected"),
            (["ZxBackup_RealTimeScanner", "yes"], "true or false is expected"),
            (["ZxBackup_SpaceThreshold", "-1"], "a number from 0")
        ])
    func refusals(_ words: [String], _ reason: String) throws {
        let place = try Workplace()
        let result = run(["--config", place.config, "setProperty"] + words)
        #expect(result.status == .failed && result.errors.contains(reason), "\(result.errors)")
        #expect(!FileManager.default.fileExists(atPath: place.folder.appending("state").string))
    }
}
