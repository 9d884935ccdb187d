import BackupCore
import BackupStore

/// `scheduler`: when the service does something by itself.
enum Scheduler: SettingsCommand {
    static func runAlone(_ invocation: Invocation, _ configuration: Configuration, _ console: Console) throws -> CommandStatus {
        let job = try invocation.required("job")
        let (title, enabled, pattern): (String, BackupProperty, BackupProperty) = switch job.lowercased() {
        case "purge": ("purge", .purgeScheduled, .purgeSchedule)
        case "coherencycheck": ("coherencyCheck", .checkScheduled, .checkSchedule)
        default: ("SmartScan", .smartScanScheduled, .smartScanSchedule)
        }
        let file = PropertyFile(stateFolder: configuration.stateFolder)
        if invocation["action"]?.lowercased() == "set" {
            guard invocation["enabled"] != nil || invocation["pattern"] != nil else {
                throw UsageError("scheduler \(job) set: enabled or pattern is expected", invocation.command)
            }
            // Refused before anything is set.
            let text = try invocation["pattern"].map { try pattern.value($0) }
            if let text { try file.set(pattern, to: text) }
            if let text = invocation["enabled"] { try file.set(enabled, to: text) }
        }
        let values = (enabled: try file.value(of: enabled), pattern: try file.value(of: pattern))
        if invocation.options.json {
            console.write(
                .object([
                    "job": .string(title), "enabled": .bool(values.enabled == "true"),
                    "pattern": .string(values.pattern),
                ]))
        } else {
            console.write(
                KeyValueBlock(
                    title, [.pair("enabled", values.enabled), .pair("pattern", values.pattern)]))
        }
        return .successful
    }
}
