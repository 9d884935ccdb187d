import BackupCore
import BackupStore
import Foundation
import ServerTestbed
import SystemPackage
import Testing

@testable import zxbackup

@Suite("Commands about the server's configuration")
struct ConfigurationCommandTests {
    /// A backup path with the histories of a small directory, and archives.
    private final class Path {
        let folder: FilePath
        var path: FilePath { folder.appending("backup") }

        init() throws {
            folder = FilePath(FileManager.default.temporaryDirectory.appending(path: "zxconf-\(UUID().uuidString)").path)
            try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
            try StoreWriter.create(path, serverID: "server-1")
            let store = try StoreWriter(opening: path, serverID: "server-1")
            func keep(_ entry: ConfigurationEntry, second: Int64, deleted: Bool = false) throws {
                try store.append(
                    StoreTransaction(
                        account: nil, time: second * 1000, kind: "scan",
                        states: [NewState(key: entry.key, fields: entry.fields(deleted: deleted))]))
            }
            var server = ConfigurationEntry(
                kind: .servers, id: "s1", name: "mail.example.com", dn: "cn=mail.example.com,cn=servers,cn=zimbra",
                attributes: [
                    "cn": ["mail.example.com"], "zimbraMailMode": ["http"], "zimbraServiceEnabled": ["mailbox", "mta"],
                    "zimbraSSLPrivateKey": ["-----BEGIN"],
                ])
            try keep(server, second: 1_393_556_474)
            server.attributes["zimbraMailMode"] = ["both"]
            try keep(server, second: 1_393_642_874)
            server.attributes["zimbraNotes"] = ["first\nsecond \u{1B}[31m"]
            try keep(server, second: 1_393_729_274)
            var other = server
            (other.id, other.name, other.attributes["zimbraMailMode"]) = ("s2", "mail2.example.com", ["https"])
            try keep(other, second: 1_393_556_475)
            try keep(
                ConfigurationEntry(
                    kind: .config, id: ConfigurationEntry.id(ofDN: "cn=config,cn=zimbra"), name: "cn=config,cn=zimbra", dn: "cn=config,cn=zimbra",
                    attributes: ["zimbraMailMode": ["https"]]), second: 1_393_556_476)
            for (name, notes) in [("default", "standard"), ("nobackup", "x \(BackupSwitches.marker)")] {
                try keep(
                    ConfigurationEntry(
                        kind: .cos, id: "c-\(name)", name: name, dn: "cn=\(name),cn=cos,cn=zimbra",
                        attributes: ["cn": [name], "zimbraNotes": [notes], "zimbraMailQuota": ["0"]]), second: 1_393_556_477)
            }
            let gone = ConfigurationEntry(kind: .cos, id: "c-gone", name: "gone", dn: "cn=gone,cn=cos,cn=zimbra", attributes: ["cn": ["gone"]])
            try keep(gone, second: 1_393_556_478)
            try keep(gone, second: 1_393_556_479, deleted: true)
            for (kind, name, second) in [
                (ServerArchive.Kind.customizations, "customizations_28_02_14#04_00_00.tar.gz", 1_393_556_400 as Int64),
                (.customizations, "customizations_01_03_14#04_00_00.tar.gz", 1_393_642_800), (.directory, "ldap_dump_01_03_14#04_00_01.ldif.gz", 1_393_642_801),
            ] {
                _ = try store.keepArchive(kind, named: name, at: second * 1000) { write in
                    try Array("content".utf8).withUnsafeBytes { try write($0) }
                }
            }
            try store.commit()
            try store.close()
        }

        deinit { try? FileManager.default.removeItem(atPath: folder.string) }  // A temporary folder.

        func zx(_ words: String...) -> (status: CommandStatus, text: String, errors: String) {
            run(["--backup-path", path.string] + words)
        }

        /// What it prints, where the folder's name does not stand.
        func text(_ words: String...) -> String {
            let result = run(["--backup-path", path.string] + words)
            // Of any length in any time zone.
            return stable(result.errors + result.text, [folder.string: "/tmp"])
                .replacingOccurrences(of: "<TIME> [A-Z0-9+-]+", with: "<TIME>", options: .regularExpression)
                .replacingOccurrences(of: "_{4,}", with: "____", options: .regularExpression)
        }
    }

    /// Lines as `key value`, without what lies between.
    private func pairs(_ text: String) -> [[String]] {
        text.split(separator: "\n").map { line in
            guard let start = line.firstRange(of: "____") else { return [String(line)] }
            let value = line[start.lowerBound...].drop { $0 == "_" }
            return [String(line[..<start.lowerBound]), String(value)]
        }
    }

    @Test("getServerConfig standard: as administrators know it")
    func snapshots() throws {
        let path = try Path()
        try expectSnapshot(path.text("getServerConfig", "standard"), "getServerConfig.txt")
        try expectSnapshot(path.text("getServerConfig", "standard", "verbose", "true", "query", "cosConfig"), "getServerConfig-verbose.txt")
        try expectSnapshot(path.text("--json", "getServerConfig", "standard", "query", "serverConfig/mail.example.com"), "getServerConfig-json.txt")
        try expectSnapshot(path.text("getServerConfig", "customizations", "date", "all", "verbose", "true"), "getServerConfig-customizations.txt")
        try expectSnapshot(path.text("--json", "getServerConfig", "customizations"), "getServerConfig-customizations-json.txt")
        try expectSnapshot(path.text("getCOSBackupStatus"), "getCOSBackupStatus.txt")
        try expectSnapshot(path.text("--json", "getCOSBackupStatus"), "getCOSBackupStatus-json.txt")
        let one = path.zx("getServerConfig", "standard", "date", "last", "query", "serverConfig/zimbraMailMode/mail.example.com")
        let lines = one.text.split(separator: "\n")
        #expect(lines.count == 2 && lines.allSatisfy { $0.count == 121 }, "\(one)")
        #expect(lines[1].hasPrefix("mail.example.com____") && lines[1].hasSuffix("____both"))
    }

    @Test("query: section, attribute and entry, in either order, any of them left out")
    func queries() throws {
        let path = try Path()
        func ask(_ query: String, _ more: String...) -> [[String]] {
            pairs(run(["--backup-path", path.path.string, "getServerConfig", "standard", "query", query] + more).text).filter { $0[0] != "config date" }
        }
        #expect(ask("serverConfig/zimbraMailMode/mail2.example.com") == [["mail2.example.com", "https"]])
        #expect(ask("SERVERCONFIG/mail2.example.com/zimbramailmode") == [["mail2.example.com", "https"]])
        #expect(ask("serverConfig/zimbraMailMode") == [["mail.example.com", "both"], ["mail2.example.com", "https"]])
        #expect(ask("globalConfig/zimbraMailMode") == [["cn=config,cn=zimbra", "https"]])
        #expect(ask("cosConfig/default").contains(["zimbraMailQuota", "0"]))
        #expect(ask("serverConfig/zimbraServiceEnabled/s1") == [["mail.example.com", "mailbox"], ["mail.example.com", "mta"]])
        // Secrets stay secret, and no value forges a line or a colour.
        #expect(ask("serverConfig/zimbraSSLPrivateKey/s1") == [["mail.example.com", "VALUE-BLOCKED"]])
        let notes = ask("serverConfig/zimbraNotes/s1")
        #expect(notes.count == 1 && !notes[0][1].contains("\u{1B}"), "\(notes)")
        #expect(path.zx("getServerConfig", "standard", "query", "serverConfig/zimbraMailMode/s1", "colors", "true").text.hasPrefix("\u{1B}[1;34mconfig date\u{1B}[0m____"))
        #expect(ask("/").count > 12)
        for query in ["serverConfig/zimbraMailMode/nobody", "cosConfig/gone", "zimletConfig"] {
            let result = path.zx("getServerConfig", "standard", "query", query)
            #expect(result.status == .failed && result.errors.contains("nothing of the configuration"), "\(query)")
        }
        for query in ["nothingConfig", "serverConfig/a/b/c"] {
            let result = path.zx("getServerConfig", "standard", "query", query)
            #expect(result.status == .failed && result.errors.contains("reading a query"), "\(result)")
        }
    }

    @Test("date: the last state, that of a second, and every one in which what is asked for was another")
    func dates() throws {
        let path = try Path()
        func modes(_ date: String) -> [[String]] {
            pairs(run(["--backup-path", path.path.string, "getServerConfig", "standard", "date", date, "query", "serverConfig/zimbraMailMode/s1"]).text)
                .map { $0[0] == "config date" ? ["at"] : $0 }
        }
        #expect(modes("2014-02-28T03:01:14Z") == [["at"], ["mail.example.com", "http"]])
        #expect(modes("2014-03-01T03:01:13Z") == [["at"], ["mail.example.com", "http"]])
        #expect(modes("2014-03-01T03:01:14Z") == [["at"], ["mail.example.com", "both"]])
        #expect(modes("all") == [["at"], ["mail.example.com", "http"], ["at"], ["mail.example.com", "both"]])
        #expect(modes("2014-02-28T03:01:13Z").isEmpty)
        let gone = path.zx("getServerConfig", "standard", "date", "all", "query", "cosConfig/gone")
        #expect(pairs(gone.text).last == ["gone", "deleted"])
        let refused = path.zx("getServerConfig", "standard", "date", "change:4")
        #expect(refused.status == .usage)
        let older = path.zx("getServerConfig", "customizations", "date", "2014-02-28T12:00:00Z")
        #expect(older.text.contains("customizations_28_02_14") && !older.text.contains("customizations_01_03_14"))
        #expect(path.zx("getServerConfig", "customizations", "date", "2013-01-01T00:00:00Z").status == .failed)
        #expect(path.zx("getServerConfig", "customizations", "query", "x").status == .usage)
        #expect(path.zx("getServerConfig", "everything").status == .usage)
    }

    @Test("file: a dump of the directory, folded and encoded as the standard allows; what is none is refused in words")
    func files() throws {
        let path = try Path()
        let file = path.folder.appending("dump.ldif").string
        func ask(_ text: String) throws -> (status: CommandStatus, text: String, errors: String) {
            try Data(text.utf8).write(to: URL(fileURLWithPath: file))
            return path.zx("getServerConfig", "standard", "file", file, "query", "cosConfig/zimbraNotes/gold")
        }
        let entry = "# a comment\ndn: cn=go\n ld,cn=cos,cn=zimbra\r\nobjectClass: zimbraCOS\ncn: gold\nzimbraId: AB\nzimbraNotes:: \(Data("ä b".utf8).base64EncodedString())\n\ndn: cn=x\ncn: x\n"
        #expect(pairs(try ask(entry).text).last == ["gold", "ä b"])
        #expect(pairs(try ask("version: 1\n\n" + entry).text).last == ["gold", "ä b"])
        for text in ["no colon\n", "dn: cn=a\nx:: !!!\n", "\u{1F}\u{8B}no gzip"] {
            let result = try ask(text)
            #expect(result.status == .failed, "\(text)")
        }
        #expect(path.zx("getServerConfig", "standard", "file", "/nonexistent").errors.contains("reading a dump of the directory"))
    }

    @Test("getCOSBackupStatus of one, by name or id, and of none")
    func cos() throws {
        let path = try Path()
        #expect(path.zx("getCOSBackupStatus", "cos_name", "NoBackup").text.contains("disabled"))
        #expect(path.zx("getCOSBackupStatus", "cos_name", "c-default").text.contains("enabled"))
        let none = path.zx("getCOSBackupStatus", "cos_name", "gone")
        #expect(none.status == .failed && none.errors.contains("knows no COS of this name"))
    }

    @Test(
        "On a live server: doBackupLDAP, doBackupCluster, doBackupServerCustomizations, doEnableDisableCOS, and what they leave to be read",
        .enabled(if: Testbed.isAvailable, "MariaDB and OpenLDAP are not installed"))
    func live() throws {
        let testbed = try Testbed()
        defer { testbed.remove() }
        try testbed.loadSampleDirectory()
        let folder = FilePath(FileManager.default.temporaryDirectory.appending(path: "zxconf-\(UUID().uuidString)").path)
        try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder.string) }  // A temporary folder.
        let config = folder.appending("zxbackup.yaml").string
        try Data("server: {kind: zimbra, path: \(testbed.home)}\nbackupPath: backup\nstateFolder: state\n".utf8)
            .write(to: URL(fileURLWithPath: config))
        func zx(_ words: String...) -> (status: CommandStatus, text: String, errors: String) { run(["--config", config] + words) }

        #expect(zx("init").status == .successful)
        let cluster = zx("--json", "doBackupCluster", "start")
        #expect(cluster.status == .successful && cluster.text.contains("\"deleted_entries\":0"), "\(cluster)")
        #expect(zx("--json", "doBackupCluster").text.contains("\"changed_entries\":0"))
        #expect(zx("getServerConfig", "standard", "query", "cosConfig/gold/zimbraMailQuota").text.contains("gold____"))
        let dump = zx("doBackupLDAP", "start")
        #expect(dump.status == .successful && dump.text.contains("ldap_dump_"), "\(dump)")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.appending("backup/server").string)
        let file = folder.appending("backup/server").appending(try #require(names.first)).string
        #expect(zx("getServerConfig", "standard", "file", file, "query", "cosConfig/gold/zimbraMailQuota").text.contains("gold____"))
        let customized = zx("doBackupServerCustomizations")
        #expect(customized.status == .successful && customized.text.contains("customizations_"), "\(customized)")
        #expect(zx("getServerConfig", "customizations").text.contains("customizations_"))

        #expect(zx("getCOSBackupStatus", "cos_name", "gold").text.contains("enabled"))
        #expect(zx("doEnableDisableCOS", "gold", "disable").status == .successful)
        #expect(zx("getCOSBackupStatus", "cos_name", "gold").text.contains("disabled"))
        let enabled = zx("doEnableDisableCOS", "gold", "enable")
        #expect(enabled.status == .successful && enabled.text.contains("accounts scanned"), "\(enabled)")
        #expect(zx("getCOSBackupStatus", "cos_name", "gold").text.contains("enabled"))
        #expect(zx("doEnableDisableCOS", "nothing", "enable").status == .failed)
        let check = zx("doCoherencyCheck", folder.appending("backup").string)
        #expect(check.status == .successful, "\(check)")
    }

    @Test("A server that has no directory of its own says so")
    func sandbox() throws {
        let place = try Workplace()
        #expect(place.zx("init").status == .successful)
        for command in ["doBackupLDAP", "doBackupServerCustomizations"] {
            let result = place.zx(command)
            #expect(result.status == .failed && result.errors.contains("this server has no"), "\(result)")
        }
        let cos = place.zx("doEnableDisableCOS", "gold", "disable")
        #expect(cos.status == .failed && cos.errors.contains("this server has no COS"))
        #expect(place.zx("doBackupCluster").status == .successful)
    }
}
