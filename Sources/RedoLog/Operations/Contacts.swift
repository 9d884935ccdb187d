/// A field of a contact, as it is in the log; each key occurs once.
public struct ContactField: Hashable, Sendable {
    /// The field's name.
    public var key: LogText?
    /// The field's value; empty where there is none.
    public var value: LogText?

    /// A field.
    public init(key: LogText?, value: LogText?) {
        self.key = key
        self.value = value
    }
}

/// Code 30: a contact is born.
public struct CreateContact: CodedPayload {
    /// The new contact.
    public var itemID: Int32 = 0
    /// Its folder.
    public var folderID: Int32 = 7
    /// An obsolete volume number.
    public var legacyVolume: Int16 = -1
    /// Names; null is legal. Since 1.33.
    public var tags: [LogText]? = []
    /// Comma-separated numbers. Before 1.33.
    public var tagIDs: LogText?
    /// All fields.
    public var fields: [ContactField] = []
    /// A MIME multipart of the attachments. Since 1.14.
    public var attachmentBlob: Body?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.int32("folderId", &folderID)
        try codec.int16("legacyVolume", &legacyVolume)
        try codec.tags(&tags, &tagIDs)
        try codec.contactFields("fields", &fields)
        if codec.version >= .v1_14 { try codec.body("attachmentBlob", &attachmentBlob, .attachments) }
    }
}

/// Code 31: since 1.14 the complete new fields and attachments.
public struct ModifyContact: CodedPayload {
    /// The contact.
    public var itemID: Int32 = 0
    /// Before 1.14: whether the fields are complete, or a delta.
    public var legacyReplace: Bool?
    /// All fields.
    public var fields: [ContactField] = []
    /// An obsolete volume number. Since 1.14.
    public var legacyVolume: Int16?
    /// A MIME multipart of the attachments; nil = no attachments now. Since 1.14.
    public var attachmentBlob: Body?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        if codec.version < .v1_14 { try codec.bool("legacyReplace", &legacyReplace, since: .v1_00, default: true) }
        try codec.contactFields("fields", &fields)
        try codec.int16("legacyVolume", &legacyVolume, since: .v1_14)
        if codec.version >= .v1_14 { try codec.body("attachmentBlob", &attachmentBlob, .attachments) }
    }
}
