import Foundation
import Testing

@testable import zxbackup

@Suite("Completion scripts")
struct CompletionTests {
    private func script(_ shell: String) -> String {
        let result = run(["completion", shell])
        #expect(result.status == .successful, "\(result.errors)")
        return result.text
    }

    private static func isInstalled(_ shell: String) -> Bool {
        ["/bin/", "/usr/bin/", "/usr/local/bin/"].contains { FileManager.default.isExecutableFile(atPath: $0 + shell) }
    }

    /// What bash offers for a line that is being typed.
    private func offered(_ line: String) throws -> [String] {
        let words = line.split(separator: " ", omittingEmptySubsequences: false).map { "'\($0)'" }.joined(separator: " ")
        let result = try Program.run(
            "/bin/bash",
            [
                "-c",
                """
                \(script("bash"))
                compopt() { :; }
                COMP_WORDS=(zxbackup \(words)); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
                _zxbackup
                printf '%s\\n' "${COMPREPLY[@]}"
                """
            ])
        #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
        return result.output.split(separator: "\n").map(String.init).sorted()
    }

    private func expectParses(_ shell: String) throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("zxbackup-\(UUID().uuidString).\(shell)")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(script(shell).utf8).write(to: file)
        let result = try Program.run("/usr/bin/env", [shell, "-n", file.path])
        #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
    }

    @Test("bash parses its script")
    func bash() throws { try expectParses("bash") }

    @Test("zsh parses its script", .enabled(if: isInstalled("zsh"), "zsh is not installed"))
    func zsh() throws { try expectParses("zsh") }

    @Test("fish parses its script", .enabled(if: isInstalled("fish"), "fish is not installed"))
    func fish() throws { try expectParses("fish") }

    @Test(
        "bash offers commands, parameters, values and options",
        arguments: [
            ("getAcc", ["getAccountInfo"]), ("getaccountinfo bob@example.com b", ["backup_path", "backupstats"]),
            ("getItem bob@example.com 1 date ", ["all", "last"]), ("getItem bob@example.com 1 DATE l", ["last"]),
            ("doExportMailbox bob@example.com /tmp/x format m", ["maildir", "mbox"]),
            ("--config x.yaml backup getIt", ["getItem"]),
            ("serve --once f", ["false"]), ("getItem --j", ["--json"]), ("redolog d", ["dump"]), ("help doUnd", ["doUndelete"]),
            ("completion z", ["zsh"]), ("doSmart", [])
        ])
    func offers(_ line: String, _ words: [String]) throws {
        let found = try offered(line)
        #expect(found == words, "\(line)")
    }

    @Test("Every command that works is in every script", arguments: ["bash", "zsh", "fish"])
    func complete(_ shell: String) {
        let text = script(shell)
        for command in CommandTable.all {
            let place =
                switch shell {
                case "bash": "\n        \(command.name.lowercased()))\n"
                case "zsh": "'\(command.name):"
                default: " -a \(command.name) -d "
                }
            #expect(text.contains(place) == (command.availability != .notYet), "\(command.name)")
        }
    }

    @Test("Another shell is refused with those there are")
    func otherShell() {
        let result = run(["completion", "tcsh"])
        #expect(result.status == .usage && result.errors.contains("bash|zsh|fish is expected"), "\(result.errors)")
    }
}
