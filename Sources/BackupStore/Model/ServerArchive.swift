/// A file of the mail server that is kept whole in `server/`: a dump of its directory, an archive of its own files.
///
/// What is known of it is a history of its own, so that it is committed, copied and checked like everything else, and ages by store
/// days (R11).
public struct ServerArchive: Sendable, Hashable {
    /// What it is: an open set, by the first word of its name.
    public struct Kind: Sendable, Hashable {
        /// The word.
        public let name: String
        /// The kind of this name.
        public init(_ name: String) { self.name = name }

        /// The directory as LDIF.
        public static let directory = Kind("ldap_dump")
        /// The server's configuration files.
        public static let customizations = Kind("customizations")
    }

    private static let prefix = "archive:"

    /// What it is.
    public var kind: Kind
    /// Name of the file in `server/`.
    public var name: String
    /// SHA-256 and length of what is in it, and the file's own length: one gzip member.
    public var content: BlobReference
    /// When it was kept, milliseconds since 1970.
    public var time: Int64

    /// The history that it has.
    var key: HistoryKey { Self.key(name) }

    static func key(_ name: String) -> HistoryKey { .directory(.records, prefix + name) }

    /// What its history says.
    var state: NewState {
        NewState(
            key: key, fields: ["type": "archive", "archive_kind": .string(kind.name), "name": .string(name), "content": content.json])
    }

    /// Reads the state of a history; nil where it is another one.
    init?(_ state: IndexedState) {
        guard case .directory(.records, let id) = state.key, id.hasPrefix(Self.prefix) else { return nil }
        self.init(name: String(id.dropFirst(Self.prefix.count)), state.fields, time: state.time)
    }

    init?(name: String, _ fields: JSONObject, time: Int64) {
        guard let kind = fields["archive_kind"]?.string, let content = fields["content"].flatMap({ BlobReference(json: $0) }) else { return nil }
        self.init(kind: Kind(kind), name: name, content: content, time: time)
    }

    init(kind: Kind, name: String, content: BlobReference, time: Int64) {
        (self.kind, self.name, self.content, self.time) = (kind, name, content, time)
    }
}

extension StoreReading {
    /// The archives of the mail server's own files, oldest first.
    public func archives() throws -> [ServerArchive] {
        try entries(of: .records).compactMap { try state(of: .directory(.records, $0)).flatMap(ServerArchive.init) }
            .sorted { ($0.time, $0.name) < ($1.time, $1.name) }
    }
}
