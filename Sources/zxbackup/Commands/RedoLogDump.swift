import ArgumentParser
import BackupCore
import Glibc
import RedoLog
import SystemPackage

/// `redolog`: commands for the log files themselves.
struct RedoLogCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "redolog", abstract: "Reads redo logs of a mail server.",
        subcommands: [RedoLogDump.self, RedoLogVerify.self])
}

/// `redolog dump`: the records of log files.
struct RedoLogDump: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dump", abstract: "Prints the records of log files.",
        discussion: """
            Without --json a line for each record. With --json the file is described in whole, every field and the hashes of all \
            bodies, as a redolog-description/1 document; it shows passwords of guests in clear text.

            Example: zxbackup redolog dump /opt/zimbra/redolog/redo.log
            """)

    @Flag(help: "Print one file's description as a JSON document.")
    var json = false

    @Argument(help: ArgumentHelp("Log files.", valueName: "file"))
    var files: [String]

    func validate() throws {
        if files.isEmpty { throw ValidationError("Name at least one log file.") }
        if json && files.count != 1 { throw ValidationError("--json describes one file.") }
    }

    func run() throws {
        var isSound = true
        for name in files {
            let file = try LogFile(FilePath(name))
            isSound = try (json ? describe(file) : list(file)) && isSound
        }
        if !isSound { throw ExitCode.failure }
    }

    private func describe(_ file: LogFile) throws -> Bool {
        try Description(of: file).write { try writeOut($0) }
    }

    private func list(_ file: LogFile) throws -> Bool {
        let summary = Summary(of: file)
        let header = try file.header()
        try writeOut(
            "\(file.path): file \(header.sequence) of server \(header.serverID), version \(header.version), "
                + "\(header.isOpen ? "open" : "closed")\n")
        let reader = try RecordReader(file: file)
        var isSound = true
        while true {
            switch try reader.next() {
            case .record(let record): try writeOut(summary.line(record) + "\n")
            case .garbage(let offset, let length):
                isSound = false
                try writeOut("garbage: \(length) bytes at \(offset) are no record\n")
            case .incompleteTail(let offset, let length):
                try writeOut("incomplete: the last \(length) bytes, at \(offset), are the beginning of a record\n")
            case .end: return isSound
            }
        }
    }
}

/// Writes to the standard output, all of it.
private func writeOut(_ text: String) throws { try writeOut(Array(ShownText.lines(text).utf8)) }

private func writeOut(_ bytes: [UInt8]) throws { try FileDescriptor.standardOutput.writeAll(bytes) }
