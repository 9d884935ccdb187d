import BackupCore
import RedoLog

/// An appointment or task with the exceptions of its series.
public struct NewAppointment: Hashable, Sendable {
    /// What names it in all calendars.
    public var uid: String
    /// What it is about.
    public var summary: String
    /// Where it is; empty = nowhere.
    public var location: String
    /// Milliseconds since the epoch, whole seconds.
    public var start: Int64
    /// Seconds.
    public var duration: Int64
    /// On how many days in a row it happens.
    public var days: Int
    /// Addresses of who is invited.
    public var attendees: [String]
    /// Minutes before the start; nil = no alarm.
    public var alarm: Int64?
    /// 1 (highest) to 9, or 0, which means none; nil = not said.
    public var priority: Int?
    /// The time zone that it was made in, such as `Europe/Berlin`; nil = UTC. Times are those of UTC all the same.
    public var zone: String?
    /// A task, not an appointment.
    public var isTask: Bool
    /// Days that differ from the series.
    public var exceptions: [Exception]

    /// A day of a series that was moved or cancelled.
    public struct Exception: Hashable, Sendable {
        /// When the series has it: milliseconds since the epoch.
        public var instance: Int64
        /// When it is instead; nil = it is cancelled.
        public var start: Int64?
        /// What it is about.
        public var summary: String

        /// An exception made of its parts.
        public init(instance: Int64, start: Int64?, summary: String) {
            self.instance = instance
            self.start = start
            self.summary = summary
        }
    }

    /// An appointment made of its parts.
    public init(
        uid: String, summary: String, location: String = "", start: Int64, duration: Int64 = 3600, days: Int = 1,
        attendees: [String] = [], alarm: Int64? = nil, isTask: Bool = false, exceptions: [Exception] = []
    ) {
        self.uid = uid
        self.summary = summary
        self.location = location
        self.start = start / 1000 * 1000
        self.duration = duration
        self.days = days
        self.attendees = attendees
        self.alarm = alarm
        self.isTask = isTask
        self.exceptions = exceptions
    }

    /// Calendar or Tasks.
    var usualFolder: Int64 { isTask ? FolderID.tasks : FolderID.calendar }

    /// The end of the last day, milliseconds.
    var end: Int64 { start + Int64(days - 1) * CalendarText.day + duration * 1000 }

    /// The start of the first day or its alarm, milliseconds.
    var firstMoment: Int64 { start - (alarm ?? 0) * 60_000 }

    /// The zones as the metadata have them: numbered, and the name of each.
    var zones: MetadataDictionary {
        var zones = MetadataDictionary()
        if let zone {
            zones["#0"] = .dictionary(.zone(zone))
            zones[zone] = .integer(0)
        }
        return zones
    }
}

/// One invitation: the dictionary that the log and the item's metadata hold, and the message that brought it.
struct Invitation {
    var map: MetadataDictionary
    var message: [UInt8]
    /// As the column `sender` has it: name and address without anything between.
    var organizer: String

    /// The series, or the only appointment.
    init(of new: NewAppointment, number: Int64, owner: String, sequence: Int64, stamp: Int64) {
        map = Self.common(new, summary: new.summary, number: number, owner: owner, sequence: sequence, stamp: stamp)
        map["st"] = .string(CalendarText.utc(new.start))
        map["et"] = .string(CalendarText.utc(new.start + new.duration * 1000))
        map["mthd"] = .string(new.attendees.isEmpty ? "PUBLISH" : "REQUEST")
        map["status"] = .string(new.isTask ? "NEED" : "CONF")
        if new.days > 1 { map["recurrence"] = .dictionary(Self.recurrence(new, number: number)) }
        organizer = new.attendees.isEmpty ? "" : Self.name(owner) + owner
        message = Self.message(map, new, owner: owner)
    }

    /// A day that differs.
    init(_ exception: NewAppointment.Exception, of new: NewAppointment, number: Int64, owner: String, sequence: Int64, stamp: Int64) {
        map = Self.common(new, summary: exception.summary, number: number, owner: owner, sequence: sequence, stamp: stamp)
        let start = exception.start ?? exception.instance
        map["af"] = .integer(new.isTask ? 1 : 2)
        map["st"] = .string(CalendarText.utc(start))
        map["et"] = .string(CalendarText.utc(start + new.duration * 1000))
        map["mthd"] = .string(exception.start == nil ? "CANCEL" : new.attendees.isEmpty ? "PUBLISH" : "REQUEST")
        map["status"] = .string(exception.start == nil ? "CANC" : "CONF")
        map["rid"] = .dictionary(Self.recurrenceID(exception))
        organizer = ""
        message = Self.message(map, new, owner: owner)
    }

    private static func common(
        _ new: NewAppointment, summary: String, number: Int64, owner: String, sequence: Int64, stamp: Int64
    ) -> MetadataDictionary {
        var map = MetadataDictionary()
        map["it"] = .integer(new.isTask ? 15 : 11)
        map["u"] = .string(new.uid)
        map["mid"] = .integer(number)
        map["comp"] = .integer(0)
        map["n"] = .string(summary)
        map["l"] = new.location.isEmpty ? nil : .string(new.location)
        map["af"] = .integer((new.isTask ? 1 : 2) + (new.days > 1 ? 0x20 : 0))
        map["byme"] = .string("true")
        map["clSetByMe"] = .string("false")
        map["dinM"] = .string("true")
        map["dts"] = .integer(stamp)
        map["lastMod"] = .integer(stamp)
        map["seq"] = .integer(sequence)
        map["lfseq"] = .integer(sequence)
        map["frag"] = .string("")
        map["isOrg"] = .string("true")
        map["ptst"] = .string("AC")
        map["rsvp"] = .string("false")
        map["tr"] = .string("O")
        map["noidxmm"] = .string("true")
        map["tzm"] = .dictionary(new.zones)
        map["prio"] = new.priority.map { .string("\($0)") }
        map["numAt"] = .string("\(new.attendees.count)")
        for (place, address) in new.attendees.enumerated() { map["at\(place)"] = .dictionary(attendee(address, status: "NE")) }
        if !new.attendees.isEmpty {
            var organizer = MetadataDictionary()
            organizer["a"] = .string(owner)
            organizer["cn"] = .string(name(owner))
            map["org"] = .dictionary(organizer)
        }
        if let alarm = new.alarm {
            map["numAl"] = .integer(1)
            map["al0"] = .dictionary(Self.alarm(alarm))
        }
        return map
    }

    static func attendee(_ address: String, status: String) -> MetadataDictionary {
        var map = MetadataDictionary()
        map["a"] = .string(address)
        map["cn"] = .string(name(address))
        map["ptst"] = .string(status)
        map["r"] = .string("REQ")
        map["v"] = .string("1")
        return map
    }

    static func alarm(_ minutes: Int64) -> MetadataDictionary {
        var map = MetadataDictionary()
        map["ac"] = .string("d")
        map["ds"] = .string("soon")
        map["tr"] = .string("-PT\(minutes)M")
        map["trd"] = .string("s")
        map["tt"] = .string("r")
        return map
    }

    static func recurrenceID(_ exception: NewAppointment.Exception) -> MetadataDictionary {
        var map = MetadataDictionary()
        map["dt"] = .string(CalendarText.utc(exception.instance))
        map["r"] = .integer(1)
        return map
    }

    /// A rule set with one rule: every day, so many times.
    static func recurrence(_ new: NewAppointment, number: Int64) -> MetadataDictionary {
        var invitation = MetadataDictionary()
        invitation["i"] = .integer(number)
        invitation["c"] = .integer(0)
        invitation["m"] = .integer(3)
        var rule = MetadataDictionary()
        rule["t"] = .integer(2)
        rule["dts"] = .string(CalendarText.utc(new.start))
        rule["dur"] = .string("PT\(new.duration)S")
        rule["recur"] = .string("FREQ=DAILY;COUNT=\(new.days)")
        rule["inv"] = .dictionary(invitation)
        var rules = MetadataDictionary()
        rules["nr"] = .integer(1)
        rules["r0"] = .dictionary(rule)
        var map = MetadataDictionary()
        map["t"] = .string("4")
        map["dts"] = .string(CalendarText.utc(new.start))
        map["duration"] = .string("PT\(new.duration)S")
        map["add"] = .dictionary(rules)
        map["invid"] = .dictionary(invitation)
        map["numEx"] = .string("0")
        return map
    }

    /// The sequence number that a new version of an item has.
    static func nextSequence(after row: ItemRow) throws -> Int64 {
        (try MetadataDictionary(parsing: row.metadata).dictionary("inv0")?.integer("seq") ?? 0) + 1
    }

    private static func name(_ address: String) -> String { String(address.prefix { $0 != "@" }) }

    private static func message(_ map: MetadataDictionary, _ new: NewAppointment, owner: String) -> [UInt8] {
        let kind = new.isTask ? "VTODO" : "VEVENT"
        var lines = [
            "From: <\(owner)>", "To: \(new.attendees.isEmpty ? "<\(owner)>" : new.attendees.joined(separator: ", "))",
            "Subject: \(map.string("n") ?? "")", "MIME-Version: 1.0",
            "Content-Type: text/calendar; charset=utf-8; method=\(map.string("mthd") ?? "")", "Content-Transfer-Encoding: 8bit", "",
            "BEGIN:VCALENDAR", "VERSION:2.0", "METHOD:\(map.string("mthd") ?? "")", "BEGIN:\(kind)", "UID:\(new.uid)",
            "SUMMARY:\(map.string("n") ?? "")", "DTSTART:\(map.string("st") ?? "")",
            "\(new.isTask ? "DUE" : "DTEND"):\(map.string("et") ?? "")", "SEQUENCE:\(map.integer("seq") ?? 0)",
        ]
        if let instance = map.dictionary("rid")?.string("dt") {
            lines.append("RECURRENCE-ID:\(instance)")
        } else if new.days > 1 {
            lines.append("RRULE:FREQ=DAILY;COUNT=\(new.days)")
        }
        lines += new.attendees.map { "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:\($0)" }
        lines += ["END:\(kind)", "END:VCALENDAR", ""]
        return Array(lines.joined(separator: "\r\n").utf8)
    }
}

extension MetadataDictionary {
    /// The metadata of a calendar item as the server computes it from its invitations; replies stay.
    mutating func describe(_ new: NewAppointment, _ invitations: [Invitation], now: Int64) {
        for key in keys where key.hasPrefix("inv") { self[key] = nil }
        self["u"] = .string(new.uid)
        self["aps"] = .integer(new.firstMoment)
        self["ape"] = .integer(new.end)
        self["nc"] = .integer(Int64(invitations.count))
        self["tzm"] = .dictionary(new.zones)
        if dictionary("rl") == nil {
            var replies = MetadataDictionary()
            replies["n"] = .integer(0)
            self["rl"] = .dictionary(replies)
        }
        for (place, invitation) in invitations.enumerated() { self["inv\(place)"] = .dictionary(invitation.map) }
        let number = invitations[0].map.integer("mid") ?? 0
        self["apptRecur"] = nil
        if new.days > 1 {
            var recurrence = Invitation.recurrence(new, number: number)
            recurrence["numEx"] = .string("\(new.exceptions.count)")
            for (place, exception) in new.exceptions.enumerated() {
                var entry = MetadataDictionary()
                entry["t"] = .integer(3)
                entry["recurId"] = .dictionary(Invitation.recurrenceID(exception))
                entry["dts"] = .string(CalendarText.utc(exception.start ?? exception.instance))
                recurrence["ex\(place)"] = .dictionary(entry)
            }
            self["apptRecur"] = .dictionary(recurrence)
        }
        self["ad"] = nil
        guard let minutes = new.alarm else { return }
        let days = (0..<Int64(new.days)).map { new.start + $0 * CalendarText.day }
        guard let next = days.first(where: { $0 - minutes * 60_000 > now }) else { return }
        var due = MetadataDictionary()
        due["alarm"] = .dictionary(Invitation.alarm(minutes))
        due["compNum"] = .integer(0)
        due["invId"] = .integer(number)
        due["na"] = .integer(next - minutes * 60_000)
        due["nis"] = .integer(next)
        self["ad"] = .dictionary(due)
    }
}

/// Times as calendar texts have them.
enum CalendarText {
    /// Milliseconds.
    static let day: Int64 = 86_400_000

    /// The local zone that records name: UTC.
    static let timezone: LogText = {
        var zone = MetadataDictionary()
        zone["tzid"] = .string("Z")
        zone["so"] = .integer(0)
        zone["do"] = .integer(0)
        zone["d2ss"] = .string("16010101T000000")
        zone["s2ds"] = .string("16010101T000000")
        zone["sn"] = .string("UTC")
        zone["dn"] = .string("UTC")
        return LogText(zone.text(forColumn: false))
    }()

    /// `20261124T093000Z`.
    static func utc(_ milliseconds: Int64) -> String {
        let text = SandboxServer.generalizedTime(milliseconds)
        return text.prefix(8) + "T" + text.dropFirst(8)
    }

    /// The time of a text such as `20261124T093000Z`, in milliseconds; nil for another text.
    static func milliseconds(_ text: String) -> Int64? {
        let digits = text.utf8.filter { (48...57).contains($0) }.map { Int64($0) - 48 }
        guard digits.count == 14, text.hasSuffix("Z") else { return nil }
        func number(_ from: Int, _ to: Int) -> Int64 { digits[from..<to].reduce(0) { $0 * 10 + $1 } }
        // Days since 1970, counted in years that begin in March.
        let month = number(4, 6)
        let year = number(0, 4) - (month <= 2 ? 1 : 0)
        let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * ((month + 9) % 12) + 2) / 5 + number(6, 8) - 719_469
        return (days * 86400 + number(8, 10) * 3600 + number(10, 12) * 60 + number(12, 14)) * 1000
    }

    /// `2026-11-24 09:30:00.0`, as the table `appointment` has it.
    static func column(_ milliseconds: Int64) -> String {
        let digits = Array(SandboxServer.generalizedTime(milliseconds))
        func part(_ from: Int, _ to: Int) -> String { String(digits[from..<to]) }
        return "\(part(0, 4))-\(part(4, 6))-\(part(6, 8)) \(part(8, 10)):\(part(10, 12)):\(part(12, 14)).0"
    }
}
