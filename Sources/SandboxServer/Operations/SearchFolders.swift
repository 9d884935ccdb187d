import BackupCore
import RedoLog

/// A mounted folder of another account.
public struct NewMountpoint: Hashable, Sendable {
    /// What it is called here.
    public var name: String
    /// The folder that shows it.
    public var parentID: Int64
    /// The owner's account id.
    public var ownerID: String
    /// The folder in the owner's mailbox.
    public var remoteID: Int64
    /// What it holds.
    public var view: ItemType
    /// Whether reminders of the shared calendar are shown.
    public var reminds: Bool

    /// A mountpoint made of its parts.
    public init(name: String, parentID: Int64 = 1, ownerID: String, remoteID: Int64, view: ItemType = .message, reminds: Bool = false) {
        self.name = name
        self.parentID = parentID
        self.ownerID = ownerID
        self.remoteID = remoteID
        self.view = view
        self.reminds = reminds
    }
}

/// Search folders and mountpoints (formats/zimbra-redolog.md, section 7.4; formats/zimbra-items.md, sections 3.3 and 3.4).
extension Change {
    fileprivate func makeContainer(_ type: ItemType, named name: String, in parent: Int64, _ metadata: MetadataDictionary) throws -> ItemRow {
        guard Names.isFolder(name) else { throw failure(.invalidName, "\"\(name)\" is no folder's name") }
        guard try folder(parent).row.type == .folder, state.child(named: name, of: parent) == nil else {
            throw failure(.alreadyExists, "\(state.path(of: parent)) holds \"\(name)\" already")
        }
        var row = touched(ItemRow(id: nextItemID(), type: type), content: true)
        row.parentID = parent
        row.folderID = parent
        row.date = seconds
        row.unread = 0
        row.subject = name
        row.name = name
        row.uuid = UUIDText.random()
        row.metadata = metadata.text()
        try insert(row)
        return row
    }

    func container(_ id: Int64, _ type: ItemType) throws -> FolderState {
        let folder = try folder(id)
        guard folder.row.type == type else { throw failure(.refused, "item \(id) is no \(type.name)") }
        return folder
    }
}

extension SandboxMailbox {
    /// Creates a search folder and returns its id.
    ///
    /// - Parameters:
    ///   - types: such as `message` or `message,contact`.
    ///   - sort: such as `dateDesc`.
    @discardableResult
    public func createSearch(
        named name: String, query: String, types: String = "message", sort: String = "dateDesc", folder: Int64 = 1, color: Int64 = 0
    ) throws -> Int64 {
        try server.change(mailboxID) { change in
            var metadata = MetadataDictionary()
            metadata["c"] = color == 0 ? nil : .integer(color)
            metadata["q"] = .string(query)
            metadata["t"] = .string(types)
            metadata["s"] = .string(sort)
            let row = try change.makeContainer(.searchFolder, named: name, in: folder, metadata)
            var logged = CreateSavedSearch()
            logged.itemID = Int32(row.id)
            logged.uuid = row.uuid.map { LogText($0) }
            logged.name = LogText(name)
            logged.query = LogText(query)
            logged.types = LogText(types)
            logged.sort = LogText(sort)
            logged.folderID = Int32(folder)
            logged.flags = 0
            logged.color = color
            return (row.id, Logged(.createSavedSearch(logged)))
        }
    }

    /// Replaces what a search folder looks for.
    public func modifySearch(_ id: Int64, query: String, types: String = "message", sort: String = "dateDesc") throws {
        try server.change(mailboxID) { change in
            _ = try change.container(id, .searchFolder)
            try change.editFolder(id) { folder in
                folder.metadata["q"] = .string(query)
                folder.metadata["t"] = .string(types)
                folder.metadata["s"] = .string(sort)
            }
            var logged = ModifySavedSearch()
            logged.itemID = Int32(id)
            logged.query = LogText(query)
            logged.types = LogText(types)
            logged.sort = LogText(sort)
            return ((), Logged(.modifySavedSearch(logged)))
        }
    }

    /// Mounts a folder of another account and returns the mountpoint's id.
    @discardableResult
    public func createMountpoint(_ new: NewMountpoint) throws -> Int64 {
        try server.change(mailboxID) { change in
            var metadata = MetadataDictionary()
            metadata["aid"] = .string(new.ownerID)
            metadata["das"] = .string("true")
            metadata["id"] = .integer(new.remoteID)
            metadata["rem"] = new.reminds ? .string("true") : nil
            metadata["vt"] = .integer(Int64(new.view.rawValue))
            let row = try change.makeContainer(.mountpoint, named: new.name, in: new.parentID, metadata)
            var logged = CreateMountpoint()
            logged.itemID = Int32(row.id)
            logged.uuid = row.uuid.map { LogText($0) }
            logged.name = LogText(new.name)
            logged.ownerID = LogText(new.ownerID)
            logged.remoteID = Int32(new.remoteID)
            logged.folderID = Int32(new.parentID)
            logged.defaultView = Int8(new.view.rawValue)
            logged.reminderEnabled = new.reminds
            return (row.id, Logged(.createMountpoint(logged)))
        }
    }

    /// Points a mountpoint at another folder.
    public func refreshMountpoint(_ id: Int64, ownerID: String, remoteID: Int64) throws {
        try server.change(mailboxID) { change in
            _ = try change.container(id, .mountpoint)
            try change.editFolder(id) { folder in
                folder.metadata["aid"] = .string(ownerID)
                folder.metadata["id"] = .integer(remoteID)
            }
            var logged = RefreshMountpoint()
            logged.itemID = Int32(id)
            logged.ownerID = LogText(ownerID)
            logged.remoteID = Int32(remoteID)
            return ((), Logged(.refreshMountpoint(logged)))
        }
    }

    /// Shows reminders of a shared calendar, or no longer.
    public func enableReminders(_ enabled: Bool, ofMountpoint id: Int64) throws {
        try server.change(mailboxID) { change in
            if (try change.container(id, .mountpoint).metadata.string("rem") == "true") != enabled {
                try change.editFolder(id) { $0.metadata["rem"] = enabled ? .string("true") : nil }
            }
            var logged = EnableSharedReminder()
            logged.itemID = Int32(id)
            logged.enabled = enabled
            return ((), Logged(.enableSharedReminder(logged)))
        }
    }
}
