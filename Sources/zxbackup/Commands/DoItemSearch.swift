import BackupCore
import BackupStore

/// `doItemSearch`: items of a mailbox, alive or deleted.
enum DoItemSearch: Command {
    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        let (store, _) = try invocation.openReader()
        defer { store.close() }
        let account = try BackedUpAccount.find(invocation.required("account"), in: store)
        var search = ItemSearch(
            filter: ItemSearch.Filter(rawValue: (invocation["search_filter"] ?? "deleted").lowercased()) ?? .deleted)
        search.id = invocation["id"].flatMap { Int64($0) }
        search.text = invocation["search_string"]
        search.types = types[(invocation["type"] ?? "message").lowercased()]
        let lastChange = try store.changes(of: account.entry.id)?.last.time
        func moment(_ name: String) throws -> RestoreMoment? {
            guard let date = try invocation.date(name) else { return nil }
            if case .second(let second) = date {
                try RestoreMoment.refuseFuture(
                    second, lastChange: lastChange, remedy: "Without \(name), all until now is searched")
            }
            return try DoRestoreOnNewAccount.moment(date)
        }
        search.after = try moment("after")
        search.before = try moment("before")

        let isRaw = invocation.flag("raw_metadata")
        var found = 0
        if invocation.options.json {
            // Written as they are found: there may be more than memory holds (R12).
            console.write(#"{"items":["#)
            try search.run(account: account.entry.id, in: store) { match in
                console.write((found == 0 ? "" : ",") + JSONValue.object(json(match, isRaw)).json)
                found += 1
            }
            console.write("],\"found\":\(found)}\n")
        } else {
            console.write("\titems\n")
            try search.run(account: account.entry.id, in: store) { match in
                console.write(block(match, isRaw).text(depth: 2))
                found += 1
            }
            console.write("\n\(found) \(found == 1 ? "item" : "items") found\n")
        }
        return .successful
    }

    /// What the words of the parameter `type` mean; `all` is any type.
    private static let types: [String: Set<ItemType>] = [
        "message": [.message, .chat], "contact": [.contact], "folder": [.folder, .searchFolder, .mountpoint],
        "document": [.document, .wiki, .link], "appointment": [.appointment], "task": [.task]
    ]

    private static func block(_ match: ItemSearch.Match, _ isRaw: Bool) -> KeyValueBlock {
        let row = match.state.row
        var block = KeyValueBlock("item \(row.id)")
        if isRaw {
            block.add("start_date", TimeText.local(match.indexed.time))
            for member in match.indexed.fields.withoutSecrets.members { block.lines += pairs(member.name, member.value) }
            return block
        }
        block.add("type", row.type.name)
        block.add("deleted", match.state.presumed ? "presumed" : "\(match.state.deleted)")
        block.add(match.state.deleted ? "deleted on" : "last change", TimeText.local(match.indexed.time))
        if let path = match.folderPath {
            block.add("folder", path)
        } else if let folder = row.folderID {
            block.add("folder", "\(folder)")
        }
        if row.date > 0 { block.add("date", TimeText.local(second: row.date)) }
        for (name, value) in [
            ("name", row.name), ("subject", row.subject), ("sender", row.sender), ("recipients", row.recipients)
        ] {
            if let value, !value.isEmpty { block.add(name, value) }
        }
        for tag in row.tags { block.add("tag", tag) }
        if !row.type.isContainer { block.add("size", "\(row.size)") }
        return block
    }

    private static func json(_ match: ItemSearch.Match, _ isRaw: Bool) -> JSONObject {
        let row = match.state.row
        var members: JSONObject = [
            "id": .int(row.id), "type": .string(row.type.name), "deleted": .bool(match.state.deleted),
            "start_date": .string(TimeText.iso(match.indexed.time))
        ]
        members["folder_path"] = match.folderPath.map { .string($0) }
        let shown = ["presumed", "folder", "date", "size", "name", "subject", "sender", "recipients", "tags"]
        for member in match.indexed.fields.withoutSecrets.members
        where members[member.name] == nil && (isRaw || shown.contains(member.name)) {
            members.members.append(member)
        }
        members["change"] = match.indexed.change.map { .int($0) }
        return members
    }
}
