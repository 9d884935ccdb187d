import BackupCore
import BackupStore

/// `getAllOperations`: what the service does, and what waits for it.
enum GetAllOperations: Command {
    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        let configuration = try invocation.configuration()
        let service = try ServiceClient.state(configuration)
        let operations = try service.map { $0["operations"]?.array?.compactMap(\.object) ?? [] } ?? kept(configuration)
        if invocation.options.json {
            console.write(.object(["service": .bool(service != nil), "operations": .array(operations.map { .object($0) })]))
            return .successful
        }
        var block = KeyValueBlock("operations", service == nil ? [.pair("service", "not running")] : [])
        for operation in operations { block.lines.append(.block(Self.block(operation, isVerbose: invocation.flag("verbose")))) }
        if operations.isEmpty { block.add("none", "nothing runs, and nothing waits") }
        console.write(block)
        return .successful
    }

    /// Those of a service that does not run wait for it.
    private static func kept(_ configuration: Configuration) throws -> [JSONObject] {
        try (OperationFile(existingIn: configuration.stateFolder)?.all() ?? []).map { operation in
            var members = operation.json
            members["state"] = "queued"
            return members
        }
    }

    private static func block(_ operation: JSONObject, isVerbose: Bool) -> KeyValueBlock {
        var block = KeyValueBlock(operation["operation"]?.string ?? "", [.pair("id", operation["id"]?.string ?? "")])
        block.add("state", operation["state"]?.string ?? "")
        block.add("since", TimeText.local(operation["since"]?.int ?? 0))
        if let progress = operation["progress"]?.object.flatMap({ Progress($0) }) {
            block.add(progress.what, "\(progress.done)" + (progress.total.map { "/\($0)" } ?? ""))
            if isVerbose { for figure in progress.figures { block.add(figure.name, figure.value) } }
        }
        guard isVerbose else { return block }
        block.add("asked for by", operation["asker"]?.string ?? "")
        block.add("asked for", TimeText.local(operation["ordered"]?.int ?? operation["since"]?.int ?? 0))
        for parameter in operation["parameters"]?.object?.members ?? [] { block.add(parameter.name, parameter.value.string ?? "") }
        return block
    }
}

/// `doStopOperation`: stops an operation, or takes it off the queue.
enum DoStopOperation: Command {
    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        try stop(try invocation.required("operation_uuid").lowercased(), invocation, console)
    }

    /// - Parameter id: nil = all.
    static func stop(_ id: String?, _ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        let configuration = try invocation.configuration()
        let answer: JSONObject
        if let service = try ServiceClient.stop(id, configuration) {
            answer = service
        } else {
            let file = try OperationFile(existingIn: configuration.stateFolder)
            let removed = (try file?.all() ?? []).map(\.id).filter { id == nil || $0 == id }
            for operation in removed { try file?.remove(operation) }
            answer = ["stopping": .array([]), "removed": .array(removed.map { .string($0) })]
        }
        let stopping = answer["stopping"]?.array?.compactMap(\.string) ?? []
        let removed = answer["removed"]?.array?.compactMap(\.string) ?? []
        if let id, stopping.isEmpty, removed.isEmpty { throw UnknownOperation(id: id) }
        if invocation.options.json {
            console.write(.object(answer))
        } else {
            var block = KeyValueBlock("operations stopped", stopping.map { .pair($0, "stops at its next safe point") })
            for operation in removed { block.add(operation, "removed from the queue") }
            if stopping.isEmpty, removed.isEmpty { block.add("none", "nothing runs, and nothing waits") }
            console.write(block)
        }
        return .successful
    }
}

/// `doStopAllOperations`: stops what runs, and empties the queue.
enum DoStopAllOperations: Command {
    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        try DoStopOperation.stop(nil, invocation, console)
    }
}

/// The service knows no such operation.
struct UnknownOperation: Error, CustomStringConvertible {
    var id: String
    var description: String { "no operation \(id) runs, waits or ended a short while ago: getAllOperations lists them" }
}
