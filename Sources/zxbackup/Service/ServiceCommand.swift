import BackupCore
import BackupStore
import SystemPackage

/// A command that writes to the backup path or changes how the service works.
///
/// The running service does it, on the thread that owns the backup path. Without one, the command takes the lock itself.
protocol ServiceCommand: Command {
    /// Does the work in the service.
    static func run(_ invocation: Invocation, in engine: BackupEngine, _ configuration: Configuration, _ console: Console) throws
        -> CommandStatus
    /// Does the work where no service runs.
    static func runAlone(_ invocation: Invocation, _ configuration: Configuration, _ console: Console) throws -> CommandStatus
}

extension ServiceCommand {
    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        try runInService(invocation, console)
    }

    /// In the running service, else alone.
    static func runInService(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        let configuration = try invocation.configuration()
        return try ServiceClient.run(invocation, configuration, console) ?? runAlone(invocation, configuration, console)
    }

    /// With an engine of its own, until it is done or told to stop.
    static func runAlone(_ invocation: Invocation, _ configuration: Configuration, _ console: Console) throws -> CommandStatus {
        StopRequest.install()
        return try configuration.withEngine(invocation.backupPath(configuration)) {
            try run(invocation, in: $0, configuration, console)
        }
    }
}

/// A command that changes the settings: it needs no engine, and the running one takes them over.
protocol SettingsCommand: ServiceCommand {}

extension SettingsCommand {
    static func run(
        _ invocation: Invocation, in engine: BackupEngine, _ configuration: Configuration, _ console: Console
    ) throws -> CommandStatus {
        let status = try runAlone(invocation, configuration, console)
        engine.settings = try PropertyFile(stateFolder: configuration.stateFolder).settings()
        return status
    }
}

extension Configuration {
    /// An engine for one command, where no service runs.
    func withEngine<Result>(_ path: FilePath, _ body: (BackupEngine) throws -> Result) throws -> Result {
        let source = try openSource()
        let engine = try BackupEngine(source: source, store: try StoreWriter(opening: path, serverID: source.identity.id))
        engine.settings = try PropertyFile(stateFolder: stateFolder).settings()
        let result: Result
        do {
            result = try body(engine)
        } catch {
            try? engine.close()  // Why the work failed is what is told.
            throw error
        }
        try engine.close()
        return result
    }
}
