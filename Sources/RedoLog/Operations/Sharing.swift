/// Code 35, layout (a): a mount point is born.
public struct CreateMountpoint: CodedPayload {
    /// The new mount point.
    public var itemID: Int32 = 0
    /// Since 1.37.
    public var uuid: LogText?
    /// Its name.
    public var name: LogText?
    /// The account that shares.
    public var ownerID: LogText?
    /// The shared folder.
    public var remoteID: Int32 = 0
    /// May be null. Since 1.38.
    public var remoteUUID: LogText?
    /// The parent folder.
    public var folderID: Int32 = 0
    /// An item type.
    public var defaultView: Int8 = -1
    /// Section 8.2.
    public var flags: Int32 = 0
    /// Section 8.6.
    public var color: Int64 = 0
    /// Since 1.33.
    public var reminderEnabled: Bool?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.text("uuid", &uuid, since: .v1_37)
        try codec.text("name", &name)
        try codec.text("ownerId", &ownerID)
        try codec.int32("remoteId", &remoteID)
        try codec.text("remoteUuid", &remoteUUID, since: .v1_38)
        try codec.int32("folderId", &folderID)
        try codec.int8("defaultView", &defaultView)
        try codec.int32("flags", &flags)
        try codec.color(&color)
        try codec.bool("reminderEnabled", &reminderEnabled, since: .v1_33)
    }
}

/// Code 35, layout (b): a link (item type 18) is born.
public struct CreateLink: CodedPayload {
    /// The new link.
    public var itemID: Int32 = 0
    /// Since 1.37.
    public var uuid: LogText?
    /// Its name.
    public var name: LogText?
    /// The account that shares.
    public var ownerID: LogText?
    /// The shared item.
    public var remoteID: Int32 = 0
    /// The parent folder.
    public var folderID: Int32 = 0

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.text("uuid", &uuid, since: .v1_37)
        try codec.text("name", &name)
        try codec.text("ownerId", &ownerID)
        try codec.int32("remoteId", &remoteID)
        try codec.int32("folderId", &folderID)
    }
}

/// Code 35, layout (c): an entry of "files shared with me" came, changed or went.
public struct CreateFileSharedWithMe: CodedPayload {
    /// Always 0: the created document's id is not logged.
    public var itemID: Int32 = 0
    /// Null.
    public var uuid: LogText?
    /// Only a creation has one.
    public var name: LogText?
    /// The account that shares.
    public var ownerID: LogText?
    /// The shared item.
    public var remoteID: Int32 = 0
    /// The item's uuid is `remoteUuid:remoteId`.
    public var remoteUUID: LogText?
    /// 20.
    public var folderID: Int32 = 0
    /// The owner's name.
    public var ownerName: LogText?
    /// The content type.
    public var contentType: LogText?
    /// Letters, section 8.8.
    public var rights: LogText?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.text("uuid", &uuid)
        try codec.text("name", &name)
        try codec.text("ownerId", &ownerID)
        try codec.int32("remoteId", &remoteID)
        try codec.text("remoteUuid", &remoteUUID)
        try codec.int32("folderId", &folderID)
        try codec.text("ownerName", &ownerName)
        try codec.text("contentType", &contentType)
        try codec.text("rights", &rights)
    }
}

/// Code 89.
public struct RefreshMountpoint: CodedPayload {
    /// The mount point.
    public var itemID: Int32 = 0
    /// The account that shares.
    public var ownerID: LogText?
    /// The shared folder.
    public var remoteID: Int32 = 0

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.text("ownerId", &ownerID)
        try codec.int32("remoteId", &remoteID)
    }
}

/// Code 80.
public struct EnableSharedReminder: CodedPayload {
    /// The mount point.
    public var itemID: Int32 = 0
    /// Whether reminders are shown.
    public var enabled = false

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.bool("enabled", &enabled)
    }
}

/// Code 47.
public struct GrantAccess: CodedPayload {
    /// Usually a folder.
    public var itemID: Int32 = 0
    /// An account, group, domain, address or key; empty for public and all.
    public var grantee: LogText?
    /// Section 8.8.
    public var granteeType: Int8 = 0
    /// Section 8.8.
    public var rights: Int16 = 0
    /// Obsolete.
    public var legacyInherit = true
    /// A guest's password or an access key, **in clear text**; empty = none. Since 1.2.
    public var secret: LogText? = ""
    /// Milliseconds, 0 = never. Since 1.36.
    public var expiry: Int64?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.text("grantee", &grantee)
        try codec.int8("granteeType", &granteeType)
        try codec.int16("rights", &rights)
        try codec.bool("legacyInherit", &legacyInherit)
        if codec.version >= .v1_02 {
            try codec.text("secret", &secret)
        } else {
            secret = nil
        }
        try codec.int64("expiry", &expiry, since: .v1_36)
    }
}

/// Code 48.
public struct RevokeAccess: CodedPayload {
    /// Usually a folder.
    public var itemID: Int32 = 0
    /// As in `GrantAccess`.
    public var grantee: LogText?
    /// Since 1.39; before that false.
    public var dueToExpiry: Bool?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.text("grantee", &grantee)
        try codec.bool("dueToExpiry", &dueToExpiry, since: .v1_39)
        if codec.version < .v1_39 { codec.described("dueToExpiry", false) }
    }
}

/// Code 90: a grant was removed by the expiry task; the server's own reader cannot read it back.
public struct ExpireAccess: CodedPayload {
    /// Usually a folder.
    public var itemID: Int32 = 0
    /// As in `GrantAccess`.
    public var grantee: LogText?
    /// Since 1.39; before that false.
    public var dueToExpiry: Bool?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.text("grantee", &grantee)
        try codec.bool("dueToExpiry", &dueToExpiry, since: .v1_39, default: true)
        if codec.version < .v1_39 { codec.described("dueToExpiry", false) }
    }
}

/// Code 51: all grants of an item at once.
public struct SetPermissions: CodedPayload {
    /// The item.
    public var itemID: Int32 = 0
    /// An encoded ACL (section 8.8), **with secrets in clear text**; empty = all removed.
    public var acl: LogText?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int32("itemId", &itemID)
        try codec.text("acl", &acl)
    }
}

/// One policy of a folder or tag.
public struct RetentionPolicy: CodedElement {
    /// A system policy; null for a policy of the user's own.
    public var id: LogText?
    /// Such as `30d`; null with an id.
    public var lifetime: LogText?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    static let minimumLength: Int64 = 8

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.text("id", &id)
        try codec.text("lifetime", &lifetime)
    }
}

/// Code 86: with a keep list (Zimbra) or without (Carbonio since 4.12.0).
public struct SetRetentionPolicy: CodedPayload {
    /// 1 folder, 3 tag.
    public var itemType: Int8 = 1
    /// The folder or tag.
    public var itemID: Int32 = 0
    /// nil in the layout without it.
    public var keep: [RetentionPolicy]? = []
    /// What is purged.
    public var purge: [RetentionPolicy] = []

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int8("itemType", &itemType)
        try codec.int32("itemId", &itemID)
        if keep != nil {
            var policies = keep ?? []
            try codec.list("keep", &policies)
            keep = policies
        }
        try codec.list("purge", &purge)
    }
}
