/// A story for a server in a text: one command a line, understood whole before the first one runs.
///
/// A line is a command, its words, and options as pairs of a name and a value. Words with spaces stand in double quotes, in which
/// `\"`, `\\`, `\n` mean what they do elsewhere. `#` begins a comment. Items are named by their id, by a name given with `as NAME`
/// (`@NAME`), or by their subject: the newest one that has it. `Scenario.reference` lists the commands.
public struct Scenario: Sendable {
    /// One line that does something.
    public struct Step: Sendable, Hashable {
        /// From 1.
        public var line: Int
        /// In lower case.
        public var command: String
        /// What follows the command, by place.
        public var words: [String]
        /// Pairs of a name and a value.
        public var options: [String: String]
    }

    /// All lines that do something, in order.
    public var steps: [Step]

    /// Reads a scenario.
    ///
    /// - Throws: `SandboxError` with the code `scenario`, naming the line.
    public init(_ text: String) throws {
        steps = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            var tokens = try Self.tokens(of: line, number + 1)
            guard !tokens.isEmpty else { continue }
            let name = tokens.removeFirst().text.lowercased()
            guard let command = Self.commands.first(where: { $0.name == name }) else {
                throw Self.error(number + 1, "there is no command \"\(name)\"")
            }
            steps.append(try command.step(tokens, line: number + 1))
        }
    }

    static func error(_ line: Int, _ reason: String) -> SandboxError {
        SandboxError(.scenario, doing: "line \(line)", reason: reason)
    }

    /// A word, and whether it stood in quotes.
    struct Token {
        var text: String
        var isQuoted = false
    }

    private static func tokens(of line: Substring, _ number: Int) throws -> [Token] {
        var tokens: [Token] = []
        var current: Token?
        var quotes = false
        var escapes = false
        for character in line.unicodeScalars where character != "\r" {
            if escapes {
                current?.text.unicodeScalars.append(character == "n" ? "\n" : character)
                escapes = false
            } else if quotes, character == "\\" {
                escapes = true
            } else if character == "\"" {
                quotes.toggle()
                if current == nil { current = Token(text: "") }
                current?.isQuoted = true
            } else if quotes {
                current?.text.unicodeScalars.append(character)
            } else if character == " " || character == "\t" {
                if let token = current { tokens.append(token) }
                current = nil
            } else if character == "#", current == nil {
                break
            } else {
                if current == nil { current = Token(text: "") }
                current?.text.unicodeScalars.append(character)
            }
        }
        guard !quotes else { throw error(number, "a quote is not closed") }
        if let token = current { tokens.append(token) }
        return tokens
    }

    /// What a command looks like.
    struct Command {
        var name: String
        /// Names of its words; one that ends in `…` may be repeated, one in brackets may be absent.
        var words: [String]
        var options: [String] = []
        /// Whether it takes `attribute=value` words.
        var takesAttributes = false
        var help: String

        func step(_ tokens: [Token], line: Int) throws -> Step {
            var step = Step(line: line, command: name, words: [], options: [:])
            let isOpen = takesAttributes || words.last?.hasSuffix("…") == true
            var rest = tokens[...]
            while let token = rest.popFirst() {
                let isFull = step.words.count >= words.filter({ !$0.hasPrefix("[") }).count
                if isFull, !token.isQuoted, options.contains(token.text.lowercased()) {
                    guard let value = rest.popFirst() else { throw Scenario.error(line, "\"\(token.text)\" has no value") }
                    guard step.options.updateValue(value.text, forKey: token.text.lowercased()) == nil else {
                        throw Scenario.error(line, "\"\(token.text)\" is given twice")
                    }
                } else if step.words.count < words.count || isOpen {
                    step.words.append(token.text)
                } else {
                    let known = options.isEmpty ? "" : "; options are \(options.joined(separator: ", "))"
                    throw Scenario.error(line, "\"\(token.text)\" is too much for \"\(name)\": \(usage)\(known)")
                }
            }
            guard step.words.count >= words.filter({ !$0.hasPrefix("[") }).count else {
                throw Scenario.error(line, "\"\(name)\" needs more: \(usage)")
            }
            return step
        }

        var usage: String {
            ([name] + words + (takesAttributes ? ["[attribute=value …]"] : []) + options.map { "[\($0) …]" }).joined(separator: " ")
        }
    }

    private static let mail = ["from", "subject", "text", "file", "size", "reply", "as"]

    static let commands = [
        Command(name: "domain", words: ["NAME"], takesAttributes: true, help: "creates a domain"),
        Command(name: "cos", words: ["NAME"], takesAttributes: true, help: "creates a class of service"),
        Command(name: "account", words: ["ADDRESS"], takesAttributes: true, help: "creates an account with its mailbox"),
        Command(name: "set", words: ["ADDRESS"], takesAttributes: true, help: "changes attributes of an account"),
        Command(name: "rename-account", words: ["ADDRESS", "NEW"], help: "gives an account another address"),
        Command(name: "delete-account", words: ["ADDRESS"], help: "deletes an account with its mailbox"),
        Command(name: "delete-mailbox", words: ["ADDRESS"], help: "deletes a mailbox, not its account"),
        Command(name: "deliver", words: ["TO[,TO…]"], options: mail, help: "delivers a message"),
        Command(name: "add", words: ["ADDRESS"], options: mail + ["folder", "flags", "tags", "date"], help: "adds a message as IMAP does"),
        Command(name: "draft", words: ["ADDRESS"], options: mail, help: "saves a draft"),
        Command(name: "update-draft", words: ["ADDRESS", "ITEM"], options: mail, help: "saves a draft again"),
        Command(name: "folder", words: ["ADDRESS", "PATH"], help: "creates what is missing of a path"),
        Command(name: "rename-folder", words: ["ADDRESS", "PATH", "NAME"], help: "renames a folder"),
        Command(name: "move-folder", words: ["ADDRESS", "PATH", "PARENT"], help: "moves a folder"),
        Command(name: "empty-folder", words: ["ADDRESS", "PATH"], options: ["subfolders"], help: "deletes what is in a folder (subfolders yes|no)"),
        Command(name: "delete-folder", words: ["ADDRESS", "PATH"], help: "deletes a folder with everything in it"),
        Command(name: "move", words: ["ADDRESS", "PATH", "ITEM…"], help: "moves messages into a folder"),
        Command(name: "copy", words: ["ADDRESS", "PATH", "ITEM…"], help: "copies messages into a folder"),
        Command(name: "delete", words: ["ADDRESS", "ITEM…"], help: "deletes messages for good"),
        Command(name: "read", words: ["ADDRESS", "ITEM…"], help: "marks messages read"),
        Command(name: "unread", words: ["ADDRESS", "ITEM…"], help: "marks messages unread"),
        Command(name: "flag", words: ["ADDRESS", "LETTER", "ITEM…"], help: "sets a flag, such as f"),
        Command(name: "unflag", words: ["ADDRESS", "LETTER", "ITEM…"], help: "takes a flag off"),
        Command(name: "tag", words: ["ADDRESS", "TAG", "ITEM…"], help: "tags messages"),
        Command(name: "untag", words: ["ADDRESS", "TAG", "ITEM…"], help: "takes a tag off"),
        Command(name: "create-tag", words: ["ADDRESS", "TAG"], options: ["color"], help: "creates a tag"),
        Command(name: "rename-tag", words: ["ADDRESS", "TAG", "NEW"], help: "renames a tag"),
        Command(name: "delete-tag", words: ["ADDRESS", "TAG"], help: "deletes a tag"),
        Command(name: "color", words: ["ADDRESS", "PATH", "COLOR"], help: "gives a folder a colour, 0 to 9"),
        Command(name: "grant", words: ["ADDRESS", "PATH", "GRANTEE", "RIGHTS"], help: "shares a folder, such as: bob@example.com rwidx"),
        Command(name: "revoke", words: ["ADDRESS", "PATH", "GRANTEE"], help: "ends a share"),
        Command(name: "track-sync", words: ["ADDRESS"], help: "keeps tombstones from now on"),
        Command(name: "life", words: ["ADDRESS…"], options: ["seed", "operations"], help: "lets accounts live a random life"),
        Command(name: "wait", words: ["SECONDS"], help: "waits; 'wait next' waits for the next full second"),
        Command(name: "mark", words: ["NAME"], help: "notes the time under a name"),
        Command(name: "rollover", words: [], help: "rolls the redo log over"),
        Command(name: "stop", words: [], help: "stops the server in an orderly way; the next line starts it again"),
    ]

    /// The commands, one a line.
    public static var reference: String {
        commands.map { "\($0.usage)\n    \($0.help)" }.joined(separator: "\n")
    }
}
