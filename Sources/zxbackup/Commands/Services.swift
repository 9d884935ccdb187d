#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import BackupCore
import BackupStore

/// What the service does by itself, each part to be stopped and started alone.
enum ServicePart: String, CaseIterable, Sendable {
    case realTimeScanner, smartScan, purge, coherencyCheck

    /// The property that says whether it works.
    var property: BackupProperty {
        switch self {
        case .realTimeScanner: .realTimeScanner
        case .smartScan: .smartScanScheduled
        case .purge: .purgeScheduled
        case .coherencyCheck: .checkScheduled
        }
    }

    /// What it does, in words.
    var purpose: String {
        switch self {
        case .realTimeScanner: "follows the redo log"
        case .smartScan: "compares the server with the backup by schedule"
        case .purge: "purges by schedule"
        case .coherencyCheck: "checks the backup path by schedule"
        }
    }

    init?(name: String) {
        guard let part = Self.allCases.first(where: { $0.rawValue.lowercased() == name.lowercased() }) else { return nil }
        self = part
    }
}

/// `getServices`: the parts of the service, and whether they work.
enum GetServices: Command {
    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        let configuration = try invocation.configuration()
        let isRunning = try ServiceClient.state(configuration) != nil
        let file = PropertyFile(stateFolder: configuration.stateFolder)
        let parts = try ServicePart.allCases.map { ($0, try file.value(of: $0.property) == "true") }
        if invocation.options.json {
            let members = parts.map { part, isStarted -> JSONValue in
                .object(["name": .string(part.rawValue), "started": .bool(isStarted), "running": .bool(isStarted && isRunning)])
            }
            console.write(.object(["service": .bool(isRunning), "services": .array(members)]))
            return .successful
        }
        var block = KeyValueBlock("services", [.pair("service", isRunning ? "running" : "not running")])
        for (part, isStarted) in parts {
            block.add(part.rawValue, (isStarted ? isRunning ? "running" : "started with the service" : "stopped") + ": " + part.purpose)
        }
        console.write(block)
        return .successful
    }
}

/// `doStartService`: a part of the service works from now on.
enum DoStartService: SettingsCommand {
    static func runAlone(_ invocation: Invocation, _ configuration: Configuration, _ console: Console) throws -> CommandStatus {
        try set(true, invocation, configuration, console)
    }

    static func set(_ isStarted: Bool, _ invocation: Invocation, _ configuration: Configuration, _ console: Console) throws -> CommandStatus {
        guard let part = ServicePart(name: try invocation.required("service_name")) else {
            throw UsageError("getServices lists the services", invocation.command)
        }
        try PropertyFile(stateFolder: configuration.stateFolder).set(part.property, to: "\(isStarted)")
        if invocation.options.json {
            console.write(.object(["name": .string(part.rawValue), "started": .bool(isStarted)]))
        } else {
            console.write(KeyValueBlock("services", [.pair(part.rawValue, isStarted ? "started" : "stopped")]))
        }
        return .successful
    }
}

/// `doStopService`: a part of the service rests until it is started again.
enum DoStopService: SettingsCommand {
    static func runAlone(_ invocation: Invocation, _ configuration: Configuration, _ console: Console) throws -> CommandStatus {
        try DoStartService.set(false, invocation, configuration, console)
    }
}

/// `doRestartService`: a part of the service rests for a moment.
enum DoRestartService: Command {
    /// The service looks at its settings twice a second.
    private static let rest: UInt32 = 1_100_000

    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        var quiet = console
        quiet.output = { _ in }
        let grammar = Grammar(commands: CommandTable.all)
        let name = ["service_name": try invocation.required("service_name")]
        let status = try DoStopService.runInService(grammar.invocation(of: "doStopService", name, invocation.options), quiet)
        guard status == .successful else { return status }
        usleep(rest)
        return try DoStartService.runInService(grammar.invocation(of: "doStartService", name, invocation.options), console)
    }
}
