/// Code 27, and the message block of its relatives (section 7.3).
public struct CreateMessage: CodedPayload {
    /// The envelope address, or `:API:`.
    public var recipient: LogText? = ":API:"
    /// Milliseconds; nil before 1.4: the record's timestamp counts.
    public var receivedDate: Int64?
    /// Whether several recipients share one `StoreIncomingBlob`.
    public var shared = false
    /// Base64 of the SHA-256 with `,` for `/`; empty if unknown.
    public var digest: LogText? = ""
    /// The uncompressed size.
    public var size: Int64 = 0
    /// The new message; in SaveDraft and SaveChat the existing item.
    public var itemID: Int32 = 0
    /// The requested folder; with a calendar item, that item's folder (section 7.3.4).
    public var folderID: Int32 = 0
    /// The real conversation after the operation, −1 for none.
    public var conversationID: Int32 = -1
    /// The message that was alone until now; −1 for none. Since 1.5.
    public var conversationFirstMessageID: Int32?
    /// Conversations that cease to exist. Since 1.32.
    public var mergedConversationIDs: [Int32]?
    /// The calendar item created by this message, 0 for none.
    public var calendarItemID: Int32 = 0
    /// The owner's participation status. Since 1.1.
    public var calendarPartStat: LogText? = "NE"
    /// The requested flag bits, unread included.
    public var flags: Int32 = 0
    /// Whether calendar parts were left alone.
    public var noICal = false
    /// Names of tags; nil is a null list, and always so before 1.33.
    public var tags: [LogText]? = []
    /// Before 1.33: comma-separated numbers of tags.
    public var tagIDs: LogText?
    /// The blob's file, or `:streamed:`.
    public var path: LogText? = ":streamed:"
    /// An obsolete volume number.
    public var legacyVolume: Int16 = -1
    /// Since 1.25.
    public var customMetadata: CustomMetadata?
    /// 1 inline, 2 linked to a `StoreIncomingBlob`, 3 external (Zimbra X).
    public var bodyType: Int8 = 1
    /// The body of a message with `bodyType` 1.
    public var body: Body?
    /// An obsolete volume number, where `bodyType` is not 1.
    public var legacyLinkVolume: Int16?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    /// Whether the body is in this record.
    public var isInline: Bool { bodyType == 1 }

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        let version = codec.version
        try codec.text("recipient", &recipient)
        if version >= .v1_04 {
            try codec.int64("receivedDate", &receivedDate, since: .v1_04)
        } else {
            codec.null("receivedDate")
        }
        try codec.bool("shared", &shared)
        try codec.text("digest", &digest)
        if version >= .v1_42 {
            try codec.int64("size", &size)
        } else {
            var short = Int32(truncatingIfNeeded: size)
            try codec.int32("size", &short)
            size = Int64(short)
        }
        try codec.int32("itemId", &itemID)
        try codec.int32("folderId", &folderID)
        try codec.int32("conversationId", &conversationID)
        try codec.int32("conversationFirstMessageId", &conversationFirstMessageID, since: .v1_05, default: -1)
        if version >= .v1_32 {
            var merged = mergedConversationIDs ?? []
            try codec.ids("mergedConversationIds", &merged)
            mergedConversationIDs = merged
        }
        try codec.int32("calendarItemId", &calendarItemID)
        if version >= .v1_01 {
            try codec.text("calendarPartStat", &calendarPartStat)
        } else {
            calendarPartStat = nil
        }
        try codec.int32("flags", &flags)
        try codec.bool("noICal", &noICal)
        try codec.tags(&tags, &tagIDs)
        try codec.text("path", &path)
        try codec.int16("legacyVolume", &legacyVolume)
        if version >= .v1_25 { try codec.customMetadata("customMetadata", &customMetadata) }
        try codec.int8("bodyType", &bodyType)
        if isInline {
            try codec.body("body", &body, .message(uncompressedSize: size))
        } else {
            try codec.int16("legacyLinkVolume", &legacyLinkVolume, since: .v1_00)
        }
    }
}

extension FieldCodec {
    /// Names of tags since 1.33, before that a text of comma-separated numbers.
    @inline(__always)
    mutating func tags(_ tags: inout [LogText]?, _ tagIDs: inout LogText?) throws(Failure) {
        if version >= .v1_33 {
            try texts("tags", &tags)
        } else {
            tags = nil
            try text("tagIds", &tagIDs)
        }
    }
}

/// A section's key and its value (a metadata dictionary, section 8.1).
public struct CustomMetadata: CodedElement {
    /// The section's key.
    public var section: LogText?
    /// The section's text.
    public var value: LogText?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    /// A section.
    public init(section: LogText?, value: LogText?) {
        self.section = section
        self.value = value
    }

    static let minimumLength: Int64 = 8

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.text("section", &section)
        try codec.text("value", &value)
    }
}

/// Code 28: new content for a draft; folder, flags and tags stay.
public struct SaveDraft: CodedPayload {
    /// Logged, but not what the server stores.
    public var imapID: Int32 = 0
    /// The content; its item id is the draft's.
    public var message = CreateMessage()

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("imapId", &imapID)
        try message.transfer(&codec)
    }
}

/// Code 63: a chat is born.
public struct CreateChat: CodedPayload {
    /// The chat.
    public var message = CreateMessage()

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try message.transfer(&codec)
    }
}

/// Code 64: new content for a chat.
public struct SaveChat: CodedPayload {
    /// Logged, but not what the server stores.
    public var imapID: Int32 = 0
    /// The content; its item id is the chat's.
    public var message = CreateMessage()

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("imapId", &imapID)
        try message.transfer(&codec)
    }
}

/// Code 26: a message's bytes, to which the recipients' `CreateMessage` records refer by `path`.
public struct StoreIncomingBlob: CodedPayload {
    /// All intended recipients; nil before 1.0.
    public var mailboxIDs: [Int64]?
    /// As in `CreateMessage`.
    public var digest: LogText? = ""
    /// The key for messages with body type 2.
    public var path: LogText?
    /// An obsolete volume number.
    public var legacyVolume: Int16 = -1
    /// The uncompressed size.
    public var size: Int32 = 0
    /// The message, compressed if its length is not `size`.
    public var body: Body?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        if codec.version >= .v1_00 {
            var ids = mailboxIDs ?? []
            try codec.mailboxIDs("mailboxIds", &ids)
            mailboxIDs = ids
        }
        try codec.text("digest", &digest)
        try codec.text("path", &path)
        try codec.int16("legacyVolume", &legacyVolume)
        try codec.int32("size", &size)
        try codec.body("body", &body, .message(uncompressedSize: Int64(size)))
    }
}
