import SystemPackage

/// Whether all histories of items are there that the accounts' newest `account_stat` counts.
///
/// A history that vanished whole leaves no trace in itself. The stat counts those that were durable at its checkpoint; what was
/// removed since is in the journal. A stat of a copy may be younger than what was copied before it, and proves nothing (R7).
struct HistoryCensus<Files: FileSystem> {
    private struct Account {
        var stat: AccountStat
        /// Histories that are there and that the stat may count.
        var present: Int64 = 0
    }

    let files: Files
    let path: BackupPath
    private var accounts: [String: Account] = [:]

    init(_ files: Files, _ path: BackupPath) throws {
        self.files = files
        self.path = path
        guard try files.status(path.accounts) != nil else { return }
        for entry in try files.list(path.accounts) where entry.isFolder {
            if let stat = try AccountStat.newest(files, path, entry.name) { accounts[entry.name] = Account(stat: stat) }
        }
    }

    /// Counts a history that is there.
    ///
    /// - Parameter first: its first line that can be read; nil where none can.
    mutating func count(_ key: HistoryKey, first: HistoryLine?) {
        guard case .item(let account, _) = key, let stat = accounts[account]?.stat else { return }
        // One whose first lines are lost may be as old as the account.
        if let first, first.ordinal == 1, first.sequence > stat.sequence { return }
        accounts[account]!.present += 1
    }

    /// What the stats count and is not there: histories that the journal knows are named; and how many each account lacks.
    func missing(_ journal: JournalFolder<Files>) throws -> (damage: [Damage], counts: [String: Int64]) {
        var short = accounts.filter { $0.value.present < $0.value.stat.items }
        guard !short.isEmpty else { return ([], [:]) }
        var named: [HistoryKey: Int] = [:]
        var sequence: UInt64 = 0
        var removed: Set<HistoryKey> = []
        try journal.replay(fromSegment: 0) { record in
            switch record {
            case .begin(let header): sequence = header.sequence
            case .line(let key, let bytes):
                guard case .item(let account, _) = key, let stat = short[account]?.stat, sequence <= stat.sequence,
                    HistoryCoding.decode(bytes) != nil, named[key] != nil || named.count < RecoveryReport.limit,
                    try files.status(path.history(key)) == nil
                else { return }
                named[key, default: 0] += 1
            case .removal(let key):
                guard case .item(let account, _) = key, let stat = short[account]?.stat else { return }
                named[key] = nil
                // The stat counts it still; it was removed by right.
                if sequence > stat.sequence, removed.insert(key).inserted { short[account]!.present += 1 }
            case .end: break
            }
        }
        var damage: [Damage] = []
        var counts: [String: Int64] = [:]
        for (account, counted) in short.sorted(by: { $0.key < $1.key }) {
            let gone = counted.stat.items - counted.present
            guard gone > 0 else { continue }
            counts[account] = gone
            let known = named.filter { $0.key.account == account }
                .sorted { path.relativeHistory($0.key) < path.relativeHistory($1.key) }
            for (key, lines) in known {
                let reason = "the history is gone; the journal still has \(lines) of its lines"
                damage.append(Damage(.missing, file: path.relativeHistory(key), offset: 0, reason: reason))
            }
            let unknown = gone - Int64(known.count)
            guard unknown > 0 else { continue }
            let place = path.account(account).appending("items")
            let reason = "\(unknown) \(unknown == 1 ? "history is" : "histories are") gone, which is not known: "
                + "\(AccountStat.prefix)\(counted.stat.sequence) counts \(counted.stat.items) items, \(counted.present) are there"
            damage.append(Damage(.missing, file: path.relative(place), offset: 0, reason: reason))
        }
        return (damage, counts)
    }
}
