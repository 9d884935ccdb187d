import BackupCore
import BackupStore
import Foundation
import SystemPackage

/// A command that the running service does; without one, the command does the work itself.
protocol QueuedCommand: Command {
    /// Which of the service's threads does it.
    static var lane: OperationLane { get }
    /// How soon.
    static var urgency: OperationUrgency { get }
    /// Whether it is work of some length: it survives the service, and administrators are told of its beginning and its end.
    static var isKept: Bool { get }
    /// Does the work where no service runs.
    static func runAlone(_ invocation: Invocation, _ configuration: Configuration, _ console: Console) throws -> CommandStatus
}

extension QueuedCommand {
    static var urgency: OperationUrgency { .whenever }
    static var isKept: Bool { true }

    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        try runInService(invocation, console)
    }

    /// In the running service, else alone.
    static func runInService(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        let configuration = try invocation.configuration()
        if let status = try ServiceClient.run(invocation, configuration, console) { return status }
        StopRequest.install()
        return try tellingOf(invocation, configuration, console) { try runAlone(invocation, configuration, $0) }
    }

    /// Does something that is no operation of the service, and tells of its beginning and its end as of one.
    static func tellingOf(
        _ invocation: Invocation, _ configuration: Configuration, _ console: Console, _ body: (Console) throws -> CommandStatus
    ) throws -> CommandStatus {
        guard isKept, configuration.server != .none else { return try body(console) }
        let notifier = Notifier(configuration) { console.errors($0 + "\n") }
        defer { notifier.finish() }
        return try notifier.telling(of: QueuedOperation(invocation, asker: userName()), console, body)
    }
}

/// A command that writes to the backup path or changes how the service works.
///
/// The running service does it, on the thread that owns the backup path. Without one, the command takes the lock itself.
protocol ServiceCommand: QueuedCommand {
    /// Does the work in the service.
    static func run(_ invocation: Invocation, in engine: BackupEngine, _ configuration: Configuration, _ console: Console) throws
        -> CommandStatus
}

extension ServiceCommand {
    static var lane: OperationLane { .writing }

    /// With an engine of its own, until it is done or told to stop.
    static func runAlone(_ invocation: Invocation, _ configuration: Configuration, _ console: Console) throws -> CommandStatus {
        try configuration.withEngine(invocation.backupPath(configuration)) {
            try run(invocation, in: $0, configuration, console)
        }
    }
}

/// A command that reads the backup path for long, beside the engine.
protocol RestoreCommand: QueuedCommand {}

extension RestoreCommand {
    static var lane: OperationLane { .reading }
    static var urgency: OperationUrgency { .soon }
}

/// A command that changes the settings: it needs no engine, and the running one takes them over.
protocol SettingsCommand: ServiceCommand {}

extension SettingsCommand {
    static var urgency: OperationUrgency { .immediate }
    static var isKept: Bool { false }

    static func run(
        _ invocation: Invocation, in engine: BackupEngine, _ configuration: Configuration, _ console: Console
    ) throws -> CommandStatus {
        let status = try runAlone(invocation, configuration, console)
        engine.settings = try PropertyFile(stateFolder: configuration.stateFolder).settings()
        return status
    }
}

extension QueuedOperation {
    /// A command that is ordered now.
    init(_ invocation: Invocation, asker: String) {
        self.init(
            id: UUID().uuidString.lowercased(), command: invocation.command.name,
            parameters: Dictionary(uniqueKeysWithValues: invocation.given.map { ($0.name, $0.value) }),
            isJSON: invocation.options.json, asker: asker, time: milliseconds())
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
