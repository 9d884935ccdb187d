import BackupStore

/// A job that was ordered: what, by whom, and when.
public struct QueuedOperation: Sendable, Hashable {
    /// Names it for as long as it is known: a UUID in lower case.
    public var id: String
    /// The command's name: "doSmartScan".
    public var command: String
    /// The parameters that were given.
    public var parameters: [String: String]
    /// Whether the answer is for a program.
    public var isJSON: Bool
    /// Who ordered it: a user of this machine, or "the schedule".
    public var asker: String
    /// When it was ordered, milliseconds since 1970.
    public var time: Int64
    /// How often it was begun by a process that did not live to end it.
    public var attempts = 0

    public init(
        id: String, command: String, parameters: [String: String] = [:], isJSON: Bool = false, asker: String, time: Int64
    ) {
        self.id = id
        self.command = command
        self.parameters = parameters
        self.isJSON = isJSON
        self.asker = asker
        self.time = time
    }

    /// The object under which it is kept and told of.
    public var json: JSONObject {
        [
            "id": .string(id), "operation": .string(command),
            "parameters": .object(
                JSONObject(parameters.sorted { $0.key < $1.key }.map { .init(name: $0.key, value: .string($0.value)) })),
            "json": .bool(isJSON), "asker": .string(asker), "since": .int(time), "attempts": .int(Int64(attempts)),
        ]
    }

    /// Reads an object of ``json``; nil for anything else.
    public init?(_ json: JSONObject) {
        guard let id = json["id"]?.string, let command = json["operation"]?.string, let given = json["parameters"]?.object,
            let asker = json["asker"]?.string, let time = json["since"]?.int
        else { return nil }
        var parameters: [String: String] = [:]
        for member in given.members {
            guard let value = member.value.string else { return nil }
            parameters[member.name] = value
        }
        self.init(id: id, command: command, parameters: parameters, isJSON: json["json"]?.bool ?? false, asker: asker, time: time)
        attempts = json["attempts"]?.int.flatMap { Int(exactly: $0) } ?? 0
    }
}
