import BackupStore

/// Which accounts are not backed up: by their COS, or by an attribute of their own.
///
/// A COS is switched off by a marker in its notes (formats/zimbra-ldap.md, section 3, "COS"), a COS or an account by `backupEnabled`.
public struct BackupSwitches: Hashable, Sendable {
    /// What stands in the notes of a COS that is switched off.
    public static let marker = "${ZxBackup_Disabled}"
    private static let attribute = "backupEnabled"

    /// By id, whether each COS is switched off.
    private var isOff: [String: Bool] = [:]
    /// Ids of COS by name.
    private var named: [String: String] = [:]
    /// What a domain gives accounts that name no COS themselves: users, and users from elsewhere to whom something is shared.
    private var defaults: [String: Defaults] = [:]

    private struct Defaults: Hashable {
        var users: String?
        var external: String?
    }

    /// Reads the COS and domains of the backup.
    public init(in store: any StoreReading) throws {
        for case .configuration(let cos)? in try Self.entries(of: .cos, in: store) {
            isOff[cos.id] = Self.isOff(cos)
            named[cos.name.lowercased()] = cos.id
        }
        for case .configuration(let domain)? in try Self.entries(of: .domains, in: store) {
            defaults[domain.name.lowercased()] = Defaults(
                users: domain["zimbraDomainDefaultCOSId"]?.lowercased(),
                external: domain["zimbraDomainDefaultExternalUserCOSId"]?.lowercased())
        }
    }

    private static func entries(of kind: DirectoryKind, in store: any StoreReading) throws -> [DirectoryRecord?] {
        try store.entries(of: kind).map { id in
            guard let state = try store.state(of: .directory(kind, id)), !state.isDeleted else { return nil }
            return DirectoryRecord(state)
        }
    }

    /// Whether a COS is switched off.
    public static func isOff(_ cos: ConfigurationEntry) -> Bool {
        (cos.attributes["zimbraNotes"] ?? []).contains { $0.contains(marker) } || cos[attribute]?.uppercased() == "FALSE"
    }

    /// Whether an account is not backed up.
    public func isOff(_ account: AccountEntry) -> Bool {
        account[Self.attribute]?.uppercased() == "FALSE" || cos(of: account).map { isOff[$0] == true } ?? false
    }

    /// The id of the COS that holds for an account; nil where the backup knows none.
    public func cos(of account: AccountEntry) -> String? {
        if let own = account["zimbraCOSId"]?.lowercased(), isOff[own] != nil { return own }
        let domain = account.name.lastIndex(of: "@").map { String(account.name[account.name.index(after: $0)...]).lowercased() }
        let defaults = domain.flatMap { self.defaults[$0] }
        let isExternal = account["zimbraIsExternalVirtualAccount"] == "TRUE"
        if let given = isExternal ? defaults?.external : defaults?.users, isOff[given] != nil { return given }
        return named[isExternal ? "defaultexternal" : "default"]
    }
}

/// A server whose COS can be switched off, so that their accounts are not backed up.
public protocol COSSwitching: MailSource {
    /// Switches the backup of a COS on or off, in the directory.
    ///
    /// - Throws: `unknownCOS`, the directory's error.
    func setBackup(ofCOS name: String, enabled: Bool) throws
}

extension BackupEngine {
    /// Switches the backup of a COS on or off, in the directory, and records that.
    ///
    /// Accounts of one that is switched on are marked: a scan of theirs brings them up to date.
    ///
    /// - Throws: `refused` where the server has no COS, `unknownCOS`, the directory's error.
    public func setBackup(ofCOS name: String, enabled: Bool) throws {
        guard let server = scanner.source as? any COSSwitching else {
            throw CoreError(
                .refused, doing: "switching the backup of a COS", subject: name, reason: "this server has no COS",
                remedy: "'server: {kind: zimbra}' has")
        }
        try server.setBackup(ofCOS: name, enabled: enabled)
        _ = try recordConfiguration()
    }
}

/// Accounts that are switched off: they keep what the backup has of them, and purge treats them as if they were deleted.
extension AccountEntry {
    /// The member of a history line that says that the account is not backed up from then on.
    static let switchMember = "backup_enabled"
}

extension IndexedState {
    /// Whether an account was switched off with this state.
    package var isSwitchedOff: Bool { fields[AccountEntry.switchMember]?.bool == false }
}

extension RealTimeScanner {
    static let switchedOnReason = "its backup was switched off for a while"

    /// Whether an account is not backed up.
    func isSwitchedOff(_ account: AccountEntry) throws -> Bool {
        let known = try switches ?? BackupSwitches(in: store)
        switches = known
        return known.isOff(account)
    }

    /// The same of the account that a mailbox belongs to, as it was when it was recorded.
    func isSwitchedOff(_ row: MailboxRow) throws -> Bool {
        if let known = mailboxes.known(account: row.accountID) { return known.isSwitchedOff }
        return try isSwitchedOff(try entry(of: row))
    }

    /// What is to be recorded of an account: nil = nothing, since it is and was switched off, or was never seen otherwise.
    func fields(of account: AccountEntry) throws -> JSONObject? {
        var fields = account.fields(deleted: false)
        guard try isSwitchedOff(account) else { return fields }
        guard let state = try store.accountInfo(account.id), !state.isSwitchedOff else { return nil }
        fields[AccountEntry.switchMember] = false
        return fields
    }

    /// Takes over that an account was switched on or off. What happened in between nobody followed.
    func noteSwitch(_ account: AccountEntry, isOff: Bool) throws {
        guard let known = mailboxes.known(account: account.id), known.isSwitchedOff != isOff else { return }
        mailboxes.setSwitch(account: account.id, isOff: isOff)
        if !isOff, !known.life.ended { try mark(account: known.life, Self.switchedOnReason) }
    }

    /// Forgets which accounts are switched off when a COS or a domain changed, and looks at all accounts again.
    func reconsiderSwitches() throws {
        let before = switches
        switches = try BackupSwitches(in: store)
        guard let before, before != switches else { return }
        directoryVersions = directoryVersions.filter { !$0.key.isAccount }
    }
}
