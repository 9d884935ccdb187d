import BackupCore
import BackupStore

/// `doEnableDisableCOS`: switches the backup of a COS on or off.
enum DoEnableDisableCOS: ServiceCommand {
    static var isKept: Bool { false }

    static func run(
        _ invocation: Invocation, in engine: BackupEngine, _ configuration: Configuration, _ console: Console
    ) throws -> CommandStatus {
        let name = try invocation.required("cos_name")
        let isEnabled = invocation["action"]?.lowercased() == "enable"
        try engine.setBackup(ofCOS: name, enabled: isEnabled)
        // What happened to its accounts meanwhile nobody followed.
        var scanned: ScanStatistics?
        if isEnabled {
            var options = SmartScanOptions()
            (options.dumpsDirectory, options.archivesCustomizations) = (false, false)
            scanned = try engine.smartScan(options, stop: console.mustStop) { progress in
                console.progress(Progress(what: "Account scanned", done: Int64(progress.done), total: Int64(progress.total)))
            }
        }
        for problem in scanned?.problems ?? [] { console.errors(ShownText.line(problem) + "\n") }
        if invocation.options.json {
            var members: JSONObject = ["cos": .string(name), "backup": .bool(isEnabled)]
            members["accounts_scanned"] = scanned.map { .int(Int64($0.accounts)) }
            console.write(.object(members))
        } else {
            var block = KeyValueBlock("COS", [.pair(name, isEnabled ? "enabled" : "disabled")])
            if let scanned { block.add("accounts scanned", "\(scanned.accounts)") }
            console.write(block)
        }
        return scanned.map { $0.skippedItems + $0.failedAccounts > 0 } ?? false ? .failed : .successful
    }
}

/// `getCOSBackupStatus`: which COS are backed up.
enum GetCOSBackupStatus: Command {
    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        let (store, path) = try invocation.openReader()
        defer { store.close() }
        var entries = try store.entries(of: .cos).compactMap { id -> ConfigurationEntry? in
            guard let state = try store.state(of: .directory(.cos, id)), !state.isDeleted else { return nil }
            return ConfigurationEntry(kind: .cos, id: id, fields: state.fields)
        }
        if let wanted = invocation["cos_name"]?.lowercased(), wanted != "all" {
            entries.removeAll { $0.name.lowercased() != wanted && $0.id != wanted }
            guard !entries.isEmpty else {
                throw CoreError(
                    .unknownCOS, doing: "looking for a COS in the backup", subject: wanted, reason: "\(path) knows no COS of this name",
                    remedy: "getCOSBackupStatus without a name lists them; doBackupCluster takes in new ones")
            }
        }
        entries.sort { $0.name < $1.name }
        if invocation.options.json {
            console.write(
                .object([
                    "cos": .array(
                        entries.map { .object(["name": .string($0.name), "id": .string($0.id), "backup": .bool(!BackupSwitches.isOff($0))]) })
                ]))
        } else {
            console.write(KeyValueBlock("COS", entries.map { .pair($0.name, BackupSwitches.isOff($0) ? "disabled" : "enabled") }))
        }
        return .successful
    }
}
