import BackupStore
import RedoLog

/// Tags, flags, colours and other attributes of items (formats/zimbra-redolog.md, section 7.5).
extension MailboxChange {
    mutating func createTag(_ tag: CreateTag) throws {
        // An unlisted tag of that name becomes this one.
        put(
            touching: ItemState(
                tag: TagRow(
                    id: Int64(tag.itemID), name: tag.name?.string ?? "", color: tag.color == 0 ? nil : tag.color,
                    sequence: change)),
            content: true)
    }

    /// Renaming a tag changes the name on all its items.
    mutating func renameTag(_ id: Int64, name: String) throws {
        guard let tag = try living(id), let old = tag.row.name else { return }
        try edit(id) { state in
            state.row.name = name
            state.row.subject = name
        }
        for item in try ids(where: { $0.row.type != .tag && $0.row.tags.contains(old) }) {
            try edit(item) { state in
                state.row.tags = state.row.tags.map { $0 == old ? name : $0 }
            }
        }
    }

    /// Takes a tag off all its items.
    mutating func removeTag(named name: String) throws {
        for item in try ids(where: { $0.row.type != .tag && $0.row.tags.contains(name) }) {
            try edit(item) { state in state.row.tags.removeAll { $0 == name } }
        }
    }

    mutating func alterItemTag(_ alter: AlterItemTag) throws {
        let flag: Flags?
        let tag: String?
        if let name = alter.tagName?.string {
            flag = name.hasPrefix("\\") ? Flags(name: name) : nil
            tag = name.hasPrefix("\\") ? nil : name
        } else {
            let id = Int64(alter.tagID ?? 0)
            flag = id < 0 ? Flags(tagID: id) : nil
            tag = id > 0 ? try living(id)?.row.name : nil
        }
        if flag == .muted { try mute(alter.ids.map(Int64.init), alter.add) }
        let marksRead = flag == .unread
        for id in try affected(alter.ids, constraint: alter.constraint, contentsOfFolders: marksRead) {
            try edit(id) { state in
                if let flag { state.set(flag, alter.add) }
                if let tag {
                    let has = state.row.tags.contains(tag)
                    if alter.add, !has { state.row.tags.append(tag) }
                    if !alter.add { state.row.tags.removeAll { $0 == tag } }
                }
            }
        }
    }

    /// A conversation is muted with its messages: what joins it later is muted too.
    private mutating func mute(_ ids: [Int64], _ on: Bool) throws {
        for id in ids {
            guard let state = try living(id) else { continue }
            let conversation = state.row.type == .conversation ? id : state.row.parentID
            if let conversation, try living(conversation)?.row.type == .conversation {
                try edit(conversation) { $0.set(.muted, on) }
            }
        }
    }

    mutating func setItemTags(_ set: SetItemTags) throws {
        let leavesFlags = UInt32(bitPattern: set.flags) & 0x8000_0000 != 0
        let flags = Flags(rawValue: Int64(UInt32(bitPattern: set.flags) & 0x7FFF_FFFF))
        var names = set.tags.map { $0.map(\.string) }
        if names == nil, let mask = set.tagBitmask {
            names = try (0..<63).filter { mask & (1 << $0) != 0 }.compactMap { try living(Int64(64 + $0))?.row.name }
        }
        for id in try affected(set.ids, constraint: set.constraint, contentsOfFolders: false) {
            try edit(id) { state in
                if !leavesFlags {
                    state.row.flags = state.row.flags.intersection(.system)
                        .union(flags.subtracting(.system).subtracting(.unread))
                    if state.row.unread != nil, !state.row.type.isContainer {
                        state.row.unread = flags.contains(.unread) ? 1 : 0
                    }
                }
                if let names { state.row.tags = names }
            }
        }
    }

    mutating func colorItem(_ color: ColorItem) throws {
        for id in color.ids.map(Int64.init) {
            try edit(id) { state in
                state.updateMetadata { $0["c"] = color.color == 0 ? nil : .integer(color.color) }
            }
        }
    }

    mutating func setCustomData(_ data: SetCustomData) throws {
        guard let section = data.customMetadata.section?.string else { return }
        let value = data.customMetadata.value?.string ?? ""
        let isEmpty = (try? MetadataDictionary(parsing: value).isEmpty) ?? false
        try edit(Int64(data.itemID), always: true) { state in
            state.updateMetadata { metadata in
                metadata["xd." + section] = isEmpty ? nil : .string(value)
                metadata["p3uid"] = nil  // The server forgets it when it writes a message's metadata anew.
            }
        }
    }

    /// The items that a list of ids stands for: a conversation for its messages, a virtual one for its message, and where asked
    /// a folder for what it holds.
    func affected(_ ids: [Int32], constraint: LogText?, contentsOfFolders: Bool) throws -> [Int64] {
        var result: [Int64] = []
        let ids = ids.map(Int64.init)
        let listed = Set(ids)
        for id in ids {
            if id < 0 {
                if !listed.contains(-id) { result.append(-id) }
                continue
            }
            guard let state = try living(id) else { continue }
            if state.row.type == .conversation {
                result += try self.ids(withParent: id).filter { try passes(constraint, $0) }
            } else if contentsOfFolders, state.row.type.isContainer {
                result += try self.ids(inFolder: id).filter { try passes(nil, $0) && living($0)?.row.unread == 1 }
            } else if contentsOfFolders, state.row.type == .tag, let name = state.row.name {
                result += try self.ids(where: { $0.row.tags.contains(name) })
            } else {
                result.append(id)
            }
        }
        return result
    }

    /// Whether a message inside a container is affected: the target constraint's places (section 8.10) and the change constraint.
    func passes(_ constraint: LogText?, _ id: Int64) throws -> Bool {
        guard let state = try living(id) else { return false }
        if self.constraint < 0, state.row.modContent > -self.constraint { return false }
        guard let constraint else { return true }
        var places = ""
        var inverted = false
        for letter in constraint.string {
            if letter == "q" { break }
            if letter == "-" { inverted = true } else { places.append(letter) }
        }
        let place: Character
        if try isFolder(state.row.folderID, within: FolderID.trash) {
            place = "t"
        } else {
            switch state.row.folderID {
            case FolderID.junk: place = "j"
            case FolderID.sent: place = "s"
            case FolderID.drafts: place = "d"
            default: place = "o"
            }
        }
        return places.contains(place) != inverted
    }
}

extension ItemState {
    /// Sets or clears a flag; unread is a column of its own.
    mutating func set(_ flag: Flags, _ on: Bool) {
        if flag == .unread {
            if !row.type.isContainer, row.unread != nil { row.unread = on ? 1 : 0 }
        } else if on {
            row.flags.insert(flag)
        } else {
            row.flags.remove(flag)
        }
    }
}
