import BackupCore
import RedoLog

/// Repairs of calendar items, as an administrator's tools ask for them (formats/zimbra-redolog.md, section 7.9). What is in order
/// is left alone, and then nothing is logged. The log names the item; the repaired values are computed.
extension SandboxMailbox {
    /// Replaces time zones of an item: old name → new one. Returns whether it had one of them.
    @discardableResult
    public func fixTimeZones(_ replacements: [String: String], of id: Int64) throws -> Bool {
        try fix(id) { metadata in
            metadata.replaceZones(replacements)
            for place in metadata.invitations.indices {
                guard var invitation = metadata.dictionary("inv\(place)") else { continue }
                invitation.replaceZones(replacements)
                metadata["inv\(place)"] = .dictionary(invitation)
            }
        } logging: { item in
            var logged = FixCalendarItemTZ()
            logged.itemID = item
            logged.replacements = replacements.sorted { $0.key < $1.key }.map { old, new in
                var replacement = TimeZoneReplacement()
                replacement.tzid = LogText(old)
                replacement.timezone = LogText(MetadataDictionary.zone(new).text(forColumn: false))
                return replacement
            }
            return .fixCalendarItemTZ(logged)
        }
    }

    /// Lets a series end with its last instance, moved ones included. Returns whether it ended too early.
    @discardableResult
    public func fixEndTime(of id: Int64) throws -> Bool {
        try fix(id) { metadata in
            let ends = metadata.invitations.filter { $0.string("status") != "CANC" }
                .compactMap { $0.string("et").flatMap(CalendarText.milliseconds) }
            metadata["ape"] = .integer(([metadata.integer("ape") ?? 0] + ends).max() ?? 0)
        } logging: { item in
            var logged = FixCalendarItemEndTime()
            logged.itemID = item
            return .fixCalendarItemEndTime(logged)
        }
    }

    /// Takes away a priority of 0, which means none. Returns whether there was one.
    @discardableResult
    public func fixPriority(of id: Int64) throws -> Bool {
        try fix(id) { metadata in
            for (place, invitation) in metadata.invitations.enumerated() where invitation.string("prio") == "0" {
                var invitation = invitation
                invitation["prio"] = nil
                metadata["inv\(place)"] = .dictionary(invitation)
            }
        } logging: { item in
            var logged = FixCalendarItemPriority()
            logged.itemID = item
            return .fixCalendarItemPriority(logged)
        }
    }

    private func fix(
        _ id: Int64, _ repair: (inout MetadataDictionary) -> Void, logging operation: (Int32) -> RedoLog.Operation
    ) throws -> Bool {
        func repaired(_ row: ItemRow) -> MetadataDictionary {
            var metadata = row.map
            repair(&metadata)
            return metadata
        }
        guard let row = try item(id), repaired(row) != row.map else { return false }
        try server.change(mailboxID) { change in
            let old = try change.calendarItem(id)
            try change.editCalendarItem(old) { $0 = repaired(old) }
            let row = try change.item(id)
            if let span = AppointmentTable.Span(of: row) {
                try AppointmentTable.appointments.put(span, item: id, mailbox: change.mailbox, in: change.database)
            }
            return ((), Logged(operation(Int32(id))))
        }
        return true
    }
}

extension MetadataDictionary {
    /// A time zone that every server knows by its name.
    static func zone(_ name: String) -> MetadataDictionary {
        var map = MetadataDictionary()
        map["tzid"] = .string(name)
        return map
    }

    /// The zones of a map `tzm` under other names.
    fileprivate mutating func replaceZones(_ replacements: [String: String]) {
        guard var zones = dictionary("tzm") else { return }
        for key in zones.keys {
            if let new = zones.dictionary(key)?.string("tzid").flatMap({ replacements[$0] }) { zones[key] = .dictionary(.zone(new)) }
        }
        self["tzm"] = .dictionary(zones)
    }
}
