import BackupCore
import BackupStore

/// `doItemRestore`: one item, back into its mailbox.
enum DoItemRestore: RestoreCommand {
    static func runAlone(_ invocation: Invocation, _ configuration: Configuration, _ console: Console) throws -> CommandStatus {
        guard let item = Int64(try invocation.required("item_id")) else {
            throw UsageError("item_id is no number", invocation.command)
        }
        let account = try invocation.required("account_name")
        invocation.scanIfMarked(account, configuration, console)
        let (store, _) = try invocation.openReader()
        defer { store.close() }
        let restore = ItemRestore(
            account: account, item: item,
            moment: try DoRestoreOnNewAccount.moment(try invocation.date("date")), folder: invocation["restore_folder"])
        let report = try restore.run(
            from: store, to: try configuration.openTarget(), stateFolder: configuration.stateFolder,
            stop: console.mustStop, progress: DoRestoreOnNewAccount.progress(console, total: nil))
        return DoRestoreOnNewAccount.write(report, invocation, console)
    }
}
