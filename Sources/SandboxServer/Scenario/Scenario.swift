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

    /// The commands, one a line.
    public static var reference: String {
        commands.map { "\($0.usage)\n    \($0.help)" }.joined(separator: "\n")
    }
}
