import BackupStore

/// An entry of the directory that is no account's: a domain, a COS, a list, a server, … (formats/zimbra-ldap.md, section 3).
public struct ConfigurationEntry: Hashable, Sendable {
    /// An entry that belongs to it: a unit of a group, an alias of a list.
    public struct Part: Hashable, Sendable {
        /// Its distinguished name.
        public var dn: String
        /// All attributes of the entry by LDAP name; values in the directory's order.
        public var attributes: [String: [String]]

        /// A part made of its parts.
        public init(dn: String, attributes: [String: [String]]) {
            self.dn = dn
            self.attributes = attributes
        }
    }

    /// What it is.
    public var kind: DirectoryKind
    /// `zimbraId` in lower case; of an entry that has none, its distinguished name by ``id(ofDN:)``.
    public var id: String
    /// What administrators call it: a domain's name, a list's address, a COS's or server's name.
    public var name: String
    /// Its distinguished name, as the directory writes it.
    public var dn: String
    /// All attributes of the entry by LDAP name; values in the directory's order.
    public var attributes: [String: [String]]
    /// The entries that belong to it, in the order of their names.
    public var parts: [Part]

    /// An entry made of its parts.
    public init(
        kind: DirectoryKind, id: String, name: String, dn: String, attributes: [String: [String]], parts: [Part] = []
    ) {
        self.kind = kind
        self.id = id
        self.name = name
        self.dn = dn
        self.attributes = attributes
        self.parts = parts
    }

    /// The first value of an attribute.
    public subscript(_ attribute: String) -> String? { attributes[attribute]?.first }

    /// The history that it has.
    public var key: HistoryKey { .directory(kind, id) }

    /// A distinguished name in lower case, as it may be a file's name: what may not is percent-encoded.
    public static func id(ofDN dn: String) -> String {
        dn.lowercased().utf8.reduce(into: "") { id, byte in
            if byte <= 0x20 || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "%") || byte >= 0x7F {
                id += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            } else {
                id.unicodeScalars.append(Unicode.Scalar(byte))
            }
        }
    }

    /// The entry as a line of its history.
    public func fields(deleted: Bool) -> JSONObject {
        var members: JSONObject = [
            "type": .string(kind.word), "name": .string(name), "dn": .string(dn), "deleted": .bool(deleted),
            "attributes": JSONValue(attributes: attributes),
        ]
        if !parts.isEmpty {
            members["parts"] = .array(parts.map { .object(["dn": .string($0.dn), "attributes": JSONValue(attributes: $0.attributes)]) })
        }
        return members
    }

    /// Reads a line of its history; nil without a name.
    public init?(kind: DirectoryKind, id: String, fields: JSONObject) {
        guard let name = fields["name"]?.string else { return nil }
        let parts = (fields["parts"]?.array ?? []).compactMap { part in
            part.object.map { Part(dn: $0["dn"]?.string ?? "", attributes: $0["attributes"]?.attributeLists ?? [:]) }
        }
        self.init(
            kind: kind, id: id, name: name, dn: fields["dn"]?.string ?? "", attributes: fields["attributes"]?.attributeLists ?? [:],
            parts: parts)
    }
}

extension DirectoryKind {
    /// One of the kind, in a word.
    public var word: String {
        switch self {
        case .domains: "domain"
        case .cos: "cos"
        case .lists: "list"
        case .groups: "group"
        case .resources: "resource"
        case .servers: "server"
        case .config: "config"
        case .zimlets: "zimlet"
        case .records: "record"
        }
    }

    /// The kinds that are entries of the directory, each in a history of its own. Calendar resources have mailboxes: they are accounts.
    public static let configuration: [DirectoryKind] = [.domains, .cos, .lists, .groups, .servers, .config, .zimlets]
}

extension JSONValue {
    /// Attributes as a member of a history line, sorted by name.
    init(attributes: [String: [String]]) {
        let sorted = attributes.sorted { $0.key < $1.key }
        self = .object(JSONObject(sorted.map { .init(name: $0.key, value: .array($0.value.map { .string($0) })) }))
    }

    /// Attributes as a member of a history line has them.
    var attributeLists: [String: [String]] {
        var attributes: [String: [String]] = [:]
        for member in object?.members ?? [] { attributes[member.name] = member.value.array?.compactMap(\.string) ?? [] }
        return attributes
    }
}
