import BackupStore

/// What a check of the backup path that mends found and did.
public struct CoherencyReport: Sendable {
    /// What the check found first.
    public var found: CheckReport
    /// What was done about it.
    public var mended: MendReport
    /// Accounts that were scanned afterwards, by name.
    public var scanned: [String] = []
    /// Accounts that should have been scanned, each with the reason why they could not be.
    public var unscanned: [String] = []
    /// What the check finds now.
    public var left: CheckReport
}

/// How the backup of an account and its mailbox on the server differ.
public struct ServerDifferences: Sendable {
    /// What is different of an item.
    public enum Kind: String, Sendable {
        /// The backup does not have it.
        case onServerOnly = "only on the server"
        /// The server has it no more, and the backup does not know.
        case inBackupOnly = "only in the backup"
        /// Both have it, and say something else of it.
        case differs = "differs"
    }

    /// More are only counted.
    public static let limit = 10_000

    /// The account's name.
    public var account: String
    /// Items that are different, in the order of the comparison.
    public internal(set) var items: [(id: Int64, kind: Kind)] = []
    /// How many there are of each kind.
    public internal(set) var counts: [Kind: Int] = [:]
    /// Contents that are damaged or missing on one side, and everything else that should be known.
    public internal(set) var problems: [String] = []

    /// Whether both sides say the same.
    public var isEmpty: Bool { counts.isEmpty && problems.isEmpty }

    mutating func add(_ id: Int64, _ kind: Kind) {
        counts[kind, default: 0] += 1
        if items.count < Self.limit { items.append((id, kind)) }
    }
}

extension BackupEngine {
    /// Checks the backup path, mends what can be mended, and fetches from the server what was lost and is still there.
    ///
    /// Must not run beside ``follow``, but may be called from its `between`.
    ///
    /// - Parameters:
    ///   - stop: asked while checking; nothing is mended of a check that was stopped.
    ///   - progress: called by the checks.
    public func checkAndMend(
        stop: @escaping () -> Bool = { false }, progress: @escaping (CheckProgress) -> Void = { _ in }
    ) throws -> CoherencyReport {
        try scanner.commit()
        do {
            try store.checkpoint()
        } catch let error as StoreError where error.code == .index {
            // Too rotten to say what goes into a checkpoint: the check tells of it.
        }
        let found = try StoreCheck(of: backupPath).run(stop: stop, progress: progress)
        guard !found.isStopped else { return CoherencyReport(found: found, mended: MendReport(), left: found) }
        let mended = try store.mend(found.findings)
        scanner.mailboxes = try KnownMailboxes(store: store)
        var report = CoherencyReport(found: found, mended: mended, left: found)
        let known = Set(try store.accounts())
        for id in mended.doubted.sorted() {
            let name = try BackedUpAccount(id, in: store)?.entry.name ?? id
            do {
                _ = try scan(account: id, deep: true, stop: stop)
                report.scanned.append(name)
            } catch let error as CoreError where error.code == .unknownAccount && !known.contains(id) {
                // Neither side has it: a rotten index made the name up.
            } catch let error as CoreError where error.code != .stopped {
                report.unscanned.append("\(name): \(error)")
            }
        }
        try scanner.commit()
        try store.checkpoint()
        report.left = try StoreCheck(of: backupPath).run(stop: stop, progress: progress)
        return report
    }

    /// Brings back what a mending moved away; what was written in its place since stays.
    ///
    /// - Parameter name: of the folder below `quarantine/`.
    public func undoMending(_ name: String) throws -> (back: [String], left: [(file: String, reason: String)]) {
        try scanner.commit()
        let result = try store.undoMending(name)
        scanner.mailboxes = try KnownMailboxes(store: store)
        return result
    }

    /// Compares accounts and their mailboxes with the server, items and contents; writes nothing.
    ///
    /// - Parameters:
    ///   - accounts: names or ids; nil = all that either side has.
    ///   - stop: asked between items.
    ///   - progress: called after each account, with accounts done and to be done.
    /// - Throws: `stopped`, the server's errors.
    public func compareWithServer(
        _ accounts: [String]? = nil, stop: @escaping () -> Bool = { false }, progress: (Int, Int) throws -> Void = { _, _ in }
    ) throws -> [ServerDifferences] {
        try scanner.compareWithServer(accounts?.map { $0.lowercased() }, stop, progress)
    }
}

extension RealTimeScanner {
    func compareWithServer(
        _ wanted: [String]?, _ stop: @escaping () -> Bool, _ progress: (Int, Int) throws -> Void
    ) throws -> [ServerDifferences] {
        try refuseWithoutInventory("comparing with the server")
        func look() throws {
            guard !stop() else {
                throw CoreError(.stopped, doing: "comparing with the server", subject: source.identity.name, reason: "stopped by request")
            }
        }
        try followToEnd { _ in try look() }
        let rows = Dictionary(try source.mailboxes().map { ($0.accountID, $0) }) { first, _ in first }
        let entries = Dictionary(try source.accounts().map { ($0.id, $0) }) { first, _ in first }
        func name(_ id: String) -> String { entries[id]?.name.lowercased() ?? id }
        let living = mailboxes.all.filter { !$0.life.ended && !$0.isSwitchedOff }.map(\.life.accountID)
        let ids = Set(rows.keys).union(living).sorted().filter { id in
            wanted.map { $0.contains(id) || $0.contains(name(id)) } ?? true
        }
        if let missing = wanted?.first(where: { wish in !ids.contains { $0 == wish || name($0) == wish } }) {
            throw CoreError(
                .unknownAccount, doing: "comparing with the server", subject: missing, reason: "neither the server nor the backup has its mailbox",
                remedy: "getAvailableAccounts lists those of the backup")
        }
        var found: [ServerDifferences] = []
        for (number, id) in ids.enumerated() {
            if let row = rows[id], try isSwitchedOff(row) { continue }
            found.append(try compareWithServer(entries[id] ?? AccountEntry(id: id, name: id), rows[id], look))
            try progress(number + 1, ids.count)
        }
        return found
    }

    private func compareWithServer(_ entry: AccountEntry, _ row: MailboxRow?, _ look: @escaping () throws -> Void) throws -> ServerDifferences {
        guard let row else {
            var differences = ServerDifferences(account: entry.name)
            differences.problems = ["the server has no mailbox of the account, and the backup knows of no end"]
            return differences
        }
        guard !isUntold(row), mailboxes.known(account: entry.id) != nil else {
            var differences = ServerDifferences(account: entry.name)
            _ = try source.readMailbox(row.id) { element in
                if case .item(let item) = element { differences.add(item.id, .onServerOnly) }
            }
            return differences
        }
        let trial = ScanTrial(entry.name)
        _ = try compare(row, entry, MailboxScan.Request(isDeep: true, trial: trial)) { _ in try look() }
        return trial.differences
    }
}

/// Takes what a scan would have written.
final class ScanTrial {
    private(set) var differences: ServerDifferences

    init(_ account: String) { differences = ServerDifferences(account: account) }

    func add(_ state: ItemState, isKnown: Bool) {
        differences.add(state.row.id, state.deleted ? .inBackupOnly : isKnown ? .differs : .onServerOnly)
    }

    func end(_ statistics: ScanStatistics) { differences.problems += statistics.problems }
}
