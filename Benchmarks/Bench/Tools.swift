import Foundation

/// A tool that is measured: what it does for each work, in a folder of its own.
protocol Tool {
    var name: String { get }
    /// Makes an empty store; not measured.
    func begin(_ folder: String, _ runner: Runner) throws
    /// Takes in what is new on the server.
    func scan(_ folder: String, _ runner: Runner) throws -> Run
    /// Brings back the mail of these accounts; nil = of all.
    func restore(_ accounts: [String]?, from folder: String, to target: String, _ runner: Runner) throws -> Run
    /// Writes one message to a file.
    func restoreOne(_ message: Message, from folder: String, to file: String, _ runner: Runner) throws -> Run
    /// Reads everything, and compares it with its checksums.
    func verify(_ folder: String, _ runner: Runner) throws -> Run
}

/// A message of the server, by account and id, and by its file.
struct Message {
    var account: String
    var id: Int64
    var file: String
}

/// This project: volumes and tables, all metadata, every state.
struct Ours: Tool {
    let name = "ours"
    let program: String
    let server: String
    let accounts: [String]

    func words(_ folder: String, _ words: [String]) -> [String] { [program, "--config", folder + "/zxbackup.yaml"] + words }

    func begin(_ folder: String, _ runner: Runner) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let text = "server: {kind: sandbox, path: \(server)}\nbackupPath: \(folder)/backup\nstateFolder: \(folder)/state\n"
        try Data(text.utf8).write(to: URL(fileURLWithPath: folder + "/zxbackup.yaml"))
        try runner.run(words(folder, ["init"]))
    }

    func scan(_ folder: String, _ runner: Runner) throws -> Run { try runner.run(words(folder, ["doSmartScan"])) }

    func restore(_ accounts: [String]?, from folder: String, to target: String, _ runner: Runner) throws -> Run {
        try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
        var total = Run(seconds: 0, processorSeconds: 0, peakMemory: 0)
        for account in accounts ?? self.accounts {
            total = total + (try runner.run(words(folder, ["doExportMailbox", account, target + "/" + account])))
        }
        return total
    }

    func restoreOne(_ message: Message, from folder: String, to file: String, _ runner: Runner) throws -> Run {
        try runner.run(words(folder, ["getItem", message.account, "\(message.id)", "dump_blob", "true"]), output: file)
    }

    func verify(_ folder: String, _ runner: Runner) throws -> Run {
        try runner.run(words(folder, ["doCoherencyCheck", folder + "/backup"]))
    }
}

/// restic: the server's volume, encrypted, compressed by zstd.
struct Restic: Tool {
    let name = "restic"
    let store: String
    let folders: [String: String]

    private func words(_ folder: String, _ words: [String]) -> [String] {
        ["restic", "--quiet", "--cache-dir", folder + "/cache", "--repo", folder + "/repo"] + words
    }

    func begin(_ folder: String, _ runner: Runner) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try runner.run(words(folder, ["init"]))
    }

    func scan(_ folder: String, _ runner: Runner) throws -> Run { try runner.run(words(folder, ["backup", store])) }

    func restore(_ accounts: [String]?, from folder: String, to target: String, _ runner: Runner) throws -> Run {
        let included = (accounts ?? []).flatMap { account in folders[account].map { ["--include", $0] } ?? [] }
        return try runner.run(words(folder, ["restore", "latest", "--target", target] + included))
    }

    func restoreOne(_ message: Message, from folder: String, to file: String, _ runner: Runner) throws -> Run {
        try runner.run(words(folder, ["dump", "latest", message.file]), output: file)
    }

    func verify(_ folder: String, _ runner: Runner) throws -> Run { try runner.run(words(folder, ["check", "--read-data"])) }
}

/// borg: the server's volume, not encrypted, compressed by zlib at level 6.
struct Borg: Tool {
    let name = "borg"
    let store: String
    let folders: [String: String]

    func begin(_ folder: String, _ runner: Runner) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try runner.run(["borg", "init", "--encryption", "none", folder + "/repo"])
    }

    func scan(_ folder: String, _ runner: Runner) throws -> Run {
        let archive = folder + "/repo::\(UUID().uuidString)"
        let run = try runner.run(["borg", "create", "--compression", "zlib,6", archive, store], allowed: [0, 1])
        try Data(archive.utf8).write(to: URL(fileURLWithPath: folder + "/archive"))
        return run
    }

    private func archive(_ folder: String) throws -> String { try String(contentsOfFile: folder + "/archive", encoding: .utf8) }

    func restore(_ accounts: [String]?, from folder: String, to target: String, _ runner: Runner) throws -> Run {
        try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
        let paths = (accounts ?? []).compactMap { folders[$0] }.map { String($0.dropFirst()) }
        // It restores into the folder that it is in.
        return try runner.run(["sh", "-c", "cd \"$1\" && shift && exec borg extract \"$@\"", "sh", target, try archive(folder)] + paths)
    }

    func restoreOne(_ message: Message, from folder: String, to file: String, _ runner: Runner) throws -> Run {
        try runner.run(["borg", "extract", "--stdout", try archive(folder), String(message.file.dropFirst())], output: file)
    }

    func verify(_ folder: String, _ runner: Runner) throws -> Run { try runner.run(["borg", "check", "--verify-data", folder + "/repo"]) }
}
