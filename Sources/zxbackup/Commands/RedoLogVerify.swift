import ArgumentParser
import Glibc
import RedoLog
import SystemPackage

/// `redolog verify`: whether log files are sound.
struct RedoLogVerify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Reads log files whole and reports what is wrong with them.",
        discussion: """
            Fails (exit status 1) for bytes that are no record, headers that cannot be used and bodies that are not what their \
            digest says. A cut last record is reported, but is no damage: a log in use has one at times.

            Example: zxbackup redolog verify --strict /opt/zimbra/redolog
            """)

    @Flag(help: "Assert what holds in every log of a real server, too.")
    var strict = false

    @Flag(help: "Do not read the bodies of messages.")
    var noDigests = false

    @Argument(help: ArgumentHelp("Log files in the order of their series, or a directory with them.", valueName: "file|dir"))
    var paths: [String]

    func validate() throws {
        if paths.isEmpty { throw ValidationError("Name at least one log file or directory.") }
    }

    func run() throws {
        var files: [FilePath] = []
        for path in paths {
            var status = stat()
            let isDirectory = stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
            if isDirectory {
                let found = try Verification.files(in: FilePath(path))
                if found.isEmpty { throw ValidationError("There are no log files in \(path).") }
                files += found
            } else {
                files.append(FilePath(path))
            }
        }
        let report = try Verification(isStrict: strict, checksDigests: !noDigests).run(files)
        print(text(of: report))
        if report.isDamaged { throw ExitCode.failure }
    }

    private func text(of report: VerificationReport) -> String {
        var lines: [String] = []
        func add(_ label: String, _ value: String) {
            lines.append(label + String(repeating: " ", count: max(1, 28 - label.utf8.count)) + value)
        }
        add("files", "\(report.files)")
        add("bytes", "\(report.bytes)")
        add("records", "\(report.records)")
        for (code, count) in report.counts.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            add("  \(code.name)", "\(count)")
        }
        if !noDigests { add("bodies compared", "\(report.digests)") }
        add("transactions left open", "\(report.openCount)")
        for header in report.open { lines.append("  \(header.transaction) \(header.code.name) of mailbox \(header.mailboxID)") }
        add("ends without start", "\(report.repeatedEnds)")
        add("problems", "\(report.problemCounts.values.reduce(0, +))")
        for problem in report.problems { lines.append("  \(problem)") }
        let hidden = report.problemCounts.values.reduce(0, +) - Int64(report.problems.count)
        if hidden > 0 { lines.append("  and \(hidden) more") }
        add("MB/s", String(Int(report.throughput)))
        add("records/s", String(Int(report.recordThroughput)))
        return lines.joined(separator: "\n")
    }
}
