/// The place and size of a note.
public struct NoteBounds: CodedElement {
    /// From the left.
    public var x: Int32 = 0
    /// From the top.
    public var y: Int32 = 0
    /// Width.
    public var width: Int32 = 0
    /// Height.
    public var height: Int32 = 0

    /// A payload with the defaults above, to be filled in.
    public init() {}

    static let minimumLength: Int64 = 16

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("x", &x)
        try codec.int32("y", &y)
        try codec.int32("width", &width)
        try codec.int32("height", &height)
    }
}

/// Code 32: a note is born.
public struct CreateNote: CodedPayload {
    /// The new note.
    public var itemID: Int32 = 0
    /// Its folder.
    public var folderID: Int32 = 0
    /// An obsolete volume number.
    public var legacyVolume: Int16 = -1
    /// The text.
    public var content: LogText?
    /// Section 8.6.
    public var color: Int64 = 0
    /// Place and size.
    public var bounds = NoteBounds()

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.int32("folderId", &folderID)
        try codec.int16("legacyVolume", &legacyVolume)
        try codec.text("content", &content)
        try codec.color(&color)
        try codec.group("bounds", &bounds)
    }
}

/// Code 33.
public struct EditNote: CodedPayload {
    /// The note.
    public var itemID: Int32 = 0
    /// The text.
    public var content: LogText?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.text("content", &content)
    }
}

/// Code 34.
public struct RepositionNote: CodedPayload {
    /// The note.
    public var itemID: Int32 = 0
    /// Place and size.
    public var bounds = NoteBounds()

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.group("bounds", &bounds)
    }
}

/// Code 84: a comment is born.
public struct CreateComment: CodedPayload {
    /// The new comment.
    public var itemID: Int32 = 0
    /// Since 1.37.
    public var uuid: LogText?
    /// The item it is about.
    public var parentID: Int32 = 0
    /// The account that wrote it.
    public var creatorID: LogText?
    /// The text.
    public var text: LogText?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.text("uuid", &uuid, since: .v1_37)
        try codec.int32("parentId", &parentID)
        try codec.text("creatorId", &creatorID)
        try codec.text("text", &text)
    }
}
