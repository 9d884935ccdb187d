import Foundation
import Glibc

/// A shell at a terminal of its own, at which a test types.
final class Terminal {
    /// `script` gives it the terminal.
    private static let script = "/usr/bin/script"
    /// Whether the machine gives out terminals: a container without devpts does not.
    private static let hasTerminals: Bool = {
        let descriptor = open("/dev/ptmx", O_RDWR | O_NOCTTY)
        if descriptor >= 0 { close(descriptor) }
        return descriptor >= 0
    }()
    /// Whether it and the shell are installed, and there are terminals.
    static func hasShell(_ name: String) -> Bool {
        func isThere(_ path: String) -> Bool { FileManager.default.isExecutableFile(atPath: path) }
        return hasTerminals && isThere(script) && ["/bin/", "/usr/bin/", "/usr/local/bin/"].contains { isThere($0 + name) }
    }

    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var unread = Data()

    /// Starts a shell, and waits until its last line of setting up has been obeyed: that sets the prompt `READY>`.
    init(_ command: String, in folder: String, environment: [String: String], setUp: String) throws {
        process.executableURL = URL(fileURLWithPath: Self.script)
        process.arguments = ["--quiet", "--echo", "never", "--return", "--command", command, "/dev/null"]
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = input
        process.standardOutput = output
        process.standardError = output
        try process.runUnblocked()
        try type(setUp + "\n")
        _ = try read(upTo: "READY>")
    }

    deinit {
        process.terminate()
        process.waitUntilExit()
    }

    /// Types keys.
    func type(_ keys: String) throws { try input.fileHandleForWriting.write(contentsOf: Data(keys.utf8)) }

    /// What the terminal shows next, up to a text.
    func read(upTo end: String) throws -> String {
        while true {
            if let found = unread.range(of: Data(end.utf8)) {
                let text = String(decoding: unread[..<found.lowerBound], as: UTF8.self)
                unread = Data(unread[found.upperBound...])
                return text
            }
            let more = output.fileHandleForReading.availableData
            guard !more.isEmpty else { throw Ended(shown: String(decoding: unread, as: UTF8.self)) }
            unread += more
        }
    }

    struct Ended: Error { var shown: String }
}

extension Process {
    /// Runs it with no signal blocked: the threads that tests run on block some, programs inherit that, and could not be ended.
    func runUnblocked() throws {
        var none = sigset_t()
        var before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try run()
    }
}
