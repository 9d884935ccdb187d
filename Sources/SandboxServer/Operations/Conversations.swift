import BackupCore
import GRDB

/// How messages become conversations (formats/zimbra-redolog.md, section 7.3.3): by Message-IDs where the subject is the same, and
/// replies without known ids by their subject — the server's algorithm `revsubj`.
extension Change {
    /// What the log says of a message's conversation.
    struct Threading {
        var conversation: Int64 = -1
        var firstMessage: Int64 = -1
        /// Conversations, and negative numbers of messages until then alone, that go into it.
        var merged: [Int64] = []
    }

    /// Finds or makes the conversation of a new message and puts the message into it.
    func thread(_ row: inout ItemRow, _ summary: MessageSummary) throws -> Threading {
        guard row.type == .message, !row.flags.contains(.draft), !state.folder(row.folderID ?? 0, isWithin: FolderID.junk) else {
            return Threading()
        }
        var threading = Threading()
        var partners = try self.partners(of: row, summary)
        if let place = partners.firstIndex(where: { $0.type == .conversation }) {
            partners.insert(partners.remove(at: place), at: 0)
        }
        if var target = partners.first {
            if target.type == .conversation {
                threading.conversation = target.id
                for other in partners.dropFirst() { try merge(other, into: &target, &threading) }
                row.parentID = target.id
                try grow(target, by: row)
            } else {
                threading.firstMessage = target.id
                var conversation = newConversation(of: target)
                row.parentID = conversation.id
                threading.conversation = conversation.id
                for other in partners.dropFirst() { try merge(other, into: &conversation, &threading) }
                try grow(conversation, by: row, isNew: true)
                try adopt(target, conversation.id)
            }
        }
        try openHashes(summary, row, conversation: row.parentID ?? row.id)
        return threading
    }

    /// Conversations and messages alone that a new message belongs to, nearest first.
    private func partners(of row: ItemRow, _ summary: MessageSummary) throws -> [ItemRow] {
        var found: [ItemRow] = []
        let subject = summary.subject.normalized.lowercased()
        for id in summary.references {
            guard let partner = try partner(hash: Self.hash(messageID: id)), !found.contains(where: { $0.id == partner.id }),
                Subject(raw: partner.subject ?? "").normalized.lowercased() == subject
            else { continue }
            found.append(partner)
        }
        if found.isEmpty, summary.subject.isReply, !subject.isEmpty, let partner = try partner(hash: Self.hash(summary)) {
            found.append(partner)
        }
        return found
    }

    private func partner(hash: String) throws -> ItemRow? {
        let statement = try database.cachedStatement(sql: "SELECT conv_id FROM open_conversation WHERE mailbox_id = ? AND hash = ?")
        guard let id = try Int64.fetchOne(statement, arguments: [mailbox, hash]), var row = try find(id) else { return nil }
        if let parent = row.parentID, row.type == .message {
            guard let conversation = try find(parent) else { return nil }
            row = conversation
        }
        guard row.type == .message else { return row.type == .conversation ? row : nil }
        return state.folder(row.folderID ?? 0, isWithin: FolderID.junk) || row.flags.contains(.draft) ? nil : row
    }

    private func newConversation(of first: ItemRow) -> ItemRow {
        var row = ItemRow(id: nextItemID(), type: .conversation)
        row.folderID = FolderID.conversations
        row.date = first.date
        row.size = 1
        row.flags = first.flags.subtracting(.copied)
        let metadata = (try? MetadataDictionary(parsing: first.metadata)) ?? MetadataDictionary()
        let raw = metadata.string("r") ?? (metadata.string("p") ?? "") + (first.subject ?? "")
        row.subject = ColumnText.cut(raw, to: 1024)
        row.metadata = Self.participants(nil, adding: first)
        return touched(row, content: true)
    }

    /// Counts a message into a conversation.
    private func grow(_ conversation: ItemRow, by message: ItemRow, isNew: Bool = false) throws {
        var changed = touched(conversation)
        changed.size += 1
        changed.date = max(changed.date, message.date)
        changed.flags.formUnion(message.flags.subtracting(.copied))
        // NULL: to be computed again by whoever shows it.
        if conversation.metadata != nil { changed.metadata = Self.participants(conversation.metadata, adding: message) }
        if isNew { try insert(changed) } else { try update(conversation, to: changed) }
    }

    /// Puts a message that was alone into a conversation whose counts include it already.
    private func adopt(_ message: ItemRow, _ conversation: Int64) throws {
        var changed = touched(message)
        changed.parentID = conversation
        try update(message, to: changed)
        try database.cachedStatement(sql: "UPDATE open_conversation SET conv_id = ? WHERE mailbox_id = ? AND conv_id = ?")
            .execute(arguments: [conversation, mailbox, message.id])
    }

    private func merge(_ other: ItemRow, into target: inout ItemRow, _ threading: inout Threading) throws {
        target.metadata = nil
        if other.type == .message {
            threading.merged.append(-other.id)
            target.size += 1
            target.date = max(target.date, other.date)
            try adopt(other, target.id)
        } else {
            threading.merged.append(other.id)
            for message in try members(of: other.id) {
                var changed = touched(message)
                changed.parentID = target.id
                try update(message, to: changed)
                target.size += 1
                target.date = max(target.date, message.date)
            }
            try database.execute(
                sql: "UPDATE OR REPLACE open_conversation SET conv_id = ? WHERE mailbox_id = ? AND conv_id = ?",
                arguments: [target.id, mailbox, other.id])
            try delete(other)
        }
    }

    /// The messages of a conversation.
    func members(of conversation: Int64) throws -> [ItemRow] {
        try ItemTable.items.items(mailbox: mailbox, where: "parent_id = ? AND type IN (5, 16)", [conversation], in: database)
    }

    /// A conversation lost messages: it shrinks, or goes with its last one.
    func shrink(_ conversation: Int64, by count: Int64) throws {
        guard let row = try find(conversation), row.type == .conversation else { return }
        if row.size <= count {
            try delete(row)
        } else {
            var changed = touched(row)
            changed.size -= count
            changed.metadata = nil
            try update(row, to: changed)
        }
    }

    /// A copy of a message joins its source's conversation.
    func join(_ row: ItemRow, conversation: Int64) throws {
        if let target = try find(conversation) { try grow(target, by: row) }
    }

    /// Notes by which Message-ID and subject later messages find this one.
    func openHashes(_ summary: MessageSummary, _ row: ItemRow, conversation: Int64) throws {
        let statement = try database.cachedStatement(
            sql: "INSERT OR REPLACE INTO open_conversation (mailbox_id, hash, conv_id) VALUES (?, ?, ?)")
        if let subject = row.subject, !subject.isEmpty {
            try statement.execute(arguments: [mailbox, Self.hash(summary), conversation])
        }
        if let id = summary.messageID { try statement.execute(arguments: [mailbox, Self.hash(messageID: id), conversation]) }
    }

    private static func hash(_ summary: MessageSummary) -> String { ServerDigest.sha1(summary.subject.normalized.lowercased().utf8) }

    private static func hash(messageID: String) -> String { ServerDigest.sha1([1, 2] + messageID.utf8) }

    /// The metadata of a conversation: its senders, newest first, at most eight (formats/zimbra-items.md, section 3.6).
    private static func participants(_ text: String?, adding message: ItemRow) -> String {
        let old = (try? MetadataDictionary(parsing: text)) ?? MetadataDictionary()
        var map = (try? MetadataDictionary(parsing: old.string("prt"))) ?? MetadataDictionary()
        let metadata = (try? MetadataDictionary(parsing: message.metadata)) ?? MetadataDictionary()
        var list = map.list("en") ?? []
        if let sender = MessageSummary.sender(ofHeader: metadata.string("s") ?? "") {
            var entry = MetadataDictionary()
            entry["a"] = .string(sender.address)
            if !sender.name.isEmpty { entry["p"] = .string(sender.name) }
            let first = sender.name.isEmpty
                ? sender.address.split(separator: "@").first.map(String.init) : sender.name.split(separator: " ").first.map(String.init)
            entry["d"] = first.map { .string($0) }
            list.removeAll { if case .dictionary(let known) = $0 { known.string("a") == sender.address } else { true } }
            list.insert(.dictionary(entry), at: 0)
        }
        let isLong = list.count > 8
        map["en"] = .list(Array(list.prefix(8)))
        map["no"] = .integer((map.integer("no") ?? 0) + 1)
        map["ld"] = .integer(max(map.integer("ld") ?? 0, message.date * 1000))
        map["X"] = .string(isLong || map.string("X") == "true" ? "true" : "false")
        var outer = MetadataDictionary()
        outer["prt"] = .string(map.text(forColumn: false))
        return outer.text()
    }
}
