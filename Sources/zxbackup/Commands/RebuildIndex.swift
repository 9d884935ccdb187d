import BackupCore
import BackupStore
import SystemPackage

/// `rebuildIndex`: the index anew from histories and journal.
enum RebuildIndex: ServiceCommand {
    static var isKept: Bool { false }

    static func run(
        _ invocation: Invocation, in engine: BackupEngine, _ configuration: Configuration, _ console: Console
    ) throws -> CommandStatus {
        let accounts = try engine.rebuildIndex()
        return show(accounts: accounts, last: engine.lastSequence, engine.findings, engine.backupPath, invocation, console)
    }

    static func runAlone(_ invocation: Invocation, _ configuration: Configuration, _ console: Console) throws -> CommandStatus {
        let path = invocation.backupPath(configuration)
        // R8: another server's path is refused. Without a configured server, the path may be anybody's: nothing but the index is
        // written, from what the path holds itself.
        let owner = configuration.server == .none ? try owner(of: path) : try configuration.openSource().identity.id
        let writer = try StoreWriter(opening: path, serverID: owner)
        try writer.rebuildIndex()
        let accounts = try writer.accounts().count
        let last = writer.lastSequence
        let findings = writer.recovery.findings
        try writer.close()
        return show(accounts: accounts, last: last, findings, path, invocation, console)
    }

    private static func show(
        accounts: Int, last: UInt64, _ findings: [Damage], _ path: FilePath, _ invocation: Invocation, _ console: Console
    ) -> CommandStatus {
        for finding in findings { console.errors("\(path)/\(finding)\n") }
        if invocation.options.json {
            console.write(JSONValue.object([
                "accounts": .int(Int64(accounts)), "last_sequence": .int(Int64(last)), "findings": .array(findings.map { .string("\($0)") }),
            ]))
        } else {
            console.write(KeyValueBlock("index rebuilt", [.pair("accounts", "\(accounts)"), .pair("last sequence", "\(last)")]))
        }
        return findings.contains { $0.finding == .corrupt || $0.finding == .missing } ? .failed : .successful
    }

    private static func owner(of path: FilePath) throws -> String {
        let reader = try StoreReader(opening: path)
        defer { reader.close() }
        return try reader.info().serverID
    }
}
