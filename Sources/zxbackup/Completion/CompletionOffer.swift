import BackupCore
import BackupStore

/// What can follow on a line that is being typed: commands, parameters, values, accounts, files.
///
/// Made of the table of commands, so that what the program takes and what the shell offers are one.
struct CompletionOffer {
    /// A word that may stand at the cursor, and what it is.
    struct Word: Hashable {
        var text: String
        var meaning = ""
    }

    private(set) var words: [Word] = []
    /// Whether the shell shall offer files, too.
    private(set) var includesFiles = false

    private let line: TypedLine
    /// Names of the accounts of the backup that the line means.
    private let accounts: (GlobalOptions, _ backupPath: String?) -> [String]
    private var options = GlobalOptions()

    /// - Parameter accounts: asked only where an account is expected.
    init(_ line: TypedLine, accounts: @escaping (GlobalOptions, _ backupPath: String?) -> [String]) {
        self.line = line
        self.accounts = accounts
        var rest = line.words[...]
        findCommand(&rest)
        let typed = line.current.lowercased()
        words = words.filter { $0.text.lowercased().hasPrefix(typed) }
    }

    /// A line for each word, what it is behind a tab, and a line `:files` where files are to be offered.
    var lines: String {
        words.map { "\($0.text)\t\($0.meaning)\n" }.joined() + (includesFiles ? ":files\n" : "")
    }

    // MARK: Where on the line

    private mutating func findCommand(_ rest: inout ArraySlice<String>) {
        guard takeOptions(&rest) else { return }
        if rest.first?.lowercased() == "backup" {
            rest.removeFirst()
            guard takeOptions(&rest) else { return }
        }
        let known = CommandTable.all.filter { $0.availability != .notYet }
        guard let name = rest.popFirst()?.lowercased() else {
            if line.current.hasPrefix("-") { return offerOptions() }
            return offer(known, Word(text: "help", meaning: "Shows a command's parameters."))
        }
        if name == "help" { return rest.isEmpty ? offer(known) : () }
        guard let command = known.first(where: { $0.name.lowercased() == name }) else { return }
        if let subtree = subtreeType(command.name) {
            guard rest.isEmpty else { return includesFiles = true }
            return words = subtree.configuration.subcommands.compactMap { subcommand in
                subcommand.configuration.commandName.map { Word(text: $0, meaning: subcommand.configuration.abstract) }
            }
        }
        if command.acceptsStart, rest.first?.lowercased() == "start" { rest.removeFirst() }
        findParameter(of: command, rest)
    }

    /// Passes over global options. False where the word at the cursor is the value of one, which is offered.
    private mutating func takeOptions(_ rest: inout ArraySlice<String>) -> Bool {
        while let word = rest.first, word.hasPrefix("-") {
            rest.removeFirst()
            guard takeOption(word, &rest) else { return false }
        }
        return !offeredAttachedValue { _ in nil }
    }

    private mutating func takeOption(_ word: String, _ rest: inout ArraySlice<String>) -> Bool {
        let (name, attached) = Grammar.option(word)
        guard GlobalOptions.valued.contains(name), attached == nil else {
            _ = options.set(name, attached)  // An unknown option is told of when the line is entered.
            return true
        }
        guard let value = rest.popFirst() else {
            includesFiles = GlobalOptions.paths.contains(name)
            return false
        }
        return options.set(name, value)
    }

    /// Follows the parameters as the grammar does, up to the one at the cursor.
    private mutating func findParameter(of command: CommandSpecification, _ words: ArraySlice<String>) {
        var rest = words
        var given: [String: String] = [:]
        func open() -> [Parameter] { command.parameters.filter { given[$0.name] == nil && $0.isOffered } }

        while let word = rest.popFirst() {
            var parameter: Parameter?
            var attached: String?
            var isOption = false
            if word.hasPrefix("-") {
                let option = Grammar.option(word)
                (parameter, attached, isOption) = (command.parameter(named: option.name), option.value, true)
                if parameter == nil {
                    guard takeOption(word, &rest) else { return }
                    continue
                }
            } else if let place = open().first(where: \.isMandatory) {
                (parameter, attached) = (place, word)
            } else {
                parameter = command.parameter(named: word)
            }
            guard let parameter else { continue }
            given[parameter.name] = attached ?? ""
            if attached != nil { continue }
            // `--once` is whole without a value.
            let mayLackValue = isOption && parameter.kind.isBoolean
            guard let value = rest.first else {
                offerValues(of: parameter, given)
                if mayLackValue { break }
                return
            }
            if mayLackValue, !["true", "false"].contains(value.lowercased()) { continue }
            given[parameter.name] = value
            rest.removeFirst()
        }
        if offeredAttachedValue({ command.parameter(named: $0) }) { return }
        if line.current.hasPrefix("-") {
            self.words += open().map { Word(text: "--" + $0.name, meaning: $0.meaning) }
            return offerOptions()
        }
        if let next = open().first(where: \.isMandatory) { return offerValues(of: next, given) }
        self.words += open().map { Word(text: $0.name, meaning: $0.meaning) }
        for parameter in open() where parameter.mayStandAlone { offerValues(of: parameter, given) }
    }

    // MARK: What is offered

    private mutating func offer(_ commands: [CommandSpecification], _ others: Word...) {
        words = commands.map { Word(text: $0.name, meaning: $0.purpose) } + others
    }

    private mutating func offerOptions() {
        words += (GlobalOptions.flags + GlobalOptions.valued).map { Word(text: "--" + $0) }
    }

    private mutating func offerValues(of parameter: Parameter, _ given: [String: String]) {
        words += parameter.offeredValues.map { Word(text: $0) }
        switch parameter.kind {
        case .path: includesFiles = true
        case .account: words += accounts(options, given["backup_path"]).map { Word(text: $0) }
        default: break
        }
    }

    /// Offers what can stand behind `--name=`. False where the cursor is elsewhere.
    private mutating func offeredAttachedValue(_ parameter: (String) -> Parameter?) -> Bool {
        guard line.current.hasPrefix("-"), let equals = line.current.firstIndex(of: "=") else { return false }
        let head = line.current[...equals]
        let name = Grammar.option(line.current).name
        if let parameter = parameter(name) {
            offerValues(of: parameter, [:])
            words = words.map { Word(text: head + $0.text) }
        } else {
            guard GlobalOptions.valued.contains(name) else { return false }
            includesFiles = GlobalOptions.paths.contains(name)
        }
        return true
    }
}

extension Parameter {
    /// Whether it can be given at all today.
    fileprivate var isOffered: Bool { if case .everything = refused { false } else { true } }

    /// The words that a value may be.
    fileprivate var offeredValues: [String] {
        let values =
            switch kind {
            case .boolean: ["true", "false"]
            case .date(let words): words
            case .choice(let values): values
            case .text, .account, .path, .number, .list, .addresses: suggestions
            }
        guard case .value(let text) = refused else { return values }
        return values.filter { $0 != text }
    }

    /// What it takes, for somebody who chooses.
    fileprivate var meaning: String {
        (kind.expected.isEmpty ? kind.typeName : kind.expected) + (defaultText.map { ", default \($0)" } ?? "")
    }
}

extension Parameter.Kind {
    fileprivate var isBoolean: Bool { if case .boolean = self { true } else { false } }
}
