import BackupCore
import BackupStore
import SystemPackage

/// `doExportMailbox`: a mailbox as of a date, in plain files.
enum DoExportMailbox: Command {
    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        let account = try invocation.required("account")
        invocation.scanIfMarked(account, try invocation.configuration(), console)
        let (store, path) = try invocation.openReader()
        defer { store.close() }
        let destination = FilePath(try invocation.required("destination_path"))
        try refuse(destination, inside: path)
        let export = MailboxExport(
            account: account, destination: destination,
            moment: try DoRestoreOnNewAccount.moment(try invocation.date("date")), format: invocation["format"].flatMap { ExportFormat(rawValue: $0.lowercased()) } ?? .eml)
        StopRequest.install()
        let total = try store.expectedItems(account, at: export.moment)
        let report = try export.run(
            from: store, stop: console.mustStop,
            progress: { console.progress(Progress(what: "Exported items", done: $0.asked, total: total)) })
        if invocation.options.json { console.write(.object(report.json)) } else { show(report, console) }
        return status(of: report)
    }

    static func status(of report: ExportReport) -> CommandStatus {
        report.isStopped ? .stopped : report.isComplete ? .successful : .failed
    }

    /// Files in a backup path that are not its own would be taken for damage.
    private static func refuse(_ destination: FilePath, inside path: FilePath) throws {
        // A folder that is not there yet has no real path; the one above has, or the export tells that it is missing.
        let above = FilePath(realPath(destination.removingLastComponent().isEmpty ? "." : destination.removingLastComponent()))
        guard above.starts(with: FilePath(realPath(path))) else { return }
        throw CoreError(
            .destinationUnwritable, doing: "exporting a mailbox", subject: destination.string, reason: "the destination lies in the backup path",
            remedy: "Name a folder outside of \(path)")
    }

    private static func show(_ report: ExportReport, _ console: Console) {
        var block = KeyValueBlock("export", [
            .pair("account", "\(report.account.name) (\(report.account.id))"),
            .pair("destination path", report.destination.string),
            .pair("format", report.format.rawValue),
        ])
        report.selection.addCut(to: &block)
        block.add("folders", "\(report.folders)")
        block.add("bytes", "\(report.bytes)")
        for warning in report.warnings { block.add("warning", warning) }
        report.selection.addMarks(to: &block)
        console.write(block)
        console.write("\n" + report.text)
    }
}

extension ExportReport {
    /// The report for programs.
    fileprivate var json: JSONObject {
        return [
            "account": .object(["name": .string(account.name), "id": .string(account.id)]),
            "destination_path": .string(destination.string), "format": .string(format.rawValue),
            "last_change_included": selection.lastChangeJSON, "first_change_left_out": selection.nextChangeJSON,
            "stopped": .bool(isStopped), "warnings": .array(warnings.map { .string($0) }),
            "needs_scan": selection.marksJSON,
            "asked_items": .int(asked), "exported_items": .int(exported),
            "left_out_items": .object(JSONObject(leftOut.sorted { $0.key < $1.key }.map { .init(name: $0.key, value: .int($0.value)) })),
            "unexported_items": .array(unexported.map {
                .object(["id": .int($0.id), "reason": .string($0.reason.rawValue), "detail": .string($0.detail)])
            }),
            "folders": .int(folders), "exported_bytes": .int(bytes),
        ]
    }
}
