import BackupStore
import Foundation
import SandboxServer
import SystemPackage
import Testing

@testable import BackupCore

@Suite("The server's own archive")
struct ArchiveExportTests {
    /// An entry as Python's tarfile reads it.
    private struct Entry {
        var name: String
        var size: Int64
        var mode: Int64
        var device: Int64
        var group: String
        var date: Int64
        /// SHA-256 of its bytes, base64 with `,` for `/`.
        var digest: String
        var meta: JSONObject?
    }

    private static let program = """
        import base64, hashlib, json, sys, tarfile
        entries = []
        with tarfile.open(sys.argv[1], encoding="utf-8") as archive:
            for member in archive:
                content = archive.extractfile(member).read()
                digest = base64.b64encode(hashlib.sha256(content).digest()).decode().replace("/", ",")
                entries.append([member.name, member.size, member.mode, member.devmajor, member.gname, member.mtime, digest,
                                content.decode() if member.name.endswith(".meta") else None])
        print(json.dumps(entries))
        """

    private func entries(_ archive: String) throws -> [Entry] {
        let read = try #require(try OtherProgram.python(Self.program, archive) as? [[Any]])
        return try read.map { fields in
            func number(_ place: Int) -> Int64 { (fields[place] as? NSNumber)?.int64Value ?? -1 }
            return Entry(
                name: fields[0] as? String ?? "", size: number(1), mode: number(2), device: number(3), group: fields[4] as? String ?? "",
                date: number(5), digest: fields[6] as? String ?? "", meta: try (fields[7] as? String).map { try JSONObject(json: Array($0.utf8)) })
        }
    }

    private func export(_ bench: Bench, _ account: String) throws -> (report: ExportReport, entries: [Entry]) {
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        let out = bench.folder.path.appending("out-\(account)-\(UUID().uuidString)")
        let report = try MailboxExport(account: account, destination: out, format: .tgz).run(from: reader)
        return (report, try entries(out.appending("mailbox.tgz").string))
    }

    @Test(
        "Entries, names and keys are those of a real server's export; contents too", .enabled(if: OtherProgram.hasPython, "python3 is not installed"),
        arguments: ["alice", "bob"])
    func asTheServers(_ name: String) throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let dataset = Dataset("small")
        let (server, _) = try DatasetImport(FilePath(dataset.folder.path)).run(at: folder.path.appending("server"))
        let backup = folder.path.appending("backup")
        try StoreWriter.create(backup, serverID: server.identity.id)
        let engine = try BackupEngine(source: server, store: try StoreWriter(opening: backup, serverID: server.identity.id))
        try engine.begin()
        try engine.catchUp()
        try engine.close()
        let reader = try StoreReader(opening: backup)
        defer { reader.close() }
        let out = folder.path.appending("out")
        let report = try MailboxExport(account: "\(name)@example.com", destination: out, format: .tgz).run(from: reader)
        #expect(report.addsUp && report.unexported.isEmpty, "\(report)")
        let ours = try entries(out.appending("mailbox.tgz").string)
        let theirs = try entries(dataset.folder.appending(path: "tgz/\(name).tgz").path)

        /// Without the line breaks that the server leaves in names.
        func tame(_ name: String) -> String {
            String(String.UnicodeScalarView(name.unicodeScalars.map { $0 == "\r" || $0 == "\n" ? "_" : $0 }))
        }
        // A shared file has no content: its entry would take the rest of the archive with it. Of the rest nothing is missing.
        let isLink = { (entry: Entry) in entry.meta?["type"]?.int == 8 && entry.meta?["blob_digest"] == nil }
        let wanted = Set(theirs.filter { !isLink($0) }.map { tame($0.name) })
        let written = Dictionary(ours.map { ($0.name, $0) }) { first, _ in first }
        #expect(written.count == ours.count, "no name twice")
        #expect(wanted.subtracting(written.keys) == [])
        #expect(ours.filter { !wanted.contains($0.name) }.allSatisfy { $0.name.hasPrefix("Junk/") || $0.name.hasPrefix("Trash/") })
        var compared = 0
        for their in theirs where !isLink(their) {
            let our = try #require(written[tame(their.name)])
            #expect(our.device == their.device && our.group == their.group && our.date == their.date, "\(our) \(their)")
            guard let meta = our.meta, let expected = their.meta else {
                #expect(our.digest == their.digest && our.size == their.size, "\(their.name)")
                continue
            }
            var keys = Set(expected.members.map(\.name))
            // The server's own spelling of nothing: a contact's subject may be empty or absent.
            if expected["subject"]?.string == "" { keys.remove("subject") }
            #expect(Set(meta.members.map(\.name)).subtracting(meta["subject"]?.string == "" ? ["subject"] : []) == keys, "\(their.name)")
            for key in ["type", "folder_id", "date", "blob_digest", "TagNames", "Path", "name", "Ver", "mod_metadata", "mod_content", "uuid", "ExtraStr"] {
                #expect(meta[key] == expected[key], "\(their.name): \(key)")
            }
            if ![1, 2, 3, 13].contains(expected["type"]?.int) {
                for key in ["size", "unread", "FlagStr"] { #expect(meta[key] == expected[key], "\(their.name): \(key)") }
            }
            compared += 1
        }
        #expect(compared > 20)
    }

    @Test(
        "Long names, large contents, many items, unread ones: whole, and as a stranger's program reads them",
        .enabled(if: OtherProgram.hasPython, "python3 is not installed"))
    func shapes() throws {
        let bench = try Bench()
        defer { bench.remove() }
        let alice = bench.alice
        let name = String(repeating: "ü", count: 120)
        let folder = try alice.createFolder(named: name)
        let inner = try alice.createFolder(named: "inner", in: folder)
        let large = message("large", body: String(repeating: "0123456789abcdef", count: 200_000))
        let id = try alice.addMessage(large, folder: inner)
        for number in 0..<520 { _ = try alice.addMessage(message("mail \(number)"), folder: folder) }
        let read = try bench.server.deliver(message("read: \"me\" <now>"), to: ["alice@example.com"])[0].itemID
        try bench.backUp()
        let (report, entries) = try export(bench, "alice@example.com")
        #expect(report.isComplete && report.addsUp)
        let content = try #require(entries.first { $0.name == "\(name)/inner/\(String(format: "%010d", id))-large.eml" })
        #expect(content.size == Int64(large.count))
        #expect(entries.filter { $0.name.hasPrefix("\(name)/0") && $0.name.hasSuffix(".eml") }.count == 500)
        #expect(entries.filter { $0.name.hasPrefix("\(name)!1/") && $0.name.hasSuffix(".eml") }.count == 20)
        let meta = try #require(entries.first { $0.name == "Inbox/\(String(format: "%010d", read))-read_ _me_ _now_.eml.meta" })
        #expect(meta.meta?["id"]?.int == 0)
        for entry in entries where entry.meta?["type"]?.int == 5 {
            #expect((entry.mode & 0o200 == 0) == (entry.meta?["unread"]?.int == 1), "\(entry.name)")
        }
        // Every content follows its columns, with the digest that they name.
        for (meta, next) in zip(entries, entries.dropFirst()) {
            guard let digest = meta.meta?["blob_digest"]?.string else { continue }
            #expect(next.name + ".meta" == meta.name && next.digest == digest && next.size == meta.meta?["size"]?.int)
        }
    }

    @Test("What the import refuses because of its folder is told of; a document without content is left out")
    func refused() throws {
        let bench = try RestoringBench()
        try bench.commit([
            try bench.item(300, .chat, in: 14, bytes: Array("Subject: chat\r\n\r\nhello\r\n".utf8)) { $0.subject = "chat" },
            try bench.item(301, .document, in: 16) { $0.name = "shared.txt" },
            try bench.item(302, .message, in: 2, bytes: Array("Subject: mail\r\n\r\nhello\r\n".utf8)) { $0.tags = ["a:b\\c", "red"] },
        ])
        let export = try bench.export(.tgz)
        #expect(export.report.warnings.contains("1 items lie in folders for items of another kind: the server's import refuses such."), "\(export.report.warnings)")
        #expect(export.report.leftOut == ["document": 1] && export.report.exported == 2 && export.report.addsUp)
        guard OtherProgram.hasPython else { return }
        let entries = try entries(export.url.appending(path: "mailbox.tgz").path)
        let mail = try #require(entries.first { $0.meta?["type"]?.int == 5 })
        #expect(mail.name == "Inbox/0000000302-message.eml.meta" && mail.meta?["TagNames"]?.string == "a\\:b\\\\c:red")
    }
}
