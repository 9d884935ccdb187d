import BackupCore
import BackupStore

/// `doSmartScan`: what changed on the server since the last scan.
enum DoSmartScan: ServiceCommand {
    static func run(
        _ invocation: Invocation, in engine: BackupEngine, _ configuration: Configuration, _ console: Console
    ) throws -> CommandStatus {
        var options = SmartScanOptions()
        options.deep = invocation.flag("deep")
        options.readErrorThreshold = invocation["read_error_threshold"].flatMap { Int($0) }
        options.dumpsDirectory = engine.settings.dumpsDirectory
        options.archivesCustomizations = engine.settings.archivesCustomizations
        var shown = ContinuousClock.now
        let began = shown
        let statistics = try engine.smartScan(
            options, stop: console.mustStop,
            progress: { progress in
                // Called for every item; whoever looks sees ten a second.
                guard ContinuousClock.now - shown >= .milliseconds(100) else { return }
                shown = .now
                console.progress(Self.progress(progress))
            })
        for problem in statistics.problems { console.errors(problem + "\n") }
        let seconds = max((ContinuousClock.now - began) / .seconds(1), 0.001)
        let figures = figures(statistics, invocation.flag("deep"))
        if invocation.options.json {
            var members = JSONObject(figures.map { .init(name: $0.key, value: .int(Int64($0.value))) })
            members["milliseconds"] = .int(Int64(seconds * 1000))
            members["problems"] = .array(statistics.problems.map { .string($0) })
            console.write(.object(members))
        } else {
            console.write(KeyValueBlock("smartScan", [.pair("backup path", engine.backupPath.string)]))
            let lines = figures.map { "\($0.words): \($0.value)\n" }
            console.write("\n- stats -\n" + lines.joined() + "Items/sec: \(Int(Double(statistics.checkedItems) / seconds))\n")
        }
        return statistics.skippedItems + statistics.damagedFiles + statistics.failedAccounts == 0 ? .successful : .failed
    }

    private static func progress(_ progress: SmartScanProgress) -> Progress {
        let statistics = progress.statistics
        return Progress(
            what: "Account scanned", done: Int64(progress.done), total: Int64(progress.total),
            figures: [
                .init(name: "Account scanned", value: "\(progress.done)/\(progress.total)"),
                .init(name: "Account updated/new", value: "\(statistics.accounts - statistics.newAccounts)/\(statistics.newAccounts)"),
                .init(name: "Item scanned", value: "\(statistics.checkedItems)"),
                .init(name: "Item new/unique", value: "\(statistics.newMetadata)/\(statistics.newFiles)"),
            ])
    }

    /// The figures in the manual's words, and as members.
    private static func figures(_ statistics: ScanStatistics, _ isDeep: Bool) -> [(words: String, key: String, value: Int)] {
        let figures = [
            ("New Accounts", "new_accounts", statistics.newAccounts),
            ("Accounts Updated", "accounts_updated", statistics.accounts - statistics.newAccounts),
            ("Accounts Unchanged", "accounts_unchanged", statistics.unchangedAccounts),
            ("Accounts Deleted", "accounts_deleted", statistics.deletedAccounts),
            ("Skipped Accounts (by COS)", "skipped_accounts", statistics.skippedAccounts),
            ("Accounts Failed", "accounts_failed", statistics.failedAccounts), ("Checked Items", "checked_items", statistics.checkedItems),
            ("Rows Read", "rows_read", statistics.readRows), ("Items Deleted", "items_deleted", statistics.deletedItems),
            ("New Metadata", "new_metadata", statistics.newMetadata), ("New Files", "new_files", statistics.newFiles),
            ("New Archives", "new_archives", statistics.newArchives),
            ("Skipped Items", "skipped_items", statistics.skippedItems),
            ("Not Readable Here", "not_readable_here", statistics.notReadableHere),
        ]
        return figures + (isDeep
            ? [("Compared Files", "compared_files", statistics.comparedFiles), ("Damaged Files", "damaged_files", statistics.damagedFiles)]
            : [])
    }
}
