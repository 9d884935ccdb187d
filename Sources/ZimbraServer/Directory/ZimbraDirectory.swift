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
    private func entries(_ filter: String, below base: String = "", in connection: DirectoryConnection) throws -> [DirectoryEntry] {
        var result: [DirectoryEntry] = []
        try connection.search(filter, below: base) { result.append(DirectoryEntry($0)) }
        return result
    }

    private static let children: [(AccountChild.Kind, String)] = [
        (.identity, "zimbraidentity"), (.signature, "zimbrasignature"), (.dataSource, "zimbradatasource"),
    ]

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

    private func accounts(_ filter: String) throws -> [AccountEntry] {
        let connection = try DirectoryConnection.open(settings)
        var entries = try entries(filter, in: connection)
        // Binds of the server's own parts are no users.
        entries.removeAll { entry in
            let dn = entry.dn.lowercased()
            return dn.hasSuffix("cn=admins,cn=zimbra") || dn.hasSuffix("cn=appaccts,cn=zimbra") || entry.id.isEmpty
        }
        // One account is asked for below it; all of a server in one search.
        let base = entries.count == 1 ? entries[0].dn : ""
        var children: [String: [AccountChild]] = [:]
        if !entries.isEmpty {
            let filter = "(|(objectClass=zimbraIdentity)(objectClass=zimbraSignature)(objectClass=zimbraDataSource))"
            for entry in try self.entries(filter, below: base, in: connection) {
                let classes = Set((entry.attributes["objectClass"] ?? []).map { $0.lowercased() })
                guard let kind = Self.children.first(where: { classes.contains($0.1) })?.0 else { continue }
                children[entry.parentDN.lowercased(), default: []].append(AccountChild(kind, attributes: entry.attributes))
            }
        }
        return entries.map { entry in
            AccountEntry(
                id: entry.id, name: entry["zimbraMailDeliveryAddress"] ?? entry["mail"] ?? "", attributes: entry.attributes,
                children: children[entry.dn.lowercased()] ?? [])
        }
    }

    /// The entry of a server; what it does not say itself is taken from the global configuration.
    ///
    /// - Throws: `CoreError`; with `configuration` where the directory does not know the server.
    public func server(named name: String) throws -> DirectoryEntry {
        let connection = try DirectoryConnection.open(settings)
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
