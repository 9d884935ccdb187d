import BackupCore
import BackupStore
import SystemPackage

/// `doCoherencyCheck`: everything in a backup path against everything else.
enum DoCoherencyCheck: Command {
    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        let path = FilePath(try invocation.required("backup_path"))
        StopRequest.install()
        let report = try StoreCheck(of: path).run(
            stop: { StopRequest.isMade },
            progress: { progress in
                let what = progress.phase == .states ? "Checked states" : "Checked blobs"
                console.progress(Progress(what: what, done: progress.done, total: progress.total))
            })
        if invocation.options.json {
            console.write(.object(json(of: report, path)))
        } else {
            show(report, path, console)
        }
        return report.isDamaged ? .failed : report.isStopped ? .stopped : .successful
    }

    private static func show(_ report: CheckReport, _ path: FilePath, _ console: Console) {
        for severity in [CheckFinding.Severity.damage, .note] {
            for finding in report.findings where finding.severity == severity {
                var block = KeyValueBlock("\(severity.rawValue): \(finding.kind)", [.pair("file", finding.file)])
                if finding.offset > 0 || finding.length > 0 { block.add("offset", "\(finding.offset)") }
                if finding.length > 0 { block.add("bytes", "\(finding.length)") }
                if let account = finding.account { block.add("account", account) }
                if let item = finding.item { block.add("item", "\(item)") }
                block.add("reason", finding.reason)
                if !finding.remedy.isEmpty { block.add("remedy", finding.remedy) }
                console.write(block)
            }
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
        let findings = report.findings.map { finding -> JSONValue in
            var members: JSONObject = [
                "kind": .string("\(finding.kind)"), "severity": .string(finding.severity.rawValue), "file": .string(finding.file),
                "offset": .int(finding.offset), "length": .int(finding.length),
            ]
            members["account"] = finding.account.map { .string($0) }
            members["item"] = finding.item.map { .int($0) }
            members["reason"] = .string(finding.reason)
            if !finding.remedy.isEmpty { members["remedy"] = .string(finding.remedy) }
            return .object(members)
        }
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
