import Testing

@testable import zxbackup

@Suite("Help pages")
struct HelpTests {
    @Test("The list of commands")
    func overview() throws {
        let result = run(["help"])
        #expect(result.status == .successful)
        try expectSnapshot(result.text, "help.txt")
    }

    @Test("A command's page", arguments: CommandTable.all.filter { $0.availability == .built }.map(\.name))
    func page(_ name: String) throws {
        let result = run(["help", name])
        #expect(result.status == .successful)
        try expectSnapshot(result.text, "help-\(name).txt")
    }

    @Test("Every command that works has an example that its own grammar understands, and a line in the list")
    func examples() throws {
        let overview = run(["--help"]).text
        for command in CommandTable.all where command.availability != .notYet {
            #expect(!command.examples.isEmpty, "\(command.name)")
            #expect(overview.contains("\n   \(command.name) ") && command.purpose.count <= 90, "\(command.name)")
            for example in command.examples where command.availability == .built {
                // What a shell would make of it.
                var words: [String] = []
                for (index, part) in example.command.split(separator: "\"", omittingEmptySubsequences: false).enumerated() {
                    if index % 2 == 1 { words.append(String(part)) } else { words += part.split(separator: " ").map(String.init) }
                }
                words = Array(words.prefix { $0 != ">" })
                guard case .run(let parsed) = try Grammar(commands: CommandTable.all).parse(words) else {
                    Issue.record("\(example.command)")
                    continue
                }
                #expect(parsed.command.name == command.name)
            }
        }
    }

    @Test("Every command of a sub-tree has an example", arguments: ["sandbox", "redolog"])
    func subtrees(_ name: String) throws {
        let subcommands = try #require(subtreeType(name)).configuration.subcommands.compactMap { $0.configuration.commandName }
        #expect(!subcommands.isEmpty)
        for subcommand in subcommands {
            #expect(run([name, subcommand, "--help"]).text.contains("Example: zxbackup \(name) \(subcommand)"), "\(subcommand)")
        }
    }

    @Test("Usage errors: the reason, a blank line, the page, and exit status 64")
    func usage() throws {
        let result = run(["getItem"])
        #expect(result.status == .usage)
        #expect(result.text.isEmpty)
        #expect(result.errors == "command getItem requires more parameters\n\n" + HelpPage.page(try #require(CommandTable.all.first { $0.name == "getItem" })))
    }

    @Test("A command that is not built is refused by name, and its page says so")
    func notYet() {
        let result = run(["doCheckShares"])
        #expect(result.status == .failed)
        #expect(result.errors == "command doCheckShares is not available yet\n")
        #expect(run(["help", "docheckshares"]).text.contains("doCheckShares is not available yet."))
    }

    @Test("No line of a page is wider than a screen with long lines")
    func width() {
        for command in CommandTable.all {
            for line in HelpPage.page(command).split(separator: "\n") { #expect(line.count <= 160, "\(command.name): \(line)") }
        }
    }
}
