/// The help pages, in the look that administrators know.
enum HelpPage {
    /// The list of commands, by what they are for.
    static func overview(_ groups: [CommandTable.Group]) -> String {
        var text = """
            zxbackup: continuous backup for Zimbra and Carbonio mail servers.

            Syntax:
               zxbackup [global options] COMMAND mandatory … [parameter value …]

            First steps: name server, backupPath and stateFolder in /etc/zxbackup.yaml; 'zxbackup init' makes the backup path;
            'zxbackup serve' takes everything in and follows the server; 'zxbackup status' tells whether all is well.

            """
        let commands = groups.flatMap(\.commands)
        let built = commands.filter { $0.availability != .notYet }
        let width = (built.map(\.name.count).max() ?? 0) + 3
        for group in groups {
            let lines = group.commands.filter { $0.availability != .notYet }.map { "   \(pad($0.name, width))\($0.purpose)\n" }
            if !lines.isEmpty { text += "\n\(group.title)\n\n" + lines.joined() }
        }
        text += "\nNOT AVAILABLE YET\n\n"
        var line = "  "
        for name in commands.filter({ $0.availability == .notYet }).map(\.name) {
            if line.count + name.count > 110 {
                text += line + "\n"
                line = "  "
            }
            line += " " + name
        }
        text += line + "\n"
        text += """

            GLOBAL OPTIONS

               --json               Machine-readable output.
               --progress           Feedback until the operation ends, also where no terminal shows it.
               --sync               Wait until the operation ends.
               --backup-path PATH   Another backup path than the configured one.
               --config FILE        Configuration, instead of $ZXBACKUP_CONFIG or /etc/zxbackup.yaml.
               --host NAME          The server meant; only this one is available yet.

            'zxbackup help COMMAND' shows a command's parameters.

            """
        return text
    }

    /// The page of a command.
    static func page(_ command: CommandSpecification) -> String {
        var text = "\(command.purpose)\n\n"
        if command.availability == .notYet { text += "\(NotAvailable(what: command.name)).\n\n" }
        text += "Syntax:\n   zxbackup \(command.name)"
        for parameter in command.mandatory { text += " {\(parameter.placeholder)}" }
        if command.parameters.contains(where: { !$0.isMandatory }) { text += " [attr1 value1 [attr2 value2…]]" }
        text += "\n"
        if !command.parameters.isEmpty { text += "\n" + table(command.parameters) }
        for (index, note) in command.notes.enumerated() { text += (index == 0 ? "\n" : "") + note + "\n" }
        if !command.examples.isEmpty {
            text += "\nUsage example:\n"
            for example in command.examples { text += "\nzxbackup \(example.command)\n   \(example.meaning)\n" }
        }
        return text
    }

    private static func table(_ parameters: [Parameter]) -> String {
        let rows = [["NAME", "TYPE", "EXPECTED VALUES", "DEFAULT"]] + parameters.map {
            ["\($0.name)(\($0.isMandatory ? "M" : "O"))", $0.kind.typeName, $0.kind.expected, $0.defaultText ?? ""]
        }
        let widths = (0..<4).map { column in (rows.map { $0[column].count }.max() ?? 0) + 3 }
        var text = "PARAMETER LIST\n\n"
        for row in rows {
            text += zip(row, widths).map { pad($0, $1) }.joined().trimmedRight() + "\n"
        }
        return text + "\n(M) == mandatory parameter, (O) == optional parameter\n"
    }
}

extension Parameter {
    /// How the syntax line names it.
    fileprivate var placeholder: String {
        switch kind {
        case .date, .choice: kind.expected
        default: name
        }
    }
}

/// The text, filled with blanks to a width.
func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}

extension String {
    /// Without blanks at the end.
    func trimmedRight() -> String {
        var rest = Substring(self)
        while rest.last == " " { rest.removeLast() }
        return String(rest)
    }
}
