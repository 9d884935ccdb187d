import BackupCore
import BackupStore

/// `doAccountScan`: one account, compared whole with the server.
enum DoAccountScan: ServiceCommand {
    static var urgency: OperationUrgency { .soon }

    static func run(
        _ invocation: Invocation, in engine: BackupEngine, _ configuration: Configuration, _ console: Console
    ) throws -> CommandStatus {
        let account = try invocation.required("account")
        var shown = ContinuousClock.now
        let statistics = try engine.scan(
            account: account, deep: invocation.flag("deep"), confirmingDeletions: invocation.flag("confirm_deletions"),
            stop: console.mustStop,
            progress: { statistics in
                // Called for every item; whoever looks sees ten a second.
                guard ContinuousClock.now - shown >= .milliseconds(100) else { return }
                shown = .now
                console.progress(Progress(what: "Item scanned", done: Int64(statistics.checkedItems)))
            })
        console.progress(Progress(what: "Item scanned", done: Int64(statistics.checkedItems)))
        for problem in statistics.problems { console.errors(problem + "\n") }
        let marks = try engine.marks(account)
        if invocation.options.json {
            console.write(.object(json(account, statistics, marks)))
        } else {
            var block = KeyValueBlock("accountScan", [.pair("account", account)])
            for mark in marks { block.add("needs scan", mark.reason) }
            console.write(block)
            console.write(
                """

                - stats -
                Checked Items: \(statistics.checkedItems)
                New Metadata: \(statistics.newMetadata)
                New Files: \(statistics.newFiles)
                Items Deleted: \(statistics.deletedItems)
                Confirmed Deletions: \(statistics.confirmedDeletions)
                Skipped Items: \(statistics.skippedItems)
                Not Readable Here: \(statistics.notReadableHere)
                \(invocation.flag("deep") ? deepFigures(statistics) : "")
                """)
        }
        return statistics.skippedItems + statistics.damagedFiles == 0 ? .successful : .failed
    }

    private static func deepFigures(_ statistics: ScanStatistics) -> String {
        "Compared Files: \(statistics.comparedFiles)\nDamaged Files: \(statistics.damagedFiles)\n"
    }

    private static func json(_ account: String, _ statistics: ScanStatistics, _ marks: [Mark]) -> JSONObject {
        [
            "account": .string(account), "checked_items": .int(Int64(statistics.checkedItems)),
            "new_metadata": .int(Int64(statistics.newMetadata)), "new_files": .int(Int64(statistics.newFiles)),
            "deleted_items": .int(Int64(statistics.deletedItems)),
            "confirmed_deletions": .int(Int64(statistics.confirmedDeletions)),
            "skipped_items": .int(Int64(statistics.skippedItems)),
            "not_readable_here": .int(Int64(statistics.notReadableHere)), "compared_files": .int(Int64(statistics.comparedFiles)),
            "damaged_files": .int(Int64(statistics.damagedFiles)), "problems": .array(statistics.problems.map { .string($0) }),
            "needs_scan": .array(marks.map { .string($0.reason) })
        ]
    }
}
