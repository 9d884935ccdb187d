import GRDB

extension CheckRun {
    private static var remedy: String { "Run rebuildIndex: it makes the index anew from histories and journal" }

    /// Opens the path's own index; says so where it cannot be used. It is a cache: nothing is lost then.
    func openOwnIndex() {
        guard !isCopy else { return }  // Of no worth in a copy.
        func unusable(_ reason: String) {
            own?.close()
            own = nil
            find(
                CheckFinding(
                    .indexUnusable, .note, file: "index/index.sqlite", reason,
                    remedy: "The next opening for writing makes it anew"))
        }
        do {
            guard try files.status(path.indexFile) != nil else { return unusable("there is no index") }
            own = try StoreIndex(reading: path.indexFile)
            guard try own!.isUsable(storeID: identity.storeID) else { return unusable("the index is not of this store") }
        } catch {
            unusable("the index cannot be opened: \(error)")
        }
    }

    /// The path's own index against the one that was just made.
    func compareIndex() throws {
        guard let own else { return }
        do {
            try own.use("comparing the index") { statements in
                try statements.database.execute(
                    sql: "ATTACH DATABASE ? AS made", arguments: [folder.appending("index.sqlite").string])
                try statements.database.execute(sql: "BEGIN")
                defer { try? statements.database.execute(sql: "END; DETACH DATABASE made") }  // Nothing was written.
                let sequence = try statements.meta("sequence").flatMap { UInt64($0) } ?? 0
                guard sequence >= last else {
                    find(
                        CheckFinding(
                            .indexUnusable, .note, file: "index/index.sqlite",
                            "the index knows transactions up to \(sequence), the journal has \(last)",
                            remedy: "The next opening for writing brings it up to date"))
                    return
                }
                let comparison = IndexComparison(
                    database: statements.database, last: last, hasMoved: sequence > last, isWhole: !hasDamagedHistories, scope: scope)
                try comparison.prepare()
                try checkStructure(statements.database)
                try comparison.histories { key, fault in try find(fault, key) }
                try comparison.rest { table, what in
                    find(
                        CheckFinding(
                            .indexDiffers, file: "index/index.sqlite", "table \(table): \(what) is not as histories and journal say",
                            remedy: Self.remedy))
                }
            }
        } catch let error as StoreError where error.code == .index {
            find(CheckFinding(.indexDiffers, file: "index/index.sqlite", "\(error.cause ?? error)", remedy: Self.remedy))
        }
    }

    private func checkStructure(_ database: Database) throws {
        for row in try Row.fetchAll(database, sql: "PRAGMA main.integrity_check(20)") {
            guard let text = String.fromDatabaseValue(row[0]), text != "ok" else { continue }
            find(CheckFinding(.indexDiffers, file: "index/index.sqlite", "SQLite says: \(text)", remedy: Self.remedy))
        }
    }

    private func find(_ fault: IndexComparison.Fault, _ key: HistoryKey) throws {
        switch fault {
        case .knowsMore(let sequence):
            doubt(
                CheckFinding(
                    .statesMissing, file: path.relativeHistory(key), of: key,
                    "the history lacks the state of transaction \(sequence), which the index knows",
                    remedy: "Take the file from a copy; do not run rebuildIndex before: the index still has the latest state"),
                about: .history(key))
        case .lacksHistory, .differs:
            doubt(
                CheckFinding(
                    .indexDiffers, file: "index/index.sqlite", of: key,
                    fault == .differs ? "the index says something else of \(key) than its history" : "the index lacks \(key)",
                    remedy: Self.remedy), about: .history(key))
        }
    }
}

/// Compares two indexes: `main`, and `made`, which was made anew.
///
/// Everything is compared that belongs to transactions up to `last`.
struct IndexComparison {
    enum Fault: Equatable {
        /// `main` has a later state than the history.
        case knowsMore(Int64)
        /// `main` has no state.
        case lacksHistory
        /// They do not say the same.
        case differs
    }

    let database: Database
    let last: UInt64
    /// Whether `main` knows later transactions, too.
    let hasMoved: Bool
    /// Whether no history is damaged, so that all tables must be equal.
    let isWhole: Bool
    /// Which histories `made` has.
    let scope: CheckScope

    /// Makes a list of the accounts that are compared.
    func prepare() throws {
        guard case .accounts(let accounts) = scope else { return }
        try database.execute(sql: "CREATE TEMP TABLE wanted (account TEXT PRIMARY KEY) WITHOUT ROWID")
        for account in accounts { try database.execute(sql: "INSERT INTO temp.wanted VALUES (?)", arguments: [account]) }
    }

    /// Whether a row of `main` is of an account that is compared.
    private func isInScope(_ account: String) -> String {
        switch scope {
        case .everything: "1"
        case .accounts: "\(account) IN (SELECT account FROM temp.wanted)"
        case .rest: "0"
        }
    }

    /// Whether an entry of `main` is compared.
    private var entriesInScope: String {
        let ofAccounts = "i.kind IN ('account_info', 'mailbox')"
        return switch scope {
        case .everything: "1"
        case .accounts: "\(ofAccounts) AND \(isInScope("i.id"))"
        case .rest: "NOT \(ofAccounts)"
        }
    }

    /// Whether a state of `main` is of a time that both know; what is no number is, too.
    private func isCompared(_ column: String) -> String {
        hasMoved ? "(typeof(\(column)) <> 'integer' OR \(column) <= \(last))" : "1"
    }

    /// Latest states of items and other histories.
    func histories(_ body: (HistoryKey, Fault) throws -> Void) throws {
        try compareItems(body)
        try compareEntries(body)
    }

    private func compareItems(_ body: (HistoryKey, Fault) throws -> Void) throws {
        let rows = try Row.fetchCursor(
            database,
            sql: """
                SELECT a.account, i.id, i.seq, j.seq FROM main.items i JOIN main.accounts a ON a.number = i.account
                LEFT JOIN made.accounts b ON b.account = a.account LEFT JOIN made.items j ON j.account = b.number AND j.id = i.id
                WHERE \(isInScope("a.account")) AND \(isCompared("i.seq")) AND (j.seq IS NOT i.seq OR j.line IS NOT i.line OR j.deleted IS NOT i.deleted
                    OR j.folder IS NOT i.folder OR j.parent IS NOT i.parent OR (j.first <> 0 AND j.first IS NOT i.first)
                    OR (? AND (j.lines IS NOT i.lines OR j.checksums IS NOT i.checksums)))
                UNION ALL
                SELECT b.account, j.id, NULL, j.seq FROM made.items j JOIN made.accounts b ON b.number = j.account
                LEFT JOIN main.accounts a ON a.account = b.account LEFT JOIN main.items i ON i.account = a.number AND i.id = j.id
                WHERE i.seq IS NULL
                """, arguments: [isWhole])
        while let row = try rows.next() {
            guard let account = String.fromDatabaseValue(row[0]), let id = Int64.fromDatabaseValue(row[1]) else { continue }
            try body(.item(account: account, id: id), fault(row))
        }
    }

    private func compareEntries(_ body: (HistoryKey, Fault) throws -> Void) throws {
        let rows = try Row.fetchCursor(
            database,
            sql: """
                SELECT i.kind, i.id, i.seq, j.seq FROM main.entries i LEFT JOIN made.entries j ON j.kind = i.kind AND j.id = i.id
                WHERE \(entriesInScope) AND \(isCompared("i.seq")) AND (j.seq IS NOT i.seq OR j.line IS NOT i.line
                    OR (j.first <> 0 AND j.first IS NOT i.first) OR (? AND (j.lines IS NOT i.lines OR j.checksums IS NOT i.checksums)))
                UNION ALL
                SELECT j.kind, j.id, NULL, j.seq FROM made.entries j LEFT JOIN main.entries i ON i.kind = j.kind AND i.id = j.id
                WHERE i.seq IS NULL
                """, arguments: [isWhole])
        while let row = try rows.next() {
            guard let kind = String.fromDatabaseValue(row[0]), let id = String.fromDatabaseValue(row[1]),
                let key = HistoryKey(kind: kind, id: id)
            else { continue }
            try body(key, fault(row))
        }
    }

    private func fault(_ row: Row) -> Fault {
        if (row[2] as DatabaseValue).isNull { return .lacksHistory }
        guard let mine = Int64.fromDatabaseValue(row[2]), mine <= last else { return .differs }
        return mine > (Int64.fromDatabaseValue(row[3]) ?? 0) ? .knowsMore(mine) : .differs
    }

    /// The other tables; `body` gets the table and what differs.
    func rest(_ body: (String, String) throws -> Void) throws {
        // Changes of purged histories stay in the index until it is made anew; nothing is left to compare them with.
        try differences(
            """
            SELECT b.account || ', transaction ' || d.seq FROM made.changes d JOIN made.accounts b ON b.number = d.account
            LEFT JOIN main.accounts a ON a.account = b.account LEFT JOIN main.changes c ON c.account = a.number AND c.seq = d.seq
            WHERE (c.time IS NOT NULL
                    OR \(hasMoved ? 0 : 1) AND EXISTS (SELECT 1 FROM made.files f WHERE f.account = d.account AND f.seq = d.seq))
                AND (c.time IS NOT d.time OR c.change IS NOT d.change OR c.generation IS NOT d.generation)
            """, of: "changes", body)
        try differences(
            """
            SELECT d.id FROM made.blobs d LEFT JOIN main.blobs c ON c.id = d.id
            WHERE c.size IS NOT d.size AND (c.size IS NOT NULL OR \(hasMoved ? 0 : 1))
                AND EXISTS (SELECT 1 FROM made.uses WHERE blob = d.id)
            """, of: "blobs", body)
        // Only indexes that readers make for themselves have rows there.
        try differences("SELECT history || seq || line FROM main.overlay", of: "overlay", body)
        guard !hasMoved, isWhole, scope == .everything else { return }
        for (table, columns) in [("marks", "account, seq, n, mark"), ("uses", "user, blob"), ("cuts", "history, seq")] {
            let text = columns.split(separator: ",").map { "coalesce(\($0), '')" }.joined(separator: " || ' ' || ")
            for (one, other) in [("main", "made"), ("made", "main")] {
                try differences(
                    "SELECT \(text) FROM (SELECT \(columns) FROM \(one).\(table) EXCEPT SELECT \(columns) FROM \(other).\(table))",
                    of: table, body)
            }
        }
        try differences(
            """
            SELECT a.account FROM main.accounts a LEFT JOIN made.accounts b ON b.account = a.account
            WHERE a.lines <> coalesce(b.lines, 0) OR a.checksums <> coalesce(b.checksums, 0)
            """, of: "accounts", body)
        try differences(
            """
            SELECT d.name FROM made.meta d LEFT JOIN main.meta c ON c.name = d.name
            WHERE d.name IN ('position', 'held', 'sequence') AND d.value IS NOT NULL AND c.value IS NOT d.value
            """, of: "meta", body)
    }

    private func differences(_ sql: String, of table: String, _ body: (String, String) throws -> Void) throws {
        let rows = try Row.fetchCursor(database, sql: sql, arguments: [])
        while let row = try rows.next() { try body(table, String.fromDatabaseValue(row[0]) ?? "a row") }
    }
}
