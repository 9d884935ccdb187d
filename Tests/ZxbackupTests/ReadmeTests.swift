import BackupCore
import BackupStore
import Foundation
import SandboxServer
import ServerTestbed
import SystemPackage
import Testing

@testable import zxbackup

/// What README.md tells people to type is typed here. A block that runs has a comment before it:
/// `<!-- ReadmeTests runs this -->`; in it a command begins with `$ `, and the lines below are what it prints, `…` standing for anything.
@Suite("The README")
struct ReadmeTests {
    private static let readme: String = {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../README.md").standardized
        return (try? String(contentsOf: file, encoding: .utf8)) ?? ""
    }()

    private struct Step {
        var command: String
        var output: [String] = []
    }

    /// The commands of all blocks that run, in their order.
    private static var steps: [Step] { steps(after: "<!-- ReadmeTests runs this -->") }

    private static func steps(after mark: String) -> [Step] {
        var steps: [Step] = []
        for part in readme.components(separatedBy: mark + "\n```\n").dropFirst() {
            var heredoc = false
            for line in (part.components(separatedBy: "\n```\n").first ?? "").components(separatedBy: "\n") {
                if line.hasPrefix("$ ") {
                    steps.append(Step(command: String(line.dropFirst(2))))
                    heredoc = line.hasSuffix("<<END")
                } else if heredoc || steps.last?.command.hasSuffix("\\") == true {
                    steps[steps.count - 1].command += "\n" + line
                    if line == "END" { heredoc = false }
                } else if !line.isEmpty, line != "…", line.trimmed() != "…" {
                    steps[steps.count - 1].output.append(line)
                }
            }
        }
        return steps
    }

    @Test("Every block runs as it is written, and prints what it says", .timeLimit(.minutes(5)))
    func blocks() throws {
        let folder = FilePath(FileManager.default.temporaryDirectory.appendingPathComponent("zxbackup-\(UUID().uuidString)").path)
        try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder.string) }
        let others = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        let path = BuiltProgram.url.deletingLastPathComponent().path + ":" + others
        let shell = try Shell(in: folder.string, environment: ["PATH": path])
        let steps = Self.steps
        #expect(steps.count > 15, "the README has its blocks")
        for step in steps {
            let result = try shell.run(step.command)
            #expect(result.status == 0, "\(step.command): \(result.output)")
            // A service that follows in the background is a moment behind.
            if try shell.run("jobs -r").output.contains("serve") { try waitForService(folder) }
        }
        let printed = Set(shell.transcript.components(separatedBy: "\n").map { Self.lasting($0, folder) })
        for step in steps {
            for line in step.output {
                #expect(printed.contains(Self.lasting(line, "/srv/trial")),
                    "\(step.command) does not print:\n\(line)\nbut:\n\(shell.transcript)")
            }
        }
    }

    @Test(
        "An administrator's part runs on a live server's own data as it is written",
        .enabled(if: Testbed.isAvailable, "MariaDB and OpenLDAP are not installed"), .timeLimit(.minutes(10)))
    func administration() throws {
        let testbed = try Testbed()
        defer { testbed.remove() }
        let fixtures = FilePath(#filePath).removingLastComponent().removingLastComponent().appending("BackupCoreTests/Fixtures")
        try testbed.load(dataset: fixtures.appending("small"))
        let folder = FilePath(FileManager.default.temporaryDirectory.appendingPathComponent("zxadmin-\(UUID().uuidString)").path)
        try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder.string) }
        let others = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        let config = folder.appending("zxbackup.yaml").string
        let shell = try Shell(
            in: folder.string,
            environment: ["PATH": BuiltProgram.url.deletingLastPathComponent().path + ":" + others, "ZXBACKUP_CONFIG": config])
        // The testbed's places for those of a host.
        let places = [
            ("/etc/zxbackup.yaml", config), ("{kind: zimbra}", "{kind: zimbra, path: \(testbed.home)}"),
            ("/backup/zimbra", folder.appending("backup").string), ("/var/lib/zxbackup", folder.appending("state").string),
        ]
        let steps = Self.steps(after: "<!-- ReadmeTests runs this on a testbed -->")
        #expect(steps.count > 20)
        for step in steps {
            let command = places.reduce(step.command) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
            let result = try shell.run(command)
            // A warning of these two is an answer: the testbed's backup path is on the disk of its mail.
            let isAnswer = ["zxbackup doctor", "zxbackup status"].contains(command) && result.status == 1
            #expect(result.status == 0 || isAnswer, "\(command): \(result.output)")
            if command.hasSuffix("serve &") { try waitForSocket(folder.appending("state/serve.sock")) }
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.appending("out").string)
        #expect(names.contains { $0.hasSuffix(".tgz") })
    }

    private func waitForSocket(_ path: FilePath) throws {
        for _ in 0..<3000 where !FileManager.default.fileExists(atPath: path.string) { usleep(20_000) }
        #expect(FileManager.default.fileExists(atPath: path.string), "the service has begun")
    }

    /// Waits until a service in the background has committed what the server's mailboxes have lived through.
    private func waitForService(_ folder: FilePath) throws {
        let server = try SandboxServer(at: folder.appending("server"))
        while true {
            let reader = try StoreReader(opening: folder.appending("backup"))
            defer { reader.close() }
            let isBehind = try server.mailboxes().contains { row in
                guard let now = try server.readMailbox(row.id, { _ in }), try reader.state(of: .mailbox(row.accountID)) != nil
                else { return true }
                return try reader.cut(row.accountID, change: .max)?.last.change ?? 100 < now.change
            }
            if !isBehind { return }
            usleep(20_000)
        }
    }

    /// A line without what differs from run to run.
    private static func lasting(_ line: String, _ folder: FilePath) -> String {
        stable(line, [folder.string: "<FOLDER>"])
            .replacingOccurrences(of: #"items/../[0-9A-Za-z+,]+="#, with: "<BLOB>", options: .regularExpression)
    }

    @Test("Every command that is built has its line among those of every day, and no other has")
    func everyDay() throws {
        let rest = Self.readme.components(separatedBy: "\n## Every day\n").last
        let section = try #require(rest?.components(separatedBy: "\n## ").first)
        let named = section.components(separatedBy: "\n").filter { $0.hasPrefix("| `") }
            .compactMap { $0.dropFirst(3).split(whereSeparator: { $0 == "`" || $0 == " " }).first.map(String.init) }
        let built = CommandTable.all.filter { $0.availability != .notYet }.map(\.name)
        #expect(Set(named) == Set(built))
    }
}
