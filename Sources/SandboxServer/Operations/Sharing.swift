import BackupCore
import RedoLog

/// Grants (formats/zimbra-redolog.md, section 7.4; formats/zimbra-items.md, section 3.1).
extension SandboxMailbox {
    /// Gives rights on a folder; a grant to the same grantee is replaced. Rights 0 take the grant away without a trace in the list.
    public func grant(_ grant: Grant, onFolder id: Int64) throws {
        try server.change(mailboxID) { change in
            if grant.grantee == accountID { throw change.failure(.refused, "the owner needs no grant") }
            let inherited = change.inheritedGrants(from: change.state.folders[id]?.row.folderID)
            try change.editFolder(id) { folder in
                // The first grant ends the inheritance: what was inherited is the folder's own from now on.
                if !folder.row.flags.contains(.noInherit), folder.grants.isEmpty { folder.grants = inherited }
                folder.grant(grant)
                folder.row.flags.insert(.noInherit)
            }
            return ((), Self.logged(grant, on: id))
        }
    }

    /// Gives rights on a document; a grant to the same grantee is replaced.
    public func grant(_ grant: Grant, onDocument id: Int64) throws {
        try server.change(mailboxID) { change in
            if grant.grantee == accountID { throw change.failure(.refused, "the owner needs no grant") }
            let old = try change.leaf(id)
            var holder = try FolderState(old)
            if !old.flags.contains(.noInherit), holder.grants.isEmpty { holder.grants = change.inheritedGrants(from: old.folderID) }
            holder.grant(grant)
            var row = change.touched(old)
            row.flags.insert(.noInherit)
            row.metadata = holder.metadata.text()
            try change.update(old, to: row)
            return ((), Self.logged(grant, on: id))
        }
    }

    private static func logged(_ grant: Grant, on id: Int64) -> Logged {
        var logged = GrantAccess()
        logged.itemID = Int32(id)
        logged.grantee = LogText(grant.grantee ?? "")
        logged.granteeType = Int8(grant.granteeType)
        logged.rights = Int16(grant.rights)
        logged.secret = LogText(grant.secret ?? "")
        logged.expiry = grant.expiry
        return Logged(.grantAccess(logged))
    }

    /// Takes the rights of a grantee away.
    public func revoke(_ grantee: String?, onFolder id: Int64) throws {
        try server.change(mailboxID) { change in
            guard try change.folder(id).grants.contains(where: { $0.string("g") == grantee }) else {
                throw change.failure(.noSuchItem, "folder \(id) has no grant to \(grantee ?? "all")")
            }
            try change.editFolder(id) { folder in folder.grants.removeAll { $0.string("g") == grantee } }
            var logged = RevokeAccess()
            logged.itemID = Int32(id)
            logged.grantee = LogText(grantee ?? "")
            logged.dueToExpiry = false
            return ((), Logged(.revokeAccess(logged)))
        }
    }

    /// Replaces all grants of a folder; none = takes the list away.
    public func setPermissions(_ grants: [Grant], onFolder id: Int64) throws {
        var map = MetadataDictionary()
        map["g"] = .list(grants.map { .dictionary(MetadataDictionary($0)) })
        map["ie"] = .integer(0)
        map["ge"] = .integer(0)
        try server.change(mailboxID) { change in
            let old = try change.folder(id)
            let list = grants.map { MetadataDictionary($0) }
            if old.grants != list || !grants.isEmpty && !old.row.flags.contains(.noInherit) {
                try change.editFolder(id) { folder in
                    folder.grants = list
                    if !grants.isEmpty { folder.row.flags.insert(.noInherit) }
                }
            }
            var logged = SetPermissions()
            logged.itemID = Int32(id)
            logged.acl = grants.isEmpty ? "" : LogText(map.text(forColumn: false))
            return ((), Logged(.setPermissions(logged)))
        }
    }

    /// Takes away the grants whose time is over, one record each, and returns how many they were.
    @discardableResult
    public func expireGrants() throws -> Int {
        var count = 0
        for folder in try items() where folder.type == .folder {
            for grant in try FolderState(folder).grants {
                guard let expiry = grant.integer("e"), expiry > 0, expiry <= server.options.clock() else { continue }
                try server.change(mailboxID) { change in
                    try change.editFolder(folder.id) { state in state.grants.removeAll { $0 == grant } }
                    var logged = ExpireAccess()
                    logged.itemID = Int32(folder.id)
                    logged.grantee = LogText(grant.string("g") ?? "")
                    logged.dueToExpiry = true
                    return ((), Logged(.expireAccess(logged)))
                }
                count += 1
            }
        }
        return count
    }
}

extension Change {
    /// The grants of the nearest folder, from this one upwards, that has its own.
    fileprivate func inheritedGrants(from folder: Int64?) -> [MetadataDictionary] {
        var above = folder
        for _ in 0...state.folders.count {
            guard let current = above, let folder = state.folders[current] else { return [] }
            if folder.row.flags.contains(.noInherit) || !folder.grants.isEmpty { return folder.grants }
            if folder.row.folderID == current { return [] }
            above = folder.row.folderID
        }
        return []
    }
}

extension FolderState {
    /// Adds a grant; one to the same grantee is replaced.
    mutating func grant(_ grant: Grant) {
        grants = grants.filter { $0.string("g") != grant.grantee || $0.integer("t") != grant.granteeType } + [MetadataDictionary(grant)]
    }

    /// The entries of the list `aclm.g`.
    var grants: [MetadataDictionary] {
        get {
            (metadata.dictionary("aclm")?.list("g") ?? []).compactMap { if case .dictionary(let map) = $0 { map } else { nil } }
        }
        set {
            guard !newValue.isEmpty else {
                metadata["aclm"] = nil
                return
            }
            var map = metadata.dictionary("aclm") ?? MetadataDictionary()
            map["g"] = .list(newValue.map { .dictionary($0) })
            map["ie"] = .integer(map.integer("ie") ?? 0)
            map["ge"] = .integer(map.integer("ge") ?? 0)
            metadata["aclm"] = .dictionary(map)
        }
    }
}

extension MetadataDictionary {
    /// A grant as the server stores it.
    fileprivate init(_ grant: Grant) {
        self.init()
        self["e"] = .integer(grant.expiry)
        self["g"] = grant.grantee.map { .string($0) }
        self["r"] = .integer(grant.rights)
        self["t"] = .integer(grant.granteeType)
        if grant.granteeType == 7 { self["a"] = grant.secret.map { .string($0) } }
        if grant.granteeType == 8 { self["k"] = grant.secret.map { .string($0) } }
    }
}
