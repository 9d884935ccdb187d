import BackupCore
import GRDB
import RedoLog

/// Tags and flags (formats/zimbra-redolog.md, section 7.5).
extension Change {
    /// What an operation on an id means: the messages of a conversation, those in a folder (`\Unread` only), the item itself.
    func affected(_ id: Int64, throughFolders: Bool) throws -> [ItemRow] {
        let row = try item(id < 0 ? -id : id)
        if row.type == .conversation { return try members(of: row.id) }
        if row.type.isContainer {
            guard throughFolders else { return [] }
            return try ItemTable.items.items(mailbox: mailbox, where: "folder_id = ? AND type IN (5, 16)", [row.id], in: database)
        }
        return [row]
    }

    func alter(_ row: ItemRow, flag: Flags, add: Bool) throws {
        var changed = touched(row)
        if flag == .unread {
            guard row.unread != nil, (row.unread ?? 0 > 0) != add else { return }
            changed.unread = add ? 1 : 0
        } else {
            guard row.flags.contains(flag) != add else { return }
            if add { changed.flags.insert(flag) } else { changed.flags.remove(flag) }
        }
        try update(row, to: changed)
    }

    func alter(_ row: ItemRow, tag: String, add: Bool) throws {
        let key = tag.lowercased()
        guard row.tags.contains(where: { $0.lowercased() == key }) != add else { return }
        var changed = touched(row)
        if add { changed.tags.append(tag) } else { changed.tags.removeAll { $0.lowercased() == key } }
        try update(row, to: changed)
    }

    func tag(_ id: Int64) throws -> (key: String, tag: TagState) {
        guard let found = state.tags.first(where: { $0.value.row.id == id }) else { throw failure(.noSuchItem, "there is no tag \(id)") }
        return (found.key, found.value)
    }

    /// The items that carry a tag.
    func items(taggedBy id: Int64) throws -> [ItemRow] {
        try ItemTable.items.items(
            mailbox: mailbox, where: "id IN (SELECT item_id FROM tagged_item WHERE mailbox_id = ? AND tag_id = ?)", [mailbox, id],
            in: database)
    }
}

extension SandboxMailbox {
    /// Puts a flag on messages, conversations or folders (`\Unread` only), or takes it off.
    public func alterFlag(_ flag: Flags, add: Bool, of ids: [Int64]) throws {
        guard let name = Self.flagName(flag), !Flags.system.contains(flag) else {
            throw SandboxError(.refused, doing: "mailbox \(mailboxID)", reason: "users cannot set this flag")
        }
        try alter(named: name, add: add, ids) { change, row in try change.alter(row, flag: flag, add: add) }
    }

    /// Marks messages, conversations or everything in folders read or unread.
    public func markRead(_ ids: [Int64], read: Bool = true) throws { try alterFlag(.unread, add: !read, of: ids) }

    /// Tags messages or conversations, or takes the tag off. An unknown tag is created unlisted.
    public func alterTag(_ name: String, add: Bool, of ids: [Int64]) throws {
        try alter(named: name, add: add, ids) { change, row in
            let tag = add ? try change.resolve(tags: [name])[0] : name
            try change.alter(row, tag: tag, add: add)
        }
    }

    private func alter(named name: String, add: Bool, _ ids: [Int64], _ body: (Change, ItemRow) throws -> Void) throws {
        try server.change(mailboxID) { change in
            var type: ItemType?
            for id in ids {
                let known = try change.item(id < 0 ? -id : id).type
                type = type == nil || type == known ? known : ItemType(rawValue: -1)
                for row in try change.affected(id, throughFolders: name == "\\Unread") { try body(change, row) }
            }
            var logged = AlterItemTag()
            logged.itemType = Int8(type?.rawValue ?? -1)
            logged.tagName = LogText(name)
            logged.add = add
            logged.ids = ids.map { Int32($0) }
            return ((), Logged(.alterItemTag(logged)))
        }
    }

    /// Puts a folder's own flag on or takes it off.
    public func setFolderFlag(_ flag: Flags, on: Bool, folder id: Int64) throws {
        let names: [Flags: String] = [
            .subscribed: "\\Subscribed", .excludeFreeBusy: "\\ExcludeFB", .checked: "\\Checked", .syncFolder: "\\SyncFolder",
            .sync: "\\Sync", .noInferiors: "\\Noinferiors", .noInherit: "\\NoInherit",
        ]
        guard let name = names[flag] else {
            throw SandboxError(.refused, doing: "mailbox \(mailboxID)", reason: "this is no flag of folders")
        }
        try server.change(mailboxID) { change in
            if try change.folder(id).row.flags.contains(flag) != on {
                try change.editFolder(id) { folder in
                    if on { folder.row.flags.insert(flag) } else { folder.row.flags.remove(flag) }
                }
            }
            var logged = AlterItemTag()
            logged.itemType = Int8(ItemType.folder.rawValue)
            logged.tagName = LogText(name)
            logged.add = on
            logged.ids = [Int32(id)]
            return ((), Logged(.alterItemTag(logged)))
        }
    }

    private static func flagName(_ flag: Flags) -> String? {
        let names: [Flags: String] = [
            .answered: "\\Answered", .forwarded: "\\Forwarded", .flagged: "\\Flagged", .deleted: "\\Deleted",
            .notified: "\\Notified", .unread: "\\Unread", .popped: "\\Popped", .priority: "\\Priority", .muted: "\\Muted",
        ]
        return names[flag]
    }

    /// Replaces the user's flags (nil = leave) and the tags (nil = leave) of messages.
    public func setTags(of ids: [Int64], flags: Flags?, tags: [String]?) throws {
        try server.change(mailboxID) { change in
            let names = try tags.map { try change.resolve(tags: $0) }
            for id in ids {
                for row in try change.affected(id, throughFolders: false) {
                    var changed = change.touched(row)
                    if let flags {
                        changed.flags = row.flags.intersection(.system).union(flags.subtracting(.system).subtracting(.unread))
                        if row.unread != nil { changed.unread = flags.contains(.unread) ? 1 : 0 }
                    }
                    if let names { changed.tags = names }
                    if changed.flags != row.flags || changed.unread != row.unread || changed.tags != row.tags {
                        try change.update(row, to: changed)
                    }
                }
            }
            var logged = SetItemTags()
            logged.itemType = Int8(ItemType.message.rawValue)
            logged.flags = flags.map { Int32($0.subtracting(.system).rawValue) } ?? Int32.min
            logged.tags = tags?.map { LogText($0) }
            logged.ids = ids.map { Int32($0) }
            return ((), Logged(.setItemTags(logged)))
        }
    }

    /// Creates a tag and returns its id. An unlisted tag of the name becomes listed.
    @discardableResult
    public func createTag(name: String, color: Int64?) throws -> Int64 {
        try server.change(mailboxID) { change in
            guard Names.isTag(name) else { throw change.failure(.invalidName, "\"\(name)\" is no tag's name") }
            let key = name.lowercased()
            let known = change.state.tags[key]
            if known?.row.listed == true { throw change.failure(.alreadyExists, "there is a tag \"\(name)\" already") }
            var tag = known ?? TagState(row: TagRow(id: change.nextItemID(), name: name))
            tag.row.listed = true
            tag.row.color = color ?? 0
            tag.row.sequence = change.number
            change.state.tags[key] = tag
            change.markTag(key)
            var logged = CreateTag()
            logged.itemID = Int32(tag.row.id)
            logged.name = LogText(name)
            logged.color = color ?? 0
            return (tag.row.id, Logged(.createTag(logged)))
        }
    }

    /// Renames a tag, on all items too.
    public func renameTag(_ id: Int64, to name: String) throws {
        try server.change(mailboxID) { change in
            let (key, old) = try change.tag(id)
            guard Names.isTag(name) else { throw change.failure(.invalidName, "\"\(name)\" is no tag's name") }
            if let other = change.state.tags[name.lowercased()], other.row.id != id {
                throw change.failure(.alreadyExists, "there is a tag \"\(name)\" already")
            }
            var tag = old
            tag.row.name = name
            tag.row.sequence = change.number
            let items = try change.items(taggedBy: id)
            change.state.tags[key] = nil
            change.forgetTag(key)
            change.state.tags[name.lowercased()] = tag
            change.markTag(name.lowercased())
            for row in items {
                var changed = change.touched(row)
                changed.tags = row.tags.map { $0.lowercased() == key ? name : $0 }
                // The rows of tagged_item name the tag by id and stay.
                try ItemTable.items.update(changed, mailbox: change.mailbox, in: change.database)
            }
            var logged = RenameItem()
            logged.itemID = Int32(id)
            logged.name = LogText(name)
            logged.itemType = Int8(ItemType.tag.rawValue)
            return ((), Logged(.renameItem(logged)))
        }
    }

    /// Deletes a tag and takes it off all items.
    public func deleteTag(_ id: Int64) throws {
        try server.change(mailboxID) { change in
            let (key, tag) = try change.tag(id)
            for row in try change.items(taggedBy: id) { try change.alter(row, tag: tag.row.name, add: false) }
            change.state.tags[key] = nil
            change.forgetTag(key)
            try TagTable.delete(id, mailbox: change.mailbox, in: change.database)
            change.buryTag(id)
            return ((), Logged(.deleteItem(DeleteItem(ids: [id], type: .tag))))
        }
    }
}
