import BackupStore
import RedoLog

/// Appointments and tasks: existence, folder, flags and tags (formats/zimbra-redolog.md, section 7.9).
///
/// Their metadata is computed by the server from the invitations; until a scan has read it the state says so.
extension MailboxChange {
    private static let doubt = "metadata: a calendar item is computed by the server from its invitations"

    /// The complete state: tags that it does not give are gone.
    mutating func setCalendarItem(_ item: SetCalendarItem) throws {
        let first = item.series ?? item.exceptions.first
        try putCalendarItem(
            Int64(item.calendarItemID), folder: Int64(item.folderID), invite: first?.invite?.string,
            flags: Flags(rawValue: Int64(item.flags ?? 0)), tags: (item.tags ?? []).map(\.string))
    }

    mutating func createInvite(_ invite: CreateInvite) throws {
        try putCalendarItem(
            Int64(invite.calendarItemID), folder: Int64(invite.folderID), invite: invite.invite?.string, flags: [], tags: nil)
    }

    /// The calendar item that a delivered invitation created.
    mutating func createCalendarItem(ofMessage message: CreateMessage) throws {
        try putCalendarItem(
            Int64(message.calendarItemID), folder: Int64(message.folderID), invite: nil, flags: [], tags: nil,
            type: message.folderID == 15 ? .task : .appointment)
    }

    /// A change of an invitation's inside: what becomes of it is computed by the server.
    mutating func touchCalendarItem(_ id: Int64) throws {
        guard try living(id) != nil else { return }
        try edit(id, always: true) { state in
            if !state.doubts.contains(Self.doubt) { state.doubts.append(Self.doubt) }
        }
        mark("a calendar item's content is not in the log", candidates: [id])
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
        _ id: Int64, folder: Int64, invite: String?, flags: Flags, tags: [String]?, type: ItemType? = nil
    ) throws {
        let map = (try? MetadataDictionary(parsing: invite)) ?? MetadataDictionary()
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
        if let summary = map.string("n") { state.row.subject = summary }
        state.updateMetadata { $0["u"] = map["u"] ?? $0["u"] }
        if !state.doubts.contains(Self.doubt) { state.doubts.append(Self.doubt) }
        mark("a calendar item's content is not in the log", candidates: [id])
        put(touching: state, content: true)
    }
}
