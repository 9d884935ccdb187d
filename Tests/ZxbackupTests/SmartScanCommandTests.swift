import BackupCore
import BackupStore
import Foundation
import SandboxServer
import SystemPackage
import Testing

@testable import zxbackup

@Suite("doSmartScan and what asks for it")
struct SmartScanCommandTests {
    private func workplace() throws -> Workplace {
        let place = try Workplace()
        for name in ["alice", "bob"] { _ = try place.server.createAccount(name: "\(name)@example.com") }
        _ = try place.server.deliver(Workplace.message("One"), to: ["alice@example.com", "bob@example.com"])
        #expect(place.zx("init").status == .successful)
        return place
    }

    private func mark(_ place: Workplace, _ name: String) throws {
        let store = try StoreWriter(opening: FilePath(place.backup), serverID: place.server.identity.id)
        let account = try #require(try place.server.findAccount(name)).id
        try store.append(
            StoreTransaction(
                account: account, time: 1_393_582_510_000, kind: "mark", marks: [Mark(reason: "somebody looked at it", time: 1_393_582_510_000)]))
        try store.commit()
        try store.close()
    }

    private func figure(_ name: String, _ json: (status: CommandStatus, text: String, errors: String)) throws -> Int64? {
        try JSONValue(json: json.text.trimmed()).object?[name]?.int
    }

    @Test("Alone it does the work itself: everything the first time, what changed the next, nothing after that")
    func alone() throws {
        let place = try workplace()
        let first = place.zx("doSmartScan")
        #expect(first.status == .successful && first.text.contains("Checked Items: ") && first.text.contains("Items/sec: "), "\(first)")
        #expect(first.text.contains("smartScan") && !first.text.contains("Compared Files"))
        _ = try place.server.deliver(Workplace.message("Two"), to: ["bob@example.com"])
        let second = place.zx("--json", "dosmartscan", "start")
        #expect(try figure("accounts_updated", second) == 1 && figure("accounts_unchanged", second) == 1, "\(second)")
        let third = place.zx("backup", "doSmartScan", "read_error_threshold", "3", "--json")
        #expect(try figure("accounts_unchanged", third) == 2 && figure("new_metadata", third) == 0, "\(third)")
        let deep = place.zx("doSmartScan", "deep", "true")
        #expect(deep.status == .successful && deep.text.contains("Compared Files: 3\n"), "\(deep)")
        #expect(place.zx("doSmartScan", "remote_metadata_upload", "true").status != .successful)
        #expect(place.zx("doSmartScan", "read_error_threshold", "many").status == .usage)
    }

    @Test("A content that cannot be read is told of, and the status says so")
    func unreadable() throws {
        let place = try workplace()
        try place.server.rollOver()
        let store = place.server.path.appending("store")
        let names = try #require(FileManager.default.enumerator(atPath: store.string)).compactMap { $0 as? String }
        for name in names where name.hasSuffix(".msg") && name.hasPrefix("0") { try FileManager.default.removeItem(atPath: store.appending(FilePath(name).components).string) }
        let scan = place.zx("doSmartScan")
        #expect(scan.status == .failed && scan.text.contains("Skipped Items: 2\n") && scan.errors.contains("of alice@example.com"), "\(scan)")
        let threshold = place.zx("doSmartScan", "read_error_threshold", "0")
        #expect(threshold.status == .failed && threshold.errors.contains("more than the threshold of 0"), "\(threshold)")
    }

    @Test("The service scans at its start, on request, and when the log is followed again; not where it was told not to")
    func service() throws {
        let place = try workplace()
        #expect(place.zx("serve", "--once").status == .successful)
        try mark(place, "bob@example.com")
        func isMarked() throws -> Bool {
            let reader = try StoreReader(opening: FilePath(place.backup))
            defer { reader.close() }
            return try !reader.marks(try #require(try place.server.findAccount("bob@example.com")).id).isEmpty
        }
        #expect(place.zx("setProperty", "ZxBackup_DoSmartScanOnStartup", "false").status == .successful)
        var service = try Service(place)
        usleep(1_500_000)  // Three looks at the schedule.
        #expect(try isMarked())
        #expect(place.zx("setProperty", "ZxBackup_RealTimeScanner", "false").status == .successful)
        try service.wait { service.state?["held_because"]?.string != nil }
        #expect(place.zx("setProperty", "ZxBackup_RealTimeScanner", "true").status == .successful)
        try service.wait { try !isMarked() }
        let asked = place.zx("doSmartScan")
        #expect(asked.status == .successful && asked.text.contains("Accounts Unchanged: 2\n"), "\(asked)\(service.words)")
        #expect(service.end() == 0)

        try mark(place, "bob@example.com")
        #expect(place.zx("setProperty", "ZxBackup_DoSmartScanOnStartup", "true").status == .successful)
        service = try Service(place)
        try service.wait { try !isMarked() }
        #expect(service.end() == 0)
    }

    @Test("An account in doubt is scanned before something is restored from it; from a copy, and without a server, it is not")
    func beforeRestore() throws {
        let place = try workplace()
        #expect(place.zx("serve", "--once").status == .successful)
        try mark(place, "bob@example.com")
        let copy = place.folder.appending("copy").string
        try FileManager.default.copyItem(atPath: place.backup, toPath: copy)
        let fromCopy = place.zx("doExportMailbox", "bob@example.com", place.folder.appending("files").string, "backup_path", copy)
        #expect(fromCopy.status == .successful && !fromCopy.errors.contains("scan"), "\(fromCopy)")
        #expect(fromCopy.text.contains("somebody looked at it"))
        let alice = place.zx("doExportMailbox", "alice@example.com", place.folder.appending("alice").string)
        #expect(!alice.errors.contains("scan"))
        let restore = place.zx("doRestoreOnNewAccount", "BOB@example.com", "bob2@example.com", "last")
        #expect(restore.status == .successful && restore.errors.contains("bob@example.com needs a scan"), "\(restore)")
        #expect(!restore.text.contains("somebody looked at it") && !restore.text.contains("accountScan"))

        try mark(place, "bob@example.com")
        let service = try Service(place)
        let undelete = place.zx("doUndelete", "bob@example.com", "first", "last")
        #expect(undelete.status == .successful && !undelete.text.contains("somebody looked at it"), "\(undelete)")
        #expect(service.end() == 0)

        // A writer that holds the lock: the restore goes on with what there is.
        try mark(place, "bob@example.com")
        let store = try StoreWriter(opening: FilePath(place.backup), serverID: place.server.identity.id)
        let item = place.zx("doRestoreOnNewAccount", "bob@example.com", "bob3@example.com", "last")
        try store.close()
        #expect(item.status == .successful && item.errors.contains("the restore goes on") && item.text.contains("somebody looked at it"), "\(item)")
    }

    @Test("The schedule: at the start, at its time, when the log is followed again")
    func schedule() throws {
        var settings = BackupSettings()
        settings.smartScanSchedule = CronPattern("*/10 * * * *")
        let start: Int64 = 1_795_000_000_000 / 600_000 * 600_000 + 60_000
        var schedule = Schedule(settings, at: start)
        func isDue(_ milliseconds: Int64) -> Bool { schedule.due(settings, at: start + milliseconds) == ["doSmartScan"] }
        #expect(isDue(0) && !isDue(500) && !isDue(500_000))
        #expect(isDue(540_000) && !isDue(540_500))
        settings.followsLog = false
        #expect(!isDue(541_000))
        settings.followsLog = true
        #expect(isDue(542_000) && !isDue(542_500))
        settings.scansOnStartup = false
        var quiet = Schedule(settings, at: start)
        #expect(quiet.due(settings, at: start).isEmpty)
        settings.purgeSchedule = CronPattern("*/5 * * * *")
        #expect(quiet.due(settings, at: start + 240_000) == ["doPurge"])
        #expect(quiet.due(settings, at: start + 540_000) == ["doSmartScan", "doPurge"])
        settings.smartScanSchedule = nil
        #expect(quiet.due(settings, at: start + 1_140_000) == ["doPurge"])
    }
}
