import GRDB

extension IndexStatements {
    /// Keeps a line that the file lacks, unless the index has it or a later one: for paths that cannot be written.
    func overlay(_ line: HistoryLine, bytes: UnsafeRawBufferPointer, of key: HistoryKey) throws {
        if let known = try latestLine(of: key), known.sequence >= Int64(line.sequence) { return }
        try run(
            "INSERT OR REPLACE INTO overlay VALUES (?, ?, ?)",
            [
                key.indexName.databaseValue, Int64(line.sequence).databaseValue,
                String(decoding: bytes, as: UTF8.self).databaseValue,
            ])
    }

    /// The lines of a history that the file lacks.
    func overlays(of key: HistoryKey) throws -> [String] {
        try rows("SELECT line FROM overlay WHERE history = ? ORDER BY seq", [key.indexName.databaseValue]).map { try $0.value(0) }
    }

    /// Up to `limit` histories and sequences of lines that the files lack, in order.
    func overlays(after last: (history: String, sequence: Int64), limit: Int) throws -> [(history: String, sequence: Int64)] {
        try rows(
            "SELECT history, seq FROM overlay WHERE (history, seq) > (?, ?) ORDER BY history, seq LIMIT ?",
            [last.history.databaseValue, last.sequence.databaseValue, limit.databaseValue]
        ).map { (try $0.value(0), try $0.value(1)) }
    }

    /// Up to `limit` blobs that states name, in order, with one history that does.
    func namedBlobs(after last: String, limit: Int) throws -> [(id: String, size: Int64, stored: Int64, user: String?)] {
        try rows(
            """
            SELECT id, size, stored, (SELECT user FROM uses WHERE blob = id LIMIT 1) FROM blobs WHERE id > ? ORDER BY id LIMIT ?
            """, [last.databaseValue, limit.databaseValue]
        ).map { (try $0.value(0), try $0.value(1), try $0.value(2), try $0.optional(3)) }
    }

    /// How many blobs are known.
    func blobCount() throws -> Int64 { try row("SELECT count(*) FROM blobs")?.value(0) ?? 0 }

    /// Remembers that a state was cut by a copy.
    func cut(_ key: HistoryKey, sequence: UInt64) throws {
        try run("INSERT OR IGNORE INTO cuts VALUES (?, ?)", [key.indexName.databaseValue, Int64(sequence).databaseValue])
    }

    /// Sequences of a history's states that a copy cut.
    func cuts(of key: HistoryKey) throws -> Set<UInt64> {
        Set(try rows("SELECT seq FROM cuts WHERE history = ?", [key.indexName.databaseValue]).map { try $0.sequence(0) })
    }

    /// Puts a mark back.
    func mark(_ account: String, _ mark: Mark, sequence: UInt64, n: Int) throws {
        try run(
            "INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?)",
            [account.databaseValue, Int64(sequence).databaseValue, n.databaseValue, mark.json.json.databaseValue])
    }

    /// Accounts that changed after a sequence, up to `limit` with numbers above `number`.
    func accounts(changedAfter sequence: UInt64, number: Int64, limit: Int) throws -> [(number: Int64, account: String)] {
        try rows(
            "SELECT number, account FROM accounts WHERE sequence > ? AND number > ? ORDER BY number LIMIT ?",
            [Int64(sequence).databaseValue, number.databaseValue, limit.databaseValue]
        ).map { (try $0.value(0), try $0.value(1)) }
    }

    /// What a checkpoint writes of an account.
    func stat(of account: (number: Int64, account: String), sequence: UInt64) throws -> AccountStat {
        let totals = try row("SELECT lines, checksums FROM accounts WHERE number = ?", [account.number.databaseValue])!
        let items = try row("SELECT count(*) FROM items WHERE account = ?", [account.number.databaseValue])!
        let marks = try rows("SELECT seq, mark FROM marks WHERE account = ? ORDER BY seq, n", [account.account.databaseValue])
        return AccountStat(
            sequence: sequence, items: try items.value(0), lines: try totals.value(0), checksums: try totals.value(1),
            marks: try marks.compactMap { row in
                guard let mark = Mark(json: try JSONValue(json: try row.value(1, as: String.self))) else { return nil }
                return AccountStat.SequencedMark(mark: mark, sequence: try row.sequence(0))
            })
    }
}
