/// Code 94 since version 1.43.
public struct AddSearchHistoryEntry: CodedPayload {
    /// What was searched.
    public var searchString: LogText?
    /// The id, if it is a new search.
    public var newSearchID: Int32?
    /// Whether the user was asked.
    public var prompted = false

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.text("searchString", &searchString)
        var hasID = newSearchID != nil
        try codec.marker(&hasID)
        if hasID {
            var id = newSearchID ?? 0
            try codec.int32("newSearchId", &id)
            newSearchID = id
        } else {
            newSearchID = nil
            codec.null("newSearchId")
        }
        try codec.bool("prompted", &prompted)
    }
}

/// Code 97 since version 1.43.
public struct SetSavedSearchStatus: CodedPayload {
    /// What was searched.
    public var searchString: LogText?
    /// The status.
    public var status: Int16 = 0

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.text("searchString", &searchString)
        try codec.int16("status", &status)
    }
}

/// Code 98 since version 1.43.
public struct CreateSmartFolder: CodedPayload {
    /// The new folder.
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
