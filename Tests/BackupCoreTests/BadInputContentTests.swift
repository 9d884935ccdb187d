import BackupStore
import Foundation
import RedoLog
import SandboxServer
import SystemPackage
import Testing

@testable import BackupCore

@Suite("Bad input: names and messages that nobody should send")
struct BadInputContentTests {
    /// Names as bytes: some are no UTF-8, some become one text once they are repaired, some are equal but for their normal form.
    private static let names: [[UInt8]] = [
        "a/b", "../../etc/passwd", "..", ".", "a\nb", "a\r\nb", "a\u{0}b", "\u{202E}gpj.exe", "\u{200F}",
        String(repeating: "x", count: 10_000), String(repeating: "\u{1F4E7}", count: 2_500), "a:b", "a\"b", "a_b", " a", "a ", "a", "A", "\u{C4}", "A\u{308}", "-rf", "~", "CON", "*?",
    ].map { Array($0.utf8) } + [[0x61, 0xFF], [0x61, 0xFE], [0xC3], [0xED, 0xA0, 0x80], [0x80, 0x2F, 0x80]]

    /// A log in which each name is a folder's, a tag's and a document's; a message lies in each folder.
    private func logged() throws -> LogBench {
        let bench = try LogBench()
        for (place, name) in Self.names.enumerated() {
            let number = Int32(place)
            let name = LogText(bytes: name)
            try bench.log(.createFolder(make(CreateFolder()) { $0.folderID = 1000 + number; $0.parentID = 1; $0.name = name }))
            try bench.log(.createTag(make(CreateTag()) { $0.itemID = 2000 + number; $0.name = name }))
            let body = Array("Subject: number \(number)\r\n\r\nin its folder\r\n".utf8)
            try bench.log(
                .createMessage(
                    make(CreateMessage()) {
                        $0.itemID = 3000 + number
                        $0.folderID = 1000 + number
                        $0.size = Int64(body.count)
                        $0.tags = [name]
                        $0.body = Body(length: Int64(body.count))
                    }), bodies: [body])
            let text = Array("document \(number)".utf8)
            try bench.log(
                .saveDocument(
                    make(SaveDocument()) {
                        $0.document.filename = name
                        $0.message.itemID = 4000 + number
                        $0.message.folderID = 2
                        $0.message.size = Int64(text.count)
                        $0.message.body = Body(length: Int64(text.count))
                    }), bodies: [text])
        }
        return bench
    }

    @Test("Names of folders, tags and documents, whatever their bytes: all is backed up, and read again after a restart")
    func backedUp() throws {
        let bench = try logged()
        #expect(try bench.backUp().notices == [])
        #expect(try bench.backUp().transactions == 0, "a second run has nothing to do")
        for place in 0..<Int64(Self.names.count) {
            for id in [1000, 2000, 3000, 4000] { #expect(try bench.item(Int64(id) + place) != nil, "\(id + Int(place))") }
        }
        let writer = try StoreWriter(opening: bench.backupPath, serverID: "server")
        try writer.rebuildIndex()
        #expect(writer.recovery.findings == [])
        try writer.close()
        #expect(try bench.item(3000)?.row.subject == "number 0")
        // What is UTF-8 is kept to the byte.
        for (place, name) in Self.names.enumerated() where String(validating: name, as: UTF8.self) != nil {
            #expect(try bench.item(1000 + Int64(place)).map { Array(($0.row.name ?? "").utf8) } == name)
        }
    }

    @Test("They are restored to a server that refuses many of them: each folder is one of its own, and nothing is missing")
    func restored() throws {
        let bench = try logged()
        try bench.backUp()
        let server = try SandboxServer.create(at: bench.folder.path.appending("target"))
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        let restore = RestoreOnNewAccount(source: LogBench.alice, destination: "new@example.com", moment: .last)
        let state = bench.folder.path.appending("state")
        // Stopped in the middle and run again: no folder is made twice.
        var asked = 0
        let first = try restore.run(from: reader, to: server, stateFolder: state, stop: { asked += 1; return asked > 40 })
        #expect(first.isStopped)
        let report = try restore.run(from: reader, to: server, stateFolder: state)
        #expect(report.addsUp && report.unrestored == [], "\(report.unrestored.map { "\($0.id): \($0.detail.prefix(200))" })")
        let mailbox = try server.openMailbox("new@example.com")
        var folders: Set<Int64> = []
        var subjects: Set<String> = []
        for folder in try mailbox.folders() where folder.id >= 256 {
            for message in try mailbox.items(inFolder: folder.id) where message.type == .message {
                folders.insert(folder.id)
                subjects.insert(message.subject ?? "")
                #expect(message.tags.count == 1)
            }
        }
        #expect(folders.count == Self.names.count && subjects == Set(Self.names.indices.map { "number \($0)" }))
        #expect(try mailbox.items(inFolder: 2).filter { $0.type == .document }.count == Self.names.count)
        let told = first.warnings.first { $0.hasPrefix("folder 1000 'a/b' is named 'a_b (1000)': ") }
        let slash = try #require(told, "\(first.warnings.prefix(3))")
        #expect(slash.contains("is no folder's name"))
    }

    @Test("They are exported: every message and document has a file of its own inside of the destination",
        arguments: ExportFormat.allCases)
    func exported(_ format: ExportFormat) throws {
        let bench = try logged()
        try bench.backUp()
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        let destination = bench.folder.path.appending("export/out")
        try TemporaryFolder.make(bench.folder.path.appending("export"))
        let report = try MailboxExport(account: LogBench.alice, destination: destination, format: format).run(from: reader)
        #expect(report.addsUp && report.unexported == [], "\(report.unexported)")
        let count = Int64(Self.names.count)
        #expect(report.exported == (format == .eml || format == .tgz ? 2 * count : count))
        #expect(try FileManager.default.contentsOfDirectory(atPath: bench.folder.path.appending("export").string) == ["out"])
        let export = Export(url: URL(fileURLWithPath: destination.string), report: report)
        var seen: Set<[UInt8]> = []  // Names that differ in their normal form only are two.
        for line in try export.manifest where line["sha256"] != nil {
            let file = try #require(line["file"]?.string)
            #expect(!file.split(separator: "/").contains { $0 == ".." || $0 == "." }, "\(file)")
            guard format != .mbox, format != .tgz, line["type"]?.string == "message" || format == .eml else { continue }
            #expect(seen.insert(Array(file.utf8)).inserted, "\(file)")
            let id = try #require(line["id"]?.int)
            #expect(try export.text(file).contains(id >= 4000 ? "document \(id - 4000)" : "number \(id - 3000)\r\n"), "\(file)")
        }
    }

    /// Messages whose MIME is broken in one way each.
    private static let broken: [[UInt8]] = [
        [], [0], Array("\r\n".utf8), Array("no header at all".utf8), Array("Subject: cut in the head".utf8),
        [UInt8](repeating: 0xFF, count: 300),
        Array("Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nnever ends".utf8),
        Array("Content-Type: multipart/mixed\r\n\r\nno boundary".utf8),
        Array("Content-Type: text/plain; charset=\"\u{0}\"\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!".utf8),
        Array("Subject: =?utf-8?B?////?= =?no-such?Q?=FF?=\r\nDate: yesterday\r\nFrom: <<<@>>>\r\n\r\n".utf8),
        Array(("Subject: " + String(repeating: "s", count: 100_000) + "\r\n\r\n").utf8),
        Array(String(repeating: "X-Many: yes\r\n", count: 20_000).utf8),
        Array((0..<300).map { "Content-Type: multipart/mixed; boundary=b\($0)\r\n\r\n--b\($0)\r\n" }.joined().utf8),
        Array("From nobody\r\n\r\n>From me\r\nFrom you\r\n.\r\n".utf8),
    ]

    @Test("Messages of 0 bytes and with broken MIME: backed up by scan and by log, restored and exported byte by byte")
    func brokenMessages() throws {
        let bench = try Bench()
        defer { bench.remove() }
        let scanned = try Self.broken.map { try bench.server.deliver($0, to: ["alice@example.com"])[0].itemID }
        try bench.server.rollOver()
        try bench.backUp()
        let logged = try Self.broken.map { try bench.server.deliver($0, to: ["alice@example.com"])[0].itemID }
        #expect(try bench.backUp().notices == [])
        #expect(try bench.differences() == [])

        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        let report = try RestoreOnNewAccount(source: "alice@example.com", destination: "new@example.com", moment: .last)
            .run(from: reader, to: bench.server, stateFolder: bench.folder.path.appending("state"))
        #expect(report.isComplete && report.addsUp, "\(report.unrestored)")
        let digests = (Self.broken + Self.broken).map { bytes in bytes.withUnsafeBytes { BlobID(of: $0).description } }.sorted()
        let copies = try bench.server.openMailbox("new@example.com").items(inFolder: 2)
        #expect(copies.compactMap(\.blobDigest).sorted() == digests)
        for format in ExportFormat.allCases {
            let destination = bench.folder.path.appending("out-\(format)")
            let export = Export(
                url: URL(fileURLWithPath: destination.string),
                report: try MailboxExport(account: "alice@example.com", destination: destination, format: format).run(from: reader))
            #expect(export.report.isComplete && export.report.exported == Int64(2 * Self.broken.count))
            guard format != .mbox, format != .tgz else { continue }
            for (bytes, id) in zip(Self.broken + Self.broken, scanned + logged) {
                let file = try #require(try export.line(id)?["file"]?.string)
                #expect(try export.bytes(file) == bytes, "\(file)")
            }
        }
    }

    @Test("A message of 100 MB: backed up from the log, restored and exported byte by byte")
    func largeMessage() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp()
        // A megabyte of noise, a hundred times: enough work for the compressor, quickly made.
        var random = SeededGenerator(seed: 100)
        let noise = (0..<131_072).flatMap { _ in withUnsafeBytes(of: random.next(), Array.init) }
        var bytes = Array("Subject: large\r\n\r\n".utf8)
        bytes.reserveCapacity(100 << 20)
        for _ in 0..<100 { bytes += noise }
        let item = try bench.server.deliver(bytes, to: ["alice@example.com"])[0].itemID
        let after = try bench.server.deliver(message("after"), to: ["alice@example.com"])[0].itemID
        #expect(try bench.backUp().notices == [])
        let digest = bytes.withUnsafeBytes { BlobID(of: $0) }

        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        let state = try #require(try reader.item(bench.alice.accountID, item).flatMap(ItemState.init(indexed:)))
        #expect(state.blob?.id == digest && state.blob?.size == Int64(bytes.count) && state.row.subject == "large")
        #expect(try reader.item(bench.alice.accountID, after) != nil)
        let report = try RestoreOnNewAccount(source: "alice@example.com", destination: "new@example.com", moment: .last)
            .run(from: reader, to: bench.server, stateFolder: bench.folder.path.appending("state"))
        #expect(report.isComplete && report.restored == 2)
        #expect(try bench.server.openMailbox("new@example.com").items(inFolder: 2).contains { $0.blobDigest == digest.description })
        let destination = bench.folder.path.appending("out")
        let export = try MailboxExport(account: "alice@example.com", destination: destination).run(from: reader)
        #expect(export.isComplete && export.exported == 2)
        let file = try #require(try Export(url: URL(fileURLWithPath: destination.string), report: export).line(item)?["file"]?.string)
        let exported = try Data(contentsOf: URL(fileURLWithPath: destination.string).appending(path: file))
        #expect(exported.withUnsafeBytes { BlobID(of: $0) } == digest)
    }
}
