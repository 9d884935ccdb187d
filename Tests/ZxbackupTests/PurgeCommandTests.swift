import BackupCore
import BackupStore
import BackupStoreTesting
import Foundation
import SandboxServer
import SystemPackage
import Testing

@testable import zxbackup

@Suite("doPurge, legalHold and scheduler")
struct PurgeCommandTests {
    /// A backup whose service has worked for 60 days, at whose beginning a message of Ann's and all of Bob's account were deleted.
    private func workplace() throws -> (place: Workplace, deleted: Int64) {
        let place = try Workplace()
        for name in ["ann", "bob"] { _ = try place.server.createAccount(name: "\(name)@example.com") }
        let id = try place.server.deliver(Workplace.message("Old"), to: ["ann@example.com", "bob@example.com"])[0].itemID
        #expect(place.zx("init").status == .successful)
        #expect(place.zx("serve", "--once").status == .successful)
        try place.server.openMailbox("ann@example.com").delete([id])
        try place.server.deleteAccount("bob@example.com")
        #expect(place.zx("serve", "--once").status == .successful)

        let clock = SimulatedClock(milliseconds() - 60 * 86_400_000)
        var options = StoreOptions()
        (options.now, options.sinceBoot) = ({ clock.now }, { clock.sinceBoot })
        let store = try StoreWriter(opening: FilePath(place.backup), serverID: place.server.identity.id, options: options)
        for _ in 0..<120 {
            clock.pass(12 * 3_600_000)
            try store.checkpoint()
        }
        try store.close()
        return (place, id)
    }

    private func json(_ result: (status: CommandStatus, text: String, errors: String)) throws -> JSONObject {
        try #require(try JSONValue(json: result.text.trimmed()).object)
    }

    @Test("What retention does not ask for goes, and the report says what and why; a trial says it before")
    func purge() throws {
        let (place, id) = try workplace()
        let account = try #require(try place.server.findAccount("ann@example.com")).id
        let trial = place.zx("doPurge", "dryrun", "true")
        #expect(trial.status == .successful && trial.text.contains("nothing was removed") && trial.text.contains("Deleted Accounts: 1\n"), "\(trial)")
        #expect(place.zx("getItem", "ann@example.com", "\(id)").status == .successful)

        let members = try json(place.zx("--json", "doPurge"))
        let accounts = try #require(members["accounts"]?.array).compactMap(\.object)
        #expect(members["purged"]?.bool == true && accounts.count == 2 && members["expired_contents"]?.int == 1, "\(members.json)")
        let ann = try #require(accounts.first { $0["id"]?.string == account })
        #expect(ann["items"]?.array?.compactMap(\.int) == [id] && ann["whole"]?.bool == false)
        #expect(ann["reason"]?.string == "the items were deleted more than 30 days ago" && ann["last_deletion"]?.string != nil)
        let bob = try #require(accounts.first { $0["id"]?.string != account })
        #expect(bob["whole"]?.bool == true && bob["reason"]?.string == "the account was deleted more than 30 days ago")
        #expect(place.zx("getItem", "ann@example.com", "\(id)").status == .failed)
        #expect(place.zx("getAccountInfo", "bob@example.com").status == .failed)

        let again = place.zx("doPurge")
        #expect(again.status == .successful && again.text.contains("Purged Items: 0\n"), "\(again)")
        #expect(place.zx("status").text.contains("last purge"))
        #expect(place.zx("status", "--prometheus").text.contains("zxbackup_last_purge_time_seconds "))
        #expect(place.zx("doCoherencyCheck", place.backup).status == .successful)
    }

    @Test("Retentions: purgeDays for once, the properties for good; 0 says that nothing is ever purged, and ends")
    func retention() throws {
        let (place, id) = try workplace()
        #expect(place.zx("setProperty", "backupAccountsRetentionDays", "0").status == .successful)
        let longer = place.zx("doPurge", "90")
        #expect(longer.status == .usage, "optional parameters have names")
        let none = place.zx("doPurge", "purgeDays", "90")
        #expect(none.status == .successful && none.text.contains("Purged Items: 0\n") && none.text.contains("forever"), "\(none)")
        #expect(place.zx("setProperty", "ZxBackup_DataRetentionDays", "0").status == .successful)
        let forever = place.zx("doPurge")
        #expect(forever.status == .successful && forever.text == "the retention is 0: what is deleted is kept forever, and nothing is purged\n")
        #expect(try json(place.zx("doPurge", "--json"))["purged"]?.bool == false)
        #expect(place.zx("getItem", "ann@example.com", "\(id)").status == .successful)
        #expect(place.zx("doPurge", "purgeDays", "40").text.contains("Purged Items: 1\n"))
        #expect(place.zx("doPurge", "purgeDays", "many").status == .usage)
    }

    @Test("legalHold: one line an account; what is held stays, alone and in the service")
    func legalHold() throws {
        let (place, id) = try workplace()
        let account = try #require(try place.server.findAccount("ann@example.com")).id
        #expect(place.zx("legalHold", "get", "ann@example.com").text == "ann@example.com \(account) unset\n")
        #expect(place.zx("legalHold", "set", "ann@example.com").text == "ann@example.com \(account) set\n")
        #expect(place.zx("legalHold", "set", "nobody@example.com").status == .failed)
        #expect(place.zx("legalHold", "set").status == .usage)
        let all = place.zx("legalHold", "get", "all")
        #expect(all.text.split(separator: "\n").map { $0.split(separator: " ").last } == ["set", "unset"], "\(all)")
        let service = try Service(place)
        let purge = place.zx("doPurge", "--json")
        #expect(try json(purge)["legal_hold"]?.array?.compactMap(\.string) == [account], "\(purge)\(service.words)")
        let unset = place.zx("legalHold", "unset", "all", "--json")
        #expect(try json(unset)["accounts"]?.array?.compactMap { $0.object?["legal_hold"]?.bool } == [false], "Bob's account is purged")
        #expect(place.zx("doPurge").text.contains("Purged Items: 1\n"))
        #expect(service.end() == 0)
        #expect(place.zx("getItem", "ann@example.com", "\(id)").status == .failed)
    }

    @Test("scheduler: shown, set, switched off; a pattern that is none changes nothing")
    func scheduler() throws {
        let place = try Workplace()
        #expect(place.zx("init").status == .successful)
        let purge = place.zx("scheduler", "purge", "get")
        #expect(purge.status == .successful && purge.text.contains("0 4 * * 6") && purge.text.contains("true"), "\(purge)")
        let set = try json(place.zx("--json", "scheduler", "smartscan", "set", "pattern", "30 2 * * *"))
        #expect(set["job"]?.string == "SmartScan" && set["pattern"]?.string == "30 2 * * *" && set["enabled"]?.bool == true)
        #expect(place.zx("scheduler", "purge", "set", "enabled", "false", "pattern", "61 * * * *").status == .failed)
        #expect(try json(place.zx("--json", "scheduler", "purge", "get"))["enabled"]?.bool == true)
        #expect(place.zx("scheduler", "purge", "set", "enabled", "false").status == .successful)
        let settings = try PropertyFile(stateFolder: place.folder.appending("state")).settings()
        #expect(settings.purgeSchedule == nil && settings.smartScanSchedule?.text == "30 2 * * *")
        #expect(try json(place.zx("--json", "scheduler", "purge", "get"))["pattern"]?.string == "0 4 * * 6", "kept for later")
        #expect(place.zx("scheduler", "purge", "set").status == .usage)
        #expect(try json(place.zx("--json", "scheduler", "coherencyCheck", "get"))["enabled"]?.bool == false)
        #expect(place.zx("scheduler", "coherencyCheck", "set", "enabled", "true", "pattern", "0 3 * * *").status == .successful)
        #expect(try json(place.zx("--json", "scheduler", "coherencycheck", "get"))["pattern"]?.string == "0 3 * * *")
        #expect(place.zx("getProperty", "backupPurgeScheduler").text.contains("0 4 * * 6"))
    }
}
