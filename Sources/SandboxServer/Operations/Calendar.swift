import BackupCore
import RedoLog

/// Appointments and tasks (formats/zimbra-redolog.md, sections 7.9 and 8.9; formats/zimbra-items.md, section 3.9).
extension Change {
    /// The numbers of an appointment's invitations, taken before the item's own.
    fileprivate func numbered(_ new: NewAppointment, over old: ItemRow?, owner: String) throws -> [Invitation] {
        let sequence = try old.map { try Invitation.nextSequence(after: $0) } ?? 0
        var all = [Invitation(of: new, number: nextItemID(), owner: owner, sequence: sequence, stamp: seconds * 1000)]
        for exception in new.exceptions {
            all.append(
                Invitation(exception, of: new, number: nextItemID(), owner: owner, sequence: sequence, stamp: seconds * 1000))
        }
        return all
    }

    /// The item that has a UID.
    func calendarItem(uid: String) throws -> ItemRow? {
        try AppointmentTable.appointments.item(uid: uid, mailbox: mailbox, in: database).flatMap { try find($0) }
    }

    func calendarItem(_ id: Int64) throws -> ItemRow {
        let row = try item(id)
        guard row.type == .appointment || row.type == .task else { throw failure(.refused, "item \(id) is no appointment or task") }
        return row
    }

    /// Writes an appointment whole, new or in place of the one with its UID. `flags` and `tags`: nil = as they are.
    func put(
        _ new: NewAppointment, _ invitations: [Invitation], over old: ItemRow?, folder: Int64, flags: Flags?, tags: [String]?
    ) throws -> ItemRow {
        guard try self.folder(folder).row.type == .folder else { throw failure(.refused, "item \(folder) holds no appointments") }
        var row = touched(old ?? ItemRow(id: nextItemID(), type: new.isTask ? .task : .appointment), content: true)
        row.folderID = folder
        if old == nil {
            row.imapID = row.id
            row.indexID = row.id
        }
        row.date = seconds
        row.sender = invitations[0].organizer
        row.subject = ColumnText.cut(new.summary, to: 1024)
        if let flags { row.flags = row.flags.intersection(.system).union(flags.subtracting(.system)) }
        if let tags { row.tags = try resolve(tags: tags) }
        var metadata = try MetadataDictionary(parsing: row.metadata)
        metadata.describe(new, invitations, now: time)
        row.metadata = metadata.text()
        if let old {
            row.metadata = try Self.nextVersion(row.metadata, by: 2)
            try update(old, to: row)
        } else {
            try insert(row)
        }
        let span = AppointmentTable.Span(
            uid: new.uid, start: CalendarText.column(new.firstMoment), end: CalendarText.column(new.end))
        try AppointmentTable.appointments.put(span, item: row.id, mailbox: mailbox, in: database)
        return row
    }

    /// Edits the metadata of a calendar item; an edit that changes nothing leaves the row alone.
    func editCalendarItem(_ old: ItemRow, _ edit: (inout MetadataDictionary) -> Void) throws {
        var metadata = try MetadataDictionary(parsing: old.metadata)
        let before = metadata
        edit(&metadata)
        guard metadata != before else { return }
        metadata["mdver"] = .integer((metadata.integer("mdver") ?? 1) + 1)
        var row = touched(old)
        row.metadata = metadata.text()
        try update(old, to: row)
    }
}

extension SandboxMailbox {
    /// Sets an appointment or task whole: a new one, or in place of the one with its UID. Returns the item's id.
    ///
    /// Flags and tags that it had before are gone unless they are given again.
    @discardableResult
    public func setAppointment(
        _ new: NewAppointment, folder: Int64? = nil, flags: Flags = [], tags: [String] = []
    ) throws -> Int64 {
        let owner = try author()
        return try server.change(mailboxID) { change in
            let old = try change.calendarItem(uid: new.uid)
            let folder = folder ?? old?.folderID ?? new.usualFolder
            let invitations = try change.numbered(new, over: old, owner: owner)
            let row = try change.put(new, invitations, over: old, folder: folder, flags: flags, tags: tags)
            var logged = SetCalendarItem()
            logged.folderID = Int32(folder)
            logged.legacyVolume = -1
            logged.calendarItemID = Int32(row.id)
            logged.calendarPartStat = "AC"
            logged.attachmentIndexing = true
            logged.flags = Int32(flags.rawValue)
            logged.tags = tags.map { LogText($0) }
            logged.nextAlarm = -2
            let blocks = invitations.map { invitation in
                var block = CalendarInvitation()
                block.timezone = CalendarText.timezone
                block.invite = LogText(invitation.map.text(forColumn: false))
                block.receivedDate = change.seconds * 1000
                block.message = Body(length: Int64(invitation.message.count))
                return block
            }
            logged.series = blocks[0]
            logged.exceptions = Array(blocks.dropFirst())
            return (row.id, Logged(.setCalendarItem(logged), body: .several(invitations.map(\.message))))
        }
    }

    /// Adds an invitation: a new calendar item, or in place of what the one with its UID said. Flags and tags stay.
    @discardableResult
    public func addInvitation(_ new: NewAppointment, folder: Int64? = nil) throws -> Int64 {
        let owner = try author()
        return try server.change(mailboxID) { change in
            let old = try change.calendarItem(uid: new.uid)
            let folder = folder ?? old?.folderID ?? new.usualFolder
            var new = new
            new.exceptions = []
            let invitations = try change.numbered(new, over: old, owner: owner)
            let row = try change.put(new, invitations, over: old, folder: folder, flags: nil, tags: nil)
            var logged = CreateInvite()
            logged.calendarItemID = Int32(row.id)
            logged.calendarPartStat = "AC"
            logged.folderID = Int32(folder)
            logged.legacyVolume = -1
            logged.message = Body(length: Int64(invitations[0].message.count))
            logged.timezone = CalendarText.timezone
            logged.invite = LogText(invitations[0].map.text(forColumn: false))
            logged.preserveAlarms = false
            logged.discardInvites = false
            logged.addRevision = false
            return (row.id, Logged(.createInvite(logged), body: .several([invitations[0].message])))
        }
    }

    /// Takes in an attendee's answer: `AC`, `TE` or `DE`. The log names the UID, not the item; an unknown one changes nothing.
    public func replyArrived(uid: String, from address: String, status: String) throws {
        try server.change(mailboxID) { change in
            let old = try change.calendarItem(uid: uid)
            var reply = MetadataDictionary()
            reply["it"] = .integer(Int64((old?.type ?? .appointment).rawValue))
            reply["mthd"] = .string("REPLY")
            reply["u"] = .string(uid)
            reply["dts"] = .integer(change.seconds * 1000)
            reply["numAt"] = .string("1")
            let attendee = Invitation.attendee(address, status: status)
            reply["at0"] = .dictionary(attendee)
            if let old {
                try change.editCalendarItem(old) { metadata in
                    var replies = metadata.dictionary("rl") ?? MetadataDictionary()
                    let count = replies.integer("n") ?? 0
                    var entry = MetadataDictionary()
                    entry["at"] = .dictionary(attendee)
                    entry["d"] = .integer(change.time)
                    entry["s"] = .integer(0)
                    replies["i\(count)"] = .dictionary(entry)
                    replies["n"] = .integer(count + 1)
                    metadata["rl"] = .dictionary(replies)
                }
            }
            var logged = ICalReply()
            logged.timezone = CalendarText.timezone
            logged.invite = LogText(reply.text(forColumn: false))
            logged.sender = LogText(address)
            return ((), Logged(.iCalReply(logged)))
        }
    }

    /// Sets the owner's own answer in an appointment: `AC`, `TE` or `DE`.
    public func answer(_ status: String, appointment id: Int64) throws {
        let owner = try author()
        try server.change(mailboxID) { change in
            try change.editCalendarItem(try change.calendarItem(id)) { metadata in
                guard var first = metadata.dictionary("inv0") else { return }
                first["ptst"] = .string(status)
                metadata["inv0"] = .dictionary(first)
            }
            var logged = ModifyInvitePartStat()
            logged.calendarItemID = Int32(id)
            logged.cn = ""
            logged.address = LogText(owner)
            logged.cuType = "IND"
            logged.role = "REQ"
            logged.partStat = LogText(status)
            logged.dtStamp = change.time
            return ((), Logged(.modifyInvitePartStat(logged)))
        }
    }

    /// Ends the alarm that is due next; a series goes on with its next instance.
    public func dismissAlarm(of id: Int64) throws {
        try server.change(mailboxID) { change in
            try change.editCalendarItem(try change.calendarItem(id)) { metadata in
                guard var alarm = metadata.dictionary("ad"), let trigger = alarm.integer("na"), let instance = alarm.integer("nis") else { return }
                let next = instance + CalendarText.day
                let isOver = metadata["apptRecur"] == nil || next >= metadata.integer("ape") ?? 0
                alarm["na"] = .integer(trigger + CalendarText.day)
                alarm["nis"] = .integer(next)
                metadata["ad"] = isOver ? nil : .dictionary(alarm)
            }
            var logged = DismissCalendarItemAlarm()
            logged.itemID = Int32(id)
            logged.dismissedAt = change.time
            return ((), Logged(.dismissCalendarItemAlarm(logged)))
        }
    }

    /// Puts the alarm that is due next off until a time in milliseconds.
    public func snoozeAlarm(of id: Int64, until time: Int64) throws {
        try server.change(mailboxID) { change in
            try change.editCalendarItem(try change.calendarItem(id)) { metadata in
                guard var alarm = metadata.dictionary("ad") else { return }
                alarm["na"] = .integer(time)
                metadata["ad"] = .dictionary(alarm)
            }
            var logged = SnoozeCalendarItemAlarm()
            logged.itemID = Int32(id)
            logged.snoozeUntil = time
            return ((), Logged(.snoozeCalendarItemAlarm(logged)))
        }
    }
}
