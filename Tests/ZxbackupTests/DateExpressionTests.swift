import BackupCore
import Testing

@testable import zxbackup

@Suite("Dates on the command line")
struct DateExpressionTests {
    @Test("ISO 8601 with an offset is one moment everywhere", arguments: [
        ("2014-02-28T10:15:10Z", 1_393_582_510), ("2014-02-28T11:15:10+01:00", 1_393_582_510),
        ("2014-02-28t11:15:10.999+0100", 1_393_582_510), ("2014-02-28 05:15:10-05:00", 1_393_582_510),
        ("1970-01-01T00:00:00Z", 0), ("2016-02-29T00:00:00Z", 1_456_704_000),
    ])
    func iso(_ text: String, _ second: Int64) throws {
        #expect(try DateExpression(text) == .second(second))
    }

    @Test("Both local forms name the same second, and come back as they were written")
    func local() throws {
        guard case .second(let second) = try DateExpression("28/02/2014 10:15:10") else { Issue.record("no second"); return }
        #expect(try DateExpression("2014-02-28T10:15:10") == .second(second))
        #expect(try DateExpression(" 28/2/2014 10:15:10 ") == .second(second))
        #expect(TimeText.local(second * 1000 + 999) == "28/02/2014 10:15:10")
    }

    @Test("Every second of two years comes back from its text", arguments: [UInt64(20_140_228)])
    func roundTrip(_ seed: UInt64) throws {
        var state = seed
        for _ in 0..<2000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let second = Int64(1_380_000_000 + (state >> 33) % 63_000_000)
            let text = TimeText.local(second * 1000)
            guard case .second(let parsed) = try DateExpression(text) else { Issue.record("\(text)"); continue }
            // Of an hour that occurs twice the earlier is meant.
            #expect(parsed <= second && TimeText.local(parsed * 1000) == text, "seed \(seed): \(text)")
        }
    }

    @Test("Change numbers and the words of the place are dates")
    func words() throws {
        #expect(try DateExpression("change:123") == .change(123))
        #expect(try DateExpression("CHANGE:0") == .change(0))
        #expect(try DateExpression("Last", words: ["last"]) == .word("last"))
        #expect(throws: MalformedDate.self) { try DateExpression("first", words: ["last"]) }
    }

    @Test("What is no date is refused", arguments: [
        "", "yesterday", "31/02/2014 10:00:00", "28/02/2014", "28/02/2014 25:00:00", "28/13/2014 10:00:00", "28/02/14 10:00:00",
        "2014-02-30T00:00:00Z", "2014-02-28T10:15:10+1", "2014-02-28T10:15:10.Z", "28/02/2014 10:15:10 x", "change:-1", "change:x",
        "2014-02-28T10:15:60Z", "29/02/2015 00:00:00",
    ])
    func refused(_ text: String) {
        #expect(throws: MalformedDate.self) { try DateExpression(text, words: ["last"]) }
    }

    @Test("Times for programs are UTC with milliseconds", arguments: [
        (Int64(0), "1970-01-01T00:00:00.000Z"), (1_393_582_510_042, "2014-02-28T10:15:10.042Z"), (-1, "1969-12-31T23:59:59.999Z"),
    ])
    func isoText(_ milliseconds: Int64, _ text: String) {
        #expect(TimeText.iso(milliseconds) == text)
    }
}
