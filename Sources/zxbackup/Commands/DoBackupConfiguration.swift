import BackupCore
import BackupStore

/// `doBackupLDAP`: the whole directory as LDIF.
enum DoBackupLDAP: ServiceCommand {
    static func run(
        _ invocation: Invocation, in engine: BackupEngine, _ configuration: Configuration, _ console: Console
    ) throws -> CommandStatus {
        ArchiveOutput(title: "directory dump", engine).show(try engine.archiveDirectory(), invocation, console)
    }
}

/// `doBackupServerCustomizations`: the server's configuration files.
enum DoBackupServerCustomizations: ServiceCommand {
    static func run(
        _ invocation: Invocation, in engine: BackupEngine, _ configuration: Configuration, _ console: Console
    ) throws -> CommandStatus {
        ArchiveOutput(title: "customizations", engine).show(try engine.archiveCustomizations(), invocation, console)
    }
}

/// `doBackupCluster`: accounts, domains, COS, lists, groups, servers and configuration, as far as they changed.
enum DoBackupCluster: ServiceCommand {
    static func run(
        _ invocation: Invocation, in engine: BackupEngine, _ configuration: Configuration, _ console: Console
    ) throws -> CommandStatus {
        let (changed, gone) = try engine.recordConfiguration()
        if invocation.options.json {
            console.write(.object(["changed_entries": .int(Int64(changed)), "deleted_entries": .int(Int64(gone))]))
        } else {
            console.write(KeyValueBlock("cluster configuration", [.pair("changed entries", "\(changed)"), .pair("deleted entries", "\(gone)")]))
        }
        return .successful
    }
}

/// What is said of an archive that was kept.
private struct ArchiveOutput {
    let title: String
    let engine: BackupEngine

    init(title: String, _ engine: BackupEngine) { (self.title, self.engine) = (title, engine) }

    func show(_ report: ArchiveReport, _ invocation: Invocation, _ console: Console) -> CommandStatus {
        for problem in report.problems { console.errors(ShownText.line(problem) + "\n") }
        guard let archive = report.archive else {
            console.errors("this server has no \(title) that could be kept\n")
            return .failed
        }
        let path = archive.path(in: engine.backupPath)
        if invocation.options.json {
            console.write(
                .object([
                    "filename": .string(archive.name), "path": .string(path), "bytes": .int(archive.content.stored),
                    "content_bytes": .int(archive.content.size), "problems": .array(report.problems.map { .string($0) }),
                ]))
        } else {
            console.write(
                KeyValueBlock(
                    title,
                    [
                        .pair("filename", archive.name), .pair("path", path),
                        .pair("size", "\(ByteText.of(archive.content.stored)) (\(ByteText.of(archive.content.size)) uncompressed)"),
                    ]))
        }
        return report.problems.isEmpty ? .successful : .failed
    }
}
