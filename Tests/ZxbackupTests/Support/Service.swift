import BackupStore
import Foundation
import SystemPackage

@testable import zxbackup

/// A `serve` in a process of its own.
final class Service {
    let place: Workplace
    private let process = Process()
    private let log: FilePath

    /// - Parameter umask: as the shell that starts it has it.
    init(_ place: Workplace, umask: String = "022") throws {
        self.place = place
        log = place.folder.appending("serve.log")
        _ = FileManager.default.createFile(atPath: log.string, contents: nil)
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = [
            "-c", "umask \(umask); exec \"$@\"", "sh", Program.path, "--config", place.config, "serve",
        ]
        process.standardOutput = FileHandle(forWritingAtPath: log.string)
        process.standardError = FileHandle(forWritingAtPath: log.string)
        try process.run()
        try wait { self.state?["phase"]?.string == "following" }
    }

    deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

    var isRunning: Bool { process.isRunning }
    var pid: Int32 { process.processIdentifier }
    var words: String { (try? String(contentsOfFile: log.string, encoding: .utf8)) ?? "" }
    var socket: FilePath { place.folder.appending("state/serve.sock") }

    /// What the service says of itself; nil while it does not.
    var state: JSONObject? {
        guard let configuration = try? Configuration(GlobalOptions(configuration: place.config)) else { return nil }
        return try? ServiceClient.state(configuration)
    }

    /// Waits until something is so, while the service runs.
    func wait(_ condition: () throws -> Bool) throws {
        while try !condition() {
            guard process.isRunning else { throw Ended(words: words) }
            usleep(20_000)
        }
    }

    /// Ends the service as an administrator does.
    @discardableResult
    func end() -> Int32 {
        kill(process.processIdentifier, SIGTERM)
        process.waitUntilExit()
        return process.terminationStatus
    }

    func killNow() {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    struct Ended: Error { var words: String }
}
