import BackupCore
import BackupStore
import Foundation
import ServerTestbed
import SystemPackage
import Testing

@testable import ZimbraServer

@Suite("Histories of a real directory, in OpenLDAP", .enabled(if: Testbed.isAvailable, "MariaDB and OpenLDAP are not installed"))
struct DirectoryHistoryTests {
    /// A testbed with the sample directory, and a backup of it.
    private final class Bench {
        let testbed: Testbed
        let server: ZimbraServer
        let folder: FilePath
        private(set) var engine: BackupEngine

        init() throws {
            testbed = try Testbed()
            try testbed.loadSampleDirectory()
            server = try ZimbraServer(home: testbed.home)
            folder = FilePath(FileManager.default.temporaryDirectory.appending(path: "zxdir-\(UUID().uuidString)").path)
            try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
            try StoreWriter.create(folder.appending("backup"), serverID: server.identity.id)
            engine = try BackupEngine(
                source: server, store: try StoreWriter(opening: folder.appending("backup"), serverID: server.identity.id))
            try engine.begin()
            try engine.catchUp()
        }

        deinit {
            try? engine.close()  // What it did is told.
            testbed.remove()
            try? FileManager.default.removeItem(atPath: folder.string)  // A temporary folder.
        }

        func read<Result>(_ body: (StoreReader) throws -> Result) throws -> Result {
            let reader = try StoreReader(opening: folder.appending("backup"))
            defer { reader.close() }
            return try body(reader)
        }

        /// Everything that is alive in the histories, by DN where there is one, with its attributes.
        func kept() throws -> [String: [String: [String]]] {
            try read { store in
                var found: [String: [String: [String]]] = [:]
                for kind in DirectoryKind.configuration {
                    for id in try store.entries(of: kind) {
                        guard let state = try store.state(of: .directory(kind, id)), !state.isDeleted,
                            let entry = ConfigurationEntry(kind: kind, id: id, fields: state.fields)
                        else { continue }
                        found[entry.dn.lowercased()] = entry.attributes
                        for part in entry.parts { found[part.dn.lowercased()] = part.attributes }
                    }
                }
                for id in try store.accounts() {
                    guard let state = try store.accountInfo(id), !state.isDeleted, let account = AccountEntry(id: id, fields: state.fields)
                    else { continue }
                    found["account \(account.name)"] = account.attributes
                    for child in account.children { found["\(child.title) of \(account.name)"] = child.attributes }
                    for alias in account.aliases { found["alias \(alias["uid"]?.first ?? "") of \(account.name)"] = alias }
                }
                return found
            }
        }

        func lines(_ key: HistoryKey) throws -> [HistoryLine] { try read { try $0.history(of: key).lines } }
    }

    /// The user attributes of an LDIF's entries, by DN; values sorted.
    private func entries(_ ldif: String) -> [String: [String: [String]]] {
        var result: [String: [String: [String]]] = [:]
        for block in ldif.replacingOccurrences(of: "\n ", with: "").components(separatedBy: "\n\n") {
            var (dn, attributes) = ("", [String: [String]]())
            for line in block.split(separator: "\n") where !line.hasPrefix("#") {
                guard let colon = line.firstIndex(of: ":") else { continue }
                let name = String(line[..<colon])
                var value = line[line.index(after: colon)...]
                var text: String
                if value.hasPrefix(":") {
                    value = value.dropFirst()
                    let data = Data(base64Encoded: String(value).trimmingCharacters(in: .whitespaces)) ?? Data()
                    text = String(data: data, encoding: .utf8) ?? "data:;base64,\(data.base64EncodedString())"
                } else {
                    text = String(value.drop { $0 == " " })
                }
                if name == "dn" { dn = text.lowercased() } else { attributes[name, default: []].append(text) }
            }
            if !dn.isEmpty { result[dn] = attributes.mapValues { $0.sorted() } }
        }
        return result
    }

    private static let operational: Set = [
        "structuralObjectClass", "entryUUID", "creatorsName", "createTimestamp", "entryCSN", "modifiersName", "modifyTimestamp", "contextCSN",
        "entryDN", "subschemaSubentry", "hasSubordinates",
        // Computed for dynamic groups.
        "member",
    ]

    @Test("Each entry of the sample directory is in a history, with all its attributes; of other servers' accounts none is")
    func complete() throws {
        let bench = try Bench()
        let kept = try bench.kept().mapValues { $0.mapValues { $0.sorted() } }
        let sorted = Set(kept.values.map { $0 })
        var left: [String] = []
        for (dn, all) in try entries(bench.testbed.dumpDirectory()) {
            let attributes = all.filter { !Self.operational.contains($0.key) }
            if kept[dn] != attributes, !sorted.contains(attributes) { left.append(dn) }
        }
        // Another server's, and one whose COS is switched off.
        #expect(left.sorted() == ["uid=dora,ou=people,dc=sub,dc=example,dc=com", "uid=elsewhere,ou=people,dc=example,dc=com"])
        #expect(!bench.engine.statistics.notices.contains { $0.contains("kept") })
        // Nothing is written where nothing changed.
        let last = bench.engine.lastSequence
        try bench.engine.catchUp()
        #expect(bench.engine.lastSequence == last)
    }

    @Test("Each change to each kind of entry, to what belongs to it, to its name, and its end, is a state; seen by the next look")
    func changes() throws {
        let bench = try Bench()
        let before = try bench.kept()
        func look() throws -> Int {
            let last = bench.engine.lastSequence
            try bench.engine.catchUp()
            return Int(bench.engine.lastSequence - last)
        }
        func change(_ dn: String, _ attribute: String, _ value: String) throws {
            try bench.testbed.modify(ldif: "dn: \(dn)\nchangetype: modify\nreplace: \(attribute)\n\(attribute): \(value)\n")
        }
        let changed = [
            ("uid=anna,ou=people,dc=example,dc=com", "displayName"), ("zimbraSignatureName=Work,uid=anna,ou=people,dc=example,dc=com", "zimbraPrefMailSignature"),
            ("zimbraPrefIdentityName=Sales,uid=anna,ou=people,dc=example,dc=com", "zimbraPrefFromDisplay"),
            ("zimbraDataSourceName=POP box,uid=anna,ou=people,dc=example,dc=com", "zimbraDataSourceHost"),
            ("uid=room1,ou=people,dc=example,dc=com", "displayName"), ("dc=example,dc=com", "zimbraNotes"), ("cn=gold,cn=cos,cn=zimbra", "zimbraNotes"),
            ("cn=mail.example.com,cn=servers,cn=zimbra", "zimbraNotes"), ("cn=config,cn=zimbra", "zimbraDefaultDomainName"),
            ("uid=all,ou=people,dc=example,dc=com", "displayName"), ("cn=staff,cn=groups,dc=example,dc=com", "displayName"),
            ("cn=external,cn=staff,cn=groups,dc=example,dc=com", "zimbraMailForwardingAddress"),
            ("cn=com_example_dates,cn=zimlets,cn=zimbra", "zimbraZimletPriority"), ("dc=com", "description"),
        ]
        for (number, (dn, attribute)) in changed.enumerated() {
            try change(dn, attribute, "value-\(number)")
            #expect(try look() == 1, "\(dn)")
            let values = try bench.kept().values.filter { $0[attribute] == ["value-\(number)"] }
            #expect(values.count == 1, "\(dn)")
        }
        // An account that is none of this server's, and a look without a change.
        try change("uid=elsewhere,ou=people,dc=example,dc=com", "displayName", "x")
        #expect(try look() == 0)

        // Renamed: the same history.
        try bench.testbed.modify(ldif: "dn: cn=gold,cn=cos,cn=zimbra\nchangetype: modrdn\nnewrdn: cn=golden\ndeleteoldrdn: 1\n")
        #expect(try look() == 1)
        let gold = try #require(before["cn=gold,cn=cos,cn=zimbra"]?["zimbraId"]?.first)
        #expect(try bench.lines(.directory(.cos, gold)).map { $0.fields["name"]?.string } == ["gold", "gold", "golden"])

        // Moved to another server, and back.
        try change("uid=bob,ou=people,dc=example,dc=com", "zimbraMailHost", "mail2.example.com")
        #expect(try look() == 1)
        let bob = try #require(before["account bob@example.com"]?["zimbraId"]?.first)
        #expect(try bench.lines(.accountInfo(bob)).last?.fields["moved_to"]?.string == "mail2.example.com")
        try change("uid=bob,ou=people,dc=example,dc=com", "zimbraMailHost", "mail.example.com")
        #expect(try look() == 1)
        #expect(try bench.lines(.accountInfo(bob)).map { $0.fields["deleted"]?.bool } == [false, true, false])

        // A new alias, a child that goes, an entry that goes and comes again under its name with another id.
        try bench.testbed.modify(
            ldif: "dn: uid=bobby,ou=people,dc=example,dc=com\nchangetype: add\nobjectClass: zimbraAlias\nuid: bobby\n"
                + "zimbraId: b0b0b0b0-0000-4000-8000-000000000001\nzimbraAliasTargetId: \(bob)\n")
        #expect(try look() == 1)
        #expect(try bench.kept()["alias bobby of bob@example.com"] != nil)
        try bench.testbed.modify(ldif: "dn: zimbraSignatureName=Work,uid=anna,ou=people,dc=example,dc=com\nchangetype: delete\n")
        #expect(try look() == 1)
        #expect(try bench.kept()["signature 'Work' of anna@example.com"] == nil)
        let sales = try #require(before["uid=sales,ou=people,dc=sub,dc=example,dc=com"])
        try bench.testbed.modify(ldif: "dn: uid=sales,ou=people,dc=sub,dc=example,dc=com\nchangetype: delete\n")
        #expect(try look() == 1)
        let id = try #require(sales["zimbraId"]?.first)
        #expect(try bench.lines(.directory(.lists, id)).map { $0.fields["deleted"]?.bool } == [false, true])
        var again = sales
        again["zimbraId"] = ["5a1e5a1e-0000-4000-8000-000000000002"]
        let lines = again.flatMap { name, values in values.map { "\(name): \($0)" } }.joined(separator: "\n")
        try bench.testbed.modify(ldif: "dn: uid=sales,ou=people,dc=sub,dc=example,dc=com\nchangetype: add\n\(lines)\n")
        #expect(try look() == 1)
        #expect(try bench.lines(.directory(.lists, id)).count == 2)
        #expect(try bench.lines(.directory(.lists, "5a1e5a1e-0000-4000-8000-000000000002")).count == 1)
    }

    @Test("The dump loads into an empty directory, which is then the same, entry by entry and value by value")
    func dump() throws {
        let bench = try Bench()
        // Entries that were moved come before those above them.
        try bench.testbed.modify(
            ldif: "dn: cn=late,cn=zimbra\nchangetype: add\nobjectClass: organizationalRole\ncn: late\n\n"
                + "dn: cn=text/plain,cn=mime,cn=config,cn=zimbra\nchangetype: modrdn\nnewrdn: cn=text/plain\ndeleteoldrdn: 0\nnewsuperior: cn=late,cn=zimbra\n")
        try bench.engine.catchUp()
        let report = try bench.engine.archiveDirectory()
        let archive = try #require(report.archive)
        #expect(report.problems == [] && archive.name.hasPrefix("ldap_dump_") && archive.name.hasSuffix(".ldif.gz"))
        let file = bench.folder.appending("backup/server").appending(archive.name)
        let other = try Testbed.EmptyDirectory()
        defer { other.remove() }
        try other.load(gzipped: file)
        #expect(try entries(other.dump()) == entries(bench.testbed.dumpDirectory()))
        #expect(try entries(bench.testbed.dumpDirectory()).count > 50)
        // And what reads such a file finds the same configuration in it as the histories have.
        var found: [String: String] = [:]
        try DirectoryDumpFile(file).forEachEntry { entry, _ in found[entry.dn.lowercased()] = entry.name }
        let kept = Set(try bench.kept().keys.filter { $0.contains("=") })
        #expect(found.keys.allSatisfy { kept.contains($0) }, "\(found.keys.filter { !kept.contains($0) })")
        #expect(found["cn=gold,cn=cos,cn=zimbra"] == "gold" && found.count > 20)
    }

    @Test("A COS is switched off and on in its notes, and its accounts with it")
    func cos() throws {
        let bench = try Bench()
        func notes() throws -> String? { try entries(bench.testbed.dumpDirectory())["cn=gold,cn=cos,cn=zimbra"]?["zimbraNotes"]?.first }
        func isOff(_ name: String) throws -> Bool {
            try bench.read { store in
                let account = try BackedUpAccount.find(name, in: store)
                return try store.accountInfo(account.entry.id)?.fields["backup_enabled"]?.bool == false
            }
        }
        let before = try notes()
        #expect(try !isOff("anna@example.com"))
        // The sample's COS without backup: never seen.
        #expect(throws: CoreError.self) { try isOff("dora@sub.example.com") }
        try bench.engine.setBackup(ofCOS: "gold", enabled: false)
        #expect(try notes()?.contains(BackupSwitches.marker) == true)
        #expect(try isOff("anna@example.com"))
        try bench.engine.setBackup(ofCOS: "GOLD", enabled: false)
        #expect(try notes()?.components(separatedBy: BackupSwitches.marker).count == 2, "once is enough")
        try bench.engine.setBackup(ofCOS: "gold", enabled: true)
        #expect(try notes() == before && !isOff("anna@example.com"))
        try bench.engine.setBackup(ofCOS: "nobackup", enabled: true)
        #expect(try !isOff("dora@sub.example.com"))
        let unknown = #expect(throws: CoreError.self) { try bench.engine.setBackup(ofCOS: "gold)(cn=*", enabled: true) }
        #expect(unknown?.code == .unknownCOS)
        try bench.testbed.modify(
            ldif: "dn: cn=gold,cn=cos,cn=zimbra\nchangetype: modify\nreplace: zimbraNotes\nzimbraNotes: \(String(repeating: "n", count: 1010))\n")
        let tooLong = #expect(throws: CoreError.self) { try bench.engine.setBackup(ofCOS: "gold", enabled: false) }
        #expect(tooLong?.code == .refused)
    }

    @Test("The server's files are archived with modes, links and odd names; what cannot be read is named, and the rest is there")
    func customizations() throws {
        let bench = try Bench()
        let home = bench.testbed.home
        let files = FileManager.default
        try files.createDirectory(atPath: home.appending("postfix/conf").string, withIntermediateDirectories: true)
        try Data("main\n".utf8).write(to: URL(fileURLWithPath: home.appending("postfix/conf/main.cf").string))
        let odd = home.appending("conf").appending("-odd näme\n" + String(repeating: "x", count: 120)).string
        try Data(repeating: 7, count: 300_000).write(to: URL(fileURLWithPath: odd))
        try files.setAttributes([.posixPermissions: 0o640], ofItemAtPath: odd)
        try files.createSymbolicLink(atPath: home.appending("conf/link").string, withDestinationPath: "localconfig.xml")
        let report = try bench.engine.archiveCustomizations()
        let archive = try #require(report.archive)
        #expect(report.problems == [] && archive.name.hasPrefix("customizations_") && archive.name.hasSuffix(".tar.gz"))
        let out = bench.folder.appending("out").string
        try files.createDirectory(atPath: out, withIntermediateDirectories: true)
        try Testbed.unpack(bench.folder.appending("backup/server").appending(archive.name), into: FilePath(out))
        for name in ["conf/localconfig.xml", "postfix/conf/main.cf"] {
            #expect(files.contents(atPath: out + "/" + name) == files.contents(atPath: home.string + "/" + name), "\(name)")
        }
        let copy = odd.replacingOccurrences(of: home.string, with: out)
        #expect(files.contents(atPath: copy)?.count == 300_000)
        #expect(try files.attributesOfItem(atPath: copy)[.posixPermissions] as? Int == 0o640)
        #expect(try files.destinationOfSymbolicLink(atPath: out + "/conf/link") == "localconfig.xml")

        // A second one in the same second has another name; a smart scan keeps one a day.
        let second = try #require(try bench.engine.archiveCustomizations().archive)
        #expect(second.name != archive.name)
        var options = SmartScanOptions()
        options.yields = false
        #expect(try bench.engine.smartScan(options).newArchives == 1, "the directory's")
        #expect(try bench.engine.smartScan(options).newArchives == 0)
        #expect(try bench.engine.archives().map(\.kind.name).sorted() == ["customizations", "customizations", "ldap_dump"])
    }
}
