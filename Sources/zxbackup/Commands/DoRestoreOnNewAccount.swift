import BackupCore
import BackupStore

/// `doRestoreOnNewAccount`: a mailbox as of a date, in a new account.
enum DoRestoreOnNewAccount: RestoreCommand {
    static func runAlone(_ invocation: Invocation, _ configuration: Configuration, _ console: Console) throws -> CommandStatus {
        let account = try invocation.required("source_account")
        invocation.scanIfMarked(account, configuration, console)
        let (store, _) = try invocation.openReader()
        defer { store.close() }
        var restore = RestoreOnNewAccount(
            source: account, destination: try invocation.required("destination_account"),
            moment: try moment(try invocation.date("date")))
        restore.hidesInGAL = invocation.flag("hide_in_gal")
        if invocation.command.parameter(named: "restore_datasource") != nil {
            restore.restoresDataSources = invocation.flag("restore_datasource")
        }
        let report = try restore.run(
            from: store, to: try configuration.openTarget(), stateFolder: configuration.stateFolder,
            stop: console.mustStop,
            progress: progress(console, total: try store.expectedItems(restore.source, at: restore.moment)))
        return write(report, invocation, console)
    }

    /// Prints a report, and says how the command ends.
    static func write(_ report: RestoreReport, _ invocation: Invocation, _ console: Console) -> CommandStatus {
        if invocation.options.json { console.write(.object(report.json)) } else { show(report, console) }
        return status(of: report)
    }

    /// Tells of the figures so far.
    ///
    /// - Parameter total: how many items there will be, where that is known.
    static func progress(_ console: Console, total: Int64?) -> (RestoreReport) -> Void {
        { console.progress(Progress(what: "Restored items", done: $0.asked, total: total)) }
    }

    static func status(of report: RestoreReport) -> CommandStatus {
        report.isStopped ? .stopped : report.isComplete ? .successful : .failed
    }

    /// The moment that a date means.
    static func moment(_ date: DateExpression?) throws -> RestoreMoment {
        switch date {
        case .second(let second): .second(second)
        case .change(let change): .change(change)
        default: .last
        }
    }

    private static func show(_ report: RestoreReport, _ console: Console) {
        var block = KeyValueBlock("restore", [
            .pair("source account", "\(report.source.name) (\(report.source.id))"),
            .pair("destination account", "\(report.destination.name) (\(report.destination.id))"),
        ])
        report.selection.addCut(to: &block)
        if report.isContinued { block.add("continued", "an interrupted restore, as of the same change") }
        for warning in report.warnings { block.add("warning", warning) }
        report.selection.addMarks(to: &block)
        console.write(block)
        console.write("\n" + report.text)
    }
}

extension RestoreReport {
    /// The report for programs.
    fileprivate var json: JSONObject {
        func json(_ account: AccountEntry) -> JSONValue { .object(["name": .string(account.name), "id": .string(account.id)]) }
        return [
            "source_account": json(source), "destination_account": json(destination),
            "last_change_included": selection.lastChangeJSON, "first_change_left_out": selection.nextChangeJSON,
            "continued": .bool(isContinued), "stopped": .bool(isStopped), "warnings": .array(warnings.map { .string($0) }),
            "needs_scan": selection.marksJSON,
            "asked_items": .int(asked), "restored_items": .int(restored), "skipped_items": .int(skipped),
            "unrestored_items": .array(unrestored.map {
                .object(["id": .int($0.id), "reason": .string($0.reason.rawValue), "detail": .string($0.detail)])
            }),
            "restored_bytes": .int(bytes), "restored_grants": .int(grants), "unrestored_grants": .int(refusedGrants),
            "restored_settings": .int(settings),
            "unrestored_settings": .array(unrestoredSettings.map {
                .object(["name": .string($0.name), "reason": .string($0.reason), "refused": .bool($0.isRefused)])
            }),
        ]
    }
}
