import BackupCore
import BackupStore

/// `legalHold`: which accounts nothing is ever purged of.
enum LegalHold: ServiceCommand {
    static var urgency: OperationUrgency { .immediate }
    static var isKept: Bool { false }

    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        guard invocation["action"]?.lowercased() == "get" else { return try runInService(invocation, console) }
        let (store, _) = try invocation.openReader()
        defer { store.close() }
        let accounts = try LegalHolds.accounts(invocation.list("accounts"), in: store)
        show(accounts, try LegalHolds(in: store), invocation, console)
        return .successful
    }

    static func run(
        _ invocation: Invocation, in engine: BackupEngine, _ configuration: Configuration, _ console: Console
    ) throws -> CommandStatus {
        let isSet = invocation["action"]?.lowercased() == "set"
        let accounts = try engine.setLegalHold(isSet, of: invocation.list("accounts"))
        show(accounts, try engine.legalHolds(), invocation, console)
        return .successful
    }

    private static func show(
        _ accounts: [AccountEntry], _ holds: LegalHolds, _ invocation: Invocation, _ console: Console
    ) {
        func isSet(_ account: AccountEntry) -> Bool { holds.accounts.contains(account.id) }
        if invocation.options.json {
            let members = accounts.map { account -> JSONValue in
                .object(["name": .string(account.name), "id": .string(account.id), "legal_hold": .bool(isSet(account))])
            }
            console.write(.object(["accounts": .array(members)]))
        } else {
            for account in accounts {
                console.write("\(ShownText.line(account.name)) \(account.id) \(isSet(account) ? "set" : "unset")\n")
            }
        }
    }
}
