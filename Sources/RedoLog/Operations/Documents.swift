/// What documents have before their message block (section 7.3.6).
public struct DocumentFields: Hashable, Sendable {
    /// The file's name.
    public var filename: LogText?
    /// The content type.
    public var mimeType: LogText?
    /// The author's address.
    public var author: LogText?
    /// 8 document, 14 wiki page.
    public var itemType: Int8 = 8
    /// Since 1.29.
    public var description: LogText?
    /// Since 1.31; before that true.
    public var descriptionEnabled: Bool?
    /// Since 1.37; null for revisions.
    public var uuid: LogText?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.text("filename", &filename)
        try codec.text("mimeType", &mimeType)
        try codec.text("author", &author)
        try codec.int8("itemType", &itemType)
        try codec.text("description", &description, since: .v1_29)
        try codec.bool("descriptionEnabled", &descriptionEnabled, since: .v1_31, default: true)
        try codec.text("uuid", &uuid, since: .v1_37)
    }
}

/// Code 53: a document or wiki page is born.
public struct SaveDocument: CodedPayload {
    /// Name, type, author.
    public var document = DocumentFields()
    /// The item and its content; `flags` is the final set.
    public var message = CreateMessage()

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try document.transfer(&codec)
        try message.transfer(&codec)
    }
}

/// Code 52, of old releases: a wiki page is born.
public struct SaveWiki: CodedPayload {
    /// The page's name.
    public var wikiWord: LogText?
    /// Name, type, author.
    public var document = DocumentFields()
    /// The item and its content.
    public var message = CreateMessage()

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.text("wikiWord", &wikiWord)
        try document.transfer(&codec)
        try message.transfer(&codec)
    }
}

/// Code 54: a new content version of a document.
public struct AddDocumentRevision: CodedPayload {
    /// The document.
    public var documentID: Int32 = 0
    /// Name and description as they are from now on.
    public var document = DocumentFields()
    /// The content; its item id is 0.
    public var message = CreateMessage()

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("documentId", &documentID)
        try document.transfer(&codec)
        try message.transfer(&codec)
    }
}
