import Foundation
import ServerTestbed
import SystemPackage
import Testing

@testable import zxbackup

@Suite("A live server at the command line", .enabled(if: Testbed.isAvailable, "MariaDB and OpenLDAP are not installed"))
struct LiveServerCommandTests {
    @Test("doctor, init, serve --once, doAccountScan, getAvailableAccounts, doExportMailbox; a restore into it is refused in words")
    func story() throws {
        let testbed = try Testbed()
        defer { testbed.remove() }
        let fixtures = FilePath(#filePath).removingLastComponent().removingLastComponent().appending("BackupCoreTests/Fixtures")
        try testbed.load(dataset: fixtures.appending("small"))
        let folder = FilePath(FileManager.default.temporaryDirectory.appending(path: "zxlive-\(UUID().uuidString)").path)
        try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder.string) }  // A temporary folder.
        let config = folder.appending("zxbackup.yaml").string
        try Data("server: {kind: zimbra, path: \(testbed.home)}\nbackupPath: backup\nstateFolder: state\n".utf8)
            .write(to: URL(fileURLWithPath: config))
        func zx(_ words: String...) -> (status: CommandStatus, text: String, errors: String) { run(["--config", config] + words) }

        let before = zx("doctor")
        #expect(before.status == .warning, "\(before)")
        #expect(before.text.contains("fine  mail server: mail.example.com in \(testbed.home)"))
        #expect(before.text.contains("backup does not exist\n          zxbackup init "))
        #expect(zx("init").status == .successful)
        let served = zx("serve", "--once")
        #expect(served.status == .successful, "\(served.errors)")
        let scan = zx("doAccountScan", "alice@example.com", "deep", "true")
        #expect(scan.status == .successful && scan.text.contains("Skipped Items: 0"), "\(scan)")
        let accounts = zx("getAvailableAccounts", "domains", "example.com")
        #expect(accounts.text.contains("alice@example.com") && accounts.text.contains("bob@example.com"), "\(accounts)")
        let exported = zx("doExportMailbox", "alice@example.com", folder.appending("files").string)
        #expect(exported.status == .successful, "\(exported)")
        let refused = zx("doRestoreOnNewAccount", "alice@example.com", "again@example.com", "last")
        #expect(refused.status == .failed && refused.errors.contains("a live server cannot be restored to yet"), "\(refused)")
        #expect(zx("--json", "doctor").text.contains("\"findings\""))
    }
}
