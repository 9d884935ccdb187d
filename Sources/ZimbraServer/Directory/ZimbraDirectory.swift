import BackupCore
import Foundation

/// An entry of the directory (formats/zimbra-ldap.md, section 3).
public struct DirectoryEntry: Hashable, Sendable {
    /// Its distinguished name, as the directory writes it.
    public var dn: String
    /// All attributes by LDAP name, values in the directory's order. A value that is no UTF-8 is a `data:;base64,…` URL (RFC 2397).
    public var attributes: [String: [String]]

    /// The first value of an attribute.
    public subscript(_ attribute: String) -> String? { attributes[attribute]?.first }

    init(dn: String, attributes: [String: [String]]) { (self.dn, self.attributes) = (dn, attributes) }

    init(_ raw: RawEntry) {
        dn = raw.dn
        attributes = [:]
        for (name, values) in raw.attributes {
            attributes[name] = values.map { bytes in
                String(validating: bytes, as: UTF8.self) ?? "data:;base64,\(Data(bytes).base64EncodedString())"
            }
        }
    }

    /// `zimbraId`, lower case; empty where the entry has none.
    public var id: String { self["zimbraId"]?.lowercased() ?? "" }

    /// Its classes, in lower case.
    var classes: Set<String> { Set((attributes["objectClass"] ?? []).map { $0.lowercased() }) }

    /// What it is to the account above; nil where it is no child of one.
    var childKind: AccountChild.Kind? {
        let classes = classes
        let kinds: [(AccountChild.Kind, String)] = [
            (.identity, "zimbraidentity"), (.signature, "zimbrasignature"), (.dataSource, "zimbradatasource"),
        ]
        return kinds.first { classes.contains($0.1) }?.0
    }

    /// The name of the entry above; what comes behind the first comma that belongs to no value.
    var parentDN: String {
        var isEscaped = false
        for index in dn.indices {
            if isEscaped {
                isEscaped = false
            } else if dn[index] == "\\" {
                isEscaped = true
            } else if dn[index] == "," {
                return String(dn[dn.index(after: index)...])
            }
        }
        return ""
    }
}

/// A mail server's directory, read whole or not at all: an answer that broke off throws.
///
/// Calls block; several threads may call, each has a connection of its own.
public struct ZimbraDirectory: Sendable {
    private let settings: DirectorySettings

    /// A directory that is connected to when it is asked.
    public init(_ settings: DirectorySettings) { self.settings = settings }

    /// Entries that a filter finds, below a base.
    func entries(
        _ filter: String, below base: String = "", _ scope: DirectoryConnection.Scope = .subtree, in connection: DirectoryConnection
    ) throws -> [DirectoryEntry] {
        var result: [DirectoryEntry] = []
        try connection.search(filter, below: base, scope) { result.append(DirectoryEntry($0)) }
        return result
    }

    /// A connection of the caller's own.
    func connect() throws -> DirectoryConnection { try DirectoryConnection.open(settings) }

    /// Every account and resource of a server, with identities, signatures and data sources.
    ///
    /// - Parameter server: the server's name, as in `zimbraMailHost`.
    /// - Throws: `CoreError`.
    public func accounts(of server: String) throws -> [AccountEntry] {
        let host = DirectoryConnection.escaped(server)
        return try accounts("(&(objectClass=zimbraAccount)(zimbraMailHost=\(host)))")
    }

    /// An account by id or by an address of its own; nil when there is none.
    ///
    /// - Throws: `CoreError`.
    public func account(_ nameOrID: String) throws -> AccountEntry? {
        let value = DirectoryConnection.escaped(nameOrID)
        return try accounts("(&(objectClass=zimbraAccount)(|(zimbraId=\(value))(mail=\(value))))").first
    }

    private func accounts(_ filter: String) throws -> [AccountEntry] { try accounts(filter, in: connect()) }

    func accounts(_ filter: String, in connection: DirectoryConnection) throws -> [AccountEntry] {
        var entries = try entries(filter, in: connection)
        entries.removeAll { $0.isOfServer || $0.id.isEmpty }
        guard !entries.isEmpty else { return [] }
        // A few accounts are asked for below each; all of a server in one search.
        let bases = entries.count <= Self.few ? entries.map(\.dn) : [""]
        var children: [String: [AccountChild]] = [:]
        for base in bases {
            for entry in try self.entries(Self.childFilter, below: base, in: connection) {
                guard let kind = entry.childKind else { continue }
                children[entry.parentDN.lowercased(), default: []].append(AccountChild(kind, attributes: entry.attributes))
            }
        }
        let targets = entries.count <= Self.few ? entries.map(\.id) : nil
        let aliases = Dictionary(grouping: try self.aliases(of: targets, in: connection)) { $0["zimbraAliasTargetId"]?.lowercased() ?? "" }
        return entries.map { entry in
            var account = AccountEntry(
                id: entry.id, name: entry["zimbraMailDeliveryAddress"] ?? entry["mail"] ?? "", attributes: entry.attributes,
                children: children[entry.dn.lowercased()] ?? [])
            account.aliases = (aliases[entry.id] ?? []).sorted { $0.dn < $1.dn }.map(\.attributes)
            return account
        }
    }

    /// Up to so many entries are asked for one by one.
    private static let few = 250

    private static let childFilter = "(|(objectClass=zimbraIdentity)(objectClass=zimbraSignature)(objectClass=zimbraDataSource))"

    /// The alias entries that lead to those ids; nil = all.
    func aliases(of ids: [String]?, in connection: DirectoryConnection) throws -> [DirectoryEntry] {
        let targets = ids.map { "(|" + $0.map { "(zimbraAliasTargetId=\(DirectoryConnection.escaped($0)))" }.joined() + ")" } ?? ""
        return try entries("(&(objectClass=zimbraAlias)\(targets))", in: connection)
    }

    /// Switches the backup of a COS on or off: by the marker in its notes, and by `backupEnabled` where that says the contrary.
    ///
    /// - Throws: `CoreError`; with `unknownCOS` where there is none of the name.
    public func setBackup(ofCOS name: String, enabled: Bool) throws {
        let connection = try DirectoryConnection.open(settings.forWriting)
        let filter = "(&(objectClass=zimbraCOS)(cn=\(DirectoryConnection.escaped(name))))"
        guard let cos = try entries(filter, below: "cn=cos,cn=zimbra", in: connection).first else {
            throw CoreError(
                .unknownCOS, doing: "switching the backup of a COS", subject: name, reason: "the directory has no COS of this name",
                remedy: "getCOSBackupStatus lists them")
        }
        let notes = cos["zimbraNotes"] ?? ""
        let changed = enabled
            ? notes.replacing(BackupSwitches.marker, with: "").trimmingCharacters(in: .whitespaces)
            : notes.contains(BackupSwitches.marker) ? notes : notes.isEmpty ? BackupSwitches.marker : notes + " " + BackupSwitches.marker
        guard changed.count <= Self.longestNotes else {
            throw CoreError(
                .refused, doing: "switching the backup of a COS", subject: name,
                reason: "its notes would have \(changed.count) characters, of which the server allows \(Self.longestNotes)",
                remedy: "Shorten zimbraNotes of the COS")
        }
        if changed != notes { try connection.replace("zimbraNotes", of: cos.dn, by: changed.isEmpty ? [] : [changed]) }
        if enabled, cos["backupEnabled"]?.uppercased() == "FALSE" { try connection.replace("backupEnabled", of: cos.dn, by: ["TRUE"]) }
    }

    /// Characters of `zimbraNotes` (formats/zimbra-ldap.md, section 3, "COS").
    private static let longestNotes = 1024

    /// The entry of a server; what it does not say itself is taken from the global configuration.
    ///
    /// - Throws: `CoreError`; with `configuration` where the directory does not know the server.
    public func server(named name: String) throws -> DirectoryEntry {
        let connection = try connect()
        let filter = "(&(objectClass=zimbraServer)(cn=\(DirectoryConnection.escaped(name))))"
        guard var server = try entries(filter, below: "cn=servers,cn=zimbra", in: connection).first else {
            throw CoreError(
                .configuration, doing: "looking for this server in the directory", subject: name, reason: "there is no server of this name",
                remedy: "See zimbra_server_hostname in localconfig.xml")
        }
        let global = try entries("(objectClass=zimbraGlobalConfig)", below: "cn=config,cn=zimbra", in: connection).first
        server.attributes.merge(global?.attributes ?? [:]) { own, _ in own }
        return server
    }
}
