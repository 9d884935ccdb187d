/// Scripts that teach a shell the commands, their parameters and the values that these can have.
///
/// Made of the table of commands, so what the program takes and what the shell offers are one.
struct CompletionScript {
    enum Shell: String, CaseIterable { case bash, zsh, fish }

    /// What a shell is to offer after a command.
    private struct Entry {
        var name: String
        var purpose: String
        /// Names of parameters, and values of the mandatory ones.
        var words: [String]
        /// Values of parameters by their names.
        var values: [(names: [String], words: [String])]
        /// Parameters whose values are files.
        var files: [String]
    }

    private let entries: [Entry]
    private let flags = GlobalOptions.flags.map { "--" + $0 }
    private let pathOptions = ["--config", "--backup-path"]
    private let hostOptions = ["--host", "--hostname"]

    /// - Parameter subtree: the commands of a command that has its own.
    init(_ commands: [CommandSpecification], subtree: (String) -> [String]) {
        entries = commands.filter { $0.availability != .notYet }.map { command in
            let optional = command.parameters.filter { !$0.isMandatory }
            return Entry(
                name: command.name, purpose: command.purpose,
                words: subtree(command.name) + command.mandatory.flatMap(\.values) + optional.map(\.name),
                values: optional.filter { !$0.values.isEmpty }.map { ([$0.name, "--" + $0.name], $0.values) },
                files: optional.filter(\.isPath).flatMap { [$0.name, "--" + $0.name] })
        }
    }

    func text(for shell: Shell) -> String {
        switch shell {
        case .bash: bash
        case .zsh: zsh
        case .fish: fish
        }
    }

    private var names: [String] { entries.map(\.name) + ["help"] }
    private var options: [String] { flags + pathOptions + hostOptions }

    // MARK: bash

    private var bash: String {
        """
        # Completion of zxbackup for bash. For this shell: source <(zxbackup completion bash)
        # For all: zxbackup completion bash > /etc/bash_completion.d/zxbackup
        _zxbackup() {
            local word="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1],,}" command="" words="" i
            COMPREPLY=()
            for ((i = 1; i < COMP_CWORD; i++)); do
                case "${COMP_WORDS[i]}" in
                    \((pathOptions + hostOptions).joined(separator: "|"))) ((i++)) ;;
                    -*|backup|help) ;;
                    *) command="${COMP_WORDS[i],,}"; break ;;
                esac
            done
            case "$previous" in
                \(pathOptions.joined(separator: "|"))) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
                \(hostOptions.joined(separator: "|"))) return ;;
            esac
            case "$command" in
                "") words="\((names + options).joined(separator: " "))" ;;
        \(entries.map(bashCase).joined(separator: "\n"))
            esac
            mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
            # A value may be a file.
            if [[ ${#COMPREPLY[@]} -eq 0 && -n $command ]]; then
                compopt -o filenames
                mapfile -t COMPREPLY < <(compgen -f -- "$word")
            fi
        }
        complete -F _zxbackup zxbackup

        """
    }

    private func bashCase(_ entry: Entry) -> String {
        var text = "        \(entry.name.lowercased()))\n            case \"$previous\" in\n"
        for value in entry.values {
            text += "                \(pattern(value.names))) words=\"\(value.words.joined(separator: " "))\" ;;\n"
        }
        if !entry.files.isEmpty {
            text +=
                "                \(pattern(entry.files))) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$word\"); return ;;\n"
        }
        return text + "                *) words=\"\((entry.words + options).joined(separator: " "))\" ;;\n            esac ;;"
    }

    private func pattern(_ names: [String]) -> String { names.map { $0.lowercased() }.joined(separator: "|") }

    // MARK: zsh

    private var zsh: String {
        """
        #compdef zxbackup
        # Completion of zxbackup for zsh. For this shell: source <(zxbackup completion zsh)
        # For all: zxbackup completion zsh > /usr/share/zsh/vendor-completions/_zxbackup
        _zxbackup() {
            local command="" previous="${(L)words[CURRENT-1]}" i
            local -a commands offered
            commands=(
        \(entries.map { "        '\($0.name):\(quoted($0.purpose))'" }.joined(separator: "\n"))
                'help:Shows a command'\\''s parameters.'
            )
            for ((i = 2; i < CURRENT; i++)); do
                case "${words[i]}" in
                    \((pathOptions + hostOptions).joined(separator: "|"))) ((i++)) ;;
                    -*|backup|help) ;;
                    *) command="${(L)words[i]}"; break ;;
                esac
            done
            case "$previous" in
                \(pathOptions.joined(separator: "|"))) _files; return ;;
                \(hostOptions.joined(separator: "|"))) return ;;
            esac
            case "$command" in
                "") _describe command commands; compadd -- \(options.joined(separator: " ")); return ;;
        \(entries.map(zshCase).joined(separator: "\n"))
            esac
            compadd -- $offered || _files
        }
        if [[ "${funcstack[1]}" = _zxbackup ]]; then _zxbackup "$@"; else compdef _zxbackup zxbackup; fi

        """
    }

    private func zshCase(_ entry: Entry) -> String {
        var text = "        \(entry.name.lowercased()))\n            case \"$previous\" in\n"
        for value in entry.values {
            text += "                \(pattern(value.names))) offered=(\(value.words.joined(separator: " "))) ;;\n"
        }
        if !entry.files.isEmpty { text += "                \(pattern(entry.files))) _files; return ;;\n" }
        return text + "                *) offered=(\((entry.words + options).joined(separator: " "))) ;;\n            esac ;;"
    }

    private func quoted(_ text: String) -> String {
        text.replacing("'", with: #"'\''"#).replacing(":", with: #"\:"#)
    }

    // MARK: fish

    private var fish: String {
        var text = """
            # Completion of zxbackup for fish. For this shell: zxbackup completion fish | source
            # For all: zxbackup completion fish > /usr/share/fish/vendor_completions.d/zxbackup.fish
            function __zxbackup_after
                set -l words (commandline -opc)
                contains -- (string lower -- $words[-1]) $argv
            end
            complete -c zxbackup -f

            """
        for option in flags { text += "complete -c zxbackup -l \(option.dropFirst(2))\n" }
        for option in pathOptions { text += "complete -c zxbackup -l \(option.dropFirst(2)) -r -F\n" }
        for option in hostOptions { text += "complete -c zxbackup -l \(option.dropFirst(2)) -x\n" }
        let seen = "__fish_seen_subcommand_from \(entries.map(\.name).joined(separator: " "))"
        text += "complete -c zxbackup -n 'not \(seen)' -a help -d 'Shows the parameters of a command.'\n"
        for entry in entries {
            let purpose = entry.purpose.replacing("\\", with: "\\\\").replacing("'", with: #"\'"#)
            text += "complete -c zxbackup -n 'not \(seen)' -a \(entry.name) -d '\(purpose)'\n"
            let here = "__fish_seen_subcommand_from \(entry.name)"
            let special = (entry.values.flatMap(\.names) + entry.files).map { $0.lowercased() }
            let elsewhere = special.isEmpty ? "" : "; and not __zxbackup_after \(special.joined(separator: " "))"
            if !entry.words.isEmpty {
                text += "complete -c zxbackup -n '\(here)\(elsewhere)' -a '\(entry.words.joined(separator: " "))'\n"
            }
            for value in entry.values {
                let after = value.names.map { $0.lowercased() }.joined(separator: " ")
                text +=
                    "complete -c zxbackup -n '\(here); and __zxbackup_after \(after)' -a '\(value.words.joined(separator: " "))'\n"
            }
            text += "complete -c zxbackup -n '\(here)' -F\n"
        }
        return text
    }
}

extension Parameter {
    /// The words that a value may be.
    fileprivate var values: [String] {
        switch kind {
        case .boolean: ["true", "false"]
        case .date(let words): words
        case .choice(let values): values
        case .text, .account, .path, .number, .list, .addresses: []
        }
    }

    fileprivate var isPath: Bool { if case .path = kind { true } else { false } }
}
