import Foundation

/// A shell that runs commands one after the other, as somebody would type them: variables and background jobs stay.
final class Shell {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var unread = Data()
    /// Everything that was printed.
    private(set) var transcript = ""

    private static let mark = "zxbackup-test-status"

    init(in folder: String, environment: [String: String]) throws {
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = input
        process.standardOutput = output
        process.standardError = output
        try process.runUnblocked()
    }

    deinit {
        // Whatever the shell has left behind in the background goes, too.
        try? input.fileHandleForWriting.write(contentsOf: Data("kill $(jobs -p) 2>/dev/null; exit\n".utf8))
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    /// Runs a command, which may have several lines; returns what it printed, and its exit status.
    func run(_ command: String) throws -> (output: String, status: Int32) {
        try input.fileHandleForWriting.write(contentsOf: Data("\(command)\necho; echo \(Self.mark) $?\n".utf8))
        let end = Data("\n\(Self.mark) ".utf8)
        while true {
            if let found = unread.range(of: end), let newline = unread[found.upperBound...].firstIndex(of: UInt8(ascii: "\n")) {
                let text = String(decoding: unread[..<found.lowerBound], as: UTF8.self)
                let status = Int32(String(decoding: unread[found.upperBound..<newline], as: UTF8.self)) ?? -1
                unread = Data(unread[(newline + 1)...])
                transcript += text + "\n"
                return (text, status)
            }
            let more = output.fileHandleForReading.availableData
            guard !more.isEmpty else { throw CocoaError(.fileReadUnknown) }
            unread += more
        }
    }
}
