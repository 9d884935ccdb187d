import ArgumentParser
import BackupCore
import BackupStore

/// What the process returns to its caller.
enum CommandStatus: Int32, Sendable {
    case successful = 0
    case failed = 1
    case stopped = 2
    case removed = 3
    case interrupted = 4
    /// The command line was not understood (`EX_USAGE`).
    case usage = 64
}

/// From a command line to an exit status: the one place where errors are printed.
struct CommandLineProgram: Sendable {
    var console: Console

    func run(_ arguments: [String]) -> CommandStatus {
        if arguments == ["--version"] {
            console.write("zxbackup \(ProgramVersion.text)\n")
            return .successful
        }
        do {
            switch try Grammar(commands: CommandTable.all).parse(arguments) {
            case .help:
                console.write(HelpPage.overview(CommandTable.groups))
                return .successful
            case .helpOf(let command):
                if command.availability == .subtree { return runSubtree(command, ["--help"]) }
                console.write(HelpPage.page(command))
                return .successful
            case .subtree(let command, let options, let words):
                return runSubtree(command, words + (options.json ? ["--json"] : []))
            case .run(let invocation):
                return try run(invocation)
            }
        } catch let error as UsageError {
            console.errors(ShownText.line(error.message) + "\n")
            if let command = error.command { console.errors("\n" + HelpPage.page(command)) }
            return .usage
        } catch {
            // One line: a name in it must not be able to forge another.
            console.errors(ShownText.line("\(error)") + "\n")
            return .failed
        }
    }

    private func run(_ invocation: Invocation) throws -> CommandStatus {
        guard invocation.command.availability == .built, let command = commandType(invocation.command.name) else {
            throw NotAvailable(what: "command \(invocation.command.name)")
        }
        if let host = invocation.options.host, !["localhost", hostName()].contains(host.lowercased()) {
            throw NotAvailable(what: "option --host \(host)")
        }
        for note in invocation.ambiguousDates { console.errors(note + "\n") }
        let display = ProgressDisplay(progressForm(invocation.options), console)
        defer { display.makeWay() }
        return try command.run(invocation, display.wrapped)
    }

    /// A bar for whoever sits at a terminal; elsewhere lines, where they are asked for.
    private func progressForm(_ options: GlobalOptions) -> ProgressDisplay.Form {
        if !options.json, let columns = console.terminalColumns() { return .bar(columns: columns) }
        return options.progress ? .lines : .none
    }

    private func runSubtree(_ command: CommandSpecification, _ words: [String]) -> CommandStatus {
        guard let type = subtreeType(command.name) else {
            console.errors("\(NotAvailable(what: "command \(command.name)"))\n")
            return .failed
        }
        var words = words
        // Commands are matched without regard to case here too.
        if let first = words.first, !first.hasPrefix("-") { words[0] = first.lowercased() }
        do {
            var parsed = try type.parseAsRoot(words)
            try parsed.run()
            return .successful
        } catch {
            let message = type.fullMessage(for: error)
            let code = type.exitCode(for: error)
            if !message.isEmpty {
                // A failure is one line, here too; help and what the parser says of a usage have several.
                let shown = code == .failure ? ShownText.line(message) : message
                if code.isSuccess { console.write(shown + "\n") } else { console.errors(shown + "\n") }
            }
            return CommandStatus(rawValue: code.rawValue) ?? .failed
        }
    }
}

/// A command: reads its parameters, calls the engine, prints.
protocol Command {
    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus
}

/// The built commands by the name of the table.
func commandType(_ name: String) -> (any Command.Type)? {
    switch name {
    case "getItem": GetItem.self
    case "getAccountInfo": GetAccountInfo.self
    case "getAvailableAccounts": GetAvailableAccounts.self
    case "getAvailableDomains": GetAvailableDomains.self
    case "getBackupInfo": GetBackupInfo.self
    case "doItemSearch": DoItemSearch.self
    case "getMap": GetMap.self
    case "getAllOperations": GetAllOperations.self
    case "monitor": Monitor.self
    case "doStopOperation": DoStopOperation.self
    case "doStopAllOperations": DoStopAllOperations.self
    case "getServices": GetServices.self
    case "doStartService": DoStartService.self
    case "doStopService": DoStopService.self
    case "doRestartService": DoRestartService.self
    case "doAccountScan": DoAccountScan.self
    case "doSmartScan": DoSmartScan.self
    case "doPurge": DoPurge.self
    case "doBackupLDAP": DoBackupLDAP.self
    case "doBackupCluster": DoBackupCluster.self
    case "doBackupServerCustomizations": DoBackupServerCustomizations.self
    case "doEnableDisableCOS": DoEnableDisableCOS.self
    case "getCOSBackupStatus": GetCOSBackupStatus.self
    case "getServerConfig": GetServerConfig.self
    case "legalHold": LegalHold.self
    case "scheduler": Scheduler.self
    case "status": Status.self
    case "doctor": Doctor.self
    case "completion": Completion.self
    case "getProperty": GetProperty.self
    case "setProperty": SetProperty.self
    case "init": Init.self
    case "serve": Serve.self
    case "rebuildIndex": RebuildIndex.self
    case "doCoherencyCheck": DoCoherencyCheck.self
    case "doRestoreOnNewAccount": DoRestoreOnNewAccount.self
    case "doExportMailbox": DoExportMailbox.self
    case "doRestoreDeletedAccount": DoRestoreDeletedAccount.self
    case "doUndelete": DoUndelete.self
    case "doItemRestore": DoItemRestore.self
    default: nil
    }
}

/// The sub-trees by the name of the table.
func subtreeType(_ name: String) -> (any ParsableCommand.Type)? {
    switch name {
    case "redolog": RedoLogCommand.self
    case "sandbox": SandboxCommand.self
    default: nil
    }
}
