import BackupStore

/// What a client asks the running service for: one line of JSON, the first and only one that it sends.
enum ServiceOrder: Sendable, Equatable {
    /// How the service is; answered at once.
    case state
    /// A command that the service does for the client.
    case run(Run)
    /// The end of an operation; nil = of all of them. Answered at once, with what will end.
    case stop(String?)

    /// A command line, understood: names and values as the client's grammar took them.
    struct Run: Sendable, Equatable {
        var command: String
        var parameters: [String: String]
        var json = false
        /// The client's backup path: the service may serve another one.
        var backupPath: String
        /// The server of the client's configuration, likewise.
        var server = ""
        /// Who the client is.
        var asker = ""
    }

    /// The version of the two programs' language.
    static let version: Int64 = 2
    /// No order is longer, newline included; what a client sends beyond it is not read.
    static let longest = 64 * 1024

    /// The line, with its newline.
    var line: String {
        var members: JSONObject = ["zxbackup": .int(Self.version)]
        switch self {
        case .state: members["order"] = "state"
        case .run(let run):
            members["order"] = "run"
            members["command"] = .string(run.command)
            members["parameters"] = .object(
                JSONObject(
                    run.parameters.sorted { $0.key < $1.key }.map { .init(name: $0.key, value: .string($0.value)) }))
            members["json"] = .bool(run.json)
            members["backup_path"] = .string(run.backupPath)
            members["server"] = .string(run.server)
            members["asker"] = .string(run.asker)
        case .stop(let id):
            members["order"] = "stop"
            members["operation"] = id.map { .string($0) }
        }
        return JSONValue.object(members).json + "\n"
    }

    /// Reads a line without its newline.
    ///
    /// - Throws: ``Malformed``.
    init(line: [UInt8]) throws {
        guard let members = (try? JSONValue(json: line))?.object, let version = members["zxbackup"]?.int else {
            throw Malformed(reason: "this is no order of zxbackup")
        }
        guard version == Self.version else {
            throw Malformed(reason: "the service speaks version \(Self.version), the client \(version): restart the service")
        }
        switch members["order"]?.string {
        case "state": self = .state
        case "run":
            guard let command = members["command"]?.string, let parameters = members["parameters"]?.object,
                let path = members["backup_path"]?.string, let server = members["server"]?.string,
                let asker = members["asker"]?.string
            else { throw Malformed(reason: "the order is incomplete") }
            var values: [String: String] = [:]
            for member in parameters.members {
                guard let value = member.value.string else { throw Malformed(reason: "parameter \(member.name) is no text") }
                values[member.name] = value
            }
            self = .run(
                Run(
                    command: command, parameters: values, json: members["json"]?.bool ?? false,
                    backupPath: path, server: server, asker: asker))
        case "stop": self = .stop(members["operation"]?.string)
        default: throw Malformed(reason: "the order is unknown")
        }
    }

    /// A line that is no order.
    struct Malformed: Error {
        var reason: String
    }
}

/// What the service answers: lines of JSON, the last of which is ``exit(_:)``, ``refused(_:)`` or ``elsewhere``.
enum ServiceReply: Sendable, Equatable {
    /// For the client's standard output.
    case output(String)
    /// For its standard error.
    case errors(String)
    case progress(Progress)
    /// How many orders are before this one.
    case waiting(Int)
    /// How the service is.
    case state(JSONObject)
    /// The command is over.
    case exit(CommandStatus)
    /// Nothing was done, and why.
    case refused(String)
    /// Nothing was done: the service serves another backup path.
    case elsewhere

    /// The line, with its newline.
    var line: String {
        let members: JSONObject =
            switch self {
            case .output(let text): ["output": .string(text)]
            case .errors(let text): ["errors": .string(text)]
            case .progress(let progress): progress.json
            case .waiting(let count): ["waiting": .int(Int64(count))]
            case .state(let members): ["state": .object(members)]
            case .exit(let status): ["exit": .int(Int64(status.rawValue))]
            case .refused(let reason): ["refused": .string(reason)]
            case .elsewhere: ["elsewhere": true]
            }
        return JSONValue.object(members).json + "\n"
    }

    /// Reads a line without its newline; nil for one that is no answer.
    init?(line: [UInt8]) {
        guard let members = (try? JSONValue(json: line))?.object, let first = members.members.first else { return nil }
        switch (first.name, first.value) {
        case ("output", .string(let text)): self = .output(text)
        case ("errors", .string(let text)): self = .errors(text)
        case ("progress", _):
            guard let progress = Progress(members) else { return nil }
            self = .progress(progress)
        case ("waiting", .int(let count)): self = .waiting(Int(count))
        case ("state", .object(let state)): self = .state(state)
        case ("exit", .int(let code)): self = .exit(Int32(exactly: code).flatMap { CommandStatus(rawValue: $0) } ?? .failed)
        case ("refused", .string(let reason)): self = .refused(reason)
        case ("elsewhere", _): self = .elsewhere
        default: return nil
        }
    }
}
