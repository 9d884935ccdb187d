import Foundation
import Testing

@testable import BackupCore

@Suite("Patterns of a crontab")
struct CronPatternTests {
    /// Seconds since the epoch of a local time.
    private func second(_ year: Int32, _ month: Int32, _ day: Int32, _ hour: Int32, _ minute: Int32) -> Int64 {
        var local = tm()
        (local.tm_year, local.tm_mon, local.tm_mday, local.tm_hour, local.tm_min) = (year - 1900, month - 1, day, hour, minute)
        local.tm_isdst = -1
        return Int64(mktime(&local))
    }

    @Test(
        "What they match",
        arguments: [
            ("0 4 * * *", (2026, 11, 26, 4, 0), true), ("0 4 * * *", (2026, 11, 26, 4, 1), false),
            ("*/15 8-18 * * 1-5", (2026, 11, 26, 8, 45), true), ("*/15 8-18 * * 1-5", (2026, 11, 28, 8, 45), false),
            ("5/20 * * * *", (2026, 1, 1, 0, 45), true), ("5/20 * * * *", (2026, 1, 1, 0, 40), false),
            ("0 0 1,15 * *", (2026, 3, 15, 0, 0), true), ("0 0 1,15 * *", (2026, 3, 14, 0, 0), false),
            ("0 0 13 * fri", (2026, 2, 13, 0, 0), true), ("0 0 13 * fri", (2026, 2, 20, 0, 0), true),
            ("0 0 13 * fri", (2026, 4, 13, 0, 0), true), ("0 0 13 * fri", (2026, 4, 14, 0, 0), false),
            ("0 4 * * 7", (2026, 11, 29, 4, 0), true), ("0 4 * DEC Sun", (2026, 11, 29, 4, 0), false),
        ] as [(String, (Int32, Int32, Int32, Int32, Int32), Bool)])
    func matches(text: String, time: (Int32, Int32, Int32, Int32, Int32), expected: Bool) throws {
        let pattern = try #require(CronPattern(text))
        #expect(pattern.matches(second(time.0, time.1, time.2, time.3, time.4)) == expected)
    }

    @Test(
        "What is none",
        arguments: ["", "0 4 * *", "0 4 * * * *", "60 4 * * *", "0 24 * * *", "0 4 0 * *", "0 4 * 13 *", "0 4 * * 8", "x * * * *",
            "1-0 * * * *", "*/0 * * * *", "1, * * * *", "-1 * * * *", "1- * * * *", "/5 * * * *", "1/2/3 * * * *", "99999999999999999999 * * * *"])
    func refused(text: String) { #expect(CronPattern(text) == nil) }

    @Test("Due once, also after a long pause; never where the clock went back")
    func due() throws {
        let pattern = try #require(CronPattern("0 4 * * *"))
        let four = second(2026, 11, 26, 4, 0)
        #expect(!pattern.isDue(after: four - 61, at: four - 1))
        #expect(pattern.isDue(after: four - 1, at: four) && pattern.isDue(after: four - 1, at: four + 59))
        #expect(!pattern.isDue(after: four, at: four + 30) && !pattern.isDue(after: four, at: four + 3600))
        #expect(pattern.isDue(after: four - 7200, at: four + 7200), "something took its time")
        #expect(pattern.isDue(after: four - 90 * 86_400, at: four + 7200))
        #expect(!pattern.isDue(after: four + 3600, at: four - 3600))
    }

    @Test("A property takes a pattern in its one spelling, and refuses what is none")
    func property() throws {
        #expect(try BackupProperty.smartScanSchedule.value(" 0   4 * * MON ") == "0 4 * * mon")
        #expect(throws: CoreError.self) { try BackupProperty.smartScanSchedule.value("daily") }
    }
}
