/// An appointment or a task as an iCalendar text (RFC 5545), from the invites of its metadata (formats/zimbra-items.md, section 3.9):
/// a series and its exceptions are components of one calendar with one UID.
struct CalendarText {
    let text: String

    /// - Parameter descriptions: what the metadata has no room for, by the invite's id: long descriptions of the content.
    init(_ state: ItemState, descriptions: [Int64: String] = [:]) {
        let metadata = state.metadata
        let count = min(max(metadata.integer("nc") ?? 1, 0), 100_000)
        let invites = (0..<count).compactMap { metadata.dictionary("inv\($0)") }
        var lines = ContentLines()
        lines.add("BEGIN", raw: "VCALENDAR")
        lines.add("PRODID", raw: "-//zxbackup//EN")
        lines.add("VERSION", raw: "2.0")
        lines.add("METHOD", raw: "PUBLISH")
        var zones: Set<String> = []
        for map in [metadata] + invites {
            guard let list = map.dictionary("tzm") else { continue }
            for key in list.keys {
                guard let zone = list.dictionary(key), let id = zone.string("tzid"), zones.insert(id).inserted else { continue }
                Self.add(zone: zone, id, &lines)
            }
        }
        for invite in invites {
            Self.add(
                invite, uid: invite.string("u") ?? metadata.string("u") ?? "\(state.row.id)",
                isTask: state.row.type == .task, tags: state.row.tags,
                description: invite.integer("mid").flatMap { descriptions[$0] }, &lines)
        }
        lines.add("END", raw: "VCALENDAR")
        text = lines.text
    }

    private static func add(
        _ invite: MetadataDictionary, uid: String, isTask: Bool, tags: [String], description: String?, _ lines: inout ContentLines
    ) {
        let component = isTask ? "VTODO" : "VEVENT"
        lines.add("BEGIN", raw: component)
        lines.add("UID", text: uid)
        if let stamp = invite.integer("dts") { lines.add("DTSTAMP", raw: utc(stamp)) }
        if let changed = invite.integer("lastMod") { lines.add("LAST-MODIFIED", raw: utc(changed)) }
        lines.add("SEQUENCE", raw: "\(invite.integer("seq") ?? 0)")
        addTime("DTSTART", invite.string("st"), &lines)
        addTime(isTask ? "DUE" : "DTEND", invite.string("et"), &lines)
        if invite.string("et") == nil { lines.add("DURATION", text: invite.string("duration")) }
        addTime("RECURRENCE-ID", invite.dictionary("rid")?.string("dt"), &lines)
        lines.add("SUMMARY", text: invite.string("n"))
        lines.add("LOCATION", text: invite.string("l"))
        lines.add("DESCRIPTION", text: invite.string("desc") ?? description ?? invite.string("frag"))
        if let html = invite.string("descH") { lines.add("X-ALT-DESC;FMTTYPE=text/html", text: html) }
        lines.add("STATUS", text: invite.string("status").map { statuses[$0] ?? $0 })
        lines.add("CLASS", text: invite.string("cl").map { classes[$0] ?? $0 } ?? "PUBLIC")
        if !isTask { lines.add("TRANSP", raw: invite.string("tr") == "T" ? "TRANSPARENT" : "OPAQUE") }
        lines.add("X-MICROSOFT-CDO-BUSYSTATUS", text: invite.string("fb").flatMap { busy[$0] })
        lines.add("PRIORITY", text: invite.string("prio"))
        lines.add("PERCENT-COMPLETE", text: invite.string("pctcompl"))
        if let completed = invite.integer("completed"), completed > 0 { lines.add("COMPLETED", raw: utc(completed)) }
        lines.add("URL", text: invite.string("url"))
        if let place = invite.dictionary("geo"), let latitude = place.string("lat"), let longitude = place.string("lon") {
            lines.add("GEO", raw: "\(latitude);\(longitude)")
        }
        let categories = (0..<limited(invite.integer("numCat"))).compactMap { invite.string("cat\($0)") }
        lines.add("CATEGORIES", parts: categories + tags.filter { !categories.contains($0) }, separator: ",")
        for number in 0..<limited(invite.integer("numCmt")) { lines.add("COMMENT", text: invite.string("cmt\(number)")) }
        for number in 0..<limited(invite.integer("numContacts")) { lines.add("CONTACT", text: invite.string("contact\(number)")) }
        if let organizer = invite.dictionary("org") { add(person: organizer, "ORGANIZER", &lines) }
        for number in 0..<limited(invite.integer("numAt")) {
            if let attendee = invite.dictionary("at\(number)") { add(person: attendee, "ATTENDEE", &lines) }
        }
        if let recurrence = invite.dictionary("recurrence") {
            add(rules: recurrence.dictionary("add"), "RRULE", "RDATE", &lines)
            add(rules: recurrence.dictionary("sub"), "EXRULE", "EXDATE", &lines)
        }
        for number in 0..<limited(invite.integer("numAl")) {
            if let alarm = invite.dictionary("al\(number)") { add(alarm: alarm, &lines) }
        }
        lines.add("END", raw: component)
    }

    private static func add(zone: MetadataDictionary, _ id: String, _ lines: inout ContentLines) {
        // A zone of the server's own list is named only, by a name of the time-zone database.
        guard let standard = zone.integer("so"), let daylight = zone.integer("do") else { return }
        lines.add("BEGIN", raw: "VTIMEZONE")
        lines.add("TZID", raw: id)
        let parts = [
            ("STANDARD", zone.string("d2ss"), daylight, standard, zone.string("d2sr"), zone.string("sn")),
            ("DAYLIGHT", zone.string("s2ds"), standard, daylight, zone.string("s2dr"), zone.string("dn")),
        ]
        for (name, start, from, to, rule, label) in parts where name == "STANDARD" || standard != daylight {
            lines.add("BEGIN", raw: name)
            lines.add("DTSTART", raw: start ?? "19700101T000000")
            lines.add("TZOFFSETFROM", raw: offset(from))
            lines.add("TZOFFSETTO", raw: offset(to))
            if let rule, !rule.isEmpty { lines.add("RRULE", raw: rule) }
            lines.add("TZNAME", text: label)
            lines.add("END", raw: name)
        }
        lines.add("END", raw: "VTIMEZONE")
    }

    private static func add(person: MetadataDictionary, _ property: String, _ lines: inout ContentLines) {
        guard let address = person.string("a") else { return }
        var name = property
        func add(_ parameter: String, _ value: String?) {
            if let value { name += ";\(parameter)=\(value)" }
        }
        add("CN", person.string("cn").map(ContentLines.parameter))
        add("CUTYPE", person.string("cut").flatMap { kinds[$0] })
        add("ROLE", person.string("r").flatMap { roles[$0] })
        add("PARTSTAT", person.string("ptst").flatMap { answers[$0] })
        if person.string("v") == "1" { add("RSVP", "TRUE") }
        for (parameter, key) in [("SENT-BY", "sentby"), ("MEMBER", "member"), ("DELEGATED-TO", "delto"), ("DELEGATED-FROM", "delfrom")] {
            add(parameter, person.string(key).map { ContentLines.parameter(mailto($0)) })
        }
        lines.add(name, raw: mailto(address))
    }

    private static func add(rules: MetadataDictionary?, _ rule: String, _ date: String, _ lines: inout ContentLines) {
        guard let rules else { return }
        for number in 0..<limited(rules.integer("nr")) {
            guard let entry = rules.dictionary("r\(number)") else { continue }
            if let text = entry.string("recur") { lines.add(rule, raw: text) }
            guard let dates = entry.dictionary("rexd") else { continue }
            let values = (0..<limited(dates.integer("numV"))).compactMap { dates.string("v\($0)") }
            guard !values.isEmpty else { continue }
            var name = date
            if let zone = dates.string("tzid"), !values.allSatisfy({ $0.hasSuffix("Z") }) { name += ";TZID=" + ContentLines.parameter(zone) }
            if values.allSatisfy({ $0.utf8.count == 8 }) { name += ";VALUE=DATE" }
            lines.add(name, raw: values.joined(separator: ","))
        }
    }

    private static func add(alarm: MetadataDictionary, _ lines: inout ContentLines) {
        lines.add("BEGIN", raw: "VALARM")
        lines.add("ACTION", raw: alarm.string("ac").map { ["D": "DISPLAY", "A": "AUDIO", "E": "EMAIL", "P": "PROCEDURE"][$0] ?? $0 } ?? "DISPLAY")
        if let relative = alarm.string("tr") {
            lines.add(alarm.string("trd") == "e" ? "TRIGGER;RELATED=END" : "TRIGGER", raw: relative)
        } else if let absolute = alarm.string("ta") {
            lines.add("TRIGGER;VALUE=DATE-TIME", raw: absolute)
        }
        lines.add("DESCRIPTION", text: alarm.string("ds") ?? "Reminder")
        lines.add("SUMMARY", text: alarm.string("su"))
        lines.add("END", raw: "VALARM")
    }

    /// A time as the metadata writes it: `20240102`, `20240102T100000Z`, or with parameters and a colon before it.
    private static func addTime(_ name: String, _ text: String?, _ lines: inout ContentLines) {
        guard let text, !text.isEmpty else { return }
        let colon = text.lastIndex(of: ":")
        let value = colon.map { String(text[text.index(after: $0)...]) } ?? text
        var parameters = colon.map { String(text[..<$0]) } ?? ""
        while parameters.first == ";" { parameters.removeFirst() }
        if value.utf8.count == 8, !parameters.uppercased().contains("VALUE=") { parameters += (parameters.isEmpty ? "" : ";") + "VALUE=DATE" }
        lines.add(parameters.isEmpty ? name : name + ";" + parameters, raw: value)
    }

    private static func mailto(_ address: String) -> String { address.lowercased().hasPrefix("mailto:") ? address : "mailto:" + address }

    /// `yyyyMMddTHHmmssZ`.
    private static func utc(_ milliseconds: Int64) -> String {
        String(String.UnicodeScalarView(TimeText.iso(milliseconds).unicodeScalars.prefix(19).filter { $0 != "-" && $0 != ":" })) + "Z"
    }

    /// `+0100`.
    private static func offset(_ milliseconds: Int64) -> String {
        let minutes = (milliseconds / 60_000).magnitude
        func two(_ number: UInt64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return (milliseconds < 0 ? "-" : "+") + two(minutes / 60) + two(minutes % 60)
    }

    /// A count that metadata claims, which nothing bounds there.
    private static func limited(_ count: Int64?) -> Int64 { min(max(count ?? 0, 0), 100_000) }

    private static let statuses = [
        "CONF": "CONFIRMED", "TENT": "TENTATIVE", "CANC": "CANCELLED", "NEED": "NEEDS-ACTION", "COMP": "COMPLETED", "INPR": "IN-PROCESS",
    ]
    private static let classes = ["PUB": "PUBLIC", "PRI": "PRIVATE", "CON": "CONFIDENTIAL"]
    private static let busy = ["F": "FREE", "B": "BUSY", "T": "TENTATIVE", "O": "OOF"]
    private static let kinds = ["IND": "INDIVIDUAL", "GRO": "GROUP", "RES": "RESOURCE", "ROO": "ROOM", "UNK": "UNKNOWN"]
    private static let roles = ["CHA": "CHAIR", "REQ": "REQ-PARTICIPANT", "OPT": "OPT-PARTICIPANT", "NON": "NON-PARTICIPANT"]
    private static let answers = [
        "NE": "NEEDS-ACTION", "AC": "ACCEPTED", "DE": "DECLINED", "TE": "TENTATIVE", "DG": "DELEGATED", "CO": "COMPLETED", "IN": "IN-PROCESS",
    ]
}
