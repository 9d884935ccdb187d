import BackupCore
import GRDB
import RedoLog

/// Folders (formats/zimbra-redolog.md, section 7.4).
extension Change {
    /// Makes a folder's row, without a record.
    func makeFolder(_ new: NewFolder, attributes: Int64 = 0) throws -> ItemRow {
        guard Names.isFolder(new.name) else { throw failure(.invalidName, "\"\(new.name)\" is no folder's name") }
        let parent = try folder(new.parentID)
        guard parent.row.type == .folder, state.child(named: new.name, of: new.parentID) == nil else {
            throw failure(.alreadyExists, "\(state.path(of: new.parentID)) holds \"\(new.name)\" already")
        }
        let id = nextItemID()
        var row = touched(ItemRow(id: id, type: .folder), content: true)
        row.parentID = new.parentID
        row.folderID = new.parentID
        row.date = (new.date ?? time) / 1000
        row.unread = 0
        row.flags = new.flags
        row.subject = new.name
        row.name = new.name
        row.uuid = UUIDText.random()
        var metadata = MetadataDictionary()
        metadata["das"] = .string("false")
        metadata["mseq"] = .integer(number)
        metadata["unxt"] = .integer(id + 1)
        metadata["c"] = new.color == 0 ? nil : .integer(new.color)
        metadata["vt"] = new.view.map { .integer(Int64($0.rawValue)) }
        metadata["url"] = new.url.isEmpty ? nil : .string(new.url)
        metadata["a"] = attributes == 0 ? nil : .integer(attributes)
        row.metadata = metadata.text()
        try insert(row)
        return row
    }

    /// The folders along an absolute path, the missing ones made; `view` is the last one's.
    fileprivate func makeFolders(_ names: [String], view: ItemType?) throws -> [FolderSegment] {
        var parent = FolderID.userRoot
        return try names.enumerated().map { place, name in
            let row = try state.child(named: name, of: parent)?.row
                ?? makeFolder(NewFolder(name: name, parentID: parent, view: place == names.count - 1 ? view : nil))
            var segment = FolderSegment()
            segment.id = Int32(row.id)
            segment.uuid = row.uuid.map { LogText($0) }
            parent = row.id
            return segment
        }
    }

    /// Gives a folder a name and a parent.
    func rename(_ id: Int64, to name: String, parent: Int64) throws {
        let old = try folder(id)
        guard !old.isSystem else { throw failure(.refused, "\(state.path(of: id)) is a system folder") }
        guard Names.isFolder(name) else { throw failure(.invalidName, "\"\(name)\" is no folder's name") }
        guard !state.folder(parent, isWithin: id) else { throw failure(.refused, "a folder cannot be put into itself") }
        let isMove = old.row.folderID != parent
        if let other = state.child(named: name, of: parent), other.row.id != id {
            throw failure(.alreadyExists, "\(state.path(of: parent)) holds \"\(name)\" already")
        }
        guard try folder(parent).row.type == .folder else { throw failure(.refused, "item \(parent) holds no folders") }
        guard isMove || old.row.name != name else { return }
        let wasInTrash = state.folder(id, isWithin: FolderID.trash)
        try editFolder(id, content: old.row.name != name) { folder in
            folder.row.name = name
            folder.row.subject = name
            if isMove {
                folder.row.prevFolders = previous(folder.row)
                folder.row.parentID = parent
                folder.row.folderID = parent
            }
        }
        if !wasInTrash, state.folder(id, isWithin: FolderID.trash) { try readAll(in: id) }
    }

    /// What goes into Trash is marked read, with everything in it.
    private func readAll(in id: Int64) throws {
        for folder in state.tree(of: id) {
            let unread = try ItemTable.items.items(mailbox: mailbox, where: "folder_id = ? AND unread > 0 AND type IN (5, 16)", [folder], in: database)
            for row in unread {
                var changed = touched(row)
                changed.unread = 0
                try update(row, to: changed)
            }
        }
    }

    /// `prev_folders` of an item that leaves its folder now; at most ten entries.
    func previous(_ row: ItemRow) -> String {
        let entries = (row.prevFolders ?? "").split(separator: ";").map(String.init) + ["\(number):\(row.folderID ?? 0)"]
        return entries.suffix(10).joined(separator: ";")
    }

}

extension SandboxMailbox {
    /// Creates a folder and returns its id.
    @discardableResult
    public func createFolder(_ new: NewFolder) throws -> Int64 {
        try server.change(mailboxID) { change in
            let row = try change.makeFolder(new)
            var logged = CreateFolder()
            logged.name = LogText(new.name)
            logged.parentID = Int32(new.parentID)
            logged.attributes = 0
            logged.defaultView = new.view.map { Int8($0.rawValue) } ?? -1
            logged.flags = Int32(new.flags.rawValue)
            logged.color = new.color
            logged.url = LogText(new.url)
            logged.folderID = Int32(row.id)
            logged.uuid = row.uuid.map { LogText($0) }
            logged.date = new.date
            return (row.id, Logged(.createFolder(logged)))
        }
    }

    /// Creates a folder by name below another.
    @discardableResult
    public func createFolder(named name: String, in parent: Int64 = 1, view: ItemType? = .message) throws -> Int64 {
        try createFolder(NewFolder(name: name, parentID: parent, view: view))
    }

    /// Creates what is missing of an absolute path and returns the last folder's id.
    @discardableResult
    public func createFolderPath(_ path: String, view: ItemType? = .message) throws -> Int64 {
        try server.change(mailboxID) { change in
            let names = path.pathNames
            guard !names.isEmpty else { throw change.failure(.invalidName, "\"\(path)\" is no path") }
            var logged = CreateFolderPath()
            logged.path = LogText("/" + names.joined(separator: "/"))
            logged.defaultView = view.map { Int8($0.rawValue) } ?? -1
            logged.folders = try change.makeFolders(names, view: view)
            return (Int64(logged.folders[names.count - 1].id), Logged(.createFolderPath(logged)))
        }
    }

    /// Gives a folder an absolute path, and creates what is missing of that above it.
    public func renameFolder(_ id: Int64, toPath path: String) throws {
        try server.change(mailboxID) { change in
            var names = path.pathNames
            guard let name = names.popLast() else { throw change.failure(.invalidName, "\"\(path)\" is no path") }
            var logged = RenameItemPath()
            logged.itemID = Int32(id)
            logged.path = LogText("/" + (names + [name]).joined(separator: "/"))
            logged.parents = try change.makeFolders(names, view: nil)
            logged.itemType = Int8(try change.folder(id).row.type.rawValue)
            try change.rename(id, to: name, parent: logged.parents.last.map { Int64($0.id) } ?? FolderID.userRoot)
            return ((), Logged(.renameItemPath(logged)))
        }
    }

    /// Renames a folder, and moves it where `parent` is another than its own.
    public func renameFolder(_ id: Int64, to name: String, parent: Int64? = nil) throws {
        try server.change(mailboxID) { change in
            let old = try change.folder(id)
            try change.rename(id, to: name, parent: parent ?? old.row.folderID ?? FolderID.userRoot)
            var logged = RenameItem()
            logged.itemID = Int32(id)
            logged.folderID = parent.map { Int32($0) } ?? -1
            logged.name = LogText(name)
            logged.itemType = Int8(old.row.type.rawValue)
            return ((), Logged(.renameItem(logged)))
        }
    }

    /// Moves a folder. Where Trash holds its name already, the name gets its uuid, and a rename is logged.
    public func moveFolder(_ id: Int64, to parent: Int64) throws {
        try server.change(mailboxID) { change in
            let old = try change.folder(id)
            let name = old.row.name ?? ""
            if parent == FolderID.trash, let other = change.state.child(named: name, of: parent), other.row.id != id {
                let unique = name + "{\(UUIDText.random())}"
                try change.rename(id, to: unique, parent: parent)
                var logged = RenameItem()
                logged.itemID = Int32(id)
                logged.folderID = Int32(parent)
                logged.name = LogText(unique)
                logged.itemType = Int8(old.row.type.rawValue)
                return ((), Logged(.renameItem(logged)))
            }
            try change.rename(id, to: name, parent: parent)
            var logged = MoveItem()
            logged.itemType = Int8(old.row.type.rawValue)
            logged.targetFolderID = Int32(parent)
            logged.ids = [Int32(id)]
            logged.uidNext = -1
            return ((), Logged(.moveItem(logged)))
        }
    }

    /// Gives a folder, message or tag a colour: 0…9, or 0x01RRGGBB.
    public func setColor(_ color: Int64, of ids: [Int64], type: ItemType) throws {
        try server.change(mailboxID) { change in
            for id in ids { try change.color(id, color, type) }
            var logged = ColorItem()
            logged.itemType = Int8(type.rawValue)
            logged.color = color
            logged.ids = ids.map { Int32($0) }
            return ((), Logged(.colorItem(logged)))
        }
    }

    /// Sets or removes the address that a folder is filled from.
    public func setURL(_ url: String, ofFolder id: Int64) throws {
        try server.change(mailboxID) { change in
            try change.editFolder(id) { folder in
                // Another feed begins anew.
                if (folder.metadata.string("url") ?? "") != url { (folder.metadata["sd"], folder.metadata["sg"]) = (nil, nil) }
                folder.metadata["url"] = url.isEmpty ? nil : .string(url)
            }
            var logged = SetFolderUrl()
            logged.folderID = Int32(id)
            logged.url = LogText(url)
            return ((), Logged(.setFolderUrl(logged)))
        }
    }
}

extension Change {
    /// An operation that changes nothing is logged, yet leaves the row alone.
    fileprivate func color(_ id: Int64, _ color: Int64, _ type: ItemType) throws {
        if type == .tag {
            guard let (key, tag) = state.tags.first(where: { $0.value.row.id == id }) else { throw failure(.noSuchItem, "there is no tag \(id)") }
            guard tag.row.color ?? 0 != color else { return }
            state.tags[key]?.row.color = color
            state.tags[key]?.row.sequence = number
            markTag(key)
        } else if state.folders[id] != nil {
            guard (state.folders[id]?.metadata.integer("c") ?? 0) != color else { return }
            try editFolder(id) { $0.metadata["c"] = color == 0 ? nil : .integer(color) }
        } else {
            let old = try item(id)
            var metadata = try MetadataDictionary(parsing: old.metadata)
            guard (metadata.integer("c") ?? 0) != color else { return }
            metadata["c"] = color == 0 ? nil : .integer(color)
            metadata["mdver"] = .integer((metadata.integer("mdver") ?? 1) + 1)
            var row = touched(old)
            row.metadata = metadata.text()
            try update(old, to: row)
        }
    }
}
