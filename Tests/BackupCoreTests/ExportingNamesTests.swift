import Foundation
import Testing

@testable import BackupCore

@Suite("Names of exported files")
struct ExportingNamesTests {
    @Test("A hostile text becomes one safe part of a path", arguments: [
        ("a/b", "a_b"), ("..", "_"), (".", "_"), (".hidden", "_hidden"), ("../../etc/passwd", "_._.._etc_passwd"), ("a\0b", "a_b"),
        ("line\nbreak", "line break"), ("\u{202E}gpj.exe", "gpj.exe"), ("a\u{200F}b", "ab"), ("-rf", "_rf"), ("", "unnamed"), ("   ", "unnamed"),
        ("\u{FEFF}", "unnamed"), ("end. .", "end"), ("Grüße 日本 😀", "Grüße 日本 😀"), ("C:\\x", "C__x"), ("\u{1B}[31mred", "_[31mred"), ("~root", "_root"),
        ("a\u{2028}b", "a b"), ("\u{FFFD}\u{FFFD}", "\u{FFFD}\u{FFFD}"),
    ])
    func hostile(_ text: String, _ expected: String) {
        let name = SafeName(text).whole
        if text == "../../etc/passwd" {
            #expect(!name.contains("/") && !name.hasPrefix("."))
        } else {
            #expect(name == expected)
        }
    }

    @Test("Whatever the text, no candidate is longer than 255 bytes or leaves the folder", arguments: [UInt64(1), 2, 20_251_125])
    func property(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let pieces = ["/", "..", ".", "\0", "\n", "\u{202E}", "a", "ß", "日", "😀", "e\u{301}", " ", "\u{7F}", "\u{85}", "-", "\\", "\u{E0001}"]
        for _ in 0..<60 {
            let count = Int.random(in: 0...[5, 40, 10_000][Int.random(in: 0..<3, using: &random)], using: &random)
            let text = (0..<count).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
            for name in [SafeName(text, suffix: ".eml"), SafeName(document: text, addition: " (version 12)"), SafeName(mailbox: text, fallback: "x")] {
                for attempt in [0, 1, 9_999] {
                    let candidate = name.candidate(attempt, id: 9_223_372_036_854_775_807)
                    #expect(!candidate.isEmpty && candidate.utf8.count <= 255, "seed \(seed)")
                    #expect(!candidate.utf8.contains(0) && !candidate.utf8.contains(UInt8(ascii: "/")), "seed \(seed)")
                    #expect(!candidate.hasPrefix(".") && !candidate.hasPrefix("-"), "seed \(seed)")
                }
            }
        }
    }

    @Test("A document keeps its extension", arguments: [
        ("report.pdf", "report", ".pdf"), ("a.tar.gz", "a.tar", ".gz"), ("README", "README", ""), ("x.", "x", ""), (".bashrc", "unnamed", ".bashrc"),
        ("v1.0 draft", "v1.0 draft", ""),
    ])
    func documents(_ text: String, _ base: String, _ suffix: String) {
        let name = SafeName(document: text)
        #expect(name.base == base && name.suffix == suffix)
    }

    @Test("Mailbox names in modified UTF-7 (RFC 3501, section 5.1.3)", arguments: [
        ("Entwürfe", "Entw&APw-rfe"), ("Tom & Jerry", "Tom &- Jerry"), ("日本語", "&ZeVnLIqe-"), ("😀", "&2D3eAA-"), ("plain", "plain"),
        ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"), ("&ü", "&-&APw-"),
    ])
    func mailboxNames(_ text: String, _ encoded: String) { #expect(ModifiedUTF7.encode(text) == encoded) }

    @Test("mboxrd: what was quoted comes back, whatever the pieces it came in", arguments: [UInt64(3), 4, 20_251_125])
    func mbox(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let pieces = ["From ", "From", ">", ">>From x", "\n", "\r\n", "\r", "Status: R", "X-Status: F", "status:", "text", "Subject: a", " ", "\n\n", "F", "X-"]
        var state = ItemState(row: ItemRow(id: 1, type: .message))
        state.row.flags = [.flagged, .answered]
        for _ in 0..<300 {
            let message = Array((0..<Int.random(in: 0..<12, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "" }.joined().utf8)
            var whole: [UInt8] = []
            var text = MboxText(state)
            try message.withUnsafeBytes { try text.quote($0) { whole += $0 } }
            try text.end { whole += $0 }

            var parts: [UInt8] = []
            text = MboxText(state)
            for byte in message { try [byte].withUnsafeBytes { try text.quote($0) { parts += $0 } } }
            try text.end { parts += $0 }
            #expect(whole == parts, "seed \(seed): \(String(decoding: message, as: UTF8.self).debugDescription)")

            let lines = String(decoding: whole, as: UTF8.self).unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
                .map { String(String.UnicodeScalarView($0)) }
            #expect(!lines.contains { $0.hasPrefix("From ") }, "seed \(seed)")
            #expect(lines.suffix(2) == ["", ""] && whole.last == UInt8(ascii: "\n"), "a message ends in an empty line, seed \(seed)")
            let unquoted = lines.map { line -> String in
                let rest = line.drop { $0 == ">" }
                if rest.hasPrefix("From "), line.hasPrefix(">") { return String(line.dropFirst()) }
                return line.hasPrefix("X-Old-") ? String(line.dropFirst(6)) : line
            }.joined(separator: "\n")
            var expected = String(decoding: message, as: UTF8.self).replacingOccurrences(of: "\r\n", with: "\n")
            if !expected.isEmpty, expected.utf8.last != UInt8(ascii: "\n") { expected += "\n" }
            #expect(Array(unquoted.utf8) == Array((expected + "\n").utf8), "seed \(seed): \(String(decoding: message, as: UTF8.self).debugDescription)")
        }
    }
}
