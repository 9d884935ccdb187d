import BackupCore
import Foundation
import RedoLog
import SystemPackage
import Testing

@testable import SandboxServer

/// A clock that tests move by hand; every look at it is a millisecond later.
final class TestClock: @unchecked Sendable {
    private let lock = NSLock()
    private var time: Int64

    init(_ time: Int64 = 1_795_425_774_937) { self.time = time }

    func advance(seconds: Int64) { lock.withLock { time += seconds * 1000 } }

    func now() -> Int64 {
        lock.withLock {
            time += 1
            return time
        }
    }
}

/// A server in a temporary folder that goes with it.
final class TestServer {
    let path: FilePath
    let server: SandboxServer
    let clock = TestClock()

    init(rolloverSize: Int64? = nil) throws {
        path = FilePath(NSTemporaryDirectory()).appending("zxsandbox-\(UUID().uuidString)")
        var options = SandboxServer.Options()
        options.rolloverSize = rolloverSize
        let clock = self.clock
        options.clock = { clock.now() }
        server = try SandboxServer.create(at: path, id: "5b0d6a3e-7c41-4f29-9e5a-1d2c3b4a5f60", options: options)
    }

    deinit { try? FileManager.default.removeItem(atPath: path.string) }

    /// A new account with its mailbox.
    func mailbox(_ name: String = "alice@example.com", dumpster: Bool = false) throws -> SandboxMailbox {
        _ = try server.createAccount(name: name, attributes: ["zimbraDumpsterEnabled": [dumpster ? "TRUE" : "FALSE"]])
        return try server.openMailbox(name)
    }

    /// All files of the log, oldest first.
    func logFiles() -> [FilePath] {
        let archive = server.redoLog.archive
        func sequence(_ name: String) -> Int { Int(name.split(separator: "seq").last?.dropLast(4) ?? "") ?? 0 }
        let old = Files.names(in: archive).filter { $0.hasPrefix("redo-") }.sorted { sequence($0) < sequence($1) }
        return old.map { archive.appending($0) } + [server.redoLog.log]
    }

    /// All records of the log; fails the test on anything that is no record.
    func records() throws -> [(record: Record, file: LogFile)] {
        var result: [(Record, LogFile)] = []
        for path in logFiles() {
            let file = try LogFile(path)
            let reader = try RecordReader(file: file)
            loop: while true {
                switch try reader.next() {
                case .record(let record): result.append((record, file))
                case .end: break loop
                case .garbage(let offset, let length): Issue.record("garbage at \(offset) of \(path), \(length) bytes"); break loop
                case .incompleteTail(let offset, _): Issue.record("incomplete tail at \(offset) of \(path)"); break loop
                }
            }
        }
        return result
    }
}

/// A message text.
func mail(
    from: String = "Bob Example <bob@example.com>", to: String = "alice@example.com", subject: String = "A kettle", id: String? = nil,
    references: String? = nil, body: String = "The kettle is on the table.\r\n"
) -> [UInt8] {
    var text = "From: \(from)\r\nTo: \(to)\r\nSubject: \(subject)\r\n"
    if let id { text += "Message-ID: <\(id)>\r\n" }
    if let references { text += "In-Reply-To: <\(references)>\r\nReferences: <\(references)>\r\n" }
    return Array((text + "\r\n" + body).utf8)
}
