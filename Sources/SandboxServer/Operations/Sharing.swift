import BackupCore
import RedoLog

/// Grants (formats/zimbra-redolog.md, section 7.4; formats/zimbra-items.md, section 3.1).
extension SandboxMailbox {
    /// Gives rights on a folder; a grant to the same grantee is replaced. Rights 0 take the grant away without a trace in the list.
    public func grant(_ grant: Grant, onFolder id: Int64) throws {
        try server.change(mailboxID) { change in
            if grant.grantee == accountID { throw change.failure(.refused, "the owner needs no grant") }
            try change.editFolder(id) { folder in
                var list = folder.grants.filter { $0.string("g") != grant.grantee || $0.integer("t") != grant.granteeType }
                list.append(MetadataDictionary(grant))
                folder.grants = list
                folder.row.flags.insert(.noInherit)
            }
            var logged = GrantAccess()
            logged.itemID = Int32(id)
            logged.grantee = LogText(grant.grantee ?? "")
            logged.granteeType = Int8(grant.granteeType)
            logged.rights = Int16(grant.rights)
            logged.secret = LogText(grant.secret ?? "")
            logged.expiry = grant.expiry
            return ((), Logged(.grantAccess(logged)))
        }
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
}

extension FolderState {
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
