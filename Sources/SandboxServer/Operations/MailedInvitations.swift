import BackupCore
import RedoLog

/// Invitations that come by mail (formats/zimbra-redolog.md, section 7.3.4): the record of the message names the calendar item that
/// it creates, with the calendar's folder instead of its own; one that it changes is not named at all.
extension Change {
    /// The calendar item that a delivered message was put into.
    struct MailedItem {
        var row: ItemRow
        var isNew: Bool
    }

    /// Puts what a message asks for into the calendar; nil where there is nothing to do.
    func take(_ request: CalendarRequest) throws -> MailedItem? {
        guard request.changesItems else { return nil }
        let old = try calendarItem(uid: request.uid)
        if request.method == "CANCEL" || request.instance != nil {
            guard let old else { return nil }
            return MailedItem(row: try revise(old, by: request), isNew: false)
        }
        let new = appointment(request)
        var invitation = Invitation(
            of: new, number: nextItemID(), owner: request.organizer ?? "", sequence: try old.map { try Invitation.nextSequence(after: $0) } ?? 0,
            stamp: seconds * 1000)
        invitation.map["ptst"] = .string("NE")
        invitation.map["isOrg"] = .string("false")
        invitation.map["byme"] = .string("false")
        let folder = old?.folderID ?? new.usualFolder
        return MailedItem(row: try put(new, [invitation], over: old, folder: folder, flags: nil, tags: nil), isNew: old == nil)
    }

    /// A day of a series is moved, or it or the whole is cancelled: the invitation takes its place among the others.
    private func revise(_ old: ItemRow, by request: CalendarRequest) throws -> ItemRow {
        let new = appointment(request)
        let isOff = request.method == "CANCEL"
        var row = touched(old, content: true)
        row.date = seconds
        var metadata = row.map
        if let instance = request.instance, let day = CalendarText.milliseconds(instance) {
            let exception = NewAppointment.Exception(instance: day, start: isOff ? nil : new.start, summary: new.summary)
            let invitation = Invitation(
                exception, of: new, number: nextItemID(), owner: request.organizer ?? "",
                sequence: try Invitation.nextSequence(after: old), stamp: seconds * 1000)
            let place = metadata.invitations.firstIndex { $0.dictionary("rid")?.string("dt") == instance } ?? metadata.invitations.count
            metadata["nc"] = .integer(Int64(max(metadata.invitations.count, place + 1)))
            metadata["inv\(place)"] = .dictionary(invitation.map)
        } else if var first = metadata.dictionary("inv0") {
            first["status"] = .string("CANC")
            first["mthd"] = .string("CANCEL")
            metadata["inv0"] = .dictionary(first)
        }
        row.metadata = try Self.nextVersion(metadata.text(), by: 2)
        try update(old, to: row)
        return row
    }

    private func appointment(_ request: CalendarRequest) -> NewAppointment {
        let start = request.start.flatMap(CalendarText.milliseconds) ?? time
        let end = request.end.flatMap(CalendarText.milliseconds) ?? start
        var new = NewAppointment(
            uid: request.uid, summary: request.summary ?? "", start: start, duration: max(0, (end - start) / 1000),
            attendees: request.attendees.map(\.address), isTask: request.isTask)
        let parts = (request.rule ?? "").split(separator: ";")
        if let count = parts.first(where: { $0.hasPrefix("COUNT=") }) { new.days = max(1, min(Int(count.dropFirst(6)) ?? 1, 1000)) }
        return new
    }
}

extension ItemRow {
    /// A message with the calendar item that it was put into.
    mutating func link(to calendarItem: Int64) {
        var link = MetadataDictionary()
        link["a"] = .integer(calendarItem)
        link["c"] = .integer(0)
        var metadata = map
        metadata["ais"] = .list([.dictionary(link)])
        self.metadata = metadata.text()
    }
}

extension NewAppointment {
    /// The message that invites to it, as an organizer's mail program sends it; with `cancelling` the one that takes it back.
    public func invitation(from organizer: String, cancelling: Bool = false) -> [UInt8] {
        let text = String(decoding: Invitation(of: self, number: 0, owner: organizer, sequence: 0, stamp: 0).message, as: UTF8.self)
        let method = attendees.isEmpty ? "PUBLISH" : "REQUEST"
        return Array(
            text.replacing("UID:", with: "ORGANIZER:mailto:\(organizer)\r\nUID:")
                .replacing(cancelling ? method : "\u{0}", with: "CANCEL").utf8)
    }
}
