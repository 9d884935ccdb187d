/// Code 20.
public struct MoveItem: CodedPayload {
    /// If above 0 the only item, and no list is in the record; written as −1 before a list.
    public var singleID: Int32 = -1
    /// What the caller said the items are.
    public var itemType: Int8 = -1
    /// The folder they go to.
    public var targetFolderID: Int32 = 0
    /// Section 8.10; nil = none.
    public var constraint: LogText?
    /// The items, one if it is the only one.
    public var ids: [Int32] = []
    /// The target's new UIDNEXT, −1 = unchanged. Since 1.16.
    public var uidNext: Int32?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.marker(&singleID)
        try codec.int8("itemType", &itemType)
        try codec.int32("targetFolderId", &targetFolderID)
        try codec.constraint(&constraint)
        try codec.ids("ids", &ids, unless: singleID)
        try codec.int32("uidNext", &uidNext, since: .v1_16, default: -1)
    }
}

/// An item and its copy.
public struct CopiedItem: CodedElement {
    /// The original.
    public var sourceID: Int32 = 0
    /// The copy.
    public var newID: Int32 = 0
    /// Since 1.37; null for conversations.
    public var newUUID: LogText?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    static let minimumLength: Int64 = 8

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("sourceId", &sourceID)
        try codec.int32("newId", &newID)
        try codec.text("newUuid", &newUUID, since: .v1_37)
    }
}

/// An item and its copy made by IMAP.
public struct ImapCopiedItem: CodedElement {
    /// The original.
    public var sourceID: Int32 = 0
    /// The copy.
    public var newID: Int32 = 0
    /// Obsolete.
    public var unused: Int32 = -1
    /// Since 1.37.
    public var newUUID: LogText?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    static let minimumLength: Int64 = 12

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("sourceId", &sourceID)
        try codec.int32("newId", &newID)
        try codec.int32("unused", &unused)
        try codec.text("newUuid", &newUUID, since: .v1_37)
    }
}

/// Code 22: copies are born.
public struct CopyItem: CodedPayload {
    /// The only original, if this and `singleNewID` are above 0: then no list is in the record.
    public var singleSourceID: Int32 = -1
    /// The only copy.
    public var singleNewID: Int32 = -1
    /// What the caller said the items are.
    public var itemType: Int8 = -1
    /// The folder of the copies.
    public var targetFolderID: Int32 = 0
    /// An obsolete volume number.
    public var legacyVolume: Int16 = -1
    /// Originals and copies, also the only ones.
    public var copies: [CopiedItem] = []
    /// Since 1.30; before that false.
    public var fromDumpster: Bool?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.marker(&singleSourceID)
        try codec.marker(&singleNewID)
        try codec.int8("itemType", &itemType)
        try codec.int32("targetFolderId", &targetFolderID)
        try codec.int16("legacyVolume", &legacyVolume)
        try codec.copies(&copies, unless: (singleSourceID, singleNewID))
        try codec.bool("fromDumpster", &fromDumpster, since: .v1_30)
        if codec.version < .v1_30 { codec.described("fromDumpster", false) }
    }
}

/// Code 79: items come back from the dumpster.
public struct RecoverItem: CodedPayload {
    /// The only original, if this and `singleNewID` are above 0: then no list is in the record.
    public var singleSourceID: Int32 = -1
    /// The only copy.
    public var singleNewID: Int32 = -1
    /// What the caller said the items are.
    public var itemType: Int8 = -1
    /// The folder of the copies.
    public var targetFolderID: Int32 = 0
    /// An obsolete volume number.
    public var legacyVolume: Int16 = -1
    /// Originals and copies, also the only ones.
    public var copies: [CopiedItem] = []
    /// Since 1.30; before that false.
    public var fromDumpster: Bool?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.marker(&singleSourceID)
        try codec.marker(&singleNewID)
        try codec.int8("itemType", &itemType)
        try codec.int32("targetFolderId", &targetFolderID)
        try codec.int16("legacyVolume", &legacyVolume)
        try codec.copies(&copies, unless: (singleSourceID, singleNewID))
        try codec.bool("fromDumpster", &fromDumpster, since: .v1_30, default: true)
        if codec.version < .v1_30 { codec.described("fromDumpster", false) }
    }
}

extension FieldCodec {
    /// The list of copies, unless the record began with the only one.
    mutating func copies(_ copies: inout [CopiedItem], unless single: (source: Int32, copy: Int32)) throws(Failure) {
        if single.source > 0 && single.copy > 0 {
            let only = CopiedItem {
                $0.sourceID = single.source
                $0.newID = single.copy
            }
            copies = [only]
            // Without the list there is no uuid either.
            try described("copies", [SingleCopy(sourceID: single.source, newID: single.copy)])
        } else {
            try list("copies", &copies)
        }
    }
}

/// How a copy is described that is not in a list.
private struct SingleCopy: CodedElement {
    var sourceID: Int32 = 0
    var newID: Int32 = 0

    static let minimumLength: Int64 = 8

    init() {}

    init(sourceID: Int32, newID: Int32) {
        self.sourceID = sourceID
        self.newID = newID
    }

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("sourceId", &sourceID)
        try codec.int32("newId", &newID)
    }
}

/// Code 56: copies are born, and keep the conversation of the originals.
public struct ImapCopyItem: CodedPayload {
    /// The items' type.
    public var itemType: Int8 = -1
    /// The folder of the copies.
    public var targetFolderID: Int32 = 0
    /// An obsolete volume number.
    public var legacyVolume: Int16 = -1
    /// Originals and copies.
    public var copies: [ImapCopiedItem] = []

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int8("itemType", &itemType)
        try codec.int32("targetFolderId", &targetFolderID)
        try codec.int16("legacyVolume", &legacyVolume)
        try codec.list("copies", &copies)
    }
}
