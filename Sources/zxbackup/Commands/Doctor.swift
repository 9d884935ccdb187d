import BackupCore
import BackupStore
import ZimbraServer

/// `doctor`: what will not work on this host, and what to do.
enum Doctor: Command {
    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        let configuration = try invocation.configuration()
        guard case .zimbra(let home) = configuration.server else {
            throw ConfigurationError(
                path: "server", reason: "doctor looks at a live server's host: write 'server: {kind: zimbra}' into \(Configuration.standardPath)")
        }
        let examination = Examination(home: home, backupPath: invocation.backupPath(configuration))
        if invocation.options.json {
            let findings = examination.findings.map { finding in
                JSONValue.object([
                    "level": .string(finding.level.rawValue), "part": .string(finding.part), "text": .string(finding.text),
                    "remedy": .string(finding.remedy),
                ])
            }
            console.write(.object(["state": .string(examination.level.rawValue), "findings": .array(findings)]))
        } else {
            for finding in examination.findings {
                console.write("\(finding.level.rawValue)  \(finding.part): \(finding.text)\n")
                if !finding.remedy.isEmpty { console.write("          \(finding.remedy)\n") }
            }
        }
        return switch examination.level {
        case .fine: .successful
        case .warning: .warning
        case .critical: .critical
        }
    }
}
