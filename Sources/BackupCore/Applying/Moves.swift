import BackupStore
import RedoLog

/// Moving and copying (formats/zimbra-redolog.md, section 7.6).
extension MailboxChange {
    mutating func moveItems(_ move: MoveItem) throws {
        let target = Int64(move.targetFolderID)
        let ids = move.ids.map(Int64.init)
        let listed = Set(ids)
        for id in ids {
            if id < 0 {
                if !listed.contains(-id) { try self.move(-id, to: target, alone: true) }
            } else if try living(id)?.row.type == .conversation {
                for message in try self.ids(withParent: id) where try passes(move.constraint, message) {
                    try self.move(message, to: target, alone: false)
                }
            } else {
                try self.move(id, to: target, alone: true)
            }
        }
    }

    /// Moves one item. `alone`: by its own id, not as part of its conversation.
    mutating func move(_ id: Int64, to target: Int64, alone: Bool) throws {
        guard let before = try living(id), before.row.folderID != target else { return }
        let intoTrash = try isFolder(target, within: FolderID.trash) && !isFolder(before.row.folderID, within: FolderID.trash)
        let leaves = alone && target == FolderID.junk && before.row.type == .message
        let tracksImap = life.tracksImap
        let change = self.change
        try edit(id) { state in
            state.row.leave(at: change)
            if !state.row.type.isContainer {
                if tracksImap, state.row.imapID != nil { state.row.imapID = 0 }
                if intoTrash, state.row.unread != nil { state.row.unread = 0 }
            } else {
                state.row.parentID = target
            }
            state.row.folderID = target
            if leaves { state.row.parentID = nil }
        }
        if before.row.type == .folder, intoTrash { try markRead(below: id) }
        if leaves, let conversation = before.row.parentID { try endIfEmpty(conversation) }
    }

    /// What a folder holds is read once the folder is in the trash.
    private mutating func markRead(below folder: Int64) throws {
        for id in try tree(of: folder, through: { $0.row.type == .folder }) {
            guard let state = try living(id), state.row.type != .folder, state.row.unread == 1 else { continue }
            try edit(id) { $0.row.unread = 0 }
        }
    }

    mutating func copyItems(_ copy: CopyItem) throws {
        try self.copy(
            copy.copies.map { (Int64($0.sourceID), Int64($0.newID), $0.newUUID?.string) }, to: Int64(copy.targetFolderID),
            type: copy.itemType, fromDumpster: copy.fromDumpster ?? false)
    }

    /// Copies from the dumpster, which the items leave.
    mutating func recoverItems(_ recover: RecoverItem) throws {
        try self.copy(
            recover.copies.map { (Int64($0.sourceID), Int64($0.newID), $0.newUUID?.string) }, to: Int64(recover.targetFolderID),
            type: recover.itemType, fromDumpster: true)
    }

    private mutating func copy(
        _ copies: [(source: Int64, new: Int64, uuid: String?)], to target: Int64, type: Int8, fromDumpster: Bool
    ) throws {
        let ofConversation = Int(type) == ItemType.conversation.rawValue
        let newConversation = try copies.first { try item($0.source)?.row.type == .conversation }?.new
        for copy in copies {
            if fromDumpster { try endUnlogged(copy.source) }
            guard let source = try item(copy.source), source.deleted == fromDumpster else {
                if try item(copy.new) == nil {
                    mark("item \(copy.new) was copied from item \(copy.source), which is not known", candidates: [copy.new])
                }
                continue
            }
            var new = newCopy(of: source, id: copy.new, uuid: copy.uuid, folder: target)
            if new.metadata["p3uid"] != nil { new.updateMetadata { $0["p3uid"] = nil } }
            if source.row.type == .conversation {
                new.row.folderID = FolderID.conversations
            } else if source.row.type == .message {
                if ofConversation {
                    new.row.parentID = newConversation
                } else {
                    let oneInJunk = (source.row.folderID == FolderID.junk) != (target == FolderID.junk)
                    let joins = !source.row.flags.contains(.draft) && !oneInJunk
                    let alive = try source.row.parentID.flatMap { try living($0) } != nil
                    new.row.parentID = joins && alive ? source.row.parentID : nil
                }
            }
            if fromDumpster {
                new.deleted = false
                new.inDumpster = false
                new.revisions = source.revisions
                // Its entry in the search index is its own.
                new.row.flags.remove(.copied)
                if source.row.flags.contains(.versioned) { new.row.flags.insert(.versioned) }
                var left = source
                left.inDumpster = false
                put(left)
            }
            put(touching: new, content: true)
            if new.doubts.contains(Self.calendarDoubt) { markCalendarItem(copy.new) }
        }
    }

    /// The copy keeps the conversation, and the original leaves it.
    mutating func imapCopyItems(_ copy: ImapCopyItem) throws {
        for entry in copy.copies {
            guard let source = try living(Int64(entry.sourceID)) else { continue }
            var new = newCopy(of: source, id: Int64(entry.newID), uuid: nil, folder: Int64(copy.targetFolderID))
            new.row.prevFolders = nil
            put(touching: new, content: true)
            if source.row.parentID != nil, source.row.type == .message {
                try edit(source.row.id) { $0.row.parentID = nil }
            }
        }
    }

    private func newCopy(of source: ItemState, id: Int64, uuid: String?, folder: Int64) -> ItemState {
        var new = source
        new.row.id = id
        new.row.uuid = uuid
        new.row.imapID = source.row.imapID == nil && source.row.type != .comment ? nil : id
        new.row.leave(at: change)
        new.row.folderID = folder
        new.row.recipients = nil
        new.revisions = []
        new.row.flags.remove(.versioned)
        new.presumed = false
        new.doubts.removeAll { $0 == ItemState.purgeDoubt }
        if source.row.indexID != nil { new.row.flags.insert(.copied) }
        return new
    }
}

extension ItemRow {
    /// Notes the folder that the item leaves with a change (`prev_folders`, formats/zimbra-datastore.md, section 4).
    fileprivate mutating func leave(at change: Int64) {
        let step = "\(change):\(folderID ?? 0)"
        prevFolders = prevFolders.map { $0 + ";" + step } ?? step
    }
}
