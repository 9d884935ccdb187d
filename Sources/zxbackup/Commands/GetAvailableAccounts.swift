import BackupCore
import BackupStore
import SystemPackage

/// `getAvailableAccounts`: who is in the backup.
enum GetAvailableAccounts: Command {
    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        let (store, _) = try invocation.openReader()
        defer { store.close() }
        let date = try invocation.date("date") ?? .word("last")
        if case .second(let second) = date { try RestoreMoment.refuseFuture(second) }
        let domains = invocation.list("domains").map { Set($0.map { $0.lowercased() }) }
        let target = invocation.flag("hide_existing_accounts") ? try invocation.configuration().openTarget() : nil

        var found: [ListedAccount] = []
        for id in try store.accounts() {
            guard let account = try ListedAccount(id, at: date, in: store) else { continue }
            if let domains, !domains.contains(account.entry.domain) { continue }
            if invocation.flag("hide_deleted"), account.isDeleted { continue }
            if invocation.flag("hide_system_accounts"), account.entry.isSystem { continue }
            if let target, try target.findAccount(id) != nil { continue }
            found.append(account)
        }
        found.sort { ($0.entry.name, $0.entry.id) < ($1.entry.name, $1.entry.id) }
        try show(found, invocation, console)
        return .successful
    }

    private static func show(_ accounts: [ListedAccount], _ invocation: Invocation, _ console: Console) throws {
        let form = (invocation["output_headers"] ?? "accountAndIdList").lowercased()
        if let file = invocation["output_file"] {
            let lines = accounts.map { account in
                switch form {
                case "accountlist": account.entry.name
                case "accountidlist": account.entry.id
                case "accountmap": "\(account.entry.name),\(account.entry.name)"
                default: "\(account.entry.name),\(account.entry.id)"
                }
            }
            try write(lines, to: FilePath(file))
        }
        if invocation.options.json {
            let entries = accounts.map { account -> JSONValue in
                .object(["name": .string(account.entry.name), "id": .string(account.entry.id), "deleted": .bool(account.isDeleted)])
            }
            console.write(JSONValue.object(["accounts": .array(entries)]))
            return
        }
        if invocation["output_file"] != nil {
            console.write("\(accounts.count) accounts written to \(invocation["output_file"] ?? "")\n")
            return
        }
        let lines = accounts.map { account -> KeyValueBlock.Line in
            let mark = account.isDeleted ? " (deleted)" : ""
            return switch form {
            case "accountlist": .verbatim(account.entry.name + mark)
            case "accountidlist": .verbatim(account.entry.id + mark)
            case "accountmap": .pair(account.entry.name, account.entry.name + mark)
            default: .pair(account.entry.name, account.entry.id + mark)
            }
        }
        console.write(KeyValueBlock("accounts", lines))
    }

    private static func write(_ lines: [String], to path: FilePath) throws {
        let file = try FileDescriptor.open(path, .writeOnly, options: [.create, .truncate], permissions: [.ownerReadWrite])
        try file.closeAfter { _ = try file.writeAll(lines.map { $0 + "\n" }.joined().utf8) }
    }
}

extension AccountEntry {
    /// Accounts that serve the server itself: spam training, quarantine, address list synchronisation.
    fileprivate var isSystem: Bool { self["zimbraIsSystemAccount"] == "TRUE" || self["zimbraIsSystemResource"] == "TRUE" }
}
