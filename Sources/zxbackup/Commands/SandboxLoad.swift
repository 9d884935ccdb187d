import ArgumentParser
import BackupCore
import SandboxServer

/// `zxbackup sandbox load`: a random life.
struct SandboxLoad: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load", abstract: "Lets the accounts of a server live a random life.",
        discussion: "The same seed on an equal server gives the same operations.\n\nExample: zxbackup sandbox load server")

    @OptionGroup var folder: SandboxFolder

    @Option(help: "Seed of the life.")
    var seed: UInt64 = 1

    @Option(help: "Operations a second; 0 = as many as it can.")
    var rate: Double = 100

    @Option(help: "For how long.")
    var seconds: Double = 10

    @Option(help: "End after this many operations.")
    var operations: Int?

    @Option(name: .customLong("account"), help: ArgumentHelp("An account that takes part; default: all.", valueName: "address"))
    var accounts: [String] = []

    @Option(name: .customLong("size"), help: ArgumentHelp("Bytes of a message; default: as mail is.", valueName: "bytes"))
    var messageSize: Int?

    @Flag(help: "Only deliver.")
    var deliverOnly = false

    @Flag(help: "Print every operation.")
    var verbose = false

    func validate() throws {
        guard rate >= 0, seconds > 0, operations ?? 1 > 0, messageSize ?? 1 > 0 else {
            throw ValidationError("--rate, --seconds, --operations and --size are positive.")
        }
    }

    func run() throws {
        let server = try folder.open()
        var names = accounts.isEmpty ? try server.accounts().map(\.name) : accounts
        if names.isEmpty { names = ["alice@example.com", "bob@example.com", "carla@example.com"] }
        var life = try SandboxLife(on: server, seed: seed, accounts: names, messageSize: messageSize)
        life.onlyDelivers = deliverOnly
        let start = SandboxServer.wallClock()
        try life.run(rate: rate, seconds: seconds) { event, done in
            if verbose { say(ShownText.line(event.description)) }
            return done < operations ?? .max
        }
        let elapsed = Double(max(1, SandboxServer.wallClock() - start)) / 1000
        let perSecond = (Double(life.count) / elapsed * 10).rounded() / 10
        print("\(life.count) operations in \(elapsed) s, \(perSecond) a second")
    }
}
