import BackupCore
import BackupStore

/// `getBackupInfo`: what a backup path says of itself.
enum GetBackupInfo: Command {
    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        let (store, path) = try invocation.openReader()
        defer { store.close() }
        let info = try store.info()
        let accounts = try AccountFigures(store)
        let space = try SpaceLeft(on: path)
        let findings = store.recovery.findings
        for finding in findings { console.errors("\(path)/\(finding)\n") }

        if invocation.options.json {
            var members: JSONObject = [
                "backup_path": .string(path.string), "server_id": .string(info.serverID), "store_id": .string(info.storeID),
                "format": .int(info.formatVersion), "features": .array(info.features.map { .string($0) }),
                "copy": .bool(info.isCopy),
                "last_sequence": .int(Int64(info.lastSequence)), "checkpoint_sequence": .int(Int64(info.checkpointSequence))
            ]
            // The position is JSON of its own; what is no JSON is shown as it is.
            members["position"] = info.position.map { (try? JSONValue(json: $0)) ?? .string($0) }
            for member in accounts.json.members { members.members.append(member) }
            members["free_bytes"] = .int(space.bytes)
            members["free_inodes"] = space.inodes.map { .int($0) }
            members["findings"] = .array(findings.map { .string("\($0)") })
            console.write(JSONValue.object(members))
            return status(findings)
        }
        var block = KeyValueBlock(
            "backupInfo",
            [
                .pair("backup path", path.string), .pair("server id", info.serverID), .pair("store id", info.storeID),
                .pair("format", ([String(info.formatVersion)] + info.features).joined(separator: ", ")),
                .pair("copy", "\(info.isCopy)"),
                .pair("last sequence", "\(info.lastSequence)"), .pair("checkpoint", "\(info.checkpointSequence)")
            ])
        if let position = info.logPosition { block.add("redo log", position) }
        block.lines += accounts.lines
        block.add("free space", ByteText.of(space.bytes))
        if let inodes = space.inodes { block.add("free inodes", "\(inodes)") }
        console.write(block)
        return status(findings)
    }

    private static func status(_ findings: [Damage]) -> CommandStatus {
        findings.contains { $0.finding == .corrupt || $0.finding == .missing } ? .failed : .successful
    }
}

extension StoreInfo {
    /// How far the server's redo log is in the backup, for a person; nil where no log was read.
    var logPosition: String? {
        guard let position, let log = try? JSONValue(json: position).object?["log"]?.object, let sequence = log["sequence"]?.int,
            let applied = log["applied"]?.int
        else { return position }
        return "file \(sequence), up to byte \(applied)"
    }
}

/// The accounts of a backup path, counted.
struct AccountFigures {
    private(set) var alive = 0
    private(set) var deleted = 0
    /// Accounts that need a scan, with the reasons.
    private(set) var marked: [(account: AccountEntry, marks: [Mark])] = []
    /// When the mailbox of each living account was compared whole with the server, the longest ago first.
    private(set) var scans: [(account: AccountEntry, first: Int64?, last: Int64?)] = []
    private(set) var firstChange: Int64?
    private(set) var lastChange: Int64?

    init(_ store: StoreReader) throws {
        for id in try store.accounts() {
            let account = try BackedUpAccount(id, in: store)
            if account?.isDeleted == true { deleted += 1 } else { alive += 1 }
            let marks = try store.marks(id)
            // What is gone cannot be looked at any more: a restore from it tells of the doubts.
            if !marks.isEmpty, account?.isDeleted != true { marked.append((account?.entry ?? AccountEntry(id: id, name: id), marks)) }
            if account?.isDeleted != true, let scan = try Self.scans(of: id, store) {
                scans.append((account?.entry ?? AccountEntry(id: id, name: id), scan.first, scan.last))
            }
            guard let changes = try store.changes(of: id) else { continue }
            firstChange = min(firstChange ?? .max, changes.first.time)
            lastChange = max(lastChange ?? .min, changes.last.time)
        }
        scans.sort { ($0.last ?? 0, $0.account.name, $0.account.id) < ($1.last ?? 0, $1.account.name, $1.account.id) }
        marked.sort { ($0.account.name, $0.account.id) < ($1.account.name, $1.account.id) }
    }

    /// The first scan and the last, neither of which a mailbox has that was followed since it was made; nil without a mailbox.
    private static func scans(of id: String, _ store: StoreReader) throws -> (first: Int64?, last: Int64?)? {
        guard let latest = try store.state(of: .mailbox(id)) else { return nil }
        if latest.ordinal == 1 { return latest.kind == "scan" ? (latest.time, latest.time) : (nil, nil) }
        let times = try store.history(of: .mailbox(id)).lines.filter { $0.kind == "scan" }.map(\.time)
        return (times.first, times.last)
    }

    var lines: [KeyValueBlock.Line] {
        var lines: [KeyValueBlock.Line] = [.pair("accounts", "\(alive)"), .pair("deleted accounts", "\(deleted)")]
        lines.append(.pair("accounts that need a scan", "\(marked.count)"))
        if let firstChange { lines.append(.pair("first change", TimeText.local(firstChange))) }
        if let lastChange { lines.append(.pair("last change", TimeText.local(lastChange))) }
        return lines
    }

    var json: JSONObject {
        var members: JSONObject = [
            "accounts": .int(Int64(alive)), "deleted_accounts": .int(Int64(deleted)),
            "accounts_that_need_a_scan": .int(Int64(marked.count))
        ]
        members["first_change"] = firstChange.map { .string(TimeText.iso($0)) }
        members["last_change"] = lastChange.map { .string(TimeText.iso($0)) }
        return members
    }
}
