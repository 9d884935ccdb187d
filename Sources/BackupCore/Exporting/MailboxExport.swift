import BackupStore
import SystemPackage

/// Writes a mailbox as it was at a moment into plain files, for programs that know nothing of the backup.
///
/// It needs a backup path, or a read-only copy of one, and nothing else: the server may be gone. Beside the items' files lies
/// `manifest.jsonl`, one JSON object a line for every folder, tag and item: what a file cannot say stands there.
public struct MailboxExport: Sendable {
    /// Name or id of the account in the backup; deleted accounts too.
    public var account: String
    /// The folder that is made; it must not exist.
    public var destination: FilePath
    /// Which moment of the mailbox is written.
    public var moment: RestoreMoment
    /// What the files look like.
    public var format: ExportFormat

    /// An export of one mailbox; nothing happens before `run`.
    public init(account: String, destination: FilePath, moment: RestoreMoment = .last, format: ExportFormat = .eml) {
        self.account = account
        self.destination = destination
        self.moment = moment
        self.format = format
    }

    /// Runs the export. When it returns, the files are durable.
    ///
    /// - Parameters:
    ///   - store: the backup path; a reader will do.
    ///   - stop: asked between items; the report then says `isStopped`.
    ///   - progress: called now and then with the figures so far.
    /// - Throws: `CoreError`: before anything is written for what cannot be exported at all; `destinationUnwritable` at any time,
    ///   the files written until then stay. What happens to single items is in the report.
    public func run(
        from store: any StoreReading, stop: @escaping () -> Bool = { false },
        progress: @escaping (ExportReport) -> Void = { _ in }
    ) throws -> ExportReport {
        let found = try BackedUpAccount.find(account, in: store)
        var selection = try Selection(account: found.entry.id, at: moment, in: store)
        selection.warnings += found.warnings
        let plan = try Plan(selection, store)
        let folder = try ExportFolder(creating: destination)
        let execution = ExportExecution(
            store: store, folder: folder, plan: plan,
            report: ExportReport(account: found.entry, destination: destination, format: format, selection: selection),
            stop: stop, progress: progress)
        try execution.run()
        return execution.report
    }
}
