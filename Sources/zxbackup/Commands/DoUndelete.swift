import BackupCore
import BackupStore

/// `doUndelete`: what was deleted between two dates, back into the mailbox.
enum DoUndelete: Command {
    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        let configuration = try invocation.configuration()
        let account = try invocation.required("account")
        invocation.scanIfMarked(account, configuration, console)
        let (store, _) = try invocation.openReader()
        defer { store.close() }
        let start = try invocation.date("start_date")
        var undelete = Undelete(
            account: account,
            start: start == .word("first") ? nil : try DoRestoreOnNewAccount.moment(start),
            end: try DoRestoreOnNewAccount.moment(try invocation.date("end_date")))
        undelete.toOriginalFolders = invocation.flag("target_original_folder")
        StopRequest.install()
        let report = try undelete.run(
            from: store, to: try configuration.openTarget(), stateFolder: configuration.stateFolder,
            stop: { StopRequest.isMade }, progress: DoRestoreOnNewAccount.progress(console, total: nil))
        return DoRestoreOnNewAccount.write(report, invocation, console)
    }
}
