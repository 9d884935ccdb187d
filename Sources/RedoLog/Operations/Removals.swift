/// Code 21: the list is what was requested (section 7.6).
public struct DeleteItem: CodedPayload {
    /// If above 0 the only item, and no list is in the record; written as −1 before a list.
    public var singleID: Int32 = -1
    /// What the caller said the items are.
    public var itemType: Int8 = -1
    /// Section 8.10; nil = none.
    public var constraint: LogText?
    /// Items, one if it is the only one; negative = virtual conversations.
    public var ids: [Int32] = []

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.marker(&singleID)
        try codec.int8("itemType", &itemType)
        try codec.constraint(&constraint)
        try codec.ids("ids", &ids, unless: singleID)
    }
}

/// Code 77.
public struct DeleteItemFromDumpster: CodedPayload {
    /// The items.
    public var ids: [Int32] = []

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.ids("ids", &ids)
    }
}

/// Code 76.
public struct PurgeRevision: CodedPayload {
    /// The document.
    public var itemID: Int32 = 0
    /// The revision.
    public var revision: Int32 = 0
    /// Whether older ones went too.
    public var includeOlder = false

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.int32("revision", &revision)
        try codec.bool("includeOlder", &includeOlder)
    }
}
