/// What the calendar part of a message asks for: the little of its first component that finds and names the calendar item.
public struct CalendarRequest: Hashable, Sendable {
    /// METHOD, in capitals; empty without one.
    public var method = ""
    /// A task, not an appointment.
    public var isTask = false
    /// The component's properties by name in capitals, the first of each.
    private var properties: [String: String] = [:]
    /// Addresses and participation states of attendees.
    public var attendees: [(address: String, status: String)] { attendeeLines.map(Self.attendee) }
    private var attendeeLines: [String] = []

    /// What names the item in all calendars.
    public var uid: String { properties["UID"] ?? "" }
    /// What it is about.
    public var summary: String? { properties["SUMMARY"].map(Self.unescaped) }
    /// DTSTART as written.
    public var start: String? { properties["DTSTART"] }
    /// DTEND or DUE as written.
    public var end: String? { properties[isTask ? "DUE" : "DTEND"] }
    /// Which instance of a series is meant, as written; nil for the series.
    public var instance: String? { properties["RECURRENCE-ID"] }
    /// RRULE as written; nil for what happens once.
    public var rule: String? { properties["RRULE"] }
    /// The organizer's address.
    public var organizer: String? { properties["ORGANIZER"].map(Self.address) }

    /// Whether a server puts it into the calendar, or changes what is there: no answer, and nothing that only asks.
    public var changesItems: Bool { ["REQUEST", "PUBLISH", "CANCEL", "ADD"].contains(method) }

    /// Reads a calendar text; nil where it has no component with a UID.
    public init?(_ text: String) {
        var component: Substring?
        for line in Self.lines(text) {
            guard let colon = Self.colon(in: line) else { continue }
            let head = line[..<colon]
            let name = head.prefix { $0 != ";" }.uppercased()
            let value = line[line.index(after: colon)...]
            switch (name, component) {
            case ("METHOD", nil): method = value.uppercased()
            case ("BEGIN", nil) where ["VEVENT", "VTODO"].contains(value.uppercased()):
                component = value
                isTask = value.uppercased() == "VTODO"
            case ("END", let open?) where open.uppercased() == value.uppercased():
                guard properties["UID"]?.isEmpty == false else { return nil }
                return
            case (_, nil): break
            case ("ATTENDEE", _): if attendeeLines.count < 1000 { attendeeLines.append(String(line)) }
            // What a component within says (an alarm's DESCRIPTION) comes after, or is not wanted.
            default: properties[name] = properties[name] ?? String(value)
            }
        }
        return nil
    }

    /// Lines without their folds.
    private static func lines(_ text: String) -> [String] {
        var lines: [String] = []
        for line in text.unicodeScalars.split(whereSeparator: { $0 == "\n" || $0 == "\r" }) {
            if line.first == " " || line.first == "\t", !lines.isEmpty {
                lines[lines.count - 1].unicodeScalars.append(contentsOf: line.dropFirst())
            } else {
                lines.append(String(line))
            }
        }
        return lines
    }

    /// The colon before the value: one between quotation marks belongs to a parameter.
    private static func colon(in line: String) -> String.Index? {
        var isQuoted = false
        return line.indices.first { place in
            if line[place] == "\"" { isQuoted.toggle() }
            return line[place] == ":" && !isQuoted
        }
    }

    private static func attendee(_ line: String) -> (address: String, status: String) {
        let states = ["NEEDS-ACTION": "NE", "ACCEPTED": "AC", "TENTATIVE": "TE", "DECLINED": "DE", "DELEGATED": "DG"]
        let colon = colon(in: line) ?? line.endIndex
        let parameters = line[..<colon].split(separator: ";").dropFirst().map { $0.uppercased() }
        let status = parameters.first { $0.hasPrefix("PARTSTAT=") }.flatMap { states[String($0.dropFirst(9))] }
        return (address(String(line[colon...].dropFirst())), status ?? "NE")
    }

    private static func address(_ value: String) -> String {
        value.lowercased().hasPrefix("mailto:") ? String(value.dropFirst(7)) : value
    }

    private static func unescaped(_ value: String) -> String {
        value.replacing("\\n", with: "\n").replacing("\\,", with: ",").replacing("\\;", with: ";").replacing("\\\\", with: "\\")
    }
}
