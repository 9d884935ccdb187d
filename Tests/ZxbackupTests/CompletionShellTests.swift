import Foundation
import Testing

@testable import zxbackup

/// The scripts in the shells that they are for, at a terminal.
@Suite("Completion in a shell", .timeLimit(.minutes(5)))
struct CompletionShellTests {
    /// A shell that has read its script, and prints the line that is being typed when Ctrl+G is pressed.
    private struct Kind: CustomTestStringConvertible {
        var name: String
        var command: String
        var setUp: String
        var testDescription: String { name }

        static let bash = Kind(
            name: "bash", command: "bash --norc --noprofile -i",
            setUp: #"""
                source <(zxbackup completion bash); shown() { printf '\n[[%s]]\n' "$READLINE_LINE"; READLINE_LINE=; READLINE_POINT=0; }; \#
                bind -x '"\C-g": shown'; PS1='READ''Y>'
                """#)
        static let zsh = Kind(
            name: "zsh", command: "zsh -f -i",
            setUp: "autoload -Uz compinit; compinit -u -D; source <(zxbackup completion zsh); " + zshKey)
        static let zshForAll = Kind(
            name: "zsh", command: "zsh -f -i",
            setUp: "zxbackup completion zsh > _zxbackup; fpath=($PWD $fpath); autoload -Uz compinit; compinit -u -D; " + zshKey)
        private static let zshKey = """
            shown() { print -r -- $'\\n'"[[$BUFFER]]"; BUFFER=; }; zle -N shown; bindkey '^G' shown; PS1='READ''Y>'
            """
        static let fish = Kind(
            name: "fish", command: "fish --no-config -i",
            setUp: #"""
                zxbackup completion fish | source; function shown; printf '\n[[%s]]\n' (commandline); commandline -r ''; end; \#
                bind \cg shown; function fish_prompt; echo -n READ'Y>'; end
                """#)
    }

    /// What is typed before a tabulator, and what becomes of it.
    private static let lines = [
        ("zxbackup getAcc", "zxbackup getAccountInfo "), ("zxbackup getacc", "zxbackup getAccountInfo "),
        ("zxbackup backup doExportM", "zxbackup backup doExportMailbox "), ("zxbackup help doUnd", "zxbackup help doUndelete "),
        ("zxbackup redolog v", "zxbackup redolog verify "), ("zxbackup doCheckS", "zxbackup doCheckS"),
        ("zxbackup --js", "zxbackup --json "), ("zxbackup getProperty backupCom", "zxbackup getProperty backupCompressionLevel "),
        ("zxbackup getItem bob@example.com 1 dump", "zxbackup getItem bob@example.com 1 dump_blob "),
        ("zxbackup getItem bob@example.com 1 --dump", "zxbackup getItem bob@example.com 1 --dump_blob "),
        ("zxbackup getItem bob@example.com 1 DATE l", "zxbackup getItem bob@example.com 1 DATE last "),
        ("zxbackup getItem bob@example.com 1 --date=l", "zxbackup getItem bob@example.com 1 --date=last "),
        (
            "zxbackup doUndelete bob@example.com \"27/02/2014 00:00:00\" l",
            "zxbackup doUndelete bob@example.com \"27/02/2014 00:00:00\" last "
        ),
        ("zxbackup --config zx", "zxbackup --config zxbackup.yaml "),
        ("zxbackup --config=zx", "zxbackup --config=zxbackup.yaml "),
        ("zxbackup getItem bob 1 backup_path ser", "zxbackup getItem bob 1 backup_path server/"),
        ("zxbackup getItem bob 1 --backup_path=ser", "zxbackup getItem bob 1 --backup_path=server/"),
        ("zxbackup getMap \"a f", "zxbackup getMap \"a file\" "),
        ("zxbackup --config zxbackup.yaml getItem bo", "zxbackup --config zxbackup.yaml getItem bob@example.com "),
        ("zxbackup --config zxbackup.yaml getItem bob@ex", "zxbackup --config zxbackup.yaml getItem bob@example.com "),
    ]

    private func expectCompletes(_ kind: Kind) throws {
        let place = try Workplace()
        _ = try place.server.createAccount(name: "bob@example.com")
        #expect(place.zx("init").status == .successful)
        #expect(place.zx("serve", "--once").status == .successful)
        try Data().write(to: URL(fileURLWithPath: place.folder.appending("a file").string))
        let others = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        let terminal = try Terminal(
            kind.command, in: place.folder.string,
            environment: [
                "PATH": BuiltProgram.url.deletingLastPathComponent().path + ":" + others, "HOME": place.folder.string,
                "TERM": "xterm",
                "LANG": "C.UTF-8",
            ], setUp: kind.setUp)
        for (typed, expected) in Self.lines {
            try terminal.type(typed + "\t\u{07}")
            _ = try terminal.read(upTo: "[[")
            let line = try terminal.read(upTo: "]]")
            #expect(line == expected)
        }
    }

    @Test(
        "bash completes a line that is typed",
        .enabled(if: Terminal.hasShell("bash"), "bash is not installed, or there are no terminals"))
    func bash() throws { try expectCompletes(.bash) }

    @Test(
        "zsh completes a line that is typed",
        .enabled(if: Terminal.hasShell("zsh"), "zsh is not installed, or there are no terminals"))
    func zsh() throws { try expectCompletes(.zsh) }

    @Test(
        "zsh finds the script among those for all users",
        .enabled(if: Terminal.hasShell("zsh"), "zsh is not installed, or there are no terminals"))
    func zshForAll() throws { try expectCompletes(.zshForAll) }

    @Test(
        "fish completes a line that is typed",
        .enabled(if: Terminal.hasShell("fish"), "fish is not installed, or there are no terminals"))
    func fish() throws { try expectCompletes(.fish) }
}
