/// What of a backup path a check looks at.
public enum CheckScope: Sendable, Hashable {
    /// Everything.
    case everything
    /// The histories of these accounts, by id, the blobs that they name, and the journal.
    case accounts(Set<String>)
    /// What belongs to no account: journal, histories of the directory, archives, names, blobs that nothing names.
    case rest

    /// Whether a history is looked at.
    func contains(_ key: HistoryKey) -> Bool { key.account.map(contains) ?? includesRest }

    /// Whether an account's histories are looked at.
    func contains(_ account: String) -> Bool {
        switch self {
        case .everything: true
        case .accounts(let accounts): accounts.contains(account)
        case .rest: false
        }
    }

    /// Whether what belongs to no account is looked at.
    var includesRest: Bool { if case .accounts = self { false } else { true } }
}
