import BackupCore
import BackupStore

/// `getAccountInfo`: the states of an account, and figures of its backup.
enum GetAccountInfo: Command {
    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        let (store, path) = try invocation.openReader()
        defer { store.close() }
        let account = try BackedUpAccount.find(invocation.required("account"), in: store)
        for warning in account.warnings { console.errors(warning + "\n") }
        let history = try store.history(of: .accountInfo(account.entry.id))
        for damage in history.damage { console.errors("\(path)/\(damage)\n") }

        var lines = history.lines
        switch try invocation.date("date") {
        case .word("all"): break
        case .word("least_recent"): lines = Array(lines.prefix(1))
        case .second(let second):
            try RestoreMoment.refuseFuture(second, lastChange: history.lines.last?.time)
            lines = lines.last { $0.time / 1000 <= second }.map { [$0] } ?? []
        case .change(let change):
            let cut = try store.cut(account.entry.id, change: change)
            lines = lines.last { $0.sequence <= cut?.sequence ?? 0 }.map { [$0] } ?? []
        default: lines = lines.suffix(1)
        }
        let figures = invocation.flag("backupstats") ? try Figures(account.entry.id, store) : nil
        guard !lines.isEmpty || figures != nil else {
            console.errors("the backup knows nothing of the attributes of account \(account.entry.name) at that date\n")
            return .failed
        }
        show(account, lines, figures, invocation.options.json, console)
        return history.damage.isEmpty ? .successful : .failed
    }

    private static func show(
        _ account: BackedUpAccount, _ lines: [HistoryLine], _ figures: Figures?, _ json: Bool, _ console: Console
    ) {
        if json {
            let states = lines.map { line -> JSONValue in
                .object(JSONObject(
                    [.init(name: "start_date", value: .string(TimeText.iso(line.time))), .init(name: "id", value: .string(account.entry.id))]
                        + line.fields.withoutSecrets.members))
            }
            var document: JSONObject = ["accountStates": .array(states)]
            document["backupStats"] = figures.map { .object($0.json) }
            console.write(JSONValue.object(document))
            return
        }
        var block = KeyValueBlock("accountStates")
        for line in lines {
            block.add("start_date", TimeText.local(line.time))
            block.add("id", account.entry.id)
            for member in line.fields.withoutSecrets.members where member.name != "type" {
                block.lines += children(member.name, member.value) ?? pairs(member.name, member.value)
            }
        }
        if !lines.isEmpty { console.write(block) }
        if let figures { console.write(figures.block) }
    }

    /// Identities, signatures or data sources as a block each, titled by its name; nil for another member.
    private static func children(_ member: String, _ value: JSONValue) -> [KeyValueBlock.Line]? {
        guard let kind = AccountChild.Kind.allCases.first(where: { $0.member == member }), let entries = value.array
        else { return nil }
        return entries.compactMap(\.object).map { entry in
            let name = entry[kind.nameAttribute]?.array?.first?.string ?? ""
            return .block(KeyValueBlock("\(kind.rawValue) \(name)", entry.members.flatMap { pairs($0.name, $0.value) }))
        }
    }
}

/// Figures of an account's backup.
private struct Figures {
    private var items = 0
    private var deleted = 0
    private var states: Int64 = 0
    private var types: [String: Int] = [:]
    private let changes: (first: AccountChange, last: AccountChange)?
    private let marks: [Mark]

    init(_ account: String, _ store: StoreReader) throws {
        changes = try store.changes(of: account)
        marks = try store.marks(account)
        try store.items(account, .all) { item in
            items += 1
            states += item.ordinal
            if item.isDeleted { deleted += 1 } else { types[item.fields["type"]?.string ?? "?", default: 0] += 1 }
        }
    }

    var json: JSONObject {
        var members: JSONObject = [
            "items": .int(Int64(items)), "deleted_items": .int(Int64(deleted)), "states": .int(states),
            "items_by_type": .object(JSONObject(types.sorted { $0.key < $1.key }.map { .init(name: $0.key, value: .int(Int64($0.value))) })),
        ]
        members["first_change"] = changes.map { .string(TimeText.iso($0.first.time)) }
        members["last_change"] = changes.map { .string(TimeText.iso($0.last.time)) }
        members["needs_scan"] = .array(marks.map { .string($0.reason) })
        return members
    }

    var block: KeyValueBlock {
        var block = KeyValueBlock("backupStats")
        if let changes {
            block.add("first change", TimeText.local(changes.first.time))
            block.add("last change", TimeText.local(changes.last.time))
        }
        block.add("items", "\(items)")
        block.add("deleted items", "\(deleted)")
        block.add("states", "\(states)")
        block.lines.append(.block(KeyValueBlock("items by type", types.sorted { $0.key < $1.key }.map { .pair($0.key, "\($0.value)") })))
        for mark in marks { block.add("needs scan", mark.reason) }
        return block
    }
}
