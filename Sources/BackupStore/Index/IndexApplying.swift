import GRDB

extension IndexStatements {
    /// Where the history stands, from its latest line.
    func tail(of key: HistoryKey) throws -> HistoryTail {
        guard let line = try latestLine(of: key)?.line else { return HistoryTail() }
        // The line was checked when it came in; its ends are at known places.
        return HistoryCoding.trustedTail(line) ?? HistoryTail()
    }

    /// The latest line and the sequence of the first.
    func latestLine(of key: HistoryKey) throws -> (line: String, sequence: Int64, first: Int64)? {
        let found: IndexRow?
        switch key {
        case .item(let account, let id):
            guard let number = try number(of: account) else { return nil }
            found = try row(
                "SELECT line, seq, first FROM items WHERE account = ? AND id = ?", [number.databaseValue, id.databaseValue])
        default:
            let (kind, id) = key.entry
            found = try row(
                "SELECT line, seq, first FROM entries WHERE kind = ? AND id = ?", [kind.databaseValue, id.databaseValue])
        }
        guard let found else { return nil }
        return (try found.value(0), try found.value(1), try found.value(2))
    }

    /// Whether the tables have the state of a history with this sequence, or a later one.
    func isKnown(_ sequence: UInt64, of key: HistoryKey) throws -> Bool { try known(of: key).map { $0.sequence >= sequence } ?? false }

    /// Takes a line into the tables; one that is there already, or older than what is there, changes nothing (R5).
    func apply(_ line: HistoryLine, checksum: UInt32, bytes: UnsafeRawBufferPointer, to key: HistoryKey) throws {
        var known = try known(of: key)
        if let known, known.sequence >= Int64(line.sequence) { return }
        // Where the first line is lost or damaged, the item may be as old as the account.
        if known == nil { known = Known(first: line.ordinal == 1 ? Int64(line.sequence) : 0) }
        try apply(line, checksum: checksum, bytes: bytes, to: key, after: known!)
    }

    /// Takes in a line that was made from this index a moment ago: it is newer than what is there.
    func applyNew(_ line: HistoryLine, checksum: UInt32, bytes: UnsafeRawBufferPointer, to key: HistoryKey) throws {
        let known = line.ordinal == 1 ? nil : try known(of: key)
        try apply(line, checksum: checksum, bytes: bytes, to: key, after: known ?? Known(first: Int64(line.sequence)))
    }

    /// What the tables hold of a history besides its latest line.
    private struct Known {
        var sequence: Int64 = 0
        var first: Int64
        var lines: Int64 = 0
        var checksums: Int64 = 0
    }

    private func known(of key: HistoryKey) throws -> Known? {
        let found: IndexRow?
        switch key {
        case .item(let account, let id):
            guard let number = try number(of: account) else { return nil }
            found = try row(
                "SELECT seq, first, lines, checksums FROM items WHERE account = ? AND id = ?",
                [number.databaseValue, id.databaseValue])
        default:
            let (kind, id) = key.entry
            found = try row(
                "SELECT seq, first, lines, checksums FROM entries WHERE kind = ? AND id = ?",
                [kind.databaseValue, id.databaseValue])
        }
        return try found.map {
            Known(sequence: try $0.value(0), first: try $0.value(1), lines: try $0.value(2), checksums: try $0.value(3))
        }
    }

    private func apply(
        _ line: HistoryLine, checksum: UInt32, bytes: UnsafeRawBufferPointer, to key: HistoryKey, after known: Known
    ) throws {
        let sequence = Int64(line.sequence).databaseValue
        let (first, lines) = (known.first.databaseValue, (known.lines &+ 1).databaseValue)
        let checksums = (known.checksums &+ Int64(checksum)).databaseValue
        let text = text(bytes)
        switch key {
        case .item(let account, let id):
            let number = try numberMaking(account)
            try run(
                "INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    number.databaseValue, id.databaseValue, sequence, first,
                    Self.deletion(line.fields).databaseValue,
                    line.fields["folder"]?.int.databaseValue ?? .null, line.fields["parent"]?.int.databaseValue ?? .null, text,
                    lines, checksums,
                ])
        default:
            let (kind, id) = key.entry
            try run(
                "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)",
                [kind.databaseValue, id.databaseValue, sequence, first, text, lines, checksums])
        }
        if let account = key.account {
            let number = try numberMaking(account).databaseValue
            try run(
                "UPDATE accounts SET lines = lines + 1, checksums = checksums + ?, sequence = max(sequence, ?) WHERE number = ?",
                [Int64(checksum).databaseValue, sequence, number])
            try run(
                "INSERT OR IGNORE INTO changes VALUES (?, ?, ?, ?, ?)",
                [number, sequence, line.time.databaseValue, line.change.databaseValue, line.generation.databaseValue])
        }
        for reference in line.blobs { try note(reference, user: key) }
    }

    /// 0 = alive, 1 = deleted, 2 = presumed to be (R15).
    private static func deletion(_ fields: JSONObject) -> Int {
        guard fields["deleted"]?.bool == true else { return 0 }
        return fields["presumed"]?.bool == true ? 2 : 1
    }

    /// Remembers a blob's verified length and who names it.
    func note(_ reference: BlobReference, user: HistoryKey?) throws {
        let id = reference.id.description.databaseValue
        try run(
            "INSERT OR REPLACE INTO blobs VALUES (?, ?, ?)", [id, reference.size.databaseValue, reference.stored.databaseValue])
        if let user { try run("INSERT OR IGNORE INTO uses VALUES (?, ?)", [user.indexName.databaseValue, id]) }
    }

    /// The blob as its last verified commit recorded it.
    func blob(_ id: BlobID) throws -> BlobReference? {
        guard let row = try row("SELECT size, stored FROM blobs WHERE id = ?", [id.description.databaseValue]) else { return nil }
        return BlobReference(id: id, size: try row.value(0), stored: try row.value(1))
    }

    /// What a transaction's header says besides its states.
    func apply(_ header: TransactionHeader) throws {
        if let account = header.account {
            if header.clearsMarks {
                try run(
                    "DELETE FROM marks WHERE account = ? AND seq <= ?",
                    [account.databaseValue, Int64(header.sequence).databaseValue])
            }
            for (n, mark) in header.marks.enumerated() {
                try run(
                    "INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?)",
                    [account.databaseValue, Int64(header.sequence).databaseValue, n.databaseValue, mark.json.json.databaseValue])
            }
            if header.clearsMarks || !header.marks.isEmpty {
                try run(
                    "UPDATE accounts SET sequence = max(sequence, ?) WHERE number = ?",
                    [Int64(header.sequence).databaseValue, try numberMaking(account).databaseValue])
            }
        }
        for reference in header.heldBlobs { try note(reference, user: nil) }
        if let position = header.position {
            try setMeta("position", position)
            // Purge must leave alone what the position needs, though no state names it.
            let held = header.heldBlobs.map(\.id.description).joined(separator: " ")
            if held != knownHeld { try setMeta("held", held) }
            knownHeld = held
        }
    }

    /// Removes a history from the tables; its blobs may have lost their last user. A history begun anew after the removal stays.
    func remove(_ key: HistoryKey, at sequence: UInt64) throws {
        let known = try known(of: key)
        if let known, known.sequence > Int64(sequence) { return }
        if let account = key.account {
            // The account's next `account_stat` is about what is left, also where the journal tells of nothing but the removal.
            let number = try numberMaking(account)
            try run(
                """
                UPDATE accounts SET lines = lines - ?, checksums = checksums - ?, sequence = max(sequence, ?) WHERE number = ?
                """,
                [
                    (known?.lines ?? 0).databaseValue, (known?.checksums ?? 0).databaseValue, Int64(sequence).databaseValue,
                    number.databaseValue,
                ])
        }
        try run("DELETE FROM overlay WHERE history = ?", [key.indexName.databaseValue])
        try run(
            """
            INSERT OR IGNORE INTO released SELECT blob FROM uses u WHERE user = ?1
            AND NOT EXISTS (SELECT 1 FROM uses o WHERE o.blob = u.blob AND o.user <> ?1)
            """, [key.indexName.databaseValue])
        try run("DELETE FROM uses WHERE user = ?", [key.indexName.databaseValue])
        switch key {
        case .item(let account, let id):
            guard let number = try number(of: account) else { return }
            try run("DELETE FROM items WHERE account = ? AND id = ?", [number.databaseValue, id.databaseValue])
        default:
            let (kind, id) = key.entry
            try run("DELETE FROM entries WHERE kind = ? AND id = ?", [kind.databaseValue, id.databaseValue])
            // With the account itself goes what is known of its changes.
            guard case .accountInfo(let account) = key else { return }
            try run("DELETE FROM marks WHERE account = ? AND seq <= ?", [account.databaseValue, Int64(sequence).databaseValue])
            guard let number = try number(of: account) else { return }
            try run(
                "DELETE FROM changes WHERE account = ? AND seq <= ?", [number.databaseValue, Int64(sequence).databaseValue])
        }
    }

    /// Whether any state, or the source position, names the blob.
    func isUsed(_ id: BlobID) throws -> Bool {
        if try row("SELECT 1 FROM uses WHERE blob = ? LIMIT 1", [id.description.databaseValue]) != nil { return true }
        return try meta("held")?.split(separator: " ").contains { $0 == id.description } ?? false
    }

    /// Forgets a blob that is gone for good.
    func forget(_ id: BlobID) throws { try run("DELETE FROM blobs WHERE id = ?", [id.description.databaseValue]) }

    /// A line as the tables keep it: text, without its line feed.
    private func text(_ line: UnsafeRawBufferPointer) -> DatabaseValue {
        let end = line.last == 0x0A ? line.count - 1 : line.count
        return String(decoding: line[..<end], as: UTF8.self).databaseValue
    }
}

extension HistoryKey {
    /// The key of histories other than items in the index: kind and id.
    var entry: (kind: String, id: String) {
        switch self {
        case .item(let account, let id): ("item", "\(account)/\(id)")
        case .accountInfo(let account): ("account_info", account)
        case .mailbox(let account): ("mailbox", account)
        case .directory(let kind, let id): (kind.rawValue, id)
        }
    }

    /// One text for the whole key.
    var indexName: String { entry.kind + "/" + entry.id }

    /// The key of such a text.
    init?(indexName: String) {
        let parts = Self.parts(indexName)
        guard parts.count == 2 else { return nil }
        self.init(kind: parts[0], id: parts[1])
    }

    /// What is before and behind the first slash, by bytes: with a mark of a stranger's name behind it, it is another character.
    private static func parts(_ text: String) -> [String] {
        text.utf8.split(separator: UInt8(ascii: "/"), maxSplits: 1, omittingEmptySubsequences: false).map { String(Substring($0)) }
    }

    /// The key of a kind and an id as ``entry`` gives them.
    init?(kind: String, id: String) {
        switch kind {
        case "item":
            let parts = Self.parts(id)
            guard parts.count == 2, let number = Int64(parts[1]) else { return nil }
            self = .item(account: parts[0], id: number)
        case "account_info": self = .accountInfo(id)
        case "mailbox": self = .mailbox(id)
        default:
            guard let directory = DirectoryKind(rawValue: kind) else { return nil }
            self = .directory(directory, id)
        }
    }
}
