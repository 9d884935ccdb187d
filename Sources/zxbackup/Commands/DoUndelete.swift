import BackupCore
import BackupStore

/// `doUndelete`: what was deleted between two dates, back into the mailbox.
enum DoUndelete: RestoreCommand {
    static func runAlone(_ invocation: Invocation, _ configuration: Configuration, _ console: Console) throws -> CommandStatus {
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
        let report = try undelete.run(
            from: store, to: try configuration.openTarget(), stateFolder: configuration.stateFolder,
            stop: console.mustStop, progress: DoRestoreOnNewAccount.progress(console, total: nil))
        return DoRestoreOnNewAccount.write(report, invocation, console)
    }
}
