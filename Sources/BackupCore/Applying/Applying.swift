import BackupStore
import RedoLog

/// From a committed operation to new states: the table of formats/zimbra-redolog.md, section 7.
extension MailboxChange {
    /// Applies one operation.
    ///
    /// - Parameter content: the operation's body, already in the backup path; nil where it has none or it could not be had.
    /// - Throws: what reading the mailbox's history throws.
    public mutating func apply(_ operation: Operation, content: AppliedContent? = nil) throws {
        switch operation {
        case .createMailbox: createMailbox()
        case .deleteMailbox: deleteMailbox()
        case .trackImap: life.tracksImap = true
        case .renameMailbox(let rename): life.comment = rename.newName?.string
        case .setConfig(let set): setSection(set.section?.string ?? "", set.config?.string ?? "")
        case .deleteConfig(let delete):
            let beginning = Array((delete.section?.string ?? "").utf8)
            for name in life.sections.keys where name.utf8.starts(with: beginning) { life.sections[name] = nil }

        case .createMessage(let create): try createMessage(create, type: .message, content: content)
        case .createChat(let create): try createMessage(create.message, type: .chat, content: content)
        case .saveDraft(let save): try saveMessage(save.message, content: content)
        case .saveChat(let save): try saveMessage(save.message, content: content)

        case .createFolder(let folder): try createFolder(folder)
        case .createFolderPath(let path): try createFolderPath(path)
        case .createSavedSearch(let search): try createSavedSearch(search)
        case .modifySavedSearch(let search): try modifySavedSearch(search)
        case .createMountpoint(let mountpoint): try createMountpoint(mountpoint)
        case .renameItem(let item): try rename(Int64(item.itemID), name: item.name?.string ?? "", folder: Int64(item.folderID))
        case .renameTag(let tag): try renameTag(Int64(tag.itemID), name: tag.name?.string ?? "")
        case .renameFolder(let folder):
            try rename(Int64(folder.itemID), name: folder.name?.string ?? "", folder: Int64(folder.folderID))
        case .renameItemPath(let item):
            try renameItemPath(
                Int64(item.itemID), path: item.path, parents: item.parents.map { (Int64($0.id), $0.uuid?.string) })
        case .renameFolderPath(let folder):
            try renameItemPath(Int64(folder.itemID), path: folder.path, parents: folder.parents.map { (Int64($0.id), nil) })
        case .setFolderUrl(let set): try setFolderURL(set)
        case .setFolderDefaultView(let set):
            try setMetadata(Int64(set.folderID), "vt", set.defaultView > 0 ? .integer(Int64(set.defaultView)) : nil, always: false)
        case .setSubscriptionData(let set):
            try setMetadata(Int64(set.folderID), "sd", .integer(set.lastItemDate))
            if let guid = set.lastItemGUID, !guid.isEmpty { try setMetadata(Int64(set.folderID), "sg", text: guid) }
        case .setWebOfflineSyncDays(let set): try setMetadata(Int64(set.folderID), "wosd", .integer(Int64(set.days)))
        case .setDisableActiveSync(let set):
            try setMetadata(Int64(set.folderID), "das", .string(set.disabled ? "true" : "false"))
        case .refreshMountpoint(let refresh):
            try setMetadata(Int64(refresh.itemID), "aid", text: refresh.ownerID)
            try setMetadata(Int64(refresh.itemID), "id", .integer(Int64(refresh.remoteID)))
        case .enableSharedReminder(let enable):
            try setMetadata(Int64(enable.itemID), "rem", enable.enabled ? .string("true") : nil, always: false)
        case .grantAccess(let access): try grant(access)
        case .revokeAccess(let access): try revoke(item: Int64(access.itemID), grantee: access.grantee)
        case .expireAccess(let access): try revoke(item: Int64(access.itemID), grantee: access.grantee)
        case .setPermissions(let permissions): try setPermissions(item: Int64(permissions.itemID), acl: permissions.acl)
        case .setRetentionPolicy(let policy): try setRetention(policy)

        case .createTag(let tag): try createTag(tag)
        case .alterItemTag(let alter): try alterItemTag(alter)
        case .setItemTags(let set): try setItemTags(set)
        case .colorItem(let color): try colorItem(color)
        case .dateItem(let date): try edit(Int64(date.itemID), always: true) { $0.row.date = date.date / 1000 }
        case .setCustomData(let data): try setCustomData(data)
        case .setPop3Uid(let uid): try setMetadata(Int64(uid.itemID), "p3uid", text: uid.uid)
        case .setImapUid(let set):
            for uid in set.uids { try edit(Int64(uid.itemID), always: true) { $0.row.imapID = Int64(uid.imapID) } }
        case .lockItem(let lock):
            try setMetadata(Int64(lock.itemID), "lo", text: lock.accountID)
            try setMetadata(Int64(lock.itemID), "lt", .integer(time))
        case .unlockItem(let unlock):
            try setMetadata(Int64(unlock.itemID), "lo", nil)
            try setMetadata(Int64(unlock.itemID), "lt", .integer(0))

        case .moveItem(let move): try moveItems(move)
        case .copyItem(let copy): try copyItems(copy)
        case .recoverItem(let recover): try recoverItems(recover)
        case .imapCopyItem(let copy): try imapCopyItems(copy)
        case .deleteItem(let delete): try deleteItems(delete)
        case .emptyFolder(let empty): try emptyFolder(empty)
        case .purgeImapDeleted: try purgeImapDeleted()
        case .deleteItemFromDumpster(let delete): try deleteFromDumpster(delete.ids)
        case .purgeOldMessages: try purgeOldMessages()

        case .createContact(let contact): try createContact(contact, content: content)
        case .modifyContact(let contact): try modifyContact(contact, content: content)
        case .saveDocument(let save): try saveDocument(save.document, save.message, content: content)
        case .saveWiki(let save): try saveDocument(save.document, save.message, content: content)
        case .addDocumentRevision(let add): try addRevision(Int64(add.documentID), add.document, add.message, content: content)
        case .purgeRevision(let purge): try purgeRevision(purge)
        case .createNote(let note): try createNote(note)
        case .editNote(let note):
            // The number of the content stays, the date does not.
            let seconds = self.seconds
            try edit(Int64(note.itemID), always: true) { state in
                state.row.subject = note.content.map { ColumnText.cut($0.string, to: 1024) }
                state.row.date = seconds
            }
        case .createComment(let comment): try createComment(comment)
        case .setCalendarItem(let item): try setCalendarItem(item)
        case .createInvite(let invite): try createInvite(invite)

        case .trackSync, .backupMailbox, .reindexMailbox, .indexItem, .indexDeferredItems, .modifyInviteFlag,
            .fixCalendarItemTimeZone, .storeIncomingBlob, .createVolume, .modifyVolume, .deleteVolume, .setCurrentVolume,
            .checkpoint, .rollover, .commitTxn, .abortTxn:
            break  // Nothing of an item's state changes.

        case .modifyInvitePartStat(let change): try touchCalendarItem(Int64(change.calendarItemID))
        case .dismissCalendarItemAlarm(let change): try touchCalendarItem(Int64(change.itemID))
        case .snoozeCalendarItemAlarm(let change): try touchCalendarItem(Int64(change.itemID))
        case .fixCalendarItemTZ(let change): try touchCalendarItem(Int64(change.itemID))
        case .fixCalendarItemEndTime(let change): try touchCalendarItem(Int64(change.itemID))
        case .fixCalendarItemPriority(let change): try touchCalendarItem(Int64(change.itemID))
        case .repositionNote(let note): try repositionNote(note)
        case .iCalReply(let reply): try touchCalendarItem(answeredBy: reply)
        case .createLink(let link): createLink(link)
        case .createFileSharedWithMe:
            mark("a file shared with the account came, changed or went, and the log does not say which item it is")
        case .addSearchHistoryEntry,
            .purgeSearchHistory, .deleteSearchHistory, .setSavedSearchStatus, .createSmartFolder, .opaque:
            leave(operation)
        }
    }

    /// An operation without effect here: the account is marked, by the operation's name.
    private mutating func leave(_ operation: Operation, candidates: [Int64] = []) {
        unapplied.append(operation.code.name)
        mark("operation \(operation.code.name) is unknown here, only a scan sees what it did", candidates: candidates)
    }

    private mutating func setMetadata(
        _ id: Int64, _ key: String, _ value: MetadataDictionary.Value?, always: Bool = true
    ) throws {
        try edit(id, always: always) { state in state.updateMetadata { $0[key] = value } }
    }

    private mutating func setMetadata(_ id: Int64, _ key: String, text: LogText?) throws {
        try setMetadata(id, key, text.flatMap { $0.isEmpty ? nil : .string($0.string) })
    }
}
