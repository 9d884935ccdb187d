import BackupStore
import Foundation
import SandboxServer
import SystemPackage
import Testing

@testable import BackupCore

@Suite("The directory's histories")
struct DirectoryLookTests {
    /// An engine that follows a server with a directory that a test writes.
    private final class Followed {
        let bench: Bench
        let source: FaultySource
        private(set) var engine: BackupEngine

        init(_ entries: [ConfigurationEntry] = []) throws {
            bench = try Bench()
            source = FaultySource(bench.server)
            source.entries = entries
            engine = try Self.engine(bench, source)
            try engine.begin()
            try engine.catchUp()
        }

        deinit {
            try? engine.close()  // What it did is told.
            bench.remove()
        }

        private static func engine(_ bench: Bench, _ source: FaultySource) throws -> BackupEngine {
            try BackupEngine(source: source, store: try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id))
        }

        func restart() throws {
            try engine.close()
            engine = try Self.engine(bench, source)
        }

        func deliver(_ subject: String, to recipients: [String] = ["alice@example.com"]) throws -> Int64 {
            try bench.server.deliver(message(subject), to: recipients)[0].itemID
        }

        func lines(_ key: HistoryKey) throws -> [HistoryLine] { try engine.store.history(of: key).lines }

        var alice: String { bench.alice.accountID }

        @discardableResult
        func scan() throws -> ScanStatistics { try engine.smartScan(.impolite) }

        func isOff(_ account: String) throws -> Bool? { try engine.store.accountInfo(account)?.isSwitchedOff }
    }

    private static func cos(_ name: String, notes: String? = nil) -> ConfigurationEntry {
        var attributes = ["cn": [name], "zimbraId": ["cos-\(name)"]]
        attributes["zimbraNotes"] = notes.map { [$0] }
        return ConfigurationEntry(kind: .cos, id: "cos-\(name)", name: name, dn: "cn=\(name),cn=cos,cn=zimbra", attributes: attributes)
    }

    // MARK: Histories

    @Test("Every state of an entry is in its history, with its parts; nothing is written where nothing changed")
    func states() throws {
        var list = ConfigurationEntry(
            kind: .lists, id: "l1", name: "all@example.com", dn: "uid=all,ou=people,dc=example,dc=com", attributes: ["mail": ["all@example.com"]])
        let followed = try Followed([Self.cos("default"), list])
        #expect(try followed.lines(list.key).map(\.fields) == [list.fields(deleted: false)])
        try followed.engine.catchUp()
        try followed.restart()
        try followed.engine.catchUp()
        #expect(try followed.lines(list.key).count == 1)

        var expected = [list.fields(deleted: false)]
        list.attributes["zimbraMailForwardingAddress"] = ["bob@example.com", "alice@example.com"]
        expected.append(list.fields(deleted: false))
        followed.source.entries[1] = list
        try followed.engine.catchUp()
        list.parts = [.init(dn: "uid=everybody,ou=people,dc=example,dc=com", attributes: ["uid": ["everybody"]])]
        expected.append(list.fields(deleted: false))
        followed.source.entries[1] = list
        try followed.scan()
        #expect(try followed.lines(list.key).map(\.fields) == expected)
        let state = try #require(try followed.engine.store.state(of: list.key))
        #expect(ConfigurationEntry(kind: .lists, id: "l1", fields: state.fields) == list)
        #expect(try followed.lines(.directory(.cos, "cos-default")).count == 1)
    }

    @Test("An entry is gone when it is absent twice; one that comes back goes on in its history; another of its name has its own")
    func gone() throws {
        let gold = Self.cos("gold")
        let followed = try Followed([Self.cos("default"), gold])
        // A replica that is behind.
        followed.source.hiddenFromListing = [gold.key]
        try followed.engine.catchUp()
        #expect(try followed.lines(gold.key).count == 1)
        followed.source.hiddenFromListing = []
        followed.source.entries = [Self.cos("default")]
        try followed.engine.catchUp()
        try followed.engine.catchUp()
        #expect(try followed.lines(gold.key).map { $0.fields["deleted"]?.bool } == [false, true])
        followed.source.entries = [Self.cos("default"), gold]
        try followed.engine.catchUp()
        #expect(try followed.lines(gold.key).map { $0.fields["deleted"]?.bool } == [false, true, false])

        var other = gold
        other.id = "cos-gold-2"
        followed.source.entries = [Self.cos("default"), other]
        try followed.restart()  // Also where the program has not seen it alive.
        try followed.engine.catchUp()
        #expect(try followed.lines(gold.key).last?.fields["deleted"]?.bool == true)
        #expect(try followed.lines(other.key).map { $0.fields["name"]?.string } == ["gold"])
    }

    @Test("Renamed, moved to another server, deleted and made again under its name: accounts are told apart by their ids")
    func accounts() throws {
        let followed = try Followed()
        let (alice, bob) = (followed.alice, followed.bench.bob.accountID)
        try followed.bench.server.renameAccount("alice@example.com", to: "alicia@example.com")
        try followed.engine.catchUp()
        #expect(try followed.lines(.accountInfo(alice)).map { $0.fields["name"]?.string } == ["alice@example.com", "alicia@example.com"])

        followed.source.movedAccounts = [bob: "other.example.com"]
        try followed.engine.catchUp()
        let moved = try #require(try followed.engine.store.accountInfo(bob))
        #expect(moved.isDeleted && moved.fields["moved_to"]?.string == "other.example.com")
        try followed.engine.catchUp()
        #expect(try followed.lines(.accountInfo(bob)).count == 2)
        followed.source.movedAccounts = [:]
        try followed.engine.catchUp()
        #expect(try followed.engine.store.accountInfo(bob)?.isDeleted == false)

        try followed.bench.server.deleteAccount("alicia@example.com")
        let again = try followed.bench.server.createAccount(name: "alicia@example.com").id
        try followed.engine.catchUp()
        #expect(again != alice)
        #expect(try followed.engine.store.accountInfo(alice)?.isDeleted == true)
        #expect(try followed.engine.store.accountInfo(again)?.isDeleted == false)
        #expect(try BackedUpAccount.find("alicia@example.com", in: followed.engine.store).entry.id == again)
    }

    @Test("A directory that fails, or names no account, flags nothing deleted; when it answers again, nothing is missed")
    func failures() throws {
        let gold = Self.cos("gold")
        let followed = try Followed([gold])
        followed.source.directoryIsDown = true
        try followed.engine.catchUp()
        try followed.engine.catchUp()
        #expect(followed.engine.statistics.notices.count { $0.contains("directory could not be read") } == 1)
        followed.source.directoryIsDown = false
        followed.source.hiddenAccounts = [followed.alice, followed.bench.bob.accountID]
        followed.source.entries = []
        try followed.engine.catchUp()
        #expect(followed.engine.statistics.notices.contains { $0.contains("Critical: the directory names no account") })
        #expect(try followed.lines(gold.key).count == 1 && followed.lines(.accountInfo(followed.alice)).count == 1)
        followed.source.hiddenAccounts = []
        try followed.engine.catchUp()
        #expect(try followed.lines(gold.key).map { $0.fields["deleted"]?.bool } == [false, true])
    }

    @Test("An entry whose id can be no file's name is told of once, and the others are kept")
    func hostile() throws {
        let names = ["../../etc/passwd", "", String(repeating: "x", count: 300)]
        let entries = names.map { ConfigurationEntry(kind: .lists, id: $0, name: "n", dn: "n", attributes: [:]) }
        let followed = try Followed(entries + [Self.cos("gold")])
        try followed.engine.catchUp()
        let notices = followed.engine.statistics.notices.filter { $0.contains("cannot be kept") }
        #expect(notices.count == names.count, "\(notices)")
        #expect(try followed.engine.store.entries(of: .lists).isEmpty && followed.lines(.directory(.cos, "cos-gold")).count == 1)
        #expect(ConfigurationEntry.id(ofDN: "cn=Text/Plain %,cn=mime,cn=Ünï") == "cn=text%2fplain%20%25,cn=mime,cn=%c3%bcn%c3%af")
    }

    // MARK: COS that are switched off

    @Test("Accounts of a COS that is switched off are skipped and counted; switched on again, they are scanned, and nothing is missing")
    func switched() throws {
        let followed = try Followed([Self.cos("default")])
        let before = try followed.deliver("before")
        try followed.engine.catchUp()
        followed.source.entries = [Self.cos("default", notes: "no backup: \(BackupSwitches.marker)")]
        try followed.engine.catchUp()
        #expect(try followed.isOff(followed.alice) == true)
        let during = try followed.deliver("during", to: ["alice@example.com", "bob@example.com"])
        try followed.bench.alice.delete([before])
        try followed.engine.catchUp()
        #expect(try followed.engine.store.item(followed.alice, during) == nil)
        #expect(try followed.engine.store.item(followed.alice, before)?.isDeleted == false)
        let scanned = try followed.scan()
        #expect(scanned.skippedAccounts == 2 && scanned.accounts == 0)
        let refused = #expect(throws: CoreError.self) { try followed.engine.scan(account: "alice@example.com") }
        #expect(refused?.code == .switchedOff)
        try followed.restart()
        try followed.engine.begin()
        try followed.engine.catchUp()
        #expect(try followed.engine.store.item(followed.alice, during) == nil, "a restart forgets no switch")

        followed.source.entries = [Self.cos("default", notes: "")]
        try followed.engine.catchUp()
        #expect(try followed.isOff(followed.alice) == false)
        #expect(try followed.engine.marks("alice@example.com").map(\.reason) == [RealTimeScanner.switchedOnReason])
        #expect(try followed.scan().accounts == 2)
        #expect(try followed.engine.marks("alice@example.com").isEmpty)
        try followed.engine.close()
        #expect(try followed.bench.differences().isEmpty)
        try followed.restart()
    }

    @Test("Which COS holds: the account's own, else its domain's, else the one called default; and an account's own switch")
    func effective() throws {
        let off = BackupSwitches.marker
        let domain = ConfigurationEntry(
            kind: .domains, id: "d1", name: "example.com", dn: "dc=example,dc=com",
            attributes: ["zimbraDomainDefaultCOSId": ["cos-silver"], "zimbraDomainDefaultExternalUserCOSId": ["cos-outside"]])
        let followed = try Followed([
            Self.cos("default"), Self.cos("gold", notes: off), Self.cos("silver", notes: "a \(off) b"), Self.cos("outside"), domain,
            Self.cos("defaultExternal", notes: off),
        ])
        let switches = try BackupSwitches(in: followed.engine.store)
        func isOff(_ name: String, _ attributes: [String: [String]] = [:]) -> Bool {
            switches.isOff(AccountEntry(id: "x", name: name, attributes: attributes))
        }
        #expect(!isOff("a@elsewhere.org"), "default")
        #expect(isOff("a@elsewhere.org", ["zimbraCOSId": ["COS-GOLD"]]), "its own")
        #expect(isOff("a@Example.com"), "its domain's")
        #expect(!isOff("a@example.com", ["zimbraCOSId": ["cos-default"]]), "its own before its domain's")
        #expect(isOff("a@example.com", ["zimbraCOSId": ["cos-that-is-gone"]]), "one that there is no more counts for nothing")
        #expect(!isOff("a@example.com", ["zimbraIsExternalVirtualAccount": ["TRUE"]]))
        #expect(isOff("a@elsewhere.org", ["zimbraIsExternalVirtualAccount": ["TRUE"]]))
        #expect(isOff("a@elsewhere.org", ["backupEnabled": ["FALSE"]]) && !isOff("a@elsewhere.org", ["backupEnabled": ["TRUE"]]))
        var newer = Self.cos("x")
        newer.attributes["backupEnabled"] = ["false"]
        #expect(BackupSwitches.isOff(newer) && !BackupSwitches.isOff(Self.cos("y", notes: "ZxBackup_Disabled")))
    }

    @Test("An account that was never seen otherwise is left out whole: no history, no mailbox, also not when it is made while off")
    func never() throws {
        let followed = try Followed([Self.cos("default", notes: BackupSwitches.marker)])
        #expect(try followed.engine.store.accounts().isEmpty)
        let carol = try followed.bench.server.createAccount(name: "carol@example.com").id
        _ = try followed.deliver("hello", to: ["carol@example.com", "alice@example.com"])
        try followed.engine.catchUp()
        try followed.scan()
        #expect(try followed.engine.store.accounts().isEmpty)
        followed.source.entries = [Self.cos("default")]
        #expect(try followed.scan().newAccounts == 3)
        #expect(try followed.engine.store.items(carol, .alive).contains { $0.fields["type"]?.string == "message" })
        try followed.engine.close()
        #expect(try followed.bench.differences().isEmpty)
        try followed.restart()
    }

    @Test("A mailbox that is deleted while its account is switched off has ended")
    func endedWhileOff() throws {
        let followed = try Followed([Self.cos("default")])
        followed.source.entries = [Self.cos("default", notes: BackupSwitches.marker)]
        try followed.engine.catchUp()
        try followed.bench.server.deleteAccount("alice@example.com")
        try followed.engine.catchUp()
        #expect(try followed.engine.store.accountInfo(followed.alice)?.isDeleted == true)
        #expect(try followed.engine.store.items(followed.alice, .alive).isEmpty)
    }
}
