import BackupCore
import RedoLog

/// The records of items that come from a backup: what a client sends to make them, as the real server logs it.
///
/// No record tells what a draft answers (`d`), nor that an invitation was processed (`\\Invite`, `ais`, `cif`): a message that comes
/// again must not touch the calendar.
extension Change {
    /// Whether records can make such an item.
    ///
    /// Others come as rows only. A conversation has no operation: the records of its messages name it, and whoever follows the log
    /// has it from the first of them on, made of its messages as the server makes it. Of a document that lacks the content of a
    /// version, of a calendar item without an invitation, and of types that nobody writes, a follower learns by a scan.
    static func hasRecord(_ item: NewItem) -> Bool {
        switch item.row.type {
        case .folder, .searchFolder, .mountpoint, .message, .chat, .contact, .note, .link: true
        case .comment: item.row.parentID != nil
        case .document: item.row.blobDigest != nil && RestoredVersions(of: item) != nil
        case .appointment, .task: !item.row.map.invitations.isEmpty
        default: false
        }
    }

    /// The record of an item other than a document; of one that has none (`hasRecord`) what nobody writes.
    func record(of row: ItemRow, _ blob: IncomingBlob?) throws -> Logged {
        let metadata = row.map
        return switch row.type {
        case .folder: folder(row, metadata)
        case .contact: try contact(row, metadata, blob)
        case .note: note(row, metadata)
        case .comment: comment(row, metadata)
        case .searchFolder: search(row, metadata)
        case .mountpoint: mountpoint(row, metadata)
        case .link: link(row, metadata)
        case .appointment, .task: calendarItem(row, metadata, blob)
        default: message(row, blob)
        }
    }

    private func contact(_ row: ItemRow, _ metadata: MetadataDictionary, _ blob: IncomingBlob?) throws -> Logged {
        let fields = metadata.dictionary("fld") ?? MetadataDictionary()
        var logged = CreateContact()
        logged.itemID = Int32(row.id)
        logged.folderID = Int32(row.folderID ?? 0)
        logged.tags = row.tags.map { LogText($0) }
        logged.fields = fields.keys.sorted().map { ContactField(key: LogText($0), value: LogText(fields.string($0) ?? "")) }
        logged.attachmentBlob = blob.map { Body(length: $0.size) }
        return Logged(.createContact(logged), body: try blob?.plain())
    }

    private func note(_ row: ItemRow, _ metadata: MetadataDictionary) -> Logged {
        var logged = CreateNote()
        logged.itemID = Int32(row.id)
        logged.folderID = Int32(row.folderID ?? 0)
        logged.content = LogText(row.subject ?? "")
        logged.color = metadata.integer("c") ?? 0
        let bounds = (metadata.string("l") ?? "").split(separator: ",").map { Int32($0) ?? 0 }
        if bounds.count == 4 {
            (logged.bounds.x, logged.bounds.y) = (bounds[0], bounds[1])
            (logged.bounds.width, logged.bounds.height) = (bounds[2], bounds[3])
        }
        return Logged(.createNote(logged))
    }

    private func comment(_ row: ItemRow, _ metadata: MetadataDictionary) -> Logged {
        var logged = CreateComment()
        logged.itemID = Int32(row.id)
        logged.uuid = row.uuid.map { LogText($0) }
        logged.parentID = Int32(row.parentID ?? 0)
        logged.creatorID = metadata.string("cr").map { LogText($0) }
        logged.text = LogText(row.subject ?? "")
        return Logged(.createComment(logged))
    }

    private func search(_ row: ItemRow, _ metadata: MetadataDictionary) -> Logged {
        var logged = CreateSavedSearch()
        logged.itemID = Int32(row.id)
        logged.uuid = row.uuid.map { LogText($0) }
        logged.name = LogText(row.name ?? "")
        logged.query = metadata.string("q").map { LogText($0) }
        logged.types = metadata.string("t").map { LogText($0) }
        logged.sort = metadata.string("s").map { LogText($0) }
        logged.folderID = Int32(row.folderID ?? 0)
        logged.flags = Int32(row.flags.rawValue)
        logged.color = metadata.integer("c") ?? 0
        return Logged(.createSavedSearch(logged))
    }

    private func mountpoint(_ row: ItemRow, _ metadata: MetadataDictionary) -> Logged {
        var logged = CreateMountpoint()
        logged.itemID = Int32(row.id)
        logged.uuid = row.uuid.map { LogText($0) }
        logged.name = LogText(row.name ?? "")
        logged.ownerID = metadata.string("aid").map { LogText($0) }
        logged.remoteID = Int32(metadata.integer("id") ?? 0)
        logged.remoteUUID = metadata.string("ruuid").map { LogText($0) }
        logged.folderID = Int32(row.folderID ?? 0)
        logged.defaultView = Int8(metadata.integer("vt") ?? -1)
        logged.flags = Int32(row.flags.rawValue)
        logged.color = metadata.integer("c") ?? 0
        logged.reminderEnabled = metadata.string("rem") == "true"
        return Logged(.createMountpoint(logged))
    }

    private func folder(_ row: ItemRow, _ metadata: MetadataDictionary) -> Logged {
        var folder = CreateFolder()
        folder.name = LogText(row.name ?? "")
        folder.parentID = Int32(row.folderID ?? 0)
        folder.attributes = Int8(metadata.integer("a") ?? 0)
        folder.defaultView = metadata.integer("vt").map { Int8($0) } ?? -1
        folder.flags = Int32(row.flags.rawValue)
        folder.color = metadata.integer("c") ?? 0
        folder.url = LogText(metadata.string("url") ?? "")
        folder.folderID = Int32(row.id)
        folder.uuid = row.uuid.map { LogText($0) }
        folder.date = row.date * 1000
        return Logged(.createFolder(folder))
    }

    private func message(_ row: ItemRow, _ blob: IncomingBlob?) -> Logged {
        var message = CreateMessage()
        message.recipient = ":API:"
        message.receivedDate = row.date * 1000
        message.digest = LogText(row.blobDigest ?? "")
        message.size = row.size
        message.itemID = Int32(row.id)
        message.folderID = Int32(row.folderID ?? 0)
        message.conversationID = row.type == .chat ? 0 : Int32(row.parentID ?? -1)
        message.conversationFirstMessageID = row.type == .chat ? 0 : -1
        message.mergedConversationIDs = []
        let flags = row.flags.subtracting(Flags.system.subtracting([.fromMe, .draft, .post]))
        message.flags = Int32(flags.union(row.unread ?? 0 > 0 ? .unread : []).rawValue)
        message.noICal = true
        message.tags = row.tags.map { LogText($0) }
        message.path = LogText(blob?.path.string ?? "")
        message.bodyType = 1
        message.body = blob?.body ?? Body(length: row.size)
        guard row.type == .chat else { return Logged(.createMessage(message), body: blob?.logged) }
        var chat = CreateChat()
        chat.message = message
        return Logged(.createChat(chat), body: blob?.logged)
    }

    /// All invitations at once: the complete state of a series with its exceptions.
    private func calendarItem(_ row: ItemRow, _ metadata: MetadataDictionary, _ blob: IncomingBlob?) -> Logged {
        let invitations = metadata.invitations
        let messages = blob.map { InvitationDigest.messages(in: $0.bytes) } ?? [:]
        var bodies: [[UInt8]] = []
        func block(_ invitation: MetadataDictionary) -> CalendarInvitation {
            var block = CalendarInvitation()
            block.timezone = CalendarText.timezone
            block.invite = LogText(invitation.text(forColumn: false))
            if let message = invitation.integer("mid").flatMap({ messages[$0] }) {
                block.receivedDate = row.date * 1000
                block.message = Body(length: Int64(message.count))
                bodies.append(message)
            }
            return block
        }
        var logged = SetCalendarItem()
        logged.folderID = Int32(row.folderID ?? 0)
        logged.legacyVolume = -1
        logged.calendarItemID = Int32(row.id)
        logged.calendarPartStat = LogText(invitations.first?.string("ptst") ?? "NE")
        logged.attachmentIndexing = true
        logged.flags = Int32(row.flags.subtracting(.system).rawValue)
        logged.tags = row.tags.map { LogText($0) }
        let series = invitations.first { $0["rid"] == nil }
        logged.series = series.map(block)
        logged.exceptions = invitations.filter { $0 != series }.map(block)
        let replies = metadata.dictionary("rl") ?? MetadataDictionary()
        logged.replies = (0..<min(replies.integer("n") ?? 0, 10_000)).compactMap { place in
            replies.dictionary("i\(place)").map { LogText($0.text(forColumn: false)) }
        }
        logged.nextAlarm = metadata.dictionary("ad")?.integer("na") ?? -1
        return Logged(.setCalendarItem(logged), body: .several(bodies))
    }
}

extension ItemRow {
    /// The metadata; empty where they cannot be read.
    var map: MetadataDictionary { (try? MetadataDictionary(parsing: metadata)) ?? MetadataDictionary() }
}

extension MetadataDictionary {
    /// The invitations of a calendar item.
    var invitations: [MetadataDictionary] { (0..<max(0, min(integer("nc") ?? 0, 10_000))).compactMap { dictionary("inv\($0)") } }
}

/// The content of a calendar item: a digest of one message for each invitation (formats/zimbra-items.md, section 4).
enum InvitationDigest {
    /// The messages by the numbers of their invitations; none where the content is no such digest, or not whole.
    static func messages(in content: [UInt8]) -> [Int64: [UInt8]] {
        let (head, body) = split(content[...])
        guard let boundary = parameter("boundary", in: head) else { return [:] }
        var messages: [Int64: [UInt8]] = [:]
        for part in parts(of: body, between: Array("--\(boundary)".utf8)) {
            let (head, message) = split(part)
            let line = head.first { $0.lowercased().hasPrefix("invid:") }
            if let id = line.flatMap({ Int64($0.dropFirst(6).filter(\.isNumber)) }) { messages[id] = Array(message) }
        }
        return messages
    }

    /// The header's lines, folded ones joined, and what follows the empty line.
    private static func split(_ text: ArraySlice<UInt8>) -> ([String], ArraySlice<UInt8>) {
        var lines: [String] = []
        var rest = text
        while let end = rest.firstIndex(of: 10) {
            var line = rest[rest.startIndex..<end]
            if line.last == 13 { line.removeLast() }
            rest = rest[(end + 1)...]
            if line.isEmpty { break }
            let words = String(decoding: line, as: UTF8.self)
            if line.first == 32 || line.first == 9, let last = lines.popLast() { lines.append(last + words) } else { lines.append(words) }
        }
        return (lines, rest)
    }

    private static func parameter(_ name: String, in head: [String]) -> String? {
        guard let line = head.first(where: { $0.lowercased().hasPrefix("content-type:") }),
            let range = line.lowercased().firstRange(of: name + "=")
        else { return nil }
        return String(line[range.upperBound...].prefix { $0 != ";" }).filter { $0 != "\"" && !$0.isWhitespace }
    }

    /// What lies between lines that begin with a mark, without the line ends that belong to the marks.
    private static func parts(of body: ArraySlice<UInt8>, between mark: [UInt8]) -> [ArraySlice<UInt8>] {
        var parts: [ArraySlice<UInt8>] = []
        var begin: Int?
        var line = body.startIndex
        while line < body.endIndex {
            let end = body[line...].firstIndex(of: 10).map { $0 + 1 } ?? body.endIndex
            if body[line..<end].starts(with: mark) {
                if let begin { parts.append(body[begin..<max(begin, line - (line >= begin + 2 && body[line - 2] == 13 ? 2 : 1))]) }
                begin = end
            }
            line = end
        }
        return parts
    }
}
