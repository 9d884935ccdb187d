import BackupStore

/// The accounts under legal hold: nothing of them is ever purged.
///
/// They are one history of the backup path, so that a hold is committed, copied and checked like everything else.
public struct LegalHolds: Hashable, Sendable {
    private static let key = HistoryKey.directory(.records, "legal_holds")

    /// Ids of the accounts.
    public private(set) var accounts: Set<String>

    /// Reads them.
    public init(in store: any StoreReading) throws {
        accounts = Set(try store.state(of: Self.key)?.fields["accounts"]?.array?.compactMap(\.string) ?? [])
    }

    /// Sets or lifts the hold of accounts; durable when it returns.
    mutating func change(_ ids: [String], held: Bool, in store: any StoreWriting) throws {
        let changed = held ? accounts.union(ids) : accounts.subtracting(ids)
        guard changed != accounts else { return }
        let state = NewState(
            key: Self.key, fields: ["type": "legal_holds", "accounts": .array(changed.sorted().map { .string($0) })])
        try store.append(
            StoreTransaction(account: nil, time: WallClock.milliseconds, kind: held ? "hold" : "unhold", states: [state]))
        try store.commit()
        accounts = changed
    }
}

extension BackupEngine {
    /// The accounts under legal hold.
    public func legalHolds() throws -> LegalHolds { try LegalHolds(in: store) }

    /// Sets or lifts the legal hold of accounts; durable when it returns.
    ///
    /// - Parameter accounts: names or ids; nil = all of the backup.
    /// - Returns: the accounts that were meant.
    /// - Throws: `unknownAccount`; nothing is changed then.
    @discardableResult
    public func setLegalHold(_ held: Bool, of accounts: [String]?) throws -> [AccountEntry] {
        let meant = try LegalHolds.accounts(accounts, in: store)
        try scanner.commit()
        var holds = try LegalHolds(in: store)
        try holds.change(meant.map(\.id), held: held, in: store)
        return meant
    }
}

extension LegalHolds {
    /// The accounts of those names or ids; nil = all of the backup.
    ///
    /// - Throws: `unknownAccount`.
    public static func accounts(_ wanted: [String]?, in store: any StoreReading) throws -> [AccountEntry] {
        let found = try (wanted ?? store.accounts()).map { try BackedUpAccount.find($0, in: store).entry }
        return found.sorted { ($0.name, $0.id) < ($1.name, $1.id) }
    }
}
