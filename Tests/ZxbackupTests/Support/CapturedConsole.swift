import Synchronization

@testable import zxbackup

/// A console whose words a test reads.
final class CapturedConsole: Sendable {
    private let bytes = Mutex<(output: [UInt8], errors: String)>(([], ""))

    var console: Console {
        Console(
            output: { chunk in self.bytes.withLock { $0.output.append(contentsOf: chunk) } },
            errors: { text in self.bytes.withLock { $0.errors += text } })
    }

    var output: [UInt8] { bytes.withLock { $0.output } }
    var text: String { String(decoding: output, as: UTF8.self) }
    var errors: String { bytes.withLock { $0.errors } }
}

/// Runs a command line, and returns what came of it.
func run(_ words: [String]) -> (status: CommandStatus, text: String, errors: String) {
    let captured = CapturedConsole()
    let status = CommandLineProgram(console: captured.console).run(words)
    return (status, captured.text, captured.errors)
}
