import BackupCore
import GRDB
import Glibc
import RedoLog
import SystemPackage

/// Moving and copying (formats/zimbra-redolog.md, section 7.6).
extension Change {
    /// Moves a message or a conversation. `keepsConversation`: a conversation moved as a whole stays together, in Junk too.
    func move(_ row: ItemRow, to target: Int64, keepsConversation: Bool = false) throws {
        guard row.folderID != target else { return }
        var changed = touched(row)
        changed.prevFolders = previous(row)
        changed.folderID = target
        if state.row.trackingImap, row.imapID != nil { changed.imapID = 0 }
        if let name = row.name, try hasItem(named: name, in: target) {
            throw failure(.alreadyExists, "\(state.path(of: target)) holds \"\(name)\" already")
        }
        let entersTrash = state.folder(target, isWithin: FolderID.trash) && !state.folder(row.folderID ?? 0, isWithin: FolderID.trash)
        if entersTrash, row.unread != nil { changed.unread = 0 }
        var left: Int64?
        if !keepsConversation, row.type == .message, state.folder(target, isWithin: FolderID.junk), let parent = row.parentID {
            changed.parentID = nil
            left = parent
        }
        try update(row, to: changed)
        if let left { try shrink(left, by: 1) }
    }

    /// The row of a copy, with its blob linked.
    func copy(_ source: ItemRow, to target: Int64, id: Int64) throws -> ItemRow {
        var row = touched(source, content: true)
        row.id = id
        row.folderID = target
        row.parentID = nil
        row.prevFolders = previous(source)
        row.imapID = id
        row.recipients = nil
        row.uuid = UUIDText.random()
        if row.type == .document, let name = row.name, try hasItem(named: name, in: target) {
            throw failure(.alreadyExists, "\(state.path(of: target)) holds \"\(name)\" already")
        }
        row.flags.remove(.versioned)
        row.forgetPOP3UID()
        // The copy shares its source's entry in the search index.
        row.flags.insert(.copied)
        if source.blobDigest != nil {
            let from = try server.path(of: source, mailbox: mailbox, in: database)
            let mailbox = mailbox
            let (path, volume) = try server.withMessageVolume(database) { volume in
                (try volume.link(from, mailbox: mailbox, item: id, modContent: row.modContent), volume.volume.id)
            }
            made.append(path)
            row.locator = "\(volume)"
        }
        return row
    }

    /// The conversation that a copy of a single message joins: its source's while that exists, unless the source is a draft or
    /// exactly one of the two is in Junk.
    func conversation(of source: ItemRow, copiedTo target: Int64) throws -> Int64? {
        guard source.type == .message, !source.flags.contains(.draft), let parent = source.parentID,
            state.folder(source.folderID ?? 0, isWithin: FolderID.junk) == state.folder(target, isWithin: FolderID.junk),
            try find(parent)?.type == .conversation
        else { return nil }
        return parent
    }

    /// The source of a copy gets the flag Copied without a new change number.
    func markCopied(_ source: ItemRow) throws {
        guard !source.flags.contains(.copied) else { return }
        var changed = source
        changed.flags.insert(.copied)
        try update(source, to: changed)
    }
}

extension SandboxMailbox {
    /// Moves messages and conversations into a folder.
    public func move(_ ids: [Int64], to target: Int64) throws {
        try server.change(mailboxID) { change in
            _ = try change.folder(target)
            var type: ItemType?
            for id in ids {
                let row = try change.item(id < 0 ? -id : id)
                guard !row.type.isContainer else { throw change.failure(.refused, "\(id) is a folder: it is moved by itself") }
                type = type == nil || type == row.type ? row.type : ItemType(rawValue: -1)
                if row.type == .conversation {
                    for member in try change.members(of: id) { try change.move(member, to: target, keepsConversation: true) }
                } else {
                    try change.move(row, to: target)
                }
            }
            var logged = MoveItem()
            logged.itemType = Int8(type?.rawValue ?? -1)
            logged.targetFolderID = Int32(target)
            logged.ids = ids.map { Int32($0) }
            logged.uidNext = -1
            return ((), Logged(.moveItem(logged)))
        }
    }

    /// Copies messages into a folder and returns the copies' ids.
    @discardableResult
    public func copy(_ ids: [Int64], to target: Int64) throws -> [Int64] {
        try server.change(mailboxID) { change in
            _ = try change.folder(target)
            var copies: [CopiedItem] = []
            for id in ids {
                let source = try change.item(id)
                guard [.message, .chat, .contact, .document].contains(source.type) else {
                    throw change.failure(.refused, "item \(id) cannot be copied")
                }
                let newID = change.nextItemID()
                var row = try change.copy(source, to: target, id: newID)
                if let parent = try change.conversation(of: source, copiedTo: target) {
                    row.parentID = parent
                    try change.join(row, conversation: parent)
                }
                try change.insert(row)
                try change.markCopied(source)
                copies.append(CopiedItem(source: id, copy: newID, uuid: row.uuid))
            }
            var logged = CopyItem()
            logged.itemType = -1
            logged.targetFolderID = Int32(target)
            logged.copies = copies
            logged.fromDumpster = false
            return (copies.map { Int64($0.newID) }, Logged(.copyItem(logged)))
        }
    }

    /// Copies a conversation: all its messages, and a new conversation where there are several. Returns the messages' copies.
    @discardableResult
    public func copyConversation(_ id: Int64, to target: Int64) throws -> [Int64] {
        try server.change(mailboxID) { change in
            _ = try change.folder(target)
            let source = try change.item(id)
            guard source.type == .conversation else { throw change.failure(.refused, "item \(id) is no conversation") }
            let members = try change.members(of: id)
            var copies: [CopiedItem] = []
            var rows: [ItemRow] = []
            for member in members {
                let newID = change.nextItemID()
                rows.append(try change.copy(member, to: target, id: newID))
                try change.markCopied(member)
                copies.append(CopiedItem(source: member.id, copy: newID, uuid: rows.last?.uuid))
            }
            if rows.count > 1 {
                var conversation = change.touched(source, content: true)
                conversation.id = change.nextItemID()
                conversation.size = Int64(rows.count)
                conversation.uuid = nil
                try change.insert(conversation)
                copies.append(CopiedItem(source: id, copy: conversation.id, uuid: nil))
                for place in rows.indices { rows[place].parentID = conversation.id }
            }
            for row in rows { try change.insert(row) }
            var logged = CopyItem()
            logged.itemType = Int8(ItemType.conversation.rawValue)
            logged.targetFolderID = Int32(target)
            logged.copies = copies
            logged.fromDumpster = false
            return (rows.map(\.id), Logged(.copyItem(logged)))
        }
    }
}

extension SandboxMailbox {
    /// Copies as IMAP COPY does: the copy keeps the conversation, and the original leaves it. Returns the copies' ids.
    @discardableResult
    public func imapCopy(_ ids: [Int64], to target: Int64) throws -> [Int64] {
        try server.change(mailboxID) { change in
            _ = try change.folder(target)
            var logged = ImapCopyItem()
            logged.itemType = Int8(ItemType.message.rawValue)
            logged.targetFolderID = Int32(target)
            for id in ids {
                let source = try change.item(id)
                guard source.type == .message || source.type == .chat else { throw change.failure(.refused, "item \(id) is no message") }
                var row = try change.copy(source, to: target, id: change.nextItemID())
                row.parentID = source.parentID
                // Such a copy has neither uuid nor former folders in its row; the log names a uuid all the same.
                let uuid = row.uuid
                row.uuid = nil
                row.prevFolders = nil
                row.metadata = source.metadata
                try change.insert(row)
                try change.markCopied(source)
                if source.parentID != nil, var left = try change.find(id) {
                    let before = left
                    left = change.touched(left)
                    left.parentID = nil
                    try change.update(before, to: left)
                }
                var copy = ImapCopiedItem()
                copy.sourceID = Int32(id)
                copy.newID = Int32(row.id)
                copy.newUUID = uuid.map { LogText($0) }
                logged.copies.append(copy)
            }
            return (logged.copies.map { Int64($0.newID) }, Logged(.imapCopyItem(logged)))
        }
    }
}

extension ItemRow {
    /// A copy's metadata are written anew from what the server knows of the item, which that id is not
    /// (formats/zimbra-soap.md, `metadata`).
    mutating func forgetPOP3UID() {
        guard var map = try? MetadataDictionary(parsing: metadata), map["p3uid"] != nil else { return }
        map["p3uid"] = nil
        metadata = map.text()
    }
}

extension CopiedItem {
    init(source: Int64, copy: Int64, uuid: String?) {
        self.init()
        sourceID = Int32(source)
        newID = Int32(copy)
        newUUID = uuid.map { LogText($0) }
    }
}
