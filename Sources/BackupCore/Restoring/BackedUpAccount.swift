import BackupStore

/// An account as the backup knows it, alive or deleted.
public struct BackedUpAccount: Sendable {
    /// The latest state: attributes as they are, or as they were last.
    public var entry: AccountEntry
    /// Whether the account is deleted.
    public var isDeleted: Bool
    /// Time of the latest state, milliseconds since 1970.
    public var time: Int64
    /// Ids of other accounts that have or had the name by which this one was found.
    public var namesakes: [String] = []

    /// What an administrator should know of how the account was found.
    public var warnings: [String] {
        guard !namesakes.isEmpty else { return [] }
        return [
            "Other accounts had the name \(entry.name), too (\(namesakes.joined(separator: ", "))). Meant is \(entry.id), "
                + "\(isDeleted ? "which changed last" : "which is alive"); give an id instead of the name to mean another."
        ]
    }

    /// Reads an account's latest state; nil where the backup knows no attributes of it.
    public init?(_ id: String, in store: any StoreReading) throws {
        guard let state = try store.accountInfo(id), let entry = AccountEntry(id: id, fields: state.fields) else { return nil }
        self.entry = entry
        isDeleted = state.isDeleted || state.fields["deleted"]?.bool == true
        time = state.time
    }

    /// Finds an account by id or name.
    ///
    /// A name may have been used more than once: the account that is alive is meant, else the one that changed last. An account
    /// known by its mailbox only (its directory was never read) is found by its id.
    ///
    /// - Throws: `unknownAccount`.
    public static func find(_ nameOrID: String, in store: any StoreReading) throws -> BackedUpAccount {
        let ids = try store.accounts()
        let wanted = nameOrID.lowercased()
        if let id = ids.first(where: { $0.lowercased() == wanted }) {
            return try BackedUpAccount(id, in: store) ?? BackedUpAccount(nameless: id)
        }
        let named = try ids.compactMap { try BackedUpAccount($0, in: store) }.filter { $0.entry.name.lowercased() == wanted }
        if var meant = named.first(where: { !$0.isDeleted }) ?? named.max(by: { $0.time < $1.time }) {
            meant.namesakes = named.map(\.entry.id).filter { $0 != meant.entry.id }.sorted()
            return meant
        }
        throw CoreError(
            .unknownAccount, doing: "looking for an account in the backup", subject: nameOrID,
            reason: "no account of the backup has this name or id",
            remedy: "getAvailableAccounts lists them")
    }

    /// What its history says of a moment. One that was first seen later was then as it was when it was seen.
    func state(at sequence: UInt64, in store: any StoreReading) throws -> HistoryAnswer {
        guard let latest = try store.accountInfo(entry.id) else { return .none }
        let history = try store.history(of: .accountInfo(entry.id))
        return history.answer(at: max(sequence, latest.firstSequence), latest: latest.ordinal)
    }

    /// An account of which nothing but its mailbox is known.
    private init(nameless id: String) {
        entry = AccountEntry(id: id, name: id)
        isDeleted = false
        time = 0
    }
}
