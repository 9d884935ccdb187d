import GRDB

/// What purge asks of the index.
extension IndexStatements {
    /// Blobs that lost their last reference, in order.
    func released(after last: String, limit: Int) throws -> [BlobID] {
        try rows(
            "SELECT blob FROM released WHERE blob > ? ORDER BY blob LIMIT ?", [last.databaseValue, limit.databaseValue]
        ).compactMap { BlobID(try $0.value(0, as: String.self)) }
    }

    /// Notes a blob that nothing names.
    func release(_ id: BlobID) throws { try run("INSERT OR IGNORE INTO released VALUES (?)", [id.description.databaseValue]) }

    /// Takes a blob off that list: it was moved, or something names it again.
    func keep(_ id: BlobID) throws { try run("DELETE FROM released WHERE blob = ?", [id.description.databaseValue]) }

    /// Accounts of which no history is left.
    func emptyAccounts() throws -> [(number: Int64, account: String)] {
        try rows(
            """
            SELECT number, account FROM accounts WHERE lines = 0
            AND NOT EXISTS (SELECT 1 FROM marks WHERE marks.account = accounts.account)
            """
        ).map { (try $0.value(0), try $0.value(1)) }
    }

    /// Forgets an account of which nothing is left.
    func forget(_ account: (number: Int64, account: String)) throws {
        try run("DELETE FROM changes WHERE account = ?", [account.number.databaseValue])
        try run("DELETE FROM accounts WHERE number = ?", [account.number.databaseValue])
        forget()
    }
}

extension StoreIndex {
    /// Up to `limit` items that are certainly deleted (R15), in the order in which their deletions were committed.
    func deletedItems(
        _ account: String, before sequence: UInt64, after last: IndexedItem?, limit: Int
    ) throws -> [IndexedItem] {
        let rows = try use("listing deleted items of account \(account)") { statements -> [(Int64, String, Int64)] in
            guard let number = try statements.number(of: account)?.databaseValue else { return [] }
            let from = (Int64(last?.sequence ?? 0), last.flatMap { if case .item(_, let id) = $0.key { id } else { nil } } ?? .min)
            return try statements.rows(
                """
                SELECT id, line, first FROM items WHERE account = ? AND deleted = 1 AND seq < ? AND (seq, id) > (?, ?)
                ORDER BY seq, id LIMIT ?
                """,
                [
                    number, Int64(clamping: sequence).databaseValue, from.0.databaseValue, from.1.databaseValue,
                    limit.databaseValue,
                ]
            ).map { (try $0.value(0), try $0.value(1), try $0.value(2)) }
        }
        return try rows.map { try Self.state(.item(account: account, id: $0.0), $0.1, first: $0.2) }
    }
}
