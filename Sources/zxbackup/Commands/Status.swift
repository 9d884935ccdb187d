import BackupCore
import BackupStore

/// `status`: am I protected?
enum Status: Command {
    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        let report = StatusReport(invocation, try invocation.configuration())
        if invocation.flag("prometheus") {
            console.write(report.prometheus)
        } else if invocation.options.json {
            console.write(.object(report.json))
        } else {
            console.write(report.block)
        }
        return switch report.level {
        case .fine: .successful
        case .warning: .warning
        case .critical: .critical
        }
    }
}

extension CommandStatus {
    /// What `status` returns, as monitoring programs expect it.
    static let warning = CommandStatus.failed
    /// The same.
    static let critical = CommandStatus.stopped
}

extension StatusReport {
    // MARK: For people

    fileprivate var block: KeyValueBlock {
        var block = KeyValueBlock("status", [.pair("state", level.name)])
        for problem in problems { block.add(problem.level.name, problem.text) }
        block.lines.append(.block(serviceBlock))
        block.lines.append(.block(backupBlock))
        if let accounts {
            var lines = accounts.lines
            lines += Self.scanLines(accounts)
            for (account, marks) in accounts.marked { lines += marks.map { .pair("needs scan: \(account.name)", $0.reason) } }
            block.lines.append(.block(KeyValueBlock("accounts", lines)))
        }
        if let operations = service?["operations"]?.array, !operations.isEmpty {
            block.lines.append(.block(KeyValueBlock("operations", operations.compactMap(\.object).map(Self.line))))
        }
        let notices = service?["notices"]?.array?.compactMap(\.string) ?? []
        if !notices.isEmpty { block.lines.append(.block(KeyValueBlock("last notices", notices.map { .pair("notice", $0) }))) }
        return block
    }

    private static func line(ofCheck check: JSONObject) -> String {
        if check["running"]?.bool == true { return "running since \(TimeText.local(check["since"]?.int ?? 0))" }
        if let error = check["error"]?.string { return "ended early: \(error)" }
        let damages = check["damages"]?.int ?? 0
        let result = check["stopped"]?.bool == true ? "stopped" : damages > 0 ? "\(damages) damages" : "sound"
        return "\(TimeText.local(check["ended"]?.int ?? 0)), \(result)"
    }

    private var serviceBlock: KeyValueBlock {
        guard let service else { return KeyValueBlock("service", [.pair("running", "false")]) }
        func number(_ name: String) -> String { "\(service[name]?.int ?? 0)" }
        var block = KeyValueBlock("service", [.pair("running", "true")])
        block.add("process", number("pid"))
        block.add("since", TimeText.local(service["since"]?.int ?? 0))
        block.add("server", service["server"]?.string ?? "")
        block.add("phase", service["phase"]?.string ?? "")
        block.add("transactions", number("transactions"))
        if let lag = service["lag_ms"]?.object {
            func milliseconds(_ name: String) -> String { "\(lag[name]?.int ?? 0) ms" }
            block.add("lag: half of them, 99 %, longest", ["p50", "p99", "max"].map(milliseconds).joined(separator: ", "))
        }
        return block
    }

    private var backupBlock: KeyValueBlock {
        var block = KeyValueBlock("backup", [.pair("backup path", path.string)])
        if let info {
            block.add("server id", info.serverID)
            block.add("last sequence", "\(info.lastSequence)")
            block.add("checkpoint", "\(info.checkpointSequence)" + (checkpointTime.map { " of \(TimeText.local($0))" } ?? ""))
            if let position = info.logPosition { block.add("redo log read", position) }
        }
        if let lastPurge { block.add("last purge", "\(TimeText.local(lastPurge.time)), \(lastPurge.items) items") }
        if let check = service?["check"]?.object { block.add("last check", Self.line(ofCheck: check)) }
        if let log { block.add("redo log", log.string) }
        if let behind { block.add("behind", (behind.files > 0 ? "\(behind.files) files and " : "") + ByteText.of(behind.bytes)) }
        if let space {
            block.add("free space", "\(ByteText.of(space.bytes)) of \(ByteText.of(space.totalBytes))")
            if let inodes = space.inodes { block.add("free inodes", "\(inodes)") }
            if let outlook { block.lines += Self.outlookLines(outlook) }
        }
        return block
    }

    /// The accounts that were not scanned for the longest time: one screen shows no more.
    private static let shownScans = 20

    private static func scanLines(_ accounts: AccountFigures) -> [KeyValueBlock.Line] {
        var lines = accounts.scans.prefix(shownScans).map { account, first, last -> KeyValueBlock.Line in
            guard let first, let last else { return .pair("last scan: \(account.name)", "never: followed since it was made") }
            let since = first == last ? "the first" : "the first on \(TimeText.local(first))"
            return .pair("last scan: \(account.name)", "\(TimeText.local(last)), \(since)")
        }
        let others = accounts.scans.count - lines.count
        if others > 0 { lines.append(.pair("scanned later", "\(others) others")) }
        return lines
    }

    private static func outlookLines(
        _ outlook: (space: SpaceHistory.Outlook, inodes: SpaceHistory.Outlook)
    ) -> [KeyValueBlock.Line] {
        func words(_ outlook: SpaceHistory.Outlook) -> String {
            switch outlook {
            case .unknown: "unknown: less than a day of it is known"
            case .notShrinking: "it does not shrink"
            case .days(let days): "\(days)"
            }
        }
        return [.pair("days of space left", words(outlook.space)), .pair("days of inodes left", words(outlook.inodes))]
    }

    static func line(_ operation: JSONObject) -> KeyValueBlock.Line {
        let parameters = operation["parameters"]?.object?.members.map { "\($0.name) \($0.value.string ?? "")" } ?? []
        let name = ([operation["operation"]?.string ?? ""] + parameters).joined(separator: " ")
        var text = "\(operation["state"]?.string ?? "") since \(TimeText.local(operation["since"]?.int ?? 0))"
        if let progress = operation["progress"]?.object.flatMap({ Progress($0) }) {
            text += ", \(progress.what): \(progress.done)" + (progress.total.map { "/\($0)" } ?? "")
        }
        return .pair(name, text)
    }

    // MARK: For programs

    fileprivate var json: JSONObject {
        var members: JSONObject = [
            "state": .string(level.name),
            "problems": .array(problems.map { .object(["level": .string($0.level.name), "text": .string($0.text)]) }),
            "service": service.map { .object($0) } ?? .null, "backup_path": .string(path.string)
        ]
        if let info {
            members["server_id"] = .string(info.serverID)
            members["last_sequence"] = .int(Int64(info.lastSequence))
            members["checkpoint_sequence"] = .int(Int64(info.checkpointSequence))
            members["checkpoint_time"] = checkpointTime.map { .string(TimeText.iso($0)) }
            members["position"] = info.position.map { (try? JSONValue(json: $0)) ?? .string($0) }
        }
        members["last_purge"] = lastPurge.map { .string(TimeText.iso($0.time)) }
        members["redo_log"] = log.map { .string($0.string) }
        members["behind_files"] = behind.map { .int($0.files) }
        members["behind_bytes"] = behind.map { .int($0.bytes) }
        if let accounts {
            for member in accounts.json.members { members.members.append(member) }
            members["scans"] = .array(
                accounts.scans.map { account, first, last in
                    .object([
                        "name": .string(account.name), "id": .string(account.id),
                        "first_scan": first.map { .string(TimeText.iso($0)) } ?? .null,
                        "last_scan": last.map { .string(TimeText.iso($0)) } ?? .null
                    ])
                })
            members["needs_scan"] = .array(
                accounts.marked.map { account, marks in
                    .object([
                        "name": .string(account.name), "id": .string(account.id),
                        "reasons": .array(marks.map { .string($0.reason) })
                    ])
                })
        }
        members["free_bytes"] = space.map { .int($0.bytes) }
        members["free_inodes"] = space?.inodes.map { .int($0) }
        if let outlook {
            for (name, outlook) in [("space", outlook.space), ("inodes", outlook.inodes)] {
                members["\(name)_outlook"] = .string(outlook.word)
                members["\(name)_days_left"] = outlook.days.map { .int($0) } ?? .null
            }
        }
        return members
    }

    /// The text format of Prometheus, for the node exporter's text files.
    fileprivate var prometheus: String {
        let lag = service?["lag_ms"]?.object?["p99"]?.int
        let oldestScan = accounts?.scans.compactMap(\.last).first
        let metrics: [(name: String, help: String, value: Int64?)] = [
            ("state", "0 fine, 1 warning, 2 critical.", Int64(level.rawValue)),
            ("service_running", "Whether the service runs.", service == nil ? 0 : 1),
            ("last_sequence", "The last committed transaction.", info.map { Int64($0.lastSequence) }),
            ("behind_bytes", "Bytes of the current redo log that are not in the backup.", behind?.bytes),
            ("behind_files", "Finished redo logs that are not in the backup.", behind?.files),
            ("lag_p99_milliseconds", "From the server's commit to the durable state, of 99 % of the transactions.", lag),
            ("accounts", "Accounts in the backup.", accounts.map { Int64($0.alive) }),
            ("accounts_that_need_a_scan", "Accounts in doubt.", accounts.map { Int64($0.marked.count) }),
            ("checkpoint_time_seconds", "When the last checkpoint was made.", checkpointTime.map { $0 / 1000 }),
            ("last_purge_time_seconds", "When the last purge was.", lastPurge.map { $0.time / 1000 }),
            ("oldest_scan_time_seconds", "When the account scanned the longest ago was.", oldestScan.map { $0 / 1000 }),
            ("free_bytes", "Free space in the backup path.", space?.bytes), ("free_inodes", "Free inodes there.", space?.inodes),
            ("space_days_left", "How long it lasts, where that is known.", outlook?.space.days),
            ("inodes_days_left", "How long they last, where that is known.", outlook?.inodes.days)
        ]
        return metrics.map { metric in
            guard let value = metric.value else { return "" }
            return
                "# HELP zxbackup_\(metric.name) \(metric.help)\n# TYPE zxbackup_\(metric.name) gauge\nzxbackup_\(metric.name) \(value)\n"
        }.joined()
    }
}

extension SpaceHistory.Outlook {
    /// One word for programs.
    fileprivate var word: String {
        switch self {
        case .unknown: "unknown"
        case .notShrinking: "not_shrinking"
        case .days: "shrinking"
        }
    }

    fileprivate var days: Int64? { if case .days(let days) = self { days } else { nil } }
}
