/// An operation with its payload, one case for each layout of section 7.
///
/// Payloads lie in a box of their own, so that an `Operation` is small to pass on.
public enum Operation: Hashable, Sendable {
    /// Code 3: the transaction took effect. The code is the start record's.
    case commitTxn(OperationCode)
    /// Code 4: the transaction was given up. The code is the start record's.
    case abortTxn(OperationCode)
    /// Code 8, without payload.
    case deleteMailbox
    /// Code 11, without payload.
    case purgeOldMessages
    /// Code 45, without payload.
    case trackSync
    /// Code 55, without payload.
    case trackImap
    /// Code 65, without payload.
    case purgeImapDeleted
    /// Code 95, without payload.
    case purgeSearchHistory
    /// Code 96, without payload.
    case deleteSearchHistory
    /// Code 1.
    indirect case checkpoint(Checkpoint)
    /// Code 6.
    indirect case rollover(Rollover)
    /// Code 7.
    indirect case createMailbox(CreateMailbox)
    /// Code 9.
    indirect case backupMailbox(BackupMailbox)
    /// Code 10.
    indirect case reindexMailbox(ReindexMailbox)
    /// Code 12.
    indirect case createSavedSearch(CreateSavedSearch)
    /// Code 13.
    indirect case modifySavedSearch(ModifySavedSearch)
    /// Code 14.
    indirect case createTag(CreateTag)
    /// Code 15.
    indirect case renameTag(RenameTag)
    /// Code 16.
    indirect case colorItem(ColorItem)
    /// Code 17.
    indirect case indexItem(IndexItem)
    /// Code 18.
    indirect case alterItemTag(AlterItemTag)
    /// Code 19.
    indirect case setItemTags(SetItemTags)
    /// Code 20.
    indirect case moveItem(MoveItem)
    /// Code 21.
    indirect case deleteItem(DeleteItem)
    /// Code 22.
    indirect case copyItem(CopyItem)
    /// Code 23.
    indirect case createFolderPath(CreateFolderPath)
    /// Code 24.
    indirect case renameFolderPath(RenameFolderPath)
    /// Code 25.
    indirect case emptyFolder(EmptyFolder)
    /// Code 26.
    indirect case storeIncomingBlob(StoreIncomingBlob)
    /// Code 27.
    indirect case createMessage(CreateMessage)
    /// Code 28.
    indirect case saveDraft(SaveDraft)
    /// Code 29.
    indirect case setImapUid(SetImapUid)
    /// Code 30.
    indirect case createContact(CreateContact)
    /// Code 31.
    indirect case modifyContact(ModifyContact)
    /// Code 32.
    indirect case createNote(CreateNote)
    /// Code 33.
    indirect case editNote(EditNote)
    /// Code 34.
    indirect case repositionNote(RepositionNote)
    /// Code 35.
    indirect case createMountpoint(CreateMountpoint)
    /// Code 36.
    indirect case modifyInviteFlag(ModifyInviteFlag)
    /// Code 37.
    indirect case modifyInvitePartStat(ModifyInvitePartStat)
    /// Code 38.
    indirect case createVolume(CreateVolume)
    /// Code 39.
    indirect case modifyVolume(ModifyVolume)
    /// Code 40.
    indirect case deleteVolume(DeleteVolume)
    /// Code 41.
    indirect case setCurrentVolume(SetCurrentVolume)
    /// Code 43.
    indirect case createInvite(CreateInvite)
    /// Code 44.
    indirect case setCalendarItem(SetCalendarItem)
    /// Code 46.
    indirect case setConfig(SetConfig)
    /// Code 47.
    indirect case grantAccess(GrantAccess)
    /// Code 48.
    indirect case revokeAccess(RevokeAccess)
    /// Code 49.
    indirect case setFolderUrl(SetFolderUrl)
    /// Code 50.
    indirect case setSubscriptionData(SetSubscriptionData)
    /// Code 51.
    indirect case setPermissions(SetPermissions)
    /// Code 52.
    indirect case saveWiki(SaveWiki)
    /// Code 53.
    indirect case saveDocument(SaveDocument)
    /// Code 54.
    indirect case addDocumentRevision(AddDocumentRevision)
    /// Code 56.
    indirect case imapCopyItem(ImapCopyItem)
    /// Code 57.
    indirect case iCalReply(ICalReply)
    /// Code 58.
    indirect case createFolder(CreateFolder)
    /// Code 59.
    indirect case renameFolder(RenameFolder)
    /// Code 60.
    indirect case fixCalendarItemTimeZone(FixCalendarItemTimeZone)
    /// Code 61.
    indirect case renameItem(RenameItem)
    /// Code 62.
    indirect case renameItemPath(RenameItemPath)
    /// Code 63.
    indirect case createChat(CreateChat)
    /// Code 64.
    indirect case saveChat(SaveChat)
    /// Code 66.
    indirect case dismissCalendarItemAlarm(DismissCalendarItemAlarm)
    /// Code 67.
    indirect case fixCalendarItemEndTime(FixCalendarItemEndTime)
    /// Code 68.
    indirect case indexDeferredItems(IndexDeferredItems)
    /// Code 69.
    indirect case renameMailbox(RenameMailbox)
    /// Code 70.
    indirect case fixCalendarItemTZ(FixCalendarItemTZ)
    /// Code 71.
    indirect case dateItem(DateItem)
    /// Code 72.
    indirect case setFolderDefaultView(SetFolderDefaultView)
    /// Code 73.
    indirect case setCustomData(SetCustomData)
    /// Code 74.
    indirect case lockItem(LockItem)
    /// Code 75.
    indirect case unlockItem(UnlockItem)
    /// Code 76.
    indirect case purgeRevision(PurgeRevision)
    /// Code 77.
    indirect case deleteItemFromDumpster(DeleteItemFromDumpster)
    /// Code 78.
    indirect case fixCalendarItemPriority(FixCalendarItemPriority)
    /// Code 79.
    indirect case recoverItem(RecoverItem)
    /// Code 80.
    indirect case enableSharedReminder(EnableSharedReminder)
    /// Code 83.
    indirect case snoozeCalendarItemAlarm(SnoozeCalendarItemAlarm)
    /// Code 84.
    indirect case createComment(CreateComment)
    /// Code 86.
    indirect case setRetentionPolicy(SetRetentionPolicy)
    /// Code 89.
    indirect case refreshMountpoint(RefreshMountpoint)
    /// Code 90.
    indirect case expireAccess(ExpireAccess)
    /// Code 91.
    indirect case setDisableActiveSync(SetDisableActiveSync)
    /// Code 92.
    indirect case setWebOfflineSyncDays(SetWebOfflineSyncDays)
    /// Code 93.
    indirect case deleteConfig(DeleteConfig)
    /// Code 95.
    indirect case setPop3Uid(SetPop3Uid)
    /// Code 35.
    indirect case createLink(CreateLink)
    /// Code 35.
    indirect case createFileSharedWithMe(CreateFileSharedWithMe)
    /// Code 94.
    indirect case addSearchHistoryEntry(AddSearchHistoryEntry)
    /// Code 97.
    indirect case setSavedSearchStatus(SetSavedSearchStatus)
    /// Code 98.
    indirect case createSmartFolder(CreateSmartFolder)
    /// A record of unknown layout (section 4.4, rule 3): its payload lies at `bytes`.
    case opaque(OperationCode, bytes: Body)
}

extension Operation {
    /// The code that the record carries; three layouts share `createMountpoint`.
    public var code: OperationCode {
        switch self {
        case .commitTxn: .commitTxn
        case .abortTxn: .abortTxn
        case .deleteMailbox: .deleteMailbox
        case .purgeOldMessages: .purgeOldMessages
        case .trackSync: .trackSync
        case .trackImap: .trackImap
        case .purgeImapDeleted: .purgeImapDeleted
        case .purgeSearchHistory: .purgeSearchHistory
        case .deleteSearchHistory: .deleteSearchHistory
        case .checkpoint: .checkpoint
        case .rollover: .rollover
        case .createMailbox: .createMailbox
        case .backupMailbox: .backupMailbox
        case .reindexMailbox: .reindexMailbox
        case .createSavedSearch: .createSavedSearch
        case .modifySavedSearch: .modifySavedSearch
        case .createTag: .createTag
        case .renameTag: .renameTag
        case .colorItem: .colorItem
        case .indexItem: .indexItem
        case .alterItemTag: .alterItemTag
        case .setItemTags: .setItemTags
        case .moveItem: .moveItem
        case .deleteItem: .deleteItem
        case .copyItem: .copyItem
        case .createFolderPath: .createFolderPath
        case .renameFolderPath: .renameFolderPath
        case .emptyFolder: .emptyFolder
        case .storeIncomingBlob: .storeIncomingBlob
        case .createMessage: .createMessage
        case .saveDraft: .saveDraft
        case .setImapUid: .setImapUid
        case .createContact: .createContact
        case .modifyContact: .modifyContact
        case .createNote: .createNote
        case .editNote: .editNote
        case .repositionNote: .repositionNote
        case .createMountpoint: .createMountpoint
        case .modifyInviteFlag: .modifyInviteFlag
        case .modifyInvitePartStat: .modifyInvitePartStat
        case .createVolume: .createVolume
        case .modifyVolume: .modifyVolume
        case .deleteVolume: .deleteVolume
        case .setCurrentVolume: .setCurrentVolume
        case .createInvite: .createInvite
        case .setCalendarItem: .setCalendarItem
        case .setConfig: .setConfig
        case .grantAccess: .grantAccess
        case .revokeAccess: .revokeAccess
        case .setFolderUrl: .setFolderUrl
        case .setSubscriptionData: .setSubscriptionData
        case .setPermissions: .setPermissions
        case .saveWiki: .saveWiki
        case .saveDocument: .saveDocument
        case .addDocumentRevision: .addDocumentRevision
        case .imapCopyItem: .imapCopyItem
        case .iCalReply: .iCalReply
        case .createFolder: .createFolder
        case .renameFolder: .renameFolder
        case .fixCalendarItemTimeZone: .fixCalendarItemTimeZone
        case .renameItem: .renameItem
        case .renameItemPath: .renameItemPath
        case .createChat: .createChat
        case .saveChat: .saveChat
        case .dismissCalendarItemAlarm: .dismissCalendarItemAlarm
        case .fixCalendarItemEndTime: .fixCalendarItemEndTime
        case .indexDeferredItems: .indexDeferredItems
        case .renameMailbox: .renameMailbox
        case .fixCalendarItemTZ: .fixCalendarItemTZ
        case .dateItem: .dateItem
        case .setFolderDefaultView: .setFolderDefaultView
        case .setCustomData: .setCustomData
        case .lockItem: .lockItem
        case .unlockItem: .unlockItem
        case .purgeRevision: .purgeRevision
        case .deleteItemFromDumpster: .deleteItemFromDumpster
        case .fixCalendarItemPriority: .fixCalendarItemPriority
        case .recoverItem: .recoverItem
        case .enableSharedReminder: .enableSharedReminder
        case .snoozeCalendarItemAlarm: .snoozeCalendarItemAlarm
        case .createComment: .createComment
        case .setRetentionPolicy: .setRetentionPolicy
        case .refreshMountpoint: .refreshMountpoint
        case .expireAccess: .expireAccess
        case .setDisableActiveSync: .setDisableActiveSync
        case .setWebOfflineSyncDays: .setWebOfflineSyncDays
        case .deleteConfig: .deleteConfig
        case .setPop3Uid: .setPop3Uid
        case .createLink: .createMountpoint
        case .createFileSharedWithMe: .createMountpoint
        case .addSearchHistoryEntry: .addSearchHistoryEntry
        case .setSavedSearchStatus: .setSavedSearchStatus
        case .createSmartFolder: .createSmartFolder
        case .opaque(let code, _): code
        }
    }

    /// Which layout of an ambiguous code this is (section 6.3), as the description documents name it.
    public var variant: String? {
        switch self {
        case .createMountpoint: "CreateMountpoint"
        case .createLink: "CreateLink"
        case .createFileSharedWithMe: "CreateFileSharedWithMe"
        case .createVolume(let volume): volume.storeType == nil ? "plain" : "storeManager"
        case .setRetentionPolicy(let policy): policy.keep == nil ? "purgeOnly" : "keep+purge"
        default: nil
        }
    }
}
