import BackupCore
import BackupStore
import SystemPackage

/// `getAvailableAccounts`: who is in the backup.
enum GetAvailableAccounts: Command {
    /// An account at the date that was asked for.
    private struct Listed {
        var entry: AccountEntry
        var isDeleted: Bool
    }

    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        let (store, _) = try invocation.openReader()
        defer { store.close() }
        let date = try invocation.date("date") ?? .word("last")
        if case .second(let second) = date { try RestoreMoment.refuseFuture(second) }
        let domains = invocation.list("domains").map { Set($0.map { $0.lowercased() }) }
        let target = invocation.flag("hide_existing_accounts") ? try invocation.configuration().openTarget() : nil

        var found: [Listed] = []
        for id in try store.accounts() {
            guard let account = try state(of: id, date, store) else { continue }
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

    private static func state(of id: String, _ date: DateExpression, _ store: StoreReader) throws -> Listed? {
        guard case .second(let second) = date else {
            if case .change = date { throw NotAvailable(what: "a change number as the date of several accounts") }
            guard let account = try BackedUpAccount(id, in: store) else {
                return Listed(entry: AccountEntry(id: id, name: id), isDeleted: false)
            }
            return Listed(entry: account.entry, isDeleted: account.isDeleted)
        }
        guard let line = try store.history(of: .accountInfo(id)).lines.last(where: { $0.time / 1000 <= second }),
            let entry = AccountEntry(id: id, fields: line.fields)
        else { return nil }
        return Listed(entry: entry, isDeleted: line.fields["deleted"]?.bool == true)
    }

    private static func show(_ accounts: [Listed], _ invocation: Invocation, _ console: Console) throws {
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
    /// What stands behind the @, in lower case.
    fileprivate var domain: String { name.split(separator: "@").last.map { $0.lowercased() } ?? "" }

    /// Accounts that serve the server itself: spam training, quarantine, address list synchronisation.
    fileprivate var isSystem: Bool { self["zimbraIsSystemAccount"] == "TRUE" || self["zimbraIsSystemResource"] == "TRUE" }
}
