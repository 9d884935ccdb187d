import BackupStore
import RedoLog

/// Folders, search folders and mountpoints (formats/zimbra-redolog.md, section 7.4).
extension MailboxChange {
    mutating func createFolder(_ folder: CreateFolder) throws {
        let state = newFolder(
            id: Int64(folder.folderID), parent: Int64(folder.parentID), name: folder.name?.string ?? "",
            uuid: folder.uuid?.string, date: folder.date, flags: folder.flags, attributes: folder.attributes ?? 0,
            view: folder.defaultView, color: folder.color, url: folder.url?.string, custom: folder.customMetadata)
        put(touching: state, content: true)
    }

    mutating func createFolderPath(_ path: CreateFolderPath) throws {
        let names = segments(of: path.path)
        var parent = FolderID.userRoot
        for (place, entry) in path.folders.enumerated() {
            let id = Int64(entry.id)
            if try living(id) == nil, place < names.count {
                let isLast = place == path.folders.count - 1
                let state = newFolder(
                    id: id, parent: parent, name: names[place], uuid: entry.uuid?.string, date: path.date, flags: path.flags,
                    attributes: path.attributes, view: isLast ? path.defaultView : -1, color: path.color,
                    url: isLast ? path.url?.string : nil, custom: isLast ? path.customMetadata : nil)
                put(touching: state, content: true)
            }
            parent = id
        }
    }

    private func newFolder(
        id: Int64, parent: Int64, name: String, uuid: String?, date: Int64?, flags: Int32, attributes: Int8, view: Int8,
        color: Int64, url: String?, custom: CustomMetadata?
    ) -> ItemState {
        var row = ItemRow(id: id, type: .folder)
        row.parentID = parent
        row.folderID = parent
        row.name = name
        row.subject = name
        row.uuid = uuid
        row.date = (date ?? time) / 1000
        row.flags = Flags(rawValue: Int64(flags))
        row.unread = 0
        var metadata = MetadataDictionary()
        if attributes != 0 { metadata["a"] = .integer(Int64(attributes)) }
        if color != 0 { metadata["c"] = .integer(color) }
        metadata["das"] = .string("false")
        if view > 0 { metadata["vt"] = .integer(Int64(view)) }
        if let url, !url.isEmpty { metadata["url"] = .string(url) }
        if let custom, let section = custom.section { metadata["xd." + section.string] = .string(custom.value?.string ?? "") }
        row.metadata = metadata.text()
        return ItemState(row: row)
    }

    private func segments(of path: LogText?) -> [String] { (path?.string ?? "").pathNames }

    mutating func createSavedSearch(_ search: CreateSavedSearch) throws {
        var state = container(
            .searchFolder, id: search.itemID, folder: search.folderID, name: search.name, uuid: search.uuid,
            flags: search.flags ?? 0, color: search.color)
        state.updateMetadata {
            $0["q"] = search.query.map { .string($0.string) }
            $0["t"] = search.types.map { .string($0.string) }
            $0["s"] = search.sort.map { .string($0.string) }
        }
        put(touching: state, content: true)
    }

    mutating func modifySavedSearch(_ search: ModifySavedSearch) throws {
        try edit(Int64(search.itemID), always: true) { state in
            state.updateMetadata {
                $0["q"] = search.query.map { .string($0.string) }
                $0["t"] = search.types.map { .string($0.string) }
                $0["s"] = search.sort.map { .string($0.string) }
            }
        }
    }

    mutating func createMountpoint(_ mountpoint: CreateMountpoint) throws {
        var state = container(
            .mountpoint, id: mountpoint.itemID, folder: mountpoint.folderID, name: mountpoint.name, uuid: mountpoint.uuid,
            flags: mountpoint.flags, color: mountpoint.color)
        state.updateMetadata {
            $0["aid"] = mountpoint.ownerID.map { .string($0.string) }
            $0["id"] = .integer(Int64(mountpoint.remoteID))
            $0["ruuid"] = mountpoint.remoteUUID.map { .string($0.string) }
            $0["das"] = .string("true")
            if mountpoint.reminderEnabled == true { $0["rem"] = .string("true") }
            if mountpoint.defaultView > 0 { $0["vt"] = .integer(Int64(mountpoint.defaultView)) }
        }
        put(touching: state, content: true)
    }

    /// A search folder or mountpoint: a row like a folder's, without counters.
    private func container(
        _ type: ItemType, id: Int32, folder: Int32, name: LogText?, uuid: LogText?, flags: Int32, color: Int64
    ) -> ItemState {
        var row = ItemRow(id: Int64(id), type: type)
        row.parentID = Int64(folder)
        row.folderID = Int64(folder)
        row.name = name?.string
        row.subject = name?.string
        row.uuid = uuid?.string
        row.date = seconds
        row.flags = Flags(rawValue: Int64(flags))
        var state = ItemState(row: row)
        state.updateMetadata { if color != 0 { $0["c"] = .integer(color) } }
        return state
    }

    /// Renames an item, and moves it where `folder` is positive.
    mutating func rename(_ id: Int64, name: String, folder: Int64?) throws {
        guard let state = try living(id) else { return }
        if state.row.type == .tag { return try renameTag(id, name: name) }
        if let folder, folder > 0, folder != state.row.folderID { try move(id, to: folder, alone: true) }
        // A folder's content number is its UIDVALIDITY: a new name raises it, a move or a new URL does not.
        try edit(id, content: state.row.type == .folder && state.row.name != name) { state in
            state.row.name = name
            state.row.subject = name
        }
    }

    mutating func renameItemPath(
        _ id: Int64, path: LogText?, parents: [(id: Int64, uuid: String?)]
    ) throws {
        var names = segments(of: path)
        guard let name = names.popLast() else { return }
        var parent = FolderID.userRoot
        for (place, entry) in parents.enumerated() {
            if try living(entry.id) == nil, place < names.count {
                let state = newFolder(
                    id: entry.id, parent: parent, name: names[place], uuid: entry.uuid, date: nil, flags: 0, attributes: 0,
                    view: -1, color: 0, url: nil, custom: nil)
                put(touching: state, content: true)
            }
            parent = entry.id
        }
        try rename(id, name: name, folder: parent)
    }

    mutating func grant(_ grant: GrantAccess) throws {
        let expiry = grant.expiry ?? 0
        let change = self
        let inherited = try inheritedGrants(by: Int64(grant.itemID))
        try edit(Int64(grant.itemID), always: true) { state in
            let grantee = change.text(grant.grantee).flatMap { Self.everybody[$0] == nil ? $0 : nil }
            let isFirst = !state.row.flags.contains(.noInherit)
            state.updateGrants { grants in
                // The first grant ends the inheritance: what was inherited is the item's own from now on.
                if isFirst, grants.isEmpty { grants = inherited }
                grants.removeAll { Self.grantee(of: $0) == grantee && $0.integer("t") == Int64(grant.granteeType) }
                var new = MetadataDictionary()
                new["e"] = .integer(expiry)
                new["g"] = grantee.map { .string($0) }
                new["r"] = .integer(Int64(grant.rights))
                new["t"] = .integer(Int64(grant.granteeType))
                if let secret = change.text(grant.secret) { new[grant.granteeType == 8 ? "k" : "a"] = .string(secret) }
                grants.append(new)
            }
            state.row.flags.insert(.noInherit)
        }
    }

    /// The grants of the nearest folder above an item that has its own.
    private func inheritedGrants(by id: Int64) throws -> [MetadataDictionary] {
        var above = try living(id)?.row.folderID
        for _ in 0..<1000 {
            guard let current = above, let folder = try living(current) else { return [] }
            if folder.row.flags.contains(.noInherit) || folder.metadata["aclm"] != nil {
                return (folder.metadata.dictionary("aclm")?.list("g") ?? []).compactMap { if case .dictionary(let map) = $0 { map } else { nil } }
            }
            if folder.row.folderID == current { return [] }
            above = folder.row.folderID
        }
        return []
    }

    mutating func revoke(item: Int64, grantee: LogText?) throws {
        let wanted = text(grantee)
        let everybody = wanted.flatMap { Self.everybody[$0] }
        try edit(item, always: true) { state in
            state.updateGrants { grants in
                grants.removeAll { everybody == nil ? Self.grantee(of: $0) == wanted : $0.integer("t") == everybody }
            }
        }
    }

    /// Ids that stand for all accounts and for the public: grantee types that have no id in the metadata.
    private static let everybody: [String: Int64] = [
        "00000000-0000-0000-0000-000000000000": 3, "99999999-9999-9999-9999-999999999999": 6,
    ]

    private static func grantee(of grant: MetadataDictionary) -> String? { grant.string("g") }

    private func text(_ text: LogText?) -> String? {
        guard let text, !text.isEmpty else { return nil }
        return text.string
    }

    mutating func setPermissions(item: Int64, acl: LogText?) throws {
        let map: MetadataDictionary
        do {
            map = try MetadataDictionary(parsing: acl?.string)
        } catch {
            // No grant is lost over a text that cannot be read: the old ones stay, and the text is kept as it is.
            try edit(item, always: true) { state in
                state.doubts.removeAll { $0.hasPrefix(SecretMetadata.grantsDoubt) }
                state.doubts.append("\(SecretMetadata.grantsDoubt) not readable in the log (\(error)): \(acl?.string ?? "")")
            }
            return mark("the grants set on item \(item) could not be read: \(error)", candidates: [item])
        }
        try edit(item) { state in
            state.doubts.removeAll { $0.hasPrefix(SecretMetadata.grantsDoubt) }
            state.updateMetadata { $0["aclm"] = map.list("g")?.isEmpty ?? true ? nil : .dictionary(map) }
            if !map.isEmpty { state.row.flags.insert(.noInherit) }
        }
    }

    /// Another feed begins anew: what is known of the old one's synchronisation goes.
    mutating func setFolderURL(_ set: SetFolderUrl) throws {
        let url = set.url.flatMap { $0.isEmpty ? nil : $0.string }
        try edit(Int64(set.folderID), always: true) { state in
            state.updateMetadata { metadata in
                if metadata.string("url") != url { (metadata["sd"], metadata["sg"]) = (nil, nil) }
                metadata["url"] = url.map { .string($0) }
            }
        }
    }

    mutating func setRetention(_ policy: SetRetentionPolicy) throws {
        func list(_ entries: [RetentionPolicy]?) -> MetadataDictionary.Value? {
            // The server writes empty lists, too.
            guard let entries else { return nil }
            return .list(
                entries.map { entry in
                    var map = MetadataDictionary()
                    map["id"] = entry.id.map { .string($0.string) }
                    map["lifetime"] = entry.lifetime.map { .string($0.string) }
                    return .dictionary(map)
                })
        }
        try edit(Int64(policy.itemID), always: true) { state in
            // The table `tag` has a column of its own for the map, as a text.
            let isTag = state.row.type == .tag
            state.updateMetadata { metadata in
                let text = isTag ? try? MetadataDictionary(parsing: metadata.string("rp")) : nil
                var map = text ?? metadata.dictionary("rp") ?? MetadataDictionary()
                if policy.keep != nil { map["keep"] = list(policy.keep) }
                map["purge"] = list(policy.purge)
                metadata["rp"] = map.isEmpty ? nil : isTag ? .string(map.text()) : .dictionary(map)
            }
        }
    }
}

extension ItemState {
    /// Edits the grants of a folder or document (formats/zimbra-items.md, section 3.1).
    mutating func updateGrants(_ edit: (inout [MetadataDictionary]) -> Void) {
        updateMetadata { metadata in
            var list = metadata.dictionary("aclm") ?? MetadataDictionary()
            var grants = (list.list("g") ?? []).compactMap { if case .dictionary(let map) = $0 { map } else { nil } }
            edit(&grants)
            list["g"] = grants.isEmpty ? nil : .list(grants.map { .dictionary($0) })
            if list["ie"] == nil { list["ie"] = .integer(0) }
            if list["ge"] == nil { list["ge"] = .integer(0) }
            metadata["aclm"] = grants.isEmpty ? nil : .dictionary(list)
        }
    }
}
