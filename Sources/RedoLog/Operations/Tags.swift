/// Code 14: a tag is born.
public struct CreateTag: CodedPayload {
    /// The new tag.
    public var itemID: Int32 = 0
    /// Its name.
    public var name: LogText?
    /// Section 8.6.
    public var color: Int64 = 0

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.text("name", &name)
        try codec.color(&color)
    }
}

/// Code 15, of old releases.
public struct RenameTag: CodedPayload {
    /// The tag.
    public var itemID: Int32 = 0
    /// Its name.
    public var name: LogText?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.text("name", &name)
    }
}

/// Code 18: a tag or flag is put on items or taken off.
public struct AlterItemTag: CodedPayload {
    /// If above 0 the only item, and no list is in the record; written as −1 before a list.
    public var singleID: Int32 = -1
    /// What the caller said the items are.
    public var itemType: Int8 = -1
    /// A tag, or a flag such as `\Unread` (section 8.2). Since 1.33.
    public var tagName: LogText?
    /// A tag, or a flag if negative. Before 1.33.
    public var tagID: Int32?
    /// Put on, or taken off.
    public var add = true
    /// Section 8.10; nil = none.
    public var constraint: LogText?
    /// The items, one if it is the only one.
    public var ids: [Int32] = []

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.marker(&singleID)
        try codec.int8("itemType", &itemType)
        if codec.version >= .v1_33 {
            try codec.text("tagName", &tagName)
        } else {
            var id = tagID ?? 0
            try codec.int32("tagId", &id)
            tagID = id
        }
        try codec.bool("add", &add)
        try codec.constraint(&constraint)
        try codec.ids("ids", &ids, unless: singleID)
    }
}

/// Code 19: all tags and the settable flags of items are replaced.
public struct SetItemTags: CodedPayload {
    /// If above 0 the only item, and no list is in the record; written as −1 before a list.
    public var singleID: Int32 = -1
    /// What the caller said the items are.
    public var itemType: Int8 = -1
    /// Bit 31 set: flags stay. Bit 0x200 is the unread state.
    public var flags: Int32 = 0
    /// Names; null: tags stay. Since 1.33.
    public var tags: [LogText]?
    /// Bit n = tag 64+n. Before 1.33.
    public var tagBitmask: Int64?
    /// Section 8.10; nil = none.
    public var constraint: LogText?
    /// The items, one if it is the only one.
    public var ids: [Int32] = []

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.marker(&singleID)
        try codec.int8("itemType", &itemType)
        try codec.int32("flags", &flags)
        try codec.tagsOrBitmask(&tags, &tagBitmask)
        try codec.constraint(&constraint)
        try codec.ids("ids", &ids, unless: singleID)
    }
}

extension FieldCodec {
    /// Names of tags since 1.33, before that a mask of 64 bits.
    @inline(__always)
    mutating func tagsOrBitmask(_ tags: inout [LogText]?, _ bitmask: inout Int64?) throws(Failure) {
        if version >= .v1_33 {
            try texts("tags", &tags)
        } else {
            tags = nil
            var bits = bitmask ?? 0
            try int64("tagBitmask", &bits)
            bitmask = bits
        }
    }
}

/// Code 16.
public struct ColorItem: CodedPayload {
    /// If above 0 the only item, and no list is in the record; written as −1 before a list.
    public var singleID: Int32 = -1
    /// What the caller said the items are.
    public var itemType: Int8 = -1
    /// Section 8.6.
    public var color: Int64 = 0
    /// The items, one if it is the only one.
    public var ids: [Int32] = []

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.marker(&singleID)
        try codec.int8("itemType", &itemType)
        try codec.color(&color)
        try codec.ids("ids", &ids, unless: singleID)
    }
}

/// Code 71.
public struct DateItem: CodedPayload {
    /// The item.
    public var itemID: Int32 = 0
    /// Its type.
    public var itemType: Int8 = -1
    /// Milliseconds.
    public var date: Int64 = 0

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.int8("itemType", &itemType)
        try codec.int64("date", &date)
    }
}

/// Code 73: a section of an item's custom metadata.
public struct SetCustomData: CodedPayload {
    /// The item.
    public var itemID: Int32 = 0
    /// Its type.
    public var itemType: Int8 = -1
    /// An empty dictionary removes the section.
    public var customMetadata = CustomMetadata()

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.int8("itemType", &itemType)
        try codec.group("customMetadata", &customMetadata)
    }
}

/// Code 95 up to version 1.42.
public struct SetPop3Uid: CodedPayload {
    /// The message.
    public var itemID: Int32 = 0
    /// Its type.
    public var itemType: Int8 = 5
    /// The POP3 UID.
    public var uid: LogText?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.int8("itemType", &itemType)
        try codec.text("uid", &uid)
    }
}

/// The IMAP UID of an item.
public struct ImapUid: CodedElement {
    /// The item.
    public var itemID: Int32 = 0
    /// Its new UID.
    public var imapID: Int32 = 0

    /// A payload with the defaults above, to be filled in.
    public init() {}

    static let minimumLength: Int64 = 8

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.int32("imapId", &imapID)
    }
}

/// Code 29.
public struct SetImapUid: CodedPayload {
    /// Items and their new UIDs.
    public var uids: [ImapUid] = []

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.list("uids", &uids)
    }
}

/// Code 74: a document is locked.
public struct LockItem: CodedPayload {
    /// The item's type.
    public var itemType: Int8 = 8
    /// Who locked it.
    public var accountID: LogText?
    /// The item.
    public var itemID: Int32 = 0

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int8("itemType", &itemType)
        try codec.text("accountId", &accountID)
        try codec.int32("itemId", &itemID)
    }
}

/// Code 75.
public struct UnlockItem: CodedPayload {
    /// The item's type.
    public var itemType: Int8 = 8
    /// Who unlocked it.
    public var accountID: LogText?
    /// The item.
    public var itemID: Int32 = 0

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int8("itemType", &itemType)
        try codec.text("accountId", &accountID)
        try codec.int32("itemId", &itemID)
    }
}
