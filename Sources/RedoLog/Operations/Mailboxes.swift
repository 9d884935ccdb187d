/// Code 7: the only record that ties a mailbox (in the record's header) to an account.
public struct CreateMailbox: CodedPayload {
    /// The account's `zimbraId`.
    public var accountID: LogText?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.text("accountId", &accountID)
    }
}

/// Code 69: the primary address of the account changes.
public struct RenameMailbox: CodedPayload {
    /// The new address.
    public var newName: LogText?
    /// Null in practice. Since 1.25.
    public var oldName: LogText?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.text("newName", &newName)
        try codec.text("oldName", &oldName, since: .v1_25)
    }
}

/// Code 9, of old releases: a marker without effect.
public struct BackupMailbox: CodedPayload {
    /// Milliseconds.
    public var backupSetTimestamp: Int64 = 0
    /// Milliseconds.
    public var startTime: Int64 = 0
    /// Milliseconds.
    public var endTime: Int64 = 0
    /// Empty if none.
    public var label: LogText?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int64("backupSetTimestamp", &backupSetTimestamp)
        try codec.int64("startTime", &startTime)
        try codec.int64("endTime", &endTime)
        try codec.text("label", &label)
    }
}

/// Code 10: concerns the search index only.
public struct ReindexMailbox: CodedPayload {
    /// Since 1.9.
    public var completionID: Int32?
    /// Item types to index; null means all. Since 1.9.
    public var types: [Int8]?
    /// Items to index; null means all. Since 1.10.
    public var itemIDs: [Int32]?
    /// Since 1.20.
    public var skipDelete: Bool?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("completionId", &completionID, since: .v1_09)
        if codec.version >= .v1_09 {
            var isListed = types != nil
            try codec.marker(&isListed)
            if isListed {
                var listed = types ?? []
                var count = Int32(listed.count)
                try codec.marker(&count)
                try codec.int8s("types", &listed, count: count)
                types = listed
            } else {
                codec.null("types")
            }
        }
        if codec.version >= .v1_10 {
            var isListed = itemIDs != nil
            try codec.marker(&isListed)
            if isListed {
                var listed = itemIDs ?? []
                try codec.ids("itemIds", &listed)
                itemIDs = listed
            } else {
                codec.null("itemIds")
            }
        }
        try codec.bool("skipDelete", &skipDelete, since: .v1_20)
    }
}

/// Code 17: concerns the search index only.
public struct IndexItem: CodedPayload {
    /// The item.
    public var itemID: Int32 = 0
    /// Its type.
    public var itemType: Int8 = -1
    /// Since 1.8.
    public var deleteFirst: Bool?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.int8("itemType", &itemType)
        try codec.bool("deleteFirst", &deleteFirst, since: .v1_08)
    }
}

/// Code 68: concerns the search index only.
public struct IndexDeferredItems: CodedPayload {
    /// The items.
    public var itemIDs: [Int32] = []
    /// Their types, as many.
    public var itemTypes: [Int8] = []

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        var count = Int32(itemIDs.count)
        try codec.marker(&count)
        try codec.int32s("itemIds", &itemIDs, count: count)
        try codec.int8s("itemTypes", &itemTypes, count: count)
    }
}

/// Code 46: a section of the mailbox's configuration.
public struct SetConfig: CodedPayload {
    /// The section's key.
    public var section: LogText?
    /// A metadata dictionary; empty removes the section.
    public var config: LogText?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.text("section", &section)
        try codec.text("config", &config)
    }
}

/// Code 93: sections of the mailbox's configuration are removed.
public struct DeleteConfig: CodedPayload {
    /// All sections whose key begins with this text.
    public var section: LogText?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.text("section", &section)
    }
}
