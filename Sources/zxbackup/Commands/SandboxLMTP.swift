import ArgumentParser
import Glibc
import SandboxServer

/// `zxbackup sandbox lmtp`: takes mail in as a mail server does.
struct SandboxLMTP: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lmtp", abstract: "Listens for mail by LMTP until it is interrupted.",
        discussion: """
            Feed it with swaks --protocol LMTP, Python's smtplib.LMTP, or a mail transfer agent.

            Example: zxbackup sandbox lmtp server --port 7025
            """)

    @OptionGroup var folder: SandboxFolder

    @Option(help: "The address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "The port to listen on; 0 = any that is free.")
    var port = 7025

    func run() throws {
        let listener = try LMTPServer(try folder.open(), host: host, port: port)
        print("Listening on \(host):\(listener.port)")
        fflush(nil)
        try listener.wait()
    }
}
