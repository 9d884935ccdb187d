/// Code 38: with a store type (Zimbra 10.0 and later) or without.
public struct CreateVolume: CodedPayload {
    /// The volume.
    public var volumeID: Int16 = 0
    /// 1 primary messages, 2 secondary messages, 10 index.
    public var type: Int16 = 1
    /// Its name.
    public var name: LogText?
    /// Its directory.
    public var path: LogText?
    /// Layout of directories.
    public var mboxGroupBits: Int16 = 0
    /// Layout of directories.
    public var mboxBits: Int16 = 0
    /// Layout of directories.
    public var fileGroupBits: Int16 = 0
    /// Layout of directories.
    public var fileBits: Int16 = 0
    /// Whether blobs are gzip files.
    public var compressBlobs = false
    /// 1 internal, 2 external; nil in the layout without it.
    public var storeType: Int16? = 1
    /// May be null.
    public var storeManagerClass: LogText?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int16("volumeId", &volumeID)
        try codec.int16("type", &type)
        try codec.text("name", &name)
        try codec.text("path", &path)
        try codec.int16("mboxGroupBits", &mboxGroupBits)
        try codec.int16("mboxBits", &mboxBits)
        try codec.int16("fileGroupBits", &fileGroupBits)
        try codec.int16("fileBits", &fileBits)
        try codec.bool("compressBlobs", &compressBlobs)
        if storeType != nil {
            var type = storeType ?? 1
            try codec.int16("storeType", &type)
            storeType = type
            try codec.text("storeManagerClass", &storeManagerClass)
        }
    }
}

/// Code 39.
public struct ModifyVolume: CodedPayload {
    /// The volume.
    public var volumeID: Int16 = 0
    /// 1 primary messages, 2 secondary messages, 10 index.
    public var type: Int16 = 1
    /// Its name.
    public var name: LogText?
    /// Its directory.
    public var path: LogText?
    /// Layout of directories.
    public var mboxGroupBits: Int16 = 0
    /// Layout of directories.
    public var mboxBits: Int16 = 0
    /// Layout of directories.
    public var fileGroupBits: Int16 = 0
    /// Layout of directories.
    public var fileBits: Int16 = 0

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int16("volumeId", &volumeID)
        try codec.int16("type", &type)
        try codec.text("name", &name)
        try codec.text("path", &path)
        try codec.int16("mboxGroupBits", &mboxGroupBits)
        try codec.int16("mboxBits", &mboxBits)
        try codec.int16("fileGroupBits", &fileGroupBits)
        try codec.int16("fileBits", &fileBits)
    }
}

/// Code 40.
public struct DeleteVolume: CodedPayload {
    /// The volume.
    public var volumeID: Int16 = 0

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int16("volumeId", &volumeID)
    }
}

/// Code 41.
public struct SetCurrentVolume: CodedPayload {
    /// As in `CreateVolume`.
    public var type: Int16 = 1
    /// The volume, −2 = unset.
    public var volumeID: Int16 = 0

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int16("type", &type)
        try codec.int16("volumeId", &volumeID)
    }
}
