import BackupCore
import BackupStore
import Foundation
import SandboxServer
import Synchronization
import SystemPackage
import Testing

@testable import zxbackup

@Suite("The check that the service makes by itself")
struct BackgroundCheckTests {
    private final class Told: Sendable {
        let lines = Mutex<[String]>([])
        func add(_ line: String) { lines.withLock { $0.append(line) } }
    }

    private func ended(_ check: BackgroundCheck) throws -> JSONObject {
        while true {
            let state = try #require(check.json)
            if state["running"]?.bool == false { return state }
            usleep(5_000)
        }
    }

    @Test("A sound path is not told of; a damaged one is, with what to do; what looks damaged is looked at once a day, a schedule counts always")
    func checks() throws {
        let place = try Workplace()
        _ = try place.server.createAccount(name: "bob@example.com")
        _ = try place.server.deliver(Workplace.message("one"), to: ["bob@example.com"])
        #expect(place.zx("init").status == .successful && place.zx("serve", "--once").status == .successful)
        let told = Told()
        let check = BackgroundCheck(FilePath(place.backup)) { told.add($0) }
        #expect(check.json == nil)
        check.begin(because: "something looked damaged", at: 1_000, isScheduled: false)
        let sound = try ended(check)
        #expect(sound["damages"]?.int == 0 && sound["reason"]?.string == "something looked damaged" && told.lines.withLock { $0.isEmpty })

        let blob = try #require(try FileManager.default.subpathsOfDirectory(atPath: place.backup + "/items").first { $0.hasSuffix("=") })
        try Data().write(to: URL(fileURLWithPath: "\(place.backup)/items/\(blob)"))
        check.begin(because: "again", at: 2_000, isScheduled: false)
        #expect(try ended(check)["since"]?.int == 1_000, "once a day")
        check.begin(because: "the schedule", at: 3_000, isScheduled: true)
        let damaged = try ended(check)
        #expect(damaged["since"]?.int == 3_000 && damaged["damages"]?.int == 1)
        let lines = told.lines.withLock { $0 }
        #expect(lines.count == 2 && lines[0].contains(blob) && lines[1].contains("fixBackup true"), "\(lines)")
        check.begin(because: "a day later", at: 3_000 + 86_400_000, isScheduled: false)
        check.end()
        #expect(check.json?["running"]?.bool == false)
    }

    @Test("A path that cannot be checked is an error of the check, and of nothing else")
    func unreadable() throws {
        let told = Told()
        let check = BackgroundCheck("/nonexistent/backup") { told.add($0) }
        check.begin(because: "the schedule", at: 1, isScheduled: true)
        #expect(try ended(check)["error"]?.string?.isEmpty == false)
        #expect(told.lines.withLock { $0.count } == 1)
        check.end()
    }

    @Test("The schedule names the check where it is switched on")
    func schedule() throws {
        let place = try Workplace()
        func due() throws -> [String] {
            let settings = try PropertyFile(stateFolder: place.folder.appending("state")).settings()
            var schedule = Schedule(settings, at: 1_800_000_000_000)
            _ = schedule.due(settings, at: 1_800_000_000_000)
            return schedule.due(settings, at: 1_800_000_000_000 + 60_000)
        }
        #expect(try !due().contains("doCoherencyCheck"))
        #expect(place.zx("scheduler", "coherencyCheck", "set", "enabled", "true", "pattern", "* * * * *").status == .successful)
        #expect(try due().contains("doCoherencyCheck"))
    }
}
