import BackupCore
import BackupStore
import SystemPackage

extension Invocation {
    /// Scans an account that is in doubt before something is restored from it (Design, section 6); a restore goes on without.
    ///
    /// Only of the configured server's own backup path: another one is a copy, which nobody writes to.
    func scanIfMarked(_ account: String, _ configuration: Configuration, _ console: Console) {
        do {
            let path = backupPath(configuration)
            var own = options
            own.backupPath = nil
            guard configuration.hasInventory, realPath(path) == realPath(try Configuration(own).backupPath) else { return }
            guard let name = try Self.doubted(account, path) else { return }
            console.errors("\(name) needs a scan, which is done first\n")
            own.json = false
            let scan = try Grammar(commands: CommandTable.all).invocation(of: "doAccountScan", ["account": name], own)
            var quiet = console
            quiet.output = { _ in }
            guard try DoAccountScan.run(scan, quiet) != .successful else { return }
            console.errors("the scan did not settle everything: the restore goes on with what the backup has\n")
        } catch {
            console.errors("the account could not be scanned, the restore goes on with what the backup has: \(ShownText.line("\(error)"))\n")
        }
    }

    /// The account's name, where it is in doubt; nil where it is not, or unknown: the restore tells of that.
    private static func doubted(_ account: String, _ path: FilePath) throws -> String? {
        let store = try StoreReader(opening: path)
        defer { store.close() }
        guard let found = try? BackedUpAccount.find(account, in: store), !found.isDeleted else { return nil }
        return try store.marks(found.entry.id).contains { $0.asksForScan } ? found.entry.name : nil
    }
}

extension Configuration {
    /// Whether there is a server with tables to compare with.
    fileprivate var hasInventory: Bool {
        switch server {
        case .sandbox, .zimbra: true
        case .log, .none: false
        }
    }
}
