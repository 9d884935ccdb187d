import BackupCore
import BackupStore

/// `doRestoreDeletedAccount`: a deleted account as it was before its deletion, in a new account.
enum DoRestoreDeletedAccount: RestoreCommand {
    static func runAlone(_ invocation: Invocation, _ configuration: Configuration, _ console: Console) throws -> CommandStatus {
        let source = try invocation.required("source_account")
        let (store, _) = try invocation.openReader()
        defer { store.close() }
        guard try BackedUpAccount.find(source, in: store).isDeleted else {
            throw CoreError(
                .refused, doing: "restoring a deleted account", subject: source, reason: "the account is not deleted",
                remedy: "doRestoreOnNewAccount restores living accounts, doUndelete what was deleted in one")
        }
        return try DoRestoreOnNewAccount.runAlone(invocation, configuration, console)
    }
}
