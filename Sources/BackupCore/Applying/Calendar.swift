import BackupStore
import RedoLog

/// Appointments and tasks: existence, folder, flags and tags (formats/zimbra-redolog.md, section 7.9).
///
/// The invitations of the log are kept as they are; what the server computes from them (span, alarms, replies, the content) is not
/// there until a scan has read it, and the state says so.
extension MailboxChange {
    static let calendarDoubt = "metadata: a calendar item is computed by the server from its invitations"

    /// The complete state: tags that it does not give are gone.
    mutating func setCalendarItem(_ item: SetCalendarItem) throws {
        let invites = ((item.series.map { [$0] } ?? []) + item.exceptions).map(\.invite?.string)
        try putCalendarItem(
            Int64(item.calendarItemID), folder: Int64(item.folderID), invites: invites,
            flags: Flags(rawValue: Int64(item.flags ?? 0)), tags: (item.tags ?? []).map(\.string))
    }

    mutating func createInvite(_ invite: CreateInvite) throws {
        try putCalendarItem(
            Int64(invite.calendarItemID), folder: Int64(invite.folderID), invites: [invite.invite?.string], flags: [], tags: nil)
    }

    /// The calendar item that a delivered invitation created.
    mutating func createCalendarItem(ofMessage message: CreateMessage, _ request: CalendarRequest?) throws {
        try putCalendarItem(
            Int64(message.calendarItemID), folder: Int64(message.folderID), invites: [], flags: [], tags: nil,
            type: message.folderID == 15 ? .task : .appointment, named: request)
    }

    /// A delivered invitation changes the item that has its UID, which the log does not name (7.3.4). Returns whether there is one.
    mutating func changeCalendarItem(by request: CalendarRequest) throws -> Bool {
        let items = try ids { ($0.row.type == .appointment || $0.row.type == .task) && $0.metadata.string("u") == request.uid }
        for id in items {
            let seconds = self.seconds
            try edit(id, content: true) { state in
                state.row.date = seconds
                if request.method != "CANCEL", request.instance == nil, let summary = request.summary {
                    state.row.subject = summary
                    state.updateMetadata { metadata in
                        guard var series = metadata.dictionary("inv0"), series["rid"] == nil else { return }
                        series["n"] = .string(summary)
                        metadata["inv0"] = .dictionary(series)
                    }
                }
                if !state.doubts.contains(Self.calendarDoubt) { state.doubts.append(Self.calendarDoubt) }
            }
            markCalendarItem(id)
        }
        return !items.isEmpty
    }

    /// The item must be completed by a look at the server.
    mutating func markCalendarItem(_ id: Int64) { mark("a calendar item's content is not in the log", candidates: [id]) }

    /// A change of an invitation's inside: what becomes of it is computed by the server.
    mutating func touchCalendarItem(_ id: Int64) throws {
        guard try living(id) != nil else { return }
        try edit(id, always: true) { state in
            if !state.doubts.contains(Self.calendarDoubt) { state.doubts.append(Self.calendarDoubt) }
        }
        markCalendarItem(id)
    }

    /// An answer names the UID only; one that no item has changes nothing.
    mutating func touchCalendarItem(answeredBy reply: ICalReply) throws {
        guard let uid = (try? MetadataDictionary(parsing: reply.invite?.string))?.string("u") else {
            return mark("the answer of an attendee could not be read")
        }
        let items = try ids { ($0.row.type == .appointment || $0.row.type == .task) && $0.metadata.string("u") == uid }
        for id in items { try touchCalendarItem(id) }
    }

    private mutating func putCalendarItem(
        _ id: Int64, folder: Int64, invites: [String?], flags: Flags, tags: [String]?, type: ItemType? = nil,
        named request: CalendarRequest? = nil
    ) throws {
        // One that cannot be read is left to the look at the server that the mark asks for.
        let invites = invites.compactMap { try? MetadataDictionary(parsing: $0) }.filter { !$0.isEmpty }
        let map = invites.first ?? MetadataDictionary()
        let before = try living(id)
        var state = before ?? ItemState(
            row: ItemRow(id: id, type: type ?? (map.integer("it") == 15 ? .task : .appointment)))
        state.row.folderID = folder
        if before == nil {
            state.row.imapID = id
            state.row.indexID = id
        }
        if before == nil || tags != nil {
            state.row.flags = state.row.flags.intersection(.system).union(flags.subtracting(.unread))
            state.row.tags = tags ?? []
        }
        state.row.date = seconds
        if let summary = map.string("n") ?? request?.summary { state.row.subject = summary }
        state.updateMetadata { metadata in
            metadata["u"] = map["u"] ?? request.map { .string($0.uid) } ?? metadata["u"]
            if !invites.isEmpty { metadata.setInvites(tags == nil ? metadata.invites.replacing(invites) : invites) }
        }
        if !state.doubts.contains(Self.calendarDoubt) { state.doubts.append(Self.calendarDoubt) }
        markCalendarItem(id)
        put(touching: state, content: true)
    }
}

extension MetadataDictionary {
    /// The invitations of a calendar item: the series, then its exceptions (formats/zimbra-items.md, section 3.9).
    fileprivate var invites: [MetadataDictionary] { (0..<max(0, min(integer("nc") ?? 0, 10_000))).compactMap { dictionary("inv\($0)") } }

    fileprivate mutating func setInvites(_ invites: [MetadataDictionary]) {
        for key in keys where key.hasPrefix("inv") { self[key] = nil }
        for (place, invite) in invites.enumerated() { self["inv\(place)"] = .dictionary(invite) }
        self["nc"] = .integer(Int64(invites.count))
        self["tzm"] = invites.first?["tzm"]
    }
}

extension [MetadataDictionary] {
    /// With others in the places of those for the same recurrence, or at the end.
    fileprivate func replacing(_ others: [MetadataDictionary]) -> [MetadataDictionary] {
        others.reduce(into: self) { invites, other in
            let recurrence = other.dictionary("rid")?.string("dt")
            if let place = invites.firstIndex(where: { $0.dictionary("rid")?.string("dt") == recurrence }) {
                invites[place] = other
            } else {
                invites.append(other)
            }
        }
    }
}
