import ArgumentParser
import BackupCore
import SandboxServer
import SystemPackage

/// `zxbackup sandbox`: a small mail server in a folder, to try the backup on.
struct SandboxCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sandbox",
        abstract: "A small but real mail server in one folder, to try the backup on.",
        discussion: """
            It keeps the tables, the blob files and the redo log of a real server. Name the folder as the server to back up:
            'server: {kind: sandbox, path: FOLDER}' in the configuration.
            """,
        subcommands: [
            SandboxCreate.self, SandboxDeliver.self, SandboxScenario.self, SandboxLoad.self, SandboxShow.self, SandboxLMTP.self,
            SandboxImport.self,
            SandboxStop.self,
        ])
}

/// What the commands have in common.
struct SandboxFolder: ParsableArguments {
    @Argument(help: ArgumentHelp("The server's folder.", valueName: "folder"))
    var path: String

    @Flag(help: "Sync the redo log and the blobs before each commit, as a real server does.")
    var durable = false

    func options() -> SandboxServer.Options {
        var options = SandboxServer.Options()
        options.durability = durable ? .full : .processCrash
        return options
    }

    func open() throws -> SandboxServer { try SandboxServer(at: FilePath(path), options: options()) }
}

struct SandboxCreate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Creates a server.",
        discussion: "Example: zxbackup sandbox create server --account alice@example.com")

    @OptionGroup var folder: SandboxFolder

    @Option(help: "The server's host name.")
    var name = "mail.example.com"

    @Option(name: .customLong("account"), help: ArgumentHelp("An account to create, with its mailbox. May be repeated.", valueName: "address"))
    var accounts: [String] = []

    func run() throws {
        let server = try SandboxServer.create(at: FilePath(folder.path), name: name, options: folder.options())
        say("Created server \(server.identity.name), \(server.identity.id), in \(folder.path)")
        for account in accounts {
            let entry = try server.createAccount(name: account)
            let mailbox = try server.openMailbox(entry.id)
            say("Created account \(entry.name), \(entry.id), mailbox \(mailbox.mailboxID)")
        }
    }
}

struct SandboxDeliver: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deliver", abstract: "Delivers a message from a file or from the standard input.",
        discussion: "Example: zxbackup sandbox deliver server --to alice@example.com lunch.eml")

    @OptionGroup var folder: SandboxFolder

    @Option(name: .customLong("to"), help: ArgumentHelp("A recipient. May be repeated: they share one blob.", valueName: "address"))
    var recipients: [String]

    @Argument(help: "The message; '-' or nothing is the standard input.")
    var file = "-"

    func run() throws {
        let input = file == "-" ? FileDescriptor.standardInput : try FileDescriptor.open(FilePath(file), .readOnly)
        defer { if file != "-" { try? input.close() } }  // It was only read.
        var message: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = try buffer.withUnsafeMutableBytes { try input.read(into: $0) }
            if count == 0 { break }
            message += buffer[..<count]
        }
        for delivery in try folder.open().deliver(message, to: recipients) {
            say("Delivered message \(delivery.itemID) to \(delivery.address)")
        }
    }
}

struct SandboxScenario: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scenario", abstract: "Runs a scenario: one command a line.",
        discussion: "Example: zxbackup sandbox scenario server day.txt\n\nCommands of a scenario:\n\n" + Scenario.reference)

    @OptionGroup var folder: SandboxFolder

    @Argument(help: "The scenario.")
    var file: String

    @Option(help: "Seed of the texts that the scenario leaves to chance.")
    var seed: UInt64 = 1

    @Flag(help: "Check the scenario, do nothing.")
    var check = false

    @Flag(help: "Print JSON, a line for each step.")
    var json = false

    func run() throws {
        let scenario = try Scenario(try text(of: file))
        if check {
            say("\(scenario.steps.count) steps")
            return
        }
        let run = ScenarioRun(on: try folder.open(), seed: seed)
        try run.run(scenario) { done in
            say(
                json
                    ? "{\"line\":\(done.line),\"time\":\(done.time),\"done\":\(SandboxJSON.quoted(done.description))}"
                    : "\(done.line): \(ShownText.line(done.description))")
        }
    }

    private func text(of file: String) throws -> String {
        let descriptor = try FileDescriptor.open(FilePath(file), .readOnly)
        return try descriptor.closeAfter {
            var bytes: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 65536)
            while true {
                let count = try buffer.withUnsafeMutableBytes { try descriptor.read(into: $0) }
                if count == 0 { break }
                bytes += buffer[..<count]
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }
}

struct SandboxStop: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "Stops the server in an orderly way: the redo log rolls over. The next operation starts it again.",
        discussion: "Example: zxbackup sandbox stop server")

    @OptionGroup var folder: SandboxFolder

    func run() throws {
        let server = try folder.open()
        try server.rollOver()
        try server.close()
        say("Stopped")
    }
}

/// Prints a line; names in it cannot drive a terminal.
func say(_ line: String) { print(ShownText.lines(line)) }

/// JSON texts.
enum SandboxJSON {
    static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case _ where scalar.value < 32: out += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}
