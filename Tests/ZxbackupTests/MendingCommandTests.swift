import BackupStore
import Foundation
import SandboxServer
import SystemPackage
import Testing

@testable import zxbackup

@Suite("doCoherencyCheck that mends and compares, at the command line")
struct MendingCommandTests {
    /// A backup of a mailbox with two messages; the server is closed.
    private func workplace() throws -> Workplace {
        let place = try Workplace()
        _ = try place.server.createAccount(name: "bob@example.com")
        for subject in ["one", "two"] { _ = try place.server.deliver(Workplace.message(subject), to: ["bob@example.com"]) }
        #expect(place.zx("init").status == .successful)
        #expect(place.zx("serve", "--once").status == .successful)
        try place.server.close()
        return place
    }

    private func blobs(_ path: String) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: path + "/items").filter { $0.hasSuffix("=") }.sorted()
    }

    @Test("fixBackup mends with the server's help, undo brings back what it moved away, each in words and for programs")
    func mending() throws {
        let place = try workplace()
        let path = place.backup
        let blob = try #require(try blobs(path).first)
        try Data("rotten".utf8).write(to: URL(fileURLWithPath: "\(path)/items/\(blob)"))
        try Data("?".utf8).write(to: URL(fileURLWithPath: "\(path)/journal/notes"))
        #expect(place.zx("doCoherencyCheck", path).status == .failed)
        let fixed = place.zx("doCoherencyCheck", path, "fixBackup", "true")
        #expect(fixed.status == .successful, "\(fixed)")
        for text in ["damages found", "files moved away                                            2", "scanned", "bob@example.com", "sound"] {
            #expect(fixed.text.contains(text), "\(text) in \(fixed.text)")
        }
        #expect(place.zx("doCoherencyCheck", path).status == .successful)
        let folder = try #require(try FileManager.default.contentsOfDirectory(atPath: path + "/quarantine").first)
        let undone = place.zx("--json", "doCoherencyCheck", path, "undo", "quarantine/" + folder)
        // The content is there again, and stays.
        #expect(undone.status == .failed && undone.text.contains("\"brought_back\":[\"journal/notes\"]"), "\(undone)")
        #expect(undone.text.contains("items/\(blob)"))
        #expect(place.zx("doCoherencyCheck", path, "undo", "nothing").status == .failed)
        let again = place.zx("--json", "doCoherencyCheck", path, "fixBackup", "true")
        #expect(again.status == .successful && again.text.contains("\"moved\":[\"journal/notes\"]"), "\(again)")
    }

    @Test("checkZimbra lists what differs, and says so in its exit status")
    func comparison() throws {
        let place = try workplace()
        let path = place.backup
        let same = place.zx("doCoherencyCheck", path, "checkZimbra", "true")
        #expect(same.status == .successful && same.text.contains("accounts that differ                                        0"), "\(same)")
        let blob = try #require(try blobs(path).first)
        try FileManager.default.removeItem(atPath: "\(path)/items/\(blob)")
        let other = place.zx("doCoherencyCheck", path, "checkZimbra", "true", "accounts", "bob@example.com")
        #expect(other.status == .failed && other.text.contains("the backup has lost its content, the server has it"), "\(other)")
        #expect(place.zx("--json", "doCoherencyCheck", path, "checkZimbra", "true").text.contains("\"compared_accounts\":1"))
        #expect(place.zx("doCoherencyCheck", path, "checkZimbra", "true", "accounts", "eve@example.com").status == .failed)
        for words in [
            ["accounts", "bob@example.com", "fixBackup", "true"], ["checkZimbra", "true", "fixBackup", "true"],
            ["checkZimbra", "true", "max_age", "3"], ["fixBackup", "true", "max_age", "3"],
        ] {
            let refused = run(["--config", place.config, "doCoherencyCheck", path] + words)
            #expect(refused.status == .usage, "\(refused)")
        }
    }

    @Test("A check of some accounts, and one in pieces, see what is theirs")
    func pieces() throws {
        let place = try workplace()
        let path = place.backup
        let first = place.zx("doCoherencyCheck", path, "max_age", "30")
        #expect(first.status == .successful && first.text.contains("accounts checked lately                                     0"), "\(first)")
        let again = place.zx("--json", "doCoherencyCheck", path, "max_age", "30")
        #expect(again.text.contains(#""due_accounts":0,"recent_accounts":2"#) && again.text.contains(#""states":0"#), "\(again)")
        let blob = try #require(try blobs(path).first)
        try FileManager.default.removeItem(atPath: "\(path)/items/\(blob)")
        #expect(place.zx("doCoherencyCheck", path, "max_age", "30").status == .successful, "it was checked lately")
        for words in [["accounts", "bob@example.com"], ["accounts", "bob@example.com", "max_age", "0"], ["max_age", "0"]] {
            let found = run(["--config", place.config, "doCoherencyCheck", path] + words)
            #expect(found.status == .failed && found.text.contains("damage: blobMissing"), "\(found)")
        }
        #expect(place.zx("doCoherencyCheck", path, "accounts", "eve@example.com").errors.contains("no account of the backup has this name"))
    }
}
