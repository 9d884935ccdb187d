import BackupCore
import Testing

@Suite("What a calendar text asks for")
struct CalendarRequestTests {
    @Test("Folded lines, parameters with colons and escapes are read; what a component within says is not")
    func reads() throws {
        let request = try #require(
            CalendarRequest(
                """
                BEGIN:VCALENDAR\r
                METHOD:request\r
                BEGIN:VTIMEZONE\r
                TZID:X\r
                END:VTIMEZONE\r
                BEGIN:VEVENT\r
                UID:a-\r
                 b\r
                SUMMARY;LANGUAGE=en:One\\, two\r
                ORGANIZER;CN="Ann: the boss":MAILTO:ann@example.com\r
                ATTENDEE;PARTSTAT=ACCEPTED;CN="x:y":mailto:bob@example.com\r
                DTSTART;TZID="Europe/Rome":20261124T093000\r
                BEGIN:VALARM\r
                SUMMARY:alarm\r
                END:VALARM\r
                END:VEVENT\r
                END:VCALENDAR\r

                """))
        #expect(request.method == "REQUEST" && request.changesItems && !request.isTask)
        #expect(request.uid == "a-b" && request.summary == "One, two" && request.start == "20261124T093000")
        #expect(request.organizer == "ann@example.com" && request.instance == nil)
        #expect(request.attendees.map(\.address) == ["bob@example.com"] && request.attendees.map(\.status) == ["AC"])
    }

    @Test("A text without a component that has a UID asks for nothing", arguments: [
        "", "BEGIN:VCALENDAR", "METHOD:REQUEST\nBEGIN:VEVENT\nSUMMARY:x\nEND:VEVENT\n", "BEGIN:VEVENT\nUID:x\n", ":::\n ;;\n:",
    ])
    func nothing(text: String) { #expect(CalendarRequest(text) == nil) }
}
