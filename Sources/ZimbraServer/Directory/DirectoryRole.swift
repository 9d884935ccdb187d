import BackupCore
import BackupStore

/// What an entry of the directory is to a backup (formats/zimbra-ldap.md, sections 2 and 3).
enum DirectoryRole: Hashable {
    /// An account or resource, by id and the server that has its mailbox.
    case account(id: String, host: String?)
    /// What hangs below an account or a group: it belongs to the entry above.
    case child
    /// An alias, by the id of what it leads to.
    case alias(of: String)
    /// Anything else.
    case configuration(HistoryKey)

    init(_ entry: DirectoryEntry) {
        let classes = entry.classes
        func isA(_ name: String) -> Bool { classes.contains(name) }
        func of(_ kind: DirectoryKind) -> Self {
            .configuration(.directory(kind, entry.id.isEmpty ? ConfigurationEntry.id(ofDN: entry.dn) : entry.id))
        }
        if entry.childKind != nil || isA("zimbragroupdynamicunit") || isA("zimbragroupstaticunit") {
            self = .child
        } else if isA("zimbraaccount"), !entry.isOfServer {
            self = .account(id: entry.id, host: entry["zimbraMailHost"])
        } else if isA("zimbraalias"), let target = entry["zimbraAliasTargetId"]?.lowercased() {
            self = .alias(of: target)
        } else if let kind = Self.kinds.first(where: { isA($0.0) })?.1 {
            self = of(kind)
        } else {
            // What else the server keeps for itself; and the entries that hold a domain's tree together.
            self = of(entry.dn.lowercased().hasSuffix("cn=zimbra") ? .config : .domains)
        }
    }

    private static let kinds: [(String, DirectoryKind)] = [
        ("zimbradistributionlist", .lists), ("zimbragroup", .groups), ("zimbradomain", .domains), ("zimbracos", .cos),
        ("zimbraserver", .servers), ("zimbrazimletentry", .zimlets), ("zimbraglobalconfig", .config),
    ]
}

extension DirectoryEntry {
    /// Whether it is one of the binds of the server's own parts, which are no users.
    var isOfServer: Bool {
        let dn = dn.lowercased()
        return dn.hasSuffix("cn=admins,cn=zimbra") || dn.hasSuffix("cn=appaccts,cn=zimbra")
    }

    /// What administrators call it.
    var name: String {
        if classes.contains("zimbradomain") { return self["zimbraDomainName"] ?? dn }
        if classes.contains("zimbradistributionlist") || classes.contains("zimbragroup") { return self["mail"] ?? dn }
        if !id.isEmpty || classes.contains("zimbrazimletentry") { return self["cn"] ?? self["uid"] ?? dn }
        return dn
    }
}
