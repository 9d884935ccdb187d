/// The number of an operation in the log (section 6.1). Any number can be in a file; the named ones have a meaning.
public struct OperationCode: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// The number in the file.
    public var rawValue: Int32

    /// The code with this number.
    @inline(__always)
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// Whether a record with this code may be in a file at all; others are damage (section 4.4).
    @inline(__always)
    var isPlausible: Bool { rawValue >= 1 && rawValue <= 99 }

    /// The operation's name up to version 1.42; for the codes that Zimbra X uses otherwise, see `name(at:)`.
    public var name: String { name(at: .current) }

    /// The operation's name in a record of this version; `Unknown` and the number where there is none.
    public func name(at version: FormatVersion) -> String {
        if version >= FormatVersion(1, 43), let name = Self.zimbraXNames[rawValue] { return name }
        return Self.names[rawValue] ?? Self.zimbraXNames[rawValue] ?? "Unknown\(rawValue)"
    }

    /// The name and the number.
    public var description: String { "\(name) (\(rawValue))" }
}

extension OperationCode {
    /// Code 1.
    public static let checkpoint = OperationCode(rawValue: 1)
    /// Code 3.
    public static let commitTxn = OperationCode(rawValue: 3)
    /// Code 4.
    public static let abortTxn = OperationCode(rawValue: 4)
    /// Code 6.
    public static let rollover = OperationCode(rawValue: 6)
    /// Code 7.
    public static let createMailbox = OperationCode(rawValue: 7)
    /// Code 8.
    public static let deleteMailbox = OperationCode(rawValue: 8)
    /// Code 9.
    public static let backupMailbox = OperationCode(rawValue: 9)
    /// Code 10.
    public static let reindexMailbox = OperationCode(rawValue: 10)
    /// Code 11.
    public static let purgeOldMessages = OperationCode(rawValue: 11)
    /// Code 12.
    public static let createSavedSearch = OperationCode(rawValue: 12)
    /// Code 13.
    public static let modifySavedSearch = OperationCode(rawValue: 13)
    /// Code 14.
    public static let createTag = OperationCode(rawValue: 14)
    /// Code 15.
    public static let renameTag = OperationCode(rawValue: 15)
    /// Code 16.
    public static let colorItem = OperationCode(rawValue: 16)
    /// Code 17.
    public static let indexItem = OperationCode(rawValue: 17)
    /// Code 18.
    public static let alterItemTag = OperationCode(rawValue: 18)
    /// Code 19.
    public static let setItemTags = OperationCode(rawValue: 19)
    /// Code 20.
    public static let moveItem = OperationCode(rawValue: 20)
    /// Code 21.
    public static let deleteItem = OperationCode(rawValue: 21)
    /// Code 22.
    public static let copyItem = OperationCode(rawValue: 22)
    /// Code 23.
    public static let createFolderPath = OperationCode(rawValue: 23)
    /// Code 24.
    public static let renameFolderPath = OperationCode(rawValue: 24)
    /// Code 25.
    public static let emptyFolder = OperationCode(rawValue: 25)
    /// Code 26.
    public static let storeIncomingBlob = OperationCode(rawValue: 26)
    /// Code 27.
    public static let createMessage = OperationCode(rawValue: 27)
    /// Code 28.
    public static let saveDraft = OperationCode(rawValue: 28)
    /// Code 29.
    public static let setImapUid = OperationCode(rawValue: 29)
    /// Code 30.
    public static let createContact = OperationCode(rawValue: 30)
    /// Code 31.
    public static let modifyContact = OperationCode(rawValue: 31)
    /// Code 32.
    public static let createNote = OperationCode(rawValue: 32)
    /// Code 33.
    public static let editNote = OperationCode(rawValue: 33)
    /// Code 34.
    public static let repositionNote = OperationCode(rawValue: 34)
    /// Code 35.
    public static let createMountpoint = OperationCode(rawValue: 35)
    /// Code 36.
    public static let modifyInviteFlag = OperationCode(rawValue: 36)
    /// Code 37.
    public static let modifyInvitePartStat = OperationCode(rawValue: 37)
    /// Code 38.
    public static let createVolume = OperationCode(rawValue: 38)
    /// Code 39.
    public static let modifyVolume = OperationCode(rawValue: 39)
    /// Code 40.
    public static let deleteVolume = OperationCode(rawValue: 40)
    /// Code 41.
    public static let setCurrentVolume = OperationCode(rawValue: 41)
    /// Code 42.
    public static let moveBlobs = OperationCode(rawValue: 42)
    /// Code 43.
    public static let createInvite = OperationCode(rawValue: 43)
    /// Code 44.
    public static let setCalendarItem = OperationCode(rawValue: 44)
    /// Code 45.
    public static let trackSync = OperationCode(rawValue: 45)
    /// Code 46.
    public static let setConfig = OperationCode(rawValue: 46)
    /// Code 47.
    public static let grantAccess = OperationCode(rawValue: 47)
    /// Code 48.
    public static let revokeAccess = OperationCode(rawValue: 48)
    /// Code 49.
    public static let setFolderUrl = OperationCode(rawValue: 49)
    /// Code 50.
    public static let setSubscriptionData = OperationCode(rawValue: 50)
    /// Code 51.
    public static let setPermissions = OperationCode(rawValue: 51)
    /// Code 52.
    public static let saveWiki = OperationCode(rawValue: 52)
    /// Code 53.
    public static let saveDocument = OperationCode(rawValue: 53)
    /// Code 54.
    public static let addDocumentRevision = OperationCode(rawValue: 54)
    /// Code 55.
    public static let trackImap = OperationCode(rawValue: 55)
    /// Code 56.
    public static let imapCopyItem = OperationCode(rawValue: 56)
    /// Code 57.
    public static let iCalReply = OperationCode(rawValue: 57)
    /// Code 58.
    public static let createFolder = OperationCode(rawValue: 58)
    /// Code 59.
    public static let renameFolder = OperationCode(rawValue: 59)
    /// Code 60.
    public static let fixCalendarItemTimeZone = OperationCode(rawValue: 60)
    /// Code 61.
    public static let renameItem = OperationCode(rawValue: 61)
    /// Code 62.
    public static let renameItemPath = OperationCode(rawValue: 62)
    /// Code 63.
    public static let createChat = OperationCode(rawValue: 63)
    /// Code 64.
    public static let saveChat = OperationCode(rawValue: 64)
    /// Code 65.
    public static let purgeImapDeleted = OperationCode(rawValue: 65)
    /// Code 66.
    public static let dismissCalendarItemAlarm = OperationCode(rawValue: 66)
    /// Code 67.
    public static let fixCalendarItemEndTime = OperationCode(rawValue: 67)
    /// Code 68.
    public static let indexDeferredItems = OperationCode(rawValue: 68)
    /// Code 69.
    public static let renameMailbox = OperationCode(rawValue: 69)
    /// Code 70.
    public static let fixCalendarItemTZ = OperationCode(rawValue: 70)
    /// Code 71.
    public static let dateItem = OperationCode(rawValue: 71)
    /// Code 72.
    public static let setFolderDefaultView = OperationCode(rawValue: 72)
    /// Code 73.
    public static let setCustomData = OperationCode(rawValue: 73)
    /// Code 74.
    public static let lockItem = OperationCode(rawValue: 74)
    /// Code 75.
    public static let unlockItem = OperationCode(rawValue: 75)
    /// Code 76.
    public static let purgeRevision = OperationCode(rawValue: 76)
    /// Code 77.
    public static let deleteItemFromDumpster = OperationCode(rawValue: 77)
    /// Code 78.
    public static let fixCalendarItemPriority = OperationCode(rawValue: 78)
    /// Code 79.
    public static let recoverItem = OperationCode(rawValue: 79)
    /// Code 80.
    public static let enableSharedReminder = OperationCode(rawValue: 80)
    /// Code 81.
    public static let download = OperationCode(rawValue: 81)
    /// Code 82.
    public static let preview = OperationCode(rawValue: 82)
    /// Code 83.
    public static let snoozeCalendarItemAlarm = OperationCode(rawValue: 83)
    /// Code 84.
    public static let createComment = OperationCode(rawValue: 84)
    /// Code 85.
    public static let createLink = OperationCode(rawValue: 85)
    /// Code 86.
    public static let setRetentionPolicy = OperationCode(rawValue: 86)
    /// Code 87.
    public static let watch = OperationCode(rawValue: 87)
    /// Code 88.
    public static let unwatch = OperationCode(rawValue: 88)
    /// Code 89.
    public static let refreshMountpoint = OperationCode(rawValue: 89)
    /// Code 90.
    public static let expireAccess = OperationCode(rawValue: 90)
    /// Code 91.
    public static let setDisableActiveSync = OperationCode(rawValue: 91)
    /// Code 92.
    public static let setWebOfflineSyncDays = OperationCode(rawValue: 92)
    /// Code 93.
    public static let deleteConfig = OperationCode(rawValue: 93)
    /// Code 94.
    public static let view = OperationCode(rawValue: 94)
    /// Code 95.
    public static let setPop3Uid = OperationCode(rawValue: 95)
    /// Code 94, Zimbra X only.
    public static let addSearchHistoryEntry = OperationCode(rawValue: 94)
    /// Code 95, Zimbra X only.
    public static let purgeSearchHistory = OperationCode(rawValue: 95)
    /// Code 96, Zimbra X only.
    public static let deleteSearchHistory = OperationCode(rawValue: 96)
    /// Code 97, Zimbra X only.
    public static let setSavedSearchStatus = OperationCode(rawValue: 97)
    /// Code 98, Zimbra X only.
    public static let createSmartFolder = OperationCode(rawValue: 98)

    private static let names: [Int32: String] = [
        1: "Checkpoint", 3: "CommitTxn", 4: "AbortTxn", 6: "Rollover", 7: "CreateMailbox", 8: "DeleteMailbox",
        9: "BackupMailbox", 10: "ReindexMailbox", 11: "PurgeOldMessages", 12: "CreateSavedSearch", 13: "ModifySavedSearch",
        14: "CreateTag", 15: "RenameTag", 16: "ColorItem", 17: "IndexItem", 18: "AlterItemTag", 19: "SetItemTags",
        20: "MoveItem", 21: "DeleteItem", 22: "CopyItem", 23: "CreateFolderPath", 24: "RenameFolderPath", 25: "EmptyFolder",
        26: "StoreIncomingBlob", 27: "CreateMessage", 28: "SaveDraft", 29: "SetImapUid", 30: "CreateContact",
        31: "ModifyContact", 32: "CreateNote", 33: "EditNote", 34: "RepositionNote", 35: "CreateMountpoint",
        36: "ModifyInviteFlag", 37: "ModifyInvitePartStat", 38: "CreateVolume", 39: "ModifyVolume", 40: "DeleteVolume",
        41: "SetCurrentVolume", 42: "MoveBlobs", 43: "CreateInvite", 44: "SetCalendarItem", 45: "TrackSync",
        46: "SetConfig", 47: "GrantAccess", 48: "RevokeAccess", 49: "SetFolderUrl", 50: "SetSubscriptionData",
        51: "SetPermissions", 52: "SaveWiki", 53: "SaveDocument", 54: "AddDocumentRevision", 55: "TrackImap",
        56: "ImapCopyItem", 57: "ICalReply", 58: "CreateFolder", 59: "RenameFolder", 60: "FixCalendarItemTimeZone",
        61: "RenameItem", 62: "RenameItemPath", 63: "CreateChat", 64: "SaveChat", 65: "PurgeImapDeleted",
        66: "DismissCalendarItemAlarm", 67: "FixCalendarItemEndTime", 68: "IndexDeferredItems", 69: "RenameMailbox",
        70: "FixCalendarItemTZ", 71: "DateItem", 72: "SetFolderDefaultView", 73: "SetCustomData", 74: "LockItem",
        75: "UnlockItem", 76: "PurgeRevision", 77: "DeleteItemFromDumpster", 78: "FixCalendarItemPriority",
        79: "RecoverItem", 80: "EnableSharedReminder", 81: "Download", 82: "Preview", 83: "SnoozeCalendarItemAlarm",
        84: "CreateComment", 85: "CreateLink", 86: "SetRetentionPolicy", 87: "Watch", 88: "Unwatch",
        89: "RefreshMountpoint", 90: "ExpireAccess", 91: "SetDisableActiveSync", 92: "SetWebOfflineSyncDays",
        93: "DeleteConfig", 94: "View", 95: "SetPop3Uid",
    ]

    private static let zimbraXNames: [Int32: String] = [
        94: "AddSearchHistoryEntry", 95: "PurgeSearchHistory", 96: "DeleteSearchHistory", 97: "SetSavedSearchStatus",
        98: "CreateSmartFolder", 99: "View",
    ]
}
