import BackupCore
import BackupStore
import SystemPackage

/// `doCoherencyCheck`: everything in a backup path against everything else, and against the live server; mends it where that is wished.
enum DoCoherencyCheck: ServiceCommand {
    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        let isCompared = invocation.flag("checkZimbra")
        let writes = invocation.flag("fixBackup") || invocation["undo"] != nil
        if writes, invocation.list("accounts") != nil {
            throw UsageError("doCoherencyCheck: fixBackup mends the backup path whole; accounts is for a check alone", invocation.command)
        }
        if writes || isCompared, invocation["max_age"] != nil {
            throw UsageError("doCoherencyCheck: max_age is for a check of the backup path alone", invocation.command)
        }
        if isCompared, writes {
            throw UsageError("doCoherencyCheck: checkZimbra writes nothing; fixBackup and undo are a run of their own", invocation.command)
        }
        if isCompared || writes { return try runInService(invocation, console) }
        StopRequest.install()
        return try tellingOf(invocation, try invocation.configuration(), console) { try check(invocation, $0) }
    }

    /// With the engine: mends, brings back, or compares with the server.
    static func run(
        _ invocation: Invocation, in engine: BackupEngine, _ configuration: Configuration, _ console: Console
    ) throws -> CommandStatus {
        if let name = invocation["undo"] {
            return try MendingOutput(invocation, console).show(undone: engine.undoMending(FilePath(name).lastComponent?.string ?? name))
        }
        if invocation.flag("checkZimbra") {
            let differences = try engine.compareWithServer(invocation.list("accounts"), stop: console.mustStop) { done, total in
                console.progress(Progress(what: "Compared accounts", done: Int64(done), total: Int64(total)))
            }
            return MendingOutput(invocation, console).show(differences)
        }
        // An order without it mends nothing.
        guard invocation.flag("fixBackup") else { return try check(invocation, console) }
        let report = try engine.checkAndMend(stop: console.mustStop, progress: { show($0, console) })
        if report.found.isStopped { return .stopped }
        return MendingOutput(invocation, console).show(report)
    }

    private static func show(_ progress: CheckProgress, _ console: Console) {
        let what = progress.phase == .states ? "Checked states" : "Checked blobs"
        console.progress(Progress(what: what, done: progress.done, total: progress.total))
    }

    private static func check(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        let path = FilePath(try invocation.required("backup_path"))
        let accounts = try invocation.list("accounts").map { try ids($0, in: path) }
        var outcome: RollingCheck.Outcome?
        let report: CheckReport
        if let days = invocation["max_age"].flatMap({ Int64($0) }) {
            let check = RollingCheck(of: FilePath(realPath(path)), stateFolder: try invocation.configuration().stateFolder, accounts: accounts, maxAge: days)
            outcome = try check.run(stop: console.mustStop, progress: { show($0, console) })
            report = outcome!.report
        } else {
            var check = StoreCheck(of: path)
            if let accounts { check.scope = .accounts(accounts) }
            report = try check.run(stop: console.mustStop, progress: { show($0, console) })
        }
        if invocation.options.json {
            var members = json(of: report, path)
            if let outcome {
                members["due_accounts"] = .int(Int64(outcome.left))
                members["recent_accounts"] = .int(Int64(outcome.recent))
            }
            console.write(.object(members))
        } else {
            show(report, outcome, path, console)
        }
        return report.isDamaged ? .failed : report.isStopped ? .stopped : .successful
    }

    /// Accounts by id, of names and ids.
    private static func ids(_ accounts: [String], in path: FilePath) throws -> Set<String> {
        let reader = try StoreReader(opening: path)
        defer { reader.close() }
        return Set(try accounts.map { try BackedUpAccount.find($0, in: reader).entry.id })
    }

    private static func show(_ report: CheckReport, _ outcome: RollingCheck.Outcome?, _ path: FilePath, _ console: Console) {
        for severity in [CheckFinding.Severity.damage, .note] {
            for finding in report.findings where finding.severity == severity { console.write(finding.block) }
        }
        var block = KeyValueBlock(
            "coherencyCheck",
            [
                .pair("backup path", path.string), .pair("copy", "\(report.isCopy)"),
                .pair("last sequence", "\(report.lastSequence)"),
                .pair("accounts", "\(report.accounts)"), .pair("histories", "\(report.histories)"),
                .pair("states", "\(report.states)"), .pair("pending states", "\(report.pendingStates)"),
                .pair("transactions in the journal", "\(report.transactions)"), .pair("blobs", "\(report.blobs)"),
                .pair("size of blobs", ByteText.of(report.blobBytes)),
            ])
        if let outcome {
            block.add("accounts checked lately", "\(outcome.recent)")
            if outcome.left > 0 { block.add("accounts still due", "\(outcome.left)") }
        }
        for (kind, count) in counts(report) { block.add("found \(kind)", "\(count)") }
        let hidden = report.counts.values.reduce(0, +) - Int64(report.findings.count)
        if hidden > 0 { block.add("findings that are not listed", "\(hidden)") }
        block.add("result", report.isDamaged ? "damaged" : report.isStopped ? "stopped; sound as far as checked" : "sound")
        console.write(block)
    }

    private static func counts(_ report: CheckReport) -> [(kind: String, count: Int64)] {
        report.counts.map { ("\($0.key)", $0.value) }.sorted { $0.0 < $1.0 }
    }

    private static func json(of report: CheckReport, _ path: FilePath) -> JSONObject {
        let findings = report.findings.map { JSONValue.object($0.json) }
        return [
            "backup_path": .string(path.string), "copy": .bool(report.isCopy), "last_sequence": .int(Int64(report.lastSequence)),
            "accounts": .int(report.accounts), "histories": .int(report.histories), "states": .int(report.states),
            "pending_states": .int(report.pendingStates), "transactions": .int(report.transactions), "blobs": .int(report.blobs),
            "blob_bytes": .int(report.blobBytes), "findings": .array(findings),
            "counts": .object(JSONObject(counts(report).map { .init(name: $0.kind, value: .int($0.count)) })),
            "damages": .int(report.damages), "stopped": .bool(report.isStopped), "damaged": .bool(report.isDamaged),
        ]
    }
}

extension CheckFinding {
    var block: KeyValueBlock {
        var block = KeyValueBlock("\(severity.rawValue): \(kind)", [.pair("file", file)])
        if offset > 0 || length > 0 { block.add("offset", "\(offset)") }
        if length > 0 { block.add("bytes", "\(length)") }
        if let account { block.add("account", account) }
        if let item { block.add("item", "\(item)") }
        block.add("reason", reason)
        if !remedy.isEmpty { block.add("remedy", remedy) }
        return block
    }

    var json: JSONObject {
        var members: JSONObject = [
            "kind": .string("\(kind)"), "severity": .string(severity.rawValue), "file": .string(file), "offset": .int(offset),
            "length": .int(length),
        ]
        members["account"] = account.map { .string($0) }
        members["item"] = item.map { .int($0) }
        members["reason"] = .string(reason)
        if !remedy.isEmpty { members["remedy"] = .string(remedy) }
        return members
    }
}
