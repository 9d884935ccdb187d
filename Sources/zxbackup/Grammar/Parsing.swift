/// What a command line asks for.
enum Request: Sendable {
    /// The list of commands.
    case help
    case helpOf(CommandSpecification)
    case run(Invocation)
    /// A command with a parser of its own, and its arguments.
    case subtree(CommandSpecification, GlobalOptions, [String])
}

/// Reads command lines by the table of commands.
struct Grammar: Sendable {
    var commands: [CommandSpecification]

    /// Reads the arguments after the program's name.
    ///
    /// - Throws: ``UsageError``.
    func parse(_ arguments: [String]) throws -> Request {
        var options = GlobalOptions()
        var rest = arguments[...]
        try takeOptions(&rest, &options)
        if rest.first?.lowercased() == "backup" {
            rest.removeFirst()
            try takeOptions(&rest, &options)
        }
        guard let word = rest.popFirst() else { return .help }
        if word.lowercased() == "help" { return try help(rest) }
        guard let command = commands.first(where: { $0.name.lowercased() == word.lowercased() }) else {
            throw unknown(word)
        }
        if options.help { return .helpOf(command) }
        if command.availability == .subtree { return .subtree(command, options, Array(rest)) }
        if command.acceptsStart, rest.first?.lowercased() == "start" { rest.removeFirst() }
        return try parameters(of: command, rest, options)
    }

    /// Global options that stand before a command.
    private func takeOptions(_ rest: inout ArraySlice<String>, _ options: inout GlobalOptions) throws {
        while let word = rest.first, word.hasPrefix("-"), word != "--" {
            rest.removeFirst()
            let (name, attached) = Self.option(word)
            if word == "-h" { options.help = true; continue }
            guard try takeGlobal(name, attached, &rest, &options, nil) else { throw unknownOption(word, name) }
        }
    }

    /// Takes over a global option with its value. False where the name is none.
    private func takeGlobal(
        _ name: String, _ attached: String?, _ rest: inout ArraySlice<String>, _ options: inout GlobalOptions,
        _ command: CommandSpecification?
    ) throws -> Bool {
        if GlobalOptions.flags.contains(name) {
            guard attached == nil else { throw UsageError("option --\(name) takes no value", command) }
            return options.set(name, nil)
        }
        guard GlobalOptions.valued.contains(name) else { return false }
        guard let value = attached ?? rest.popFirst() else { throw UsageError("option --\(name) needs a value", command) }
        return options.set(name, value)
    }

    /// Mandatory parameters by place, then names with their values.
    private func parameters(
        of command: CommandSpecification, _ words: ArraySlice<String>, _ options: GlobalOptions
    ) throws -> Request {
        var invocation = Invocation(command: command, options: options)
        var rest = words
        var positional: [String] = []
        var named: [(name: String, value: String)] = []
        var verbatim = false

        while let word = rest.popFirst() {
            if !verbatim, word == "--" { verbatim = true; continue }
            if !verbatim, word == "-h" { return .helpOf(command) }
            if !verbatim, word.hasPrefix("--") {
                let (name, attached) = Self.option(word)
                if let parameter = command.parameter(named: name) {
                    named.append((parameter.name, try value(of: parameter, attached, &rest, command)))
                } else if try !takeGlobal(name, attached, &rest, &invocation.options, command) {
                    throw unknown(name, of: command)
                }
                continue
            }
            let open = command.mandatory.count { parameter in !named.contains { $0.name == parameter.name } }
            if positional.count < open {
                positional.append(word)
                continue
            }
            guard let parameter = command.parameter(named: word) else {
                let alone = command.parameters.first { parameter in
                    parameter.mayStandAlone && !named.contains { $0.name == parameter.name }
                }
                guard let alone else { throw unknown(word, of: command) }
                named.append((alone.name, word))
                continue
            }
            guard let value = rest.popFirst() else { throw UsageError("parameter \(parameter.name) needs a value", command) }
            named.append((parameter.name, value))
        }
        if invocation.options.help { return .helpOf(command) }

        var places = positional[...]
        for parameter in command.mandatory where !named.contains(where: { $0.name == parameter.name }) {
            guard let value = places.popFirst() else {
                throw UsageError("command \(command.name) requires more parameters", command)
            }
            invocation[parameter.name] = value
        }
        for (name, value) in named {
            guard invocation[name] == nil else { throw UsageError("parameter \(name) is given twice", command) }
            invocation[name] = value
        }
        for parameter in command.parameters {
            if let value = invocation[parameter.name] { try check(value, parameter, command) }
        }
        return .run(invocation)
    }

    /// A command with named values, as another process sends it: checked as a command line is.
    ///
    /// - Throws: ``UsageError``, ``NotAvailable``.
    func invocation(of name: String, _ values: [String: String], _ options: GlobalOptions) throws -> Invocation {
        guard let command = commands.first(where: { $0.name.lowercased() == name.lowercased() }) else { throw unknown(name) }
        var invocation = Invocation(command: command, options: options)
        for (name, value) in values.sorted(by: { $0.key < $1.key }) {
            guard let parameter = command.parameter(named: name) else { throw unknown(name, of: command) }
            try check(value, parameter, command)
            invocation[parameter.name] = value
        }
        for parameter in command.mandatory { _ = try invocation.required(parameter.name) }
        return invocation
    }

    /// The value of `--name`: attached by `=`, or the next word. A boolean without one is true (`serve --once`).
    private func value(
        of parameter: Parameter, _ attached: String?, _ rest: inout ArraySlice<String>, _ command: CommandSpecification
    ) throws -> String {
        if let attached { return attached }
        if case .boolean = parameter.kind, !["true", "false"].contains(rest.first?.lowercased()) { return "true" }
        guard let value = rest.popFirst() else { throw UsageError("parameter \(parameter.name) needs a value", command) }
        return value
    }

    /// Refuses a value that the parameter cannot have, or whose work is not done yet.
    private func check(_ value: String, _ parameter: Parameter, _ command: CommandSpecification) throws {
        func refuse(_ expected: String) -> UsageError {
            UsageError("parameter \(parameter.name): \(expected) is expected, not '\(value)'", command)
        }
        switch parameter.kind {
        case .boolean:
            guard ["true", "false"].contains(value.lowercased()) else { throw refuse("true or false") }
        case .number:
            guard Int64(value) != nil else { throw refuse("a whole number") }
        case .choice(let values):
            guard values.contains(where: { $0.lowercased() == value.lowercased() }) else {
                throw refuse(values.joined(separator: "|"))
            }
        case .date(let words):
            do { _ = try DateExpression(value, words: words) } catch {
                throw UsageError("parameter \(parameter.name): \(error)", command)
            }
        case .addresses:
            for address in value.split(separator: ",", omittingEmptySubsequences: false) {
                guard NotificationSettings.isAddress(address.trimmed()) else { throw refuse("a mail address, or several with commas between,") }
            }
        case .text, .account, .path, .list:
            guard !value.isEmpty else { throw refuse("a value") }
        }
        let refused =
            switch parameter.refused {
            case .nothing: false
            case .everything: true
            case .value(let text): value.lowercased() == text.lowercased()
            case .allBut(let text): value.lowercased() != text.lowercased()
            }
        if refused { throw NotAvailable(what: "parameter \(parameter.name) \(value) of \(command.name)") }
    }

    private func help(_ words: ArraySlice<String>) throws -> Request {
        var rest = words.filter { !$0.hasPrefix("--") }[...]
        if rest.first?.lowercased() == "backup" { rest.removeFirst() }
        guard let word = rest.first else { return .help }
        guard let command = commands.first(where: { $0.name.lowercased() == word.lowercased() }) else { throw unknown(word) }
        return .helpOf(command)
    }

    /// Splits `--name=value`; the name in lower case.
    static func option(_ word: String) -> (name: String, value: String?) {
        let body = word.drop { $0 == "-" }
        guard let equals = body.firstIndex(of: "=") else { return (body.lowercased(), nil) }
        return (body[..<equals].lowercased(), String(body[body.index(after: equals)...]))
    }

    private func unknown(_ word: String) -> UsageError {
        let near = nearest(to: word, in: commands.map(\.name))
        return UsageError("unknown command '\(word)'" + (near.map { "; did you mean \($0)?" } ?? ". 'zxbackup help' lists them"))
    }

    private func unknownOption(_ word: String, _ name: String) -> UsageError {
        let near = nearest(to: name, in: GlobalOptions.flags + GlobalOptions.valued)
        return UsageError("unknown option \(word)" + (near.map { "; did you mean --\($0)?" } ?? ""))
    }

    private func unknown(_ word: String, of command: CommandSpecification) -> UsageError {
        let near = nearest(to: word, in: command.parameters.map(\.name) + GlobalOptions.flags + GlobalOptions.valued)
        return UsageError(
            "command \(command.name) has no parameter '\(word)'" + (near.map { "; did you mean \($0)?" } ?? ""), command)
    }
}

/// Something that the command language knows and this version does not do: refused by name, never ignored.
struct NotAvailable: Error, CustomStringConvertible {
    var what: String
    var description: String { "\(what) is not available yet" }
}
