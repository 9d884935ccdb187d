import BackupCore
import BackupStore
import SystemPackage

/// `getItem`: the states of an item, and its content.
enum GetItem: Command {
    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        let (store, path) = try invocation.openReader()
        defer { store.close() }
        let account = try BackedUpAccount.find(invocation.required("account"), in: store)
        for warning in account.warnings { console.errors(warning + "\n") }
        guard let id = Int64(try invocation.required("item")) else { throw UsageError("an item's number is expected", invocation.command) }
        let history = try store.history(of: .item(account: account.entry.id, id: id))
        for damage in history.damage { console.errors("\(path)/\(damage)\n") }

        var lines = history.lines
        switch try invocation.date("date") {
        case .word("all"): break
        case .second(let second):
            try RestoreMoment.refuseFuture(second, lastChange: try store.changes(of: account.entry.id)?.last.time)
            lines = state(lines, at: try store.cut(account.entry.id, atOrBeforeSecond: second))
        case .change(let change): lines = state(lines, at: try store.cut(account.entry.id, change: change))
        default: lines = lines.suffix(1)
        }
        guard !lines.isEmpty else {
            console.errors("account \(account.entry.name) has no item \(id) in the backup" + (history.lines.isEmpty ? "" : " at that date") + "\n")
            return .failed
        }
        try show(lines, invocation, store, path, console)
        return history.damage.isEmpty ? .successful : .failed
    }

    private static func state(_ lines: [HistoryLine], at cut: Cut?) -> [HistoryLine] {
        guard let cut, let line = lines.last(where: { $0.sequence <= cut.sequence }) else { return [] }
        return [line]
    }

    private static func show(
        _ lines: [HistoryLine], _ invocation: Invocation, _ store: StoreReader, _ path: FilePath, _ console: Console
    ) throws {
        let dumps = invocation.flag("dump_blob")
        if invocation.options.json {
            let states = try lines.map { line -> JSONValue in
                var members = JSONObject(
                    [.init(name: "start_date", value: .string(TimeText.iso(line.time)))]
                        + line.fields.withoutSecrets.members)
                members["change"] = line.change.map { .int($0) }
                members["seq"] = .int(Int64(line.sequence))
                members["blob_paths"] = .array(line.blobs.map { .string(blobPath($0.id, path)) })
                if dumps, let blob = content(line) { members["content_base64"] = .string(base64(try store.blobBytes(blob))) }
                return .object(members)
            }
            console.write(JSONValue.object(["itemStates": .array(states)]))
            return
        }
        console.write(KeyValueBlock("itemStates", lines.flatMap { text($0, path) }))
        guard dumps, let line = lines.last else { return }
        console.write("\n")
        if let blob = content(line) { try store.readBlob(blob) { console.output($0) } }
    }

    /// A state's lines: the words of its history, then where its blobs lie.
    private static func text(_ line: HistoryLine, _ path: FilePath) -> [KeyValueBlock.Line] {
        var lines: [KeyValueBlock.Line] = [.pair("start_date", TimeText.local(line.time))]
        if let change = line.change { lines.append(.pair("change", "\(change)")) }
        for member in line.fields.withoutSecrets.members where member.name != "blob" {
            lines += pairs(member.name, member.value)
        }
        return lines + line.blobs.map { .verbatim("blob path \(blobPath($0.id, path))") }
    }

    /// The content of an item, without the revisions'.
    private static func content(_ line: HistoryLine) -> BlobReference? {
        guard let id = line.fields["blob"]?.string.flatMap({ BlobID($0) }) else { return nil }
        return line.blobs.first { $0.id == id }
    }
}

/// Where a blob lies: `items/<first 2 characters>/<digest>`.
func blobPath(_ id: BlobID, _ path: FilePath) -> String {
    let name = id.description
    return path.appending("items").appending(String(name.prefix(2))).appending(name).string
}

/// A member as lines of two columns: lists are repeated or nested.
func pairs(_ name: String, _ value: JSONValue) -> [KeyValueBlock.Line] {
    switch value {
    case .null: []
    case .string(let text): [.pair(name, text)]
    case .int(let number): [.pair(name, "\(number)")]
    case .bool(let flag): [.pair(name, "\(flag)")]
    case .number(let text): [.pair(name, text)]
    case .array(let elements): elements.flatMap { pairs(name, $0) }
    case .object(let object): [.block(KeyValueBlock(name, object.members.flatMap { pairs($0.name, $0.value) }))]
    }
}

/// Base64 with `+` and `/` (RFC 4648).
func base64(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let group = bytes[start..<min(start + 3, bytes.count)]
        let bits = group.reduce(0) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
        for place in 0..<4 {
            text.append(place <= group.count ? alphabet[Int(bits >> UInt32(18 - 6 * place)) & 63] : UInt8(ascii: "="))
        }
    }
    return String(decoding: text, as: UTF8.self)
}
