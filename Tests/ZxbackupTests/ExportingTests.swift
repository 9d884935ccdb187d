import BackupCore
import BackupStore
import Foundation
import SystemPackage
import Testing

@testable import zxbackup

@Suite("doExportMailbox by the command line")
struct ExportingTests {
    /// A sandbox server with a mailbox, backed up.
    private func workplace() throws -> (place: Workplace, change: Int64) {
        let place = try Workplace()
        _ = try place.server.createAccount(name: "bob@example.com")
        let mailbox = try place.server.openMailbox("bob@example.com")
        let work = try mailbox.createFolder(named: "Work")
        #expect(place.zx("init").status == .successful)
        let item = try place.server.deliver(Workplace.message("One"), to: ["bob@example.com"], date: 1_393_582_510_000)[0].itemID
        try mailbox.move([item], to: work)
        let change = try #require(try mailbox.item(item)).modMetadata
        #expect(place.zx("serve", "--once").status == .successful)
        _ = try place.server.deliver(Workplace.message("Two"), to: ["bob@example.com"], date: 1_393_582_511_000)
        #expect(place.zx("serve", "--once").status == .successful)
        try place.server.close()
        return (place, change)
    }

    private func files(_ path: FilePath) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: path.string).filter { $0.contains(".") }.sorted()
    }

    @Test("Each format, without the server, from any place of the backup path")
    func formats() throws {
        let (place, _) = try workplace()
        let moved = place.folder.appending("moved").string
        try FileManager.default.moveItem(atPath: place.backup, toPath: moved)
        try FileManager.default.removeItem(atPath: place.folder.appending("server").string)
        for format in ["eml", "MAILDIR", "mbox"] {
            let out = place.folder.appending("out-" + format)
            let result = run(["doExportMailbox", "bob@example.com", out.string, "format", format, "backup_path", moved, "--config", place.config])
            #expect(result.status == .successful, "\(result.errors)")
            #expect(result.text.contains("Exported Items: 2\nUnexported Items: 0\n"))
            #expect(try String(contentsOfFile: out.appending("manifest.jsonl").string, encoding: .utf8).contains("\"subject\":\"Two\""))
        }
        let out = place.folder.appending("out-eml")
        #expect(try files(out).filter { $0.hasSuffix(".eml") }.map { $0.replacingOccurrences(of: #"\d+"#, with: "N", options: .regularExpression) }
            == ["Inbox/N Two.eml", "Work/N One.eml"])
        let again = place.zx("doExportMailbox", "bob@example.com", out.string, "backup_path", moved)
        #expect(again.status == .failed && again.errors.contains("the destination exists already"), "\(again.errors)")
    }

    @Test("A change number and a second are dates; one before the first scan is refused, and nothing is made")
    func dates() throws {
        let (place, _) = try workplace()
        let out = place.folder.appending("out")
        #expect(place.zx("doExportMailbox", "bob@example.com", out.string, "date", "01/01/2001 00:00:00").errors.contains("from its first scan on"))
        #expect(!FileManager.default.fileExists(atPath: out.string))
        #expect(place.zx("doExportMailbox", "nobody", out.string).errors.contains("no account of the backup has this name or id"))
        #expect(place.zx("doExportMailbox", "bob@example.com", out.string, "format", "zip").status == .usage)
        #expect(place.zx("doExportMailbox", "bob@example.com").status == .usage)
        let inside = place.zx("doExportMailbox", "bob@example.com", place.backup + "/out")
        #expect(inside.status == .failed && inside.errors.contains("lies in the backup path"), "\(inside.errors)")
    }

    @Test("An item that cannot be exported: the others are, and the exit status says that it is not all")
    func incomplete() throws {
        let (place, _) = try workplace()
        let blobs = place.folder.appending("backup/items")
        for name in try FileManager.default.subpathsOfDirectory(atPath: blobs.string) where name.hasSuffix("=") {
            try FileManager.default.removeItem(atPath: blobs.appending(name).string)
            break
        }
        let result = place.zx("doExportMailbox", "bob@example.com", place.folder.appending("out").string)
        #expect(result.status == .failed && result.text.contains("Exported Items: 1\nUnexported Items: 1\n"), "\(result.errors)")
    }

    @Test("The output, for people and for programs", arguments: [("doExportMailbox", []), ("doExportMailbox-json", ["--json"])])
    func outputs(_ name: String, _ words: [String]) throws {
        let (place, _) = try workplace()
        let result = run(["--config", place.config, "doExportMailbox", "bob@example.com", place.folder.appending("out").string] + words)
        #expect(result.status == .successful, "\(result.errors)")
        try expectSnapshot(stable(result.text, [place.folder.string: "<FOLDER>"]), "\(name).txt")
    }
}
