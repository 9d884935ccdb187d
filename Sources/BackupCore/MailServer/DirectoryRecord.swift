import BackupStore

/// An entry of the directory whose history is kept, with what belongs to it.
public enum DirectoryRecord: Hashable, Sendable {
    case account(AccountEntry)
    case configuration(ConfigurationEntry)

    /// The history that it has.
    public var key: HistoryKey {
        switch self {
        case .account(let account): .accountInfo(account.id)
        case .configuration(let entry): entry.key
        }
    }

    /// The entry as a line of its history.
    func fields(deleted: Bool) -> JSONObject {
        switch self {
        case .account(let account): account.fields(deleted: deleted)
        case .configuration(let entry): entry.fields(deleted: deleted)
        }
    }

    /// Reads the latest line of a history of the directory; nil for another history, and for a line without a name.
    init?(_ state: IndexedState) {
        switch state.key {
        case .accountInfo(let id):
            guard let account = AccountEntry(id: id, fields: state.fields) else { return nil }
            self = .account(account)
        case .directory(let kind, let id):
            guard let entry = ConfigurationEntry(kind: kind, id: id, fields: state.fields) else { return nil }
            self = .configuration(entry)
        case .item, .mailbox: return nil
        }
    }
}
