import BackupCore
import BackupStore
import SandboxServer
import SystemPackage
import ZimbraServer

extension Invocation {
    /// The configuration that the global options name.
    func configuration() throws -> Configuration { try Configuration(options) }

    /// The backup path that is meant: the parameter, else the option, else the configured one.
    func backupPath(_ configuration: Configuration) -> FilePath {
        self["backup_path"].map { FilePath($0) } ?? configuration.backupPath
    }

    /// A backup path for reading.
    ///
    /// - Throws: the store's error; a path on the command line needs no configuration.
    func openReader() throws -> (reader: StoreReader, path: FilePath) {
        let path = backupPath(try configuration())
        return (try StoreReader(opening: path), path)
    }
}

extension StoreReader {
    /// About how many items a restore or an export will take, for its progress; nil where only the work itself can tell.
    func expectedItems(_ account: String, at moment: RestoreMoment) throws -> Int64? {
        guard moment == .last else { return nil }
        let count = try livingItems(try BackedUpAccount.find(account, in: self).entry.id)
        return count > 0 ? count : nil
    }
}

extension Configuration {
    /// The server to read from.
    func openSource() throws -> any MailSource {
        switch server {
        case .sandbox(let path): try SandboxServer(at: path)
        case .log(let path): try LogArchive(folder: path)
        case .zimbra(let home): try ZimbraServer(home: home)
        case .none: throw noServer
        }
    }

    /// The server to restore to.
    func openTarget() throws -> any MailTarget {
        switch server {
        case .sandbox(let path): return try SandboxServer(at: path)
        case .log(let path):
            throw ConfigurationError(path: "server", reason: "\(path) is a redo log without its server: nothing can be restored to it")
        case .zimbra:
            throw ConfigurationError(
                path: "server",
                reason: "a live server cannot be restored to yet: doExportMailbox writes what is wanted into plain files")
        case .none: throw noServer
        }
    }

    private var noServer: ConfigurationError {
        ConfigurationError(
            path: "server",
            reason: "no server is configured. Write 'server: {kind: zimbra}' into \(Self.standardPath), or name a file with --config")
    }
}
