import ArgumentParser

/// `completion`: a script for a shell.
enum Completion: Command {
    static func run(_ invocation: Invocation, _ console: Console) throws -> CommandStatus {
        guard let shell = CompletionScript.Shell(rawValue: try invocation.required("shell").lowercased()) else {
            throw UsageError("bash, zsh or fish is expected", invocation.command)
        }
        let script = CompletionScript(CommandTable.all) { name in
            subtreeType(name)?.configuration.subcommands.compactMap { $0.configuration.commandName } ?? []
        }
        console.write(script.text(for: shell))
        return .successful
    }
}
