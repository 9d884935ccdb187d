import BackupStore
import RedoLog

/// The content that an operation brought along: in the backup path already, unless contents are not kept.
public struct AppliedContent: Sendable {
    /// SHA-256 of the content.
    public var id: BlobID
    /// Bytes.
    public var size: Int64
    /// The content's blob; nil where contents are not kept.
    public var blob: BlobReference?
    /// What the server computes from a message's bytes; nil where the content is no message.
    public var summary: MessageSummary?

    /// Content in the backup path.
    public init(blob: BlobReference, summary: MessageSummary?) {
        self.init(id: blob.id, size: blob.size, summary: summary)
        self.blob = blob
    }

    /// Content that was read and is not kept.
    public init(id: BlobID, size: Int64, summary: MessageSummary?) {
        self.id = id
        self.size = size
        self.summary = summary
    }
}

/// Messages, drafts and chats (formats/zimbra-redolog.md, section 7.3).
extension MailboxChange {
    private static let invitationDoubt = "metadata: which calendar items an invitation made or changed is not in the log"

    mutating func createMessage(_ message: CreateMessage, type: ItemType, content: AppliedContent?) throws {
        let id = Int64(message.itemID)
        let logged = Flags(rawValue: Int64(message.flags))
        var row = ItemRow(id: id, type: type)
        row.folderID = Int64(message.folderID)
        row.imapID = id
        row.indexID = id
        row.flags = logged.subtracting([.unread, .attached, .urgent, .bulk])
        row.unread = logged.contains(.unread) ? 1 : 0
        row.tags = try names(ofTags: message)
        var state = ItemState(row: row)
        fill(&state, from: message, content: content)

        if message.calendarItemID != 0 {
            state.row.folderID = FolderID.inbox
            state.doubts.append("folder: the log gives the calendar's folder for an invitation; Inbox is the best guess")
            state.doubts.append(Self.invitationDoubt)
            try createCalendarItem(ofMessage: message, content?.summary?.calendar)
            mark("an invitation's own folder is not in the log", candidates: [id, Int64(message.calendarItemID)])
        } else if !message.noICal, type == .message, let request = content?.summary?.calendar, request.changesItems,
            try changeCalendarItem(by: request)
        {
            state.doubts.append(Self.invitationDoubt)
        }
        try joinConversation(&state, message)
        put(touching: state, content: true)
    }

    /// New content for a draft or chat: folder, flags and tags stay.
    mutating func saveMessage(_ message: CreateMessage, content: AppliedContent?) throws {
        let change = self
        try edit(Int64(message.itemID), content: true) { state in
            // The column lags one version behind the metadata (formats/zimbra-datastore.md, section 5).
            let sender = state.row.sender
            change.fill(&state, from: message, content: content)
            state.row.sender = sender
            let metadata = state.metadata
            state.updateMetadata {
                $0["p3uid"] = nil
                $0["ver"] = .integer((metadata.integer("ver") ?? 1) &+ 1)
                $0["mdver"] = .integer((metadata.integer("mdver") ?? 1) &+ 2)
            }
            // The logged IMAP id is not stored (7.3.6).
            state.row.imapID = change.life.tracksImap ? 0 : state.row.id
        }
    }

    /// What the content says of a message's row.
    private func fill(_ state: inout ItemState, from message: CreateMessage, content: AppliedContent?) {
        state.row.date = (message.receivedDate ?? time) / 1000
        state.row.size = message.size
        let digest = message.digest?.string ?? ""
        state.row.blobDigest = digest.isEmpty ? content?.id.description : digest
        state.blob = content?.blob
        state.doubts.removeAll { $0.hasPrefix("content:") }
        if content == nil { state.doubts.append("content: neither the log nor the server's store had it") }
        if let content, content.id != BlobID(digest) ?? content.id {
            state.doubts.append("content: the bytes are not those of the digest")
        }
        if let summary = content?.summary {
            summary.fill(&state.row)
            if summary.hasCalendar, !message.noICal { state.row.flags.insert(.invite) }
        }
        if let custom = message.customMetadata, let section = custom.section {
            state.updateMetadata { $0["xd." + section.string] = .string(custom.value?.string ?? "") }
        }
    }

    /// Tag names of a message; numeric ids before version 1.33 are looked up.
    private func names(ofTags message: CreateMessage) throws -> [String] {
        if let names = message.tags { return names.map(\.string) }
        return try (message.tagIDs?.string ?? "").split(separator: ",").compactMap { Int64($0) }
            .compactMap { try living($0)?.row.name }
    }

    /// Conversations have no record of their own (7.3.3).
    private mutating func joinConversation(_ state: inout ItemState, _ message: CreateMessage) throws {
        let conversation = Int64(message.conversationID)
        guard conversation > 0 else { return }
        if try living(conversation) == nil {
            var row = ItemRow(id: conversation, type: .conversation)
            row.folderID = FolderID.conversations
            row.date = state.row.date
            row.subject = state.row.subject
            put(touching: ItemState(row: row), content: true)
        }
        // Who is joined is there.
        try edit(conversation) { $0.doubts.removeAll { $0 == ItemState.purgeDoubt } }
        state.row.parentID = conversation
        if let first = message.conversationFirstMessageID, first > 0 {
            try edit(Int64(first)) { $0.row.parentID = conversation }
        }
        for merged in message.mergedConversationIDs ?? [] {
            if merged < 0 {
                try edit(-Int64(merged)) { $0.row.parentID = conversation }
            } else {
                for child in try ids(withParent: Int64(merged)) { try edit(child) { $0.row.parentID = conversation } }
                try end(Int64(merged))
            }
        }
        // A muted conversation mutes what joins it, and marks it read (7.3.2).
        if try living(conversation)?.row.flags.contains(.muted) == true {
            state.row.flags.insert(.muted)
            state.row.unread = 0
        }
    }
}
