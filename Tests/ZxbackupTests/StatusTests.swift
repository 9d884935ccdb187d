import BackupCore
import BackupStore
import Foundation
import SandboxServer
import SystemPackage
import Testing

@testable import zxbackup

@Suite("status")
struct StatusTests {
    @Test("Without a service: critical, and what the backup holds; with one: fine; with an account in doubt: a warning")
    func levels() throws {
        let place = try Workplace()
        _ = try place.server.createAccount(name: "bob@example.com")
        _ = try place.server.openMailbox("bob@example.com")
        let nothing = place.zx("status")
        #expect(nothing.status == .critical && nothing.text.contains("no service runs"), "\(nothing.text)")
        #expect(nothing.text.contains("zxbackup init"), "there is no backup path yet")
        #expect(place.zx("init").status == .successful)
        #expect(place.zx("serve", "--once").status == .successful)
        #expect(place.zx("status").status == .critical)

        let service = try Service(place)
        let fine = place.zx("status")
        let hasRoom = !fine.text.contains("of the file system is free")
        #expect(fine.status == (hasRoom ? .successful : .warning), "\(fine.text)\(fine.errors)")
        #expect(fine.text.contains("\t\tservice\n\t\t\trunning") && fine.text.contains("behind"))

        #expect(service.end() == 0)
        let store = try StoreWriter(opening: FilePath(place.backup), serverID: place.server.identity.id)
        let account = try #require(try place.server.findAccount("bob@example.com")).id
        try store.append(
            StoreTransaction(
                account: account, time: 1_393_582_510_000, kind: "mark",
                marks: [Mark(reason: "somebody looked at it", time: 1_393_582_510_000)]))
        try store.commit()
        try store.close()
        // By itself the service would settle that before anybody looked.
        #expect(place.zx("setProperty", "ZxBackup_DoSmartScanOnStartup", "false").status == .successful)
        let again = try Service(place)
        let doubt = place.zx("status")
        #expect(
            doubt.status == .warning && doubt.text.contains("somebody looked at it")
                && doubt.text.contains("1 account needs a scan"), "\(doubt.text)")
        let json = try #require(try JSONValue(json: place.zx("--json", "status").text.trimmed()).object)
        #expect(json["state"]?.string == "warning" && json["service"]?.object?["phase"]?.string == "following")
        #expect(json["needs_scan"]?.array?.first?.object?["name"]?.string == "bob@example.com")
        #expect(place.zx("status", "--prometheus").text.contains("\nzxbackup_accounts_that_need_a_scan 1\n"))

        #expect(place.zx("doAccountScan", "bob@example.com").text.contains("- stats -"))
        #expect(!place.zx("status").text.contains("needs a scan"), "the scan settles it")
        #expect(again.end() == 0)
    }

    @Test("How far behind the backup is, in bytes and files")
    func behind() throws {
        let place = try Workplace()
        _ = try place.server.createAccount(name: "bob@example.com")
        _ = try place.server.openMailbox("bob@example.com")
        #expect(place.zx("init").status == .successful)
        #expect(place.zx("serve", "--once").status == .successful)
        func json() throws -> JSONObject { try #require(try JSONValue(json: place.zx("--json", "status").text.trimmed()).object) }
        let before = try #require(try json()["behind_bytes"]?.int)
        _ = try place.server.deliver(Workplace.message("One"), to: ["bob@example.com"])
        #expect(try #require(try json()["behind_bytes"]?.int) > before)
        let service = try Service(place)
        try service.wait { try json()["behind_bytes"]?.int == 0 }
        #expect(try json()["behind_files"]?.int == 0)
        #expect(service.end() == 0)
    }

    /// A page of `status` without what is different on every machine and in every run.
    private func lasting(_ text: String, _ place: Workplace) -> String {
        var text = stable(text, [place.folder.string: "<FOLDER>"])
        for (pattern, name) in [
            (#"(free space +|behind +)[0-9.]+ \w+( of [0-9.]+ \w+)?"#, "$1<SIZE>"), (#"(free inodes +|process +|transactions +|checkpoint +)\d+"#, "$1<N>"),
            (#"up to byte \d+"#, "up to byte <N>"), (#"[\d.]+ ms, [\d.]+ ms, [\d.]+ ms"#, "<LAG>"),
            (#"("(free_bytes|free_inodes|behind_bytes|pid|checkpoint_sequence|applied|oldestOpen|createTime|since|caught_up|p50|p99|max)":)\d+"#, "$1<N>"),
            (#""fingerprint":"[0-9a-f]*""#, "\"fingerprint\":\"<HEX>\""),
            // On a full disk, too.
            (#"\t\twarning +less than 5 % of the file system is free\n"#, ""), (#"(state +)(fine|warning)"#, "$1<LEVEL>"),
            (#",\{"level":"warning","text":"less than 5 % of the file system is free"\}"#, ""),
        ] {
            text = text.replacingOccurrences(of: pattern, with: name, options: .regularExpression)
        }
        return text
    }

    @Test("The page, with scans, checkpoint and days left, and the same for programs")
    func page() throws {
        let place = try Workplace()
        _ = try place.server.createAccount(name: "bob@example.com")
        _ = try place.server.openMailbox("bob@example.com")
        #expect(place.zx("init").status == .successful)
        #expect(place.zx("serve", "--once").status == .successful)
        _ = try place.server.createAccount(name: "carol@example.com")
        _ = try place.server.openMailbox("carol@example.com")
        #expect(place.zx("serve", "--once").status == .successful)
        try place.server.close()
        try expectSnapshot(lasting(place.zx("status").text, place), "status.txt")
        try expectSnapshot(lasting(place.zx("--json", "status").text, place), "status-json.txt")
        let service = try Service(place)
        try service.wait { service.state?["caught_up"] != nil }
        try expectSnapshot(lasting(place.zx("status").text, place), "status-running.txt")
        #expect(service.end() == 0)
    }

    @Test("Space that will soon be used up is a warning, and the days are named")
    func daysLeft() throws {
        let place = try Workplace()
        _ = try place.server.createAccount(name: "bob@example.com")
        #expect(place.zx("init").status == .successful)
        #expect(place.zx("serve", "--once").status == .successful)
        let (now, state) = (milliseconds(), place.folder.appending("state"))
        var space = try SpaceLeft(on: FilePath(place.backup))
        space.bytes *= 2
        space.inodes = nil
        try SpaceHistory(stateFolder: state, of: realPath(FilePath(place.backup))).note(space, at: now - 3 * 86_400_000)
        let text = place.zx("status").text
        #expect(text.contains("the free space will last for 2 days") && text.contains("days of inodes left"), "\(text)")
        let json = try #require(try JSONValue(json: place.zx("--json", "status").text.trimmed()).object)
        #expect(json["space_days_left"]?.int == 2 && json["space_outlook"]?.string == "shrinking")
        #expect(json["inodes_days_left"] == .null && json["inodes_outlook"]?.string == "unknown")
        #expect(place.zx("status", "--prometheus").text.contains("\nzxbackup_space_days_left 2\n"))
    }

    @Test("The accounts that were not scanned for the longest time are shown, and the others counted")
    func scans() throws {
        let place = try Workplace()
        for number in 10..<32 {
            _ = try place.server.createAccount(name: "a\(number)@example.com")
            _ = try place.server.openMailbox("a\(number)@example.com")
        }
        #expect(place.zx("init").status == .successful)
        #expect(place.zx("serve", "--once").status == .successful)
        try place.server.close()
        #expect(place.zx("doAccountScan", "a10@example.com").status == .successful)
        let text = place.zx("status").text
        #expect(text.components(separatedBy: "last scan: ").count == 21 && text.contains("2 others"), "\(text)")
        #expect(!text.contains("last scan: a10@example.com"), "it was scanned last")
        let json = try #require(try JSONValue(json: place.zx("--json", "status").text.trimmed()).object)
        let scans = try #require(json["scans"]?.array).compactMap(\.object)
        let last = try #require(scans.last)
        #expect(scans.count == 22 && last["name"]?.string == "a10@example.com")
        #expect(try #require(last["first_scan"]?.string) < #require(last["last_scan"]?.string))
    }
}
