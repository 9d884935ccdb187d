import GRDB
import SystemPackage

extension StoreIndex {
    /// The latest state of a key.
    func state(of key: HistoryKey) throws -> IndexedState? {
        try use("looking up \(key)") { try $0.latestLine(of: key) }.map { found in
            try Self.state(key, found.line, first: found.first)
        }
    }

    /// A row's state; the line's checksum is checked once more.
    static func state(_ key: HistoryKey, _ text: String, first: Int64) throws -> IndexedState {
        var text = text
        guard let line = text.withUTF8({ HistoryCoding.decode(UnsafeRawBufferPointer($0)) })?.line else {
            throw StoreError(
                .index, doing: "looking up \(key)", subject: "the index's line is damaged",
                remedy: "Run rebuildIndex: the histories hold what the index lost")
        }
        return IndexedState(
            key: key, fields: line.fields, blobs: line.blobs, sequence: line.sequence, firstSequence: UInt64(clamping: first),
            ordinal: line.ordinal, time: line.time, change: line.change, generation: line.generation, kind: line.kind,
            isDeleted: line.fields["deleted"]?.bool ?? false, isPresumed: line.fields["presumed"]?.bool ?? false)
    }

    /// Up to `limit` items with ids above `id`.
    func items(_ account: String, _ filter: ItemFilter, after id: Int64?, limit: Int) throws -> [IndexedItem] {
        let rows = try use("listing items of account \(account)") { statements -> [(Int64, String, Int64)] in
            guard let number = try statements.number(of: account)?.databaseValue else { return [] }
            let from = (id ?? Int64.min).databaseValue
            // The first page begins at the smallest id there can be, so `>=` there and `>` afterwards.
            let skipped: Int64 = id == nil ? 0 : 1
            let start = skipped == 0 ? from : (id == Int64.max ? from : (id! + 1).databaseValue)
            if id == Int64.max { return [] }
            let rows: [IndexRow]
            switch filter {
            case .all:
                rows = try statements.rows(
                    "SELECT id, line, first FROM items WHERE account = ? AND id >= ? ORDER BY id LIMIT ?",
                    [number, start, limit.databaseValue])
            case .alive:
                rows = try statements.rows(
                    "SELECT id, line, first FROM items WHERE account = ? AND id >= ? AND deleted = 0 ORDER BY id LIMIT ?",
                    [number, start, limit.databaseValue])
            case .inFolder(let folder):
                rows = try statements.rows(
                    """
                    SELECT id, line, first FROM items WHERE account = ? AND folder = ? AND id >= ? AND deleted = 0
                    ORDER BY id LIMIT ?
                    """, [number, folder.databaseValue, start, limit.databaseValue])
            case .withParent(let parent):
                rows = try statements.rows(
                    """
                    SELECT id, line, first FROM items WHERE account = ? AND parent = ? AND id >= ? AND deleted = 0
                    AND parent IS NOT NULL ORDER BY id LIMIT ?
                    """, [number, parent.databaseValue, start, limit.databaseValue])
            }
            return try rows.map { (try $0.value(0), try $0.value(1), try $0.value(2)) }
        }
        return try rows.map { try Self.state(.item(account: account, id: $0.0), $0.1, first: $0.2) }
    }

    /// How many items of an account are alive.
    func livingItems(_ account: String) throws -> Int64 {
        try use("counting items of account \(account)") { statements in
            guard let number = try statements.number(of: account)?.databaseValue else { return 0 }
            return try statements.row("SELECT count(*) FROM items WHERE account = ? AND deleted = 0", [number])?.value(0) ?? 0
        }
    }

    /// Calls `body` for each item, a page at a time (R12).
    func forEachItem(_ account: String, _ filter: ItemFilter, _ body: (IndexedItem) throws -> Void) throws {
        let pageSize = 200
        var last: Int64?
        while true {
            let page = try items(account, filter, after: last, limit: pageSize)
            for item in page {
                guard case .item(_, let id) = item.key else { continue }
                // In a rotten file rows may be out of order: no page twice.
                if let last, id <= last { throw Self.outOfOrder(account, file) }
                last = id
                try body(item)
            }
            if page.count < pageSize { return }
        }
    }

    private static func outOfOrder(_ account: String, _ file: FilePath) -> StoreError {
        StoreError(
            .index, doing: "listing items of account \(account)", subject: "\(file): rows are out of order",
            remedy: "The index may be deleted at any time; rebuildIndex makes it anew")
    }

    func accounts() throws -> [String] {
        try use("listing accounts") {
            // Of an account that was purged whole nothing but its row is left.
            try $0.rows(
                "SELECT account FROM accounts WHERE lines > 0 OR EXISTS (SELECT 1 FROM marks WHERE marks.account = accounts.account)"
            ).map { try $0.value(0) }
        }
    }

    func entries(of kind: DirectoryKind) throws -> [String] {
        try use("listing \(kind.rawValue)") { statements in
            try statements.rows("SELECT id FROM entries WHERE kind = ?", [kind.rawValue.databaseValue]).map { try $0.value(0) }
        }
    }

    private static func change(_ row: IndexRow) throws -> AccountChange {
        AccountChange(
            sequence: try row.sequence(0), time: try row.value(1), change: try row.optional(2), generation: try row.value(3))
    }

    func cut(_ account: String, atOrBeforeSecond second: Int64) throws -> Cut? {
        // A whole second includes all of itself (R14).
        let (limit, overflow) = second.addingReportingOverflow(1)
        let end = overflow || limit > Int64.max / 1000 ? Int64.max : limit * 1000
        return try cut(account) { statements, number in
            try statements.row(
                """
                SELECT seq, time, change, generation FROM changes WHERE account = ? AND time < ? ORDER BY seq DESC LIMIT 1
                """, [number, end.databaseValue])
        }
    }

    func cut(_ account: String, change: Int64) throws -> Cut? {
        // Numbers are comparable within one generation only (R9): the last one that has the number's like.
        try cut(account) { statements, number in
            try statements.row(
                """
                SELECT seq, time, change, generation FROM changes WHERE account = ?1 AND change <= ?2 AND generation =
                (SELECT max(generation) FROM changes WHERE account = ?1 AND change <= ?2) ORDER BY seq DESC LIMIT 1
                """, [number, change.databaseValue])
        }
    }

    private func cut(_ account: String, _ find: (IndexStatements, DatabaseValue) throws -> IndexRow?) throws -> Cut? {
        try use("finding the changes of account \(account)") { statements in
            guard let number = try statements.number(of: account)?.databaseValue, let row = try find(statements, number) else {
                return nil
            }
            let last = try Self.change(row)
            let sequence = Int64(last.sequence).databaseValue
            let next = try statements.row(
                "SELECT seq, time, change, generation FROM changes WHERE account = ? AND seq > ? ORDER BY seq LIMIT 1",
                [number, sequence])
            // What has no number came by a scan, under the clock of the scanning machine.
            let later = try statements.row(
                "SELECT 1 FROM changes WHERE account = ? AND seq < ? AND time / 1000 > ? AND change IS NOT NULL LIMIT 1",
                [number, sequence, (last.time / 1000).databaseValue])
            return Cut(last: last, next: try next.map(Self.change), clockSteppedBack: later != nil)
        }
    }

    func changes(of account: String) throws -> (first: AccountChange, last: AccountChange)? {
        try use("finding the changes of account \(account)") { statements in
            guard let number = try statements.number(of: account)?.databaseValue,
                let first = try statements.row(
                    "SELECT seq, time, change, generation FROM changes WHERE account = ? ORDER BY seq LIMIT 1", [number]),
                let last = try statements.row(
                    "SELECT seq, time, change, generation FROM changes WHERE account = ? ORDER BY seq DESC LIMIT 1", [number])
            else { return nil }
            return (try Self.change(first), try Self.change(last))
        }
    }

    func hasChange(_ account: String, generation: Int64, change: Int64) throws -> Bool {
        try use("finding the changes of account \(account)") { statements in
            guard let number = try statements.number(of: account)?.databaseValue else { return false }
            return try statements.row(
                "SELECT 1 FROM changes WHERE account = ? AND generation = ? AND change = ? LIMIT 1",
                [number, generation.databaseValue, change.databaseValue]) != nil
        }
    }

    func marks(_ account: String) throws -> [Mark] {
        try use("reading the marks of account \(account)") { statements in
            try statements.rows("SELECT mark FROM marks WHERE account = ? ORDER BY seq, n", [account.databaseValue])
                .compactMap { Mark(json: try JSONValue(json: try $0.value(0, as: String.self))) }
        }
    }
}
