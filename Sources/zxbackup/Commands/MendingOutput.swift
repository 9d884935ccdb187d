import BackupCore
import BackupStore

/// What `doCoherencyCheck` says of a mending, of what was brought back, and of a comparison with the server.
struct MendingOutput {
    private let invocation: Invocation
    private let console: Console
    private var isJSON: Bool { invocation.options.json }

    init(_ invocation: Invocation, _ console: Console) { (self.invocation, self.console) = (invocation, console) }

    // MARK: fixBackup

    func show(_ report: CoherencyReport) -> CommandStatus {
        let left = report.left.findings.filter { $0.severity == .damage }
        if isJSON {
            console.write(.object(json(report, left)))
        } else {
            for finding in left { console.write(finding.block) }
            for finding in report.mended.unmended where !left.contains(where: { $0.file == finding.file }) { console.write(finding.block) }
            for reason in report.unscanned { console.errors(ShownText.line("not scanned: \(reason)") + "\n") }
            var block = KeyValueBlock(
                "fixBackup",
                [
                    .pair("damages found", "\(report.found.damages)"), .pair("notes", "\(Int64(report.found.findings.count) - report.found.damages)"),
                    .pair("histories written anew", "\(report.mended.histories.count)"),
                    .pair("states known to be lost", "\(report.mended.histories.reduce(0) { $0 + $1.lost })"),
                    .pair("files moved away", "\(report.mended.moved.count)"),
                ])
            if let quarantine = report.mended.quarantine { block.add("quarantine", quarantine) }
            for name in report.scanned { block.add("scanned", name) }
            block.add("damages left", "\(report.left.damages)")
            block.add("result", report.left.isDamaged ? "damaged" : "sound")
            console.write(block)
        }
        return report.left.isDamaged || !report.unscanned.isEmpty ? .failed : .successful
    }

    private func json(_ report: CoherencyReport, _ left: [CheckFinding]) -> JSONObject {
        var members: JSONObject = [
            "damages_found": .int(report.found.damages),
            "histories": .array(
                report.mended.histories.map {
                    .object(["history": .string("\($0.key)"), "states": .int($0.states), "lost": .int($0.lost)])
                }),
            "moved": .array(report.mended.moved.map { .string($0) }), "restored": .array(report.mended.restored.map { .string($0) }),
        ]
        members["quarantine"] = report.mended.quarantine.map { .string($0) }
        members["scanned"] = .array(report.scanned.map { .string($0) })
        members["unscanned"] = .array(report.unscanned.map { .string($0) })
        members["left"] = .array((left + report.mended.unmended).map { .object($0.json) })
        members["damaged"] = .bool(report.left.isDamaged)
        return members
    }

    // MARK: undo

    func show(undone: (back: [String], left: [(file: String, reason: String)])) -> CommandStatus {
        if isJSON {
            console.write(
                .object([
                    "brought_back": .array(undone.back.map { .string($0) }),
                    "left": .array(undone.left.map { .object(["file": .string($0.file), "reason": .string($0.reason)]) }),
                ]))
        } else {
            for (file, reason) in undone.left { console.errors(ShownText.line("\(file): \(reason)") + "\n") }
            console.write(
                KeyValueBlock("undo", undone.back.map { .pair("brought back", $0) } + [.pair("left in quarantine", "\(undone.left.count)")]))
        }
        return undone.left.isEmpty ? .successful : .failed
    }

    // MARK: checkZimbra

    func show(_ accounts: [ServerDifferences]) -> CommandStatus {
        let different = accounts.filter { !$0.isEmpty }
        if isJSON {
            console.write(.object(["compared_accounts": .int(Int64(accounts.count)), "differences": .array(different.map { .object(json($0)) })]))
        } else {
            for account in different {
                var block = KeyValueBlock(account.account)
                for (id, kind) in account.items { block.add("item \(id)", kind.rawValue) }
                let hidden = account.counts.values.reduce(0, +) - account.items.count
                if hidden > 0 { block.add("items that are not listed", "\(hidden)") }
                for problem in account.problems { block.add("problem", problem) }
                console.write(block)
            }
            console.write(
                KeyValueBlock(
                    "checkZimbra",
                    [
                        .pair("accounts compared", "\(accounts.count)"), .pair("accounts that differ", "\(different.count)"),
                        .pair("items that differ", "\(accounts.reduce(0) { $0 + $1.counts.values.reduce(0, +) })"),
                    ]))
        }
        return different.isEmpty ? .successful : .failed
    }

    private func json(_ account: ServerDifferences) -> JSONObject {
        [
            "account": .string(account.account),
            "items": .array(account.items.map { .object(["id": .int($0.id), "difference": .string($0.kind.rawValue)]) }),
            "count": .int(Int64(account.counts.values.reduce(0, +))), "problems": .array(account.problems.map { .string($0) }),
        ]
    }
}
