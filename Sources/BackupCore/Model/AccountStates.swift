import BackupStore

/// A life of a mailbox on its server: change ids and item ids are comparable within one only (R9).
public struct MailboxLife: Hashable, Sendable {
    /// The account, by `zimbraId` in lower case.
    public var accountID: String
    /// The number of the mailbox on its server.
    public var mailboxID: Int64
    /// Counts the lives of the account's mailbox, from 1.
    public var generation: Int64
    /// Whether the mailbox was deleted.
    public var ended: Bool
    /// What the last scan saw: every change up to this number is in it; nil when the life was followed from its beginning.
    public var scannedChange: Int64?
    /// Where the log ended when the last scan began: what is committed before is in the scan.
    public var scannedLog: LogPlace?
    /// When the last scan began, milliseconds since the epoch; nil when the life was never scanned.
    public var scannedTime: Int64?
    /// The item up to which scans have looked at rows that nothing was said to have changed; nil = they begin anew.
    public var lookedAt: Int64?
    /// Commit sequence of the latest deletion whose item purge has taken: cuts before it lack items (R14).
    public var purgedSequence: UInt64?
    /// When that deletion was, milliseconds since the epoch.
    public var purgedTime: Int64?
    /// Whether contents of its items were left out because contents were not kept.
    public var lacksContents = false
    /// Moved items and documents lose their IMAP id (`mailbox.tracking_imap`).
    public var tracksImap: Bool
    /// The mailbox row's other columns, as `getAccountInfo` shows them.
    public var comment: String?
    /// Version of the mailbox's own data.
    public var version: String?
    /// Sections of the mailbox's settings (`mailbox_metadata`): name and text.
    public var sections: [String: String] = [:]

    /// An offset in one file of the log series.
    public struct LogPlace: Hashable, Sendable, Comparable {
        /// The file's sequence number.
        public var sequence: Int64
        /// Bytes from the beginning of the file.
        public var offset: Int64

        /// A place made of its parts.
        public init(sequence: Int64, offset: Int64) {
            self.sequence = sequence
            self.offset = offset
        }

        /// Whether a place is earlier in the series.
        public static func < (left: Self, right: Self) -> Bool {
            (left.sequence, left.offset) < (right.sequence, right.offset)
        }
    }

    /// A life that has just begun.
    public init(accountID: String, mailboxID: Int64, generation: Int64) {
        self.accountID = accountID
        self.mailboxID = mailboxID
        self.generation = generation
        ended = false
        tracksImap = false
    }

    /// The state of the mailbox as a line of its history.
    public var fields: JSONObject {
        var members: JSONObject = [
            "type": "mailbox", "mailbox_id": .int(mailboxID), "mailbox_generation": .int(generation), "deleted": .bool(ended),
            "tracking_imap": .bool(tracksImap),
        ]
        members["scanned_change"] = scannedChange.map { .int($0) }
        members["scanned_log"] = scannedLog.map { .array([.int($0.sequence), .int($0.offset)]) }
        members["scanned_time"] = scannedTime.map { .int($0) }
        members["looked_at"] = lookedAt.map { .int($0) }
        members["purged_sequence"] = purgedSequence.map { .int(Int64(clamping: $0)) }
        members["purged_time"] = purgedTime.map { .int($0) }
        if lacksContents { members["lacks_contents"] = true }
        members["comment"] = comment.map { .string($0) }
        members["version"] = version.map { .string($0) }
        if !sections.isEmpty {
            let sorted = sections.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            members["sections"] = .object(JSONObject(sorted.map { .init(name: $0.key, value: .string($0.value)) }))
        }
        return members
    }

    /// Reads a line of the mailbox's history; nil when a member that names the mailbox is missing.
    public init?(accountID: String, fields: JSONObject) {
        guard let mailbox = fields["mailbox_id"]?.int, let generation = fields["mailbox_generation"]?.int else { return nil }
        self.init(accountID: accountID, mailboxID: mailbox, generation: generation)
        ended = fields["deleted"]?.bool ?? false
        tracksImap = fields["tracking_imap"]?.bool ?? false
        scannedChange = fields["scanned_change"]?.int
        if let place = fields["scanned_log"]?.array, place.count == 2, let sequence = place[0].int, let offset = place[1].int {
            scannedLog = LogPlace(sequence: sequence, offset: offset)
        }
        scannedTime = fields["scanned_time"]?.int
        lookedAt = fields["looked_at"]?.int
        purgedSequence = fields["purged_sequence"]?.int.flatMap { UInt64(exactly: $0) }
        purgedTime = fields["purged_time"]?.int
        lacksContents = fields["lacks_contents"]?.bool ?? false
        comment = fields["comment"]?.string
        version = fields["version"]?.string
        for member in fields["sections"]?.object?.members ?? [] { sections[member.name] = member.value.string }
    }
}

extension AccountEntry {
    /// The account as a line of its history.
    public func fields(deleted: Bool) -> JSONObject {
        var members: JSONObject = [
            "type": "account", "name": .string(name), "deleted": .bool(deleted), "attributes": JSONValue(attributes: attributes),
        ]
        for kind in AccountChild.Kind.allCases {
            let entries = children.filter { $0.kind == kind }
            if !entries.isEmpty { members[kind.member] = .array(entries.map { JSONValue(attributes: $0.attributes) }) }
        }
        if !aliases.isEmpty { members["aliases"] = .array(aliases.map { JSONValue(attributes: $0) }) }
        return members
    }

    /// Reads a line of an account's history; nil without a name.
    public init?(id: String, fields: JSONObject) {
        guard let name = fields["name"]?.string else { return nil }
        let children = AccountChild.Kind.allCases.flatMap { kind in
            (fields[kind.member]?.array ?? []).map { AccountChild(kind, attributes: $0.attributeLists) }
        }
        self.init(id: id, name: name, attributes: fields["attributes"]?.attributeLists ?? [:], children: children)
        aliases = (fields["aliases"]?.array ?? []).map(\.attributeLists)
    }
}

extension AccountChild.Kind {
    /// The member of a history line that lists the entries of this kind.
    public var member: String {
        switch self {
        case .identity: "identities"
        case .signature: "signatures"
        case .dataSource: "data_sources"
        }
    }
}
