/// Code 58: a folder is born.
public struct CreateFolder: CodedPayload {
    /// Not null.
    public var name: LogText?
    /// The parent folder.
    public var parentID: Int32 = 0
    /// Bit 1 immutable, bit 2 without counts. Since 1.19.
    public var attributes: Int8?
    /// An item type, −1 none.
    public var defaultView: Int8 = -1
    /// Section 8.2.
    public var flags: Int32 = 0
    /// Section 8.6.
    public var color: Int64 = 0
    /// The source of an external feed or calendar; empty = none.
    public var url: LogText? = ""
    /// The new folder.
    public var folderID: Int32 = 0
    /// Since 1.37.
    public var uuid: LogText?
    /// Milliseconds (at 1.39 exactly in whole seconds), if given. Since 1.39.
    public var date: Int64?
    /// Since 1.41.
    public var customMetadata: CustomMetadata?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.text("name", &name)
        try codec.int32("parentId", &parentID)
        try codec.int8("attributes", &attributes, since: .v1_19)
        try codec.int8("defaultView", &defaultView)
        try codec.int32("flags", &flags)
        try codec.color(&color)
        try codec.text("url", &url)
        try codec.int32("folderId", &folderID)
        try codec.text("uuid", &uuid, since: .v1_37)
        if codec.version >= .v1_40 {
            try codec.optionalDate(&date)
        } else if codec.version >= .v1_39 {
            try codec.optionalDateInSeconds(&date)
        }
        if codec.version >= .v1_41 { try codec.customMetadata("customMetadata", &customMetadata) }
    }
}

/// A folder of a path that was created if it did not exist.
public struct FolderSegment: CodedElement {
    /// The folder.
    public var id: Int32 = 0
    /// Since 1.37.
    public var uuid: LogText?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    static let minimumLength: Int64 = 4

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("id", &id)
        try codec.text("uuid", &uuid, since: .v1_37)
    }
}

/// Code 23: the missing folders of a path are born.
public struct CreateFolderPath: CodedPayload {
    /// Absolute, separated by `/`.
    public var path: LogText?
    /// As in `CreateFolder`.
    public var attributes: Int8 = 0
    /// An item type, of the last folder.
    public var defaultView: Int8 = -1
    /// Section 8.2.
    public var flags: Int32 = 0
    /// Section 8.6.
    public var color: Int64 = 0
    /// Of the last folder.
    public var url: LogText? = ""
    /// Milliseconds, if given. Since 1.41.
    public var date: Int64?
    /// Of the last folder. Since 1.41.
    public var customMetadata: CustomMetadata?
    /// One a segment, from the top; some may have existed.
    public var folders: [FolderSegment] = []

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.text("path", &path)
        try codec.int8("attributes", &attributes)
        try codec.int8("defaultView", &defaultView)
        try codec.int32("flags", &flags)
        try codec.color(&color)
        try codec.text("url", &url)
        if codec.version >= .v1_41 { try codec.optionalDate(&date) }
        if codec.version >= .v1_41 { try codec.customMetadata("customMetadata", &customMetadata) }
        try codec.list("folders", &folders)
    }
}

/// Code 61: a folder, tag or other item gets a name and perhaps another parent.
public struct RenameItem: CodedPayload {
    /// The item.
    public var itemID: Int32 = 0
    /// The new parent; 0 or less = unchanged.
    public var folderID: Int32 = -1
    /// The new name.
    public var name: LogText?
    /// The item's type.
    public var itemType: Int8 = -1
    /// Milliseconds, if given. Since 1.40.
    public var date: Int64?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.int32("folderId", &folderID)
        try codec.text("name", &name)
        try codec.int8("itemType", &itemType)
        if codec.version >= .v1_40 { try codec.optionalDate(&date) }
        if codec.version < .v1_40 { codec.null("date") }
    }
}

/// Code 59, of old releases.
public struct RenameFolder: CodedPayload {
    /// The folder.
    public var itemID: Int32 = 0
    /// The new parent.
    public var folderID: Int32 = 0
    /// The new name.
    public var name: LogText?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.int32("folderId", &folderID)
        try codec.text("name", &name)
    }
}

/// Code 62: an item gets a path; its missing folders are born.
public struct RenameItemPath: CodedPayload {
    /// The item.
    public var itemID: Int32 = 0
    /// Absolute, separated by `/`.
    public var path: LogText?
    /// The folders along the path.
    public var parents: [FolderSegment] = []
    /// The item's type.
    public var itemType: Int8 = -1

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.text("path", &path)
        try codec.list("parents", &parents)
        try codec.int8("itemType", &itemType)
    }
}

/// A folder of a path, without uuid at any version.
public struct PlainFolderSegment: CodedElement {
    /// The folder.
    public var id: Int32 = 0

    /// A payload with the defaults above, to be filled in.
    public init() {}

    static let minimumLength: Int64 = 4

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("id", &id)
    }
}

/// Code 24, of old releases.
public struct RenameFolderPath: CodedPayload {
    /// The folder.
    public var itemID: Int32 = 0
    /// Absolute, separated by `/`.
    public var path: LogText?
    /// The folders along the path.
    public var parents: [PlainFolderSegment] = []

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.text("path", &path)
        try codec.list("parents", &parents)
    }
}

/// Code 49.
public struct SetFolderUrl: CodedPayload {
    /// The folder.
    public var folderID: Int32 = 0
    /// The source; empty = removed.
    public var url: LogText?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("folderId", &folderID)
        try codec.text("url", &url)
    }
}

/// Code 72.
public struct SetFolderDefaultView: CodedPayload {
    /// The folder.
    public var folderID: Int32 = 0
    /// An item type.
    public var defaultView: Int8 = -1

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("folderId", &folderID)
        try codec.int8("defaultView", &defaultView)
    }
}

/// Code 50: how far an external source was read.
public struct SetSubscriptionData: CodedPayload {
    /// The folder.
    public var folderID: Int32 = 0
    /// Milliseconds.
    public var lastItemDate: Int64 = 0
    /// Empty: the stored one stays.
    public var lastItemGUID: LogText?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("folderId", &folderID)
        try codec.int64("lastItemDate", &lastItemDate)
        try codec.text("lastItemGuid", &lastItemGUID)
    }
}

/// Code 92.
public struct SetWebOfflineSyncDays: CodedPayload {
    /// The folder.
    public var folderID: Int32 = 0
    /// How many days a web client keeps offline.
    public var days: Int32 = 0

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("folderId", &folderID)
        try codec.int32("days", &days)
    }
}

/// Code 91; the server's own reader cannot read it back.
public struct SetDisableActiveSync: CodedPayload {
    /// The folder.
    public var folderID: Int32 = 0
    /// Whether mobile devices do not see the folder.
    public var disabled = false

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("folderId", &folderID)
        try codec.bool("disabled", &disabled)
    }
}

/// Code 25, of old releases: unlisted contents were deleted.
public struct EmptyFolder: CodedPayload {
    /// The folder.
    public var folderID: Int32 = 0
    /// Whether the folders below it went too.
    public var includeSubfolders = false

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("folderId", &folderID)
        try codec.bool("includeSubfolders", &includeSubfolders)
    }
}

/// Code 12: a search folder is born.
public struct CreateSavedSearch: CodedPayload {
    /// The new search folder.
    public var itemID: Int32 = 0
    /// Since 1.37.
    public var uuid: LogText?
    /// Its name.
    public var name: LogText?
    /// The query.
    public var query: LogText?
    /// Item types, as text.
    public var types: LogText?
    /// Sort order.
    public var sort: LogText?
    /// The parent folder.
    public var folderID: Int32 = 0
    /// Since 1.28; before that none.
    public var flags: Int32?
    /// Section 8.6.
    public var color: Int64 = 0

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.text("uuid", &uuid, since: .v1_37)
        try codec.text("name", &name)
        try codec.text("query", &query)
        try codec.text("types", &types)
        try codec.text("sort", &sort)
        try codec.int32("folderId", &folderID)
        try codec.int32("flags", &flags, since: .v1_28)
        if codec.version < .v1_28 { codec.described("flags", 0) }
        try codec.color(&color)
    }
}

/// Code 13.
public struct ModifySavedSearch: CodedPayload {
    /// The search folder.
    public var itemID: Int32 = 0
    /// The query.
    public var query: LogText?
    /// Item types, as text.
    public var types: LogText?
    /// Sort order; empty = none.
    public var sort: LogText?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.text("query", &query)
        try codec.text("types", &types)
        try codec.text("sort", &sort)
    }
}
