/// What a command is called, what it takes and what it does: the one table behind parsing, help and refusals.
struct CommandSpecification: Sendable {
    /// The name as documented; matched without regard to case.
    var name: String
    /// One line: what it does.
    var purpose: String
    var parameters: [Parameter]
    /// What stands behind `Usage example:`, a line each: commands without the program's name, or sentences.
    var examples: [Example]
    /// Further words for the help page.
    var notes: [String]
    /// Whether a word `start` may follow the name: newer scripts write it, older ones do not.
    var acceptsStart: Bool
    var availability: Availability

    /// How far a command is.
    enum Availability: Sendable {
        /// Works.
        case built
        /// Known by name and parameters, but refused: never silently ignored.
        case notYet
        /// Has commands of its own, which its own parser knows.
        case subtree
    }

    /// A line of use and what it does.
    struct Example: Sendable {
        var command: String
        var meaning: String
    }

    init(
        _ name: String, _ purpose: String, _ parameters: [Parameter] = [], examples: [Example] = [], notes: [String] = [],
        acceptsStart: Bool = false, availability: Availability = .notYet
    ) {
        self.name = name
        self.purpose = purpose
        self.parameters = parameters
        self.examples = examples
        self.notes = notes
        self.acceptsStart = acceptsStart
        self.availability = availability
    }

    /// The parameters that come first, by place.
    var mandatory: [Parameter] { parameters.filter(\.isMandatory) }

    /// The parameter of that name, whatever its case.
    func parameter(named name: String) -> Parameter? {
        let wanted = name.lowercased()
        return parameters.first { $0.name.lowercased() == wanted }
    }
}

/// A parameter of a command.
struct Parameter: Sendable {
    /// The name as documented; matched without regard to case.
    var name: String
    var kind: Kind
    var isMandatory: Bool
    /// What holds when it is not given, as the help page shows it.
    var defaultText: String?
    /// Values that are understood but whose work is not done yet: refused in words.
    var refused: Refusal
    /// Whether its name may be left out (`getProperty backupCompressionLevel`).
    var mayStandAlone = false
    /// Values that a shell offers while the line is typed; others are not refused for that.
    var suggestions: [String] = []

    /// What a value may be.
    enum Kind: Sendable {
        case text
        case account
        case path
        case number
        case boolean
        /// Comma separated.
        case list
        /// Addresses, comma separated.
        case addresses
        /// A time, `change:N`, or one of these words.
        case date(words: [String])
        case choice([String])
    }

    /// Which values of a parameter are refused because their work is not done yet.
    enum Refusal: Sendable {
        case nothing
        /// Every value.
        case everything
        /// This value (compared without regard to case).
        case value(String)
        /// Every value but this one.
        case allBut(String)
    }

    static func mandatory(_ name: String, _ kind: Kind, suggestions: [String] = [], refused: Refusal = .nothing) -> Parameter {
        Parameter(name: name, kind: kind, isMandatory: true, defaultText: nil, refused: refused, suggestions: suggestions)
    }

    /// An optional parameter whose name may be left out.
    static func standingAlone(_ name: String, _ kind: Kind, suggestions: [String] = []) -> Parameter {
        var parameter = optional(name, kind)
        parameter.mayStandAlone = true
        parameter.suggestions = suggestions
        return parameter
    }

    static func optional(_ name: String, _ kind: Kind, _ defaultText: String? = nil, refused: Refusal = .nothing) -> Parameter {
        Parameter(name: name, kind: kind, isMandatory: false, defaultText: defaultText, refused: refused)
    }
}

extension Parameter.Kind {
    /// The column TYPE of the help page.
    var typeName: String {
        switch self {
        case .text: "String"
        case .account: "Account Name/ID"
        case .path: "Path"
        case .number: "Integer"
        case .boolean: "Boolean"
        case .list: "String[,..]"
        case .addresses: "Email Address[,..]"
        case .date: "Date"
        case .choice: "Multiple choice"
        }
    }

    /// The column EXPECTED VALUES.
    var expected: String {
        switch self {
        case .text, .account, .path, .number, .list, .addresses: ""
        case .boolean: "true|false"
        case .date(let words): (["\"dd/MM/yyyy HH:mm:ss\"", "change:N"] + words).joined(separator: "|")
        case .choice(let values): values.joined(separator: "|")
        }
    }
}
