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

    @Test("Usage errors: the reason, a blank line, the page, and exit status 64")
    func usage() throws {
        let result = run(["getItem"])
        #expect(result.status == .usage)
        #expect(result.text.isEmpty)
        #expect(result.errors == "command getItem requires more parameters\n\n" + HelpPage.page(try #require(CommandTable.all.first { $0.name == "getItem" })))
    }

    @Test("A command that is not built is refused by name, and its page says so")
    func notYet() {
        let result = run(["doSmartScan"])
        #expect(result.status == .failed)
        #expect(result.errors == "command doSmartScan is not available yet\n")
        #expect(run(["help", "dosmartscan"]).text.contains("doSmartScan is not available yet."))
    }

    @Test("No line of a page is wider than a screen with long lines")
    func width() {
        for command in CommandTable.all {
            for line in HelpPage.page(command).split(separator: "\n") { #expect(line.count <= 160, "\(command.name): \(line)") }
        }
    }
}
