import BackupCore
import BackupStore

/// `getAvailableDomains`: the domains of the accounts in the backup.
enum GetAvailableDomains: Command {
    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        let (store, _) = try invocation.openReader()
        defer { store.close() }
        let date = try invocation.date("date") ?? .word("last")
        if case .second(let second) = date { try RestoreMoment.refuseFuture(second) }
        var accounts: [String: Int] = [:]
        for id in try store.accounts() {
            guard let account = try ListedAccount(id, at: date, in: store), !account.isDeleted, !account.entry.domain.isEmpty
            else { continue }
            accounts[account.entry.domain, default: 0] += 1
        }
        let domains = accounts.sorted { $0.key < $1.key }
        if invocation.options.json {
            console.write(
                JSONValue.object([
                    "domains": .array(
                        domains.map {
                            .object(["name": .string($0.key), "accounts": .int(Int64($0.value))])
                        })
                ]))
        } else {
            console.write(
                KeyValueBlock("domains", domains.map { .pair($0.key, "\($0.value) \($0.value == 1 ? "account" : "accounts")") }))
        }
        return .successful
    }
}
