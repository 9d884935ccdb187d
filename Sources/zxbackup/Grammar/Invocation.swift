/// A command line, understood: which command, with which values.
struct Invocation: Sendable {
    var command: CommandSpecification
    var options: GlobalOptions
    /// Values by the parameter's name in lower case.
    private var values: [String: String] = [:]

    init(command: CommandSpecification, options: GlobalOptions) {
        self.command = command
        self.options = options
    }

    /// What was given for a parameter; nil when it was not.
    subscript(name: String) -> String? {
        get { values[name.lowercased()] }
        set { values[name.lowercased()] = newValue }
    }

    /// What was given, in the order of the table.
    var given: [(name: String, value: String)] {
        command.parameters.compactMap { parameter in self[parameter.name].map { (parameter.name, $0) } }
    }

    /// A mandatory parameter: parsing has made sure that it is there.
    func required(_ name: String) throws -> String {
        guard let value = self[name] else { throw UsageError("command \(command.name) requires more parameters", command) }
        return value
    }

    /// A boolean; the default of the table when it was not given.
    func flag(_ name: String) -> Bool {
        (self[name] ?? command.parameter(named: name)?.defaultText)?.lowercased() == "true"
    }

    /// A comma-separated list; nil when it was not given, or is `all`.
    func list(_ name: String) -> [String]? {
        guard let value = self[name], value.lowercased() != "all" else { return nil }
        return value.split(separator: ",").map { $0.trimmed() }
    }

    /// What should be said of dates that can mean two moments.
    var ambiguousDates: [String] {
        command.parameters.compactMap { parameter in
            guard case .date = parameter.kind, let text = self[parameter.name] else { return nil }
            return DateExpression.ambiguity(of: text).map { "parameter \(parameter.name): \($0)" }
        }
    }

    /// A date; the default of the table when it was not given.
    func date(_ name: String) throws -> DateExpression? {
        guard let parameter = command.parameter(named: name), case .date(let words) = parameter.kind,
            let text = self[name] ?? parameter.defaultText
        else { return nil }
        return try DateExpression(text, words: words)
    }
}

/// What may stand before and after every command.
struct GlobalOptions: Sendable, Equatable {
    var json = false
    var progress = false
    var sync = false
    var help = false
    var host: String?
    var backupPath: String?
    var configuration: String?

    static let flags = ["json", "progress", "sync", "help"]
    static let valued = ["host", "hostname", "backup-path", "config"]
    /// Those of them whose values are files.
    static let paths = ["backup-path", "config"]

    /// Takes over `--name`, and its value where it has one. False for a name that is no global option.
    mutating func set(_ name: String, _ value: String?) -> Bool {
        switch name {
        case "json": json = true
        case "progress": progress = true
        case "sync": sync = true
        case "help": help = true
        case "host", "hostname": host = value
        case "backup-path": backupPath = value
        case "config": configuration = value
        default: return false
        }
        return true
    }
}

extension StringProtocol {
    /// Without white space at both ends.
    func trimmed() -> String {
        var rest = Substring(self)
        while let first = rest.first, first.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return String(rest)
    }
}
