import BackupCore
import BackupStore

/// An account of the backup at a date that was asked for.
struct ListedAccount {
    var entry: AccountEntry
    var isDeleted: Bool

    /// Nil for an account that did not exist yet.
    init?(_ id: String, at date: DateExpression, in store: StoreReader) throws {
        switch date {
        case .change: throw NotAvailable(what: "a change number as the date of several accounts")
        case .second(let second):
            guard let line = try store.history(of: .accountInfo(id)).lines.last(where: { $0.time / 1000 <= second }),
                let entry = AccountEntry(id: id, fields: line.fields)
            else { return nil }
            self.entry = entry
            isDeleted = line.fields["deleted"]?.bool == true
        case .word:
            // An account known by its mailbox only has no name here.
            let account = try BackedUpAccount(id, in: store)
            entry = account?.entry ?? AccountEntry(id: id, name: id)
            isDeleted = account?.isDeleted ?? false
        }
    }
}

extension AccountEntry {
    /// What stands behind the @, in lower case; empty where the name has none.
    var domain: String {
        let parts = name.split(separator: "@")
        return parts.count > 1 ? parts.last!.lowercased() : ""
    }
}
