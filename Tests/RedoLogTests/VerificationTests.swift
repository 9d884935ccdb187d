import Foundation
import SystemPackage
import Testing

@testable import RedoLog

@Suite("Verification")
struct VerificationTests {
    let folder = TemporaryFolder()

    @Test("Logs of a working server keep every invariant", arguments: ["concurrent", "session"])
    func series(_ name: String) throws {
        let files = try Verification.files(in: Fixtures.folder.appending(name))
        let report = try Verification(isStrict: true).run(files)
        #expect(report.files == files.count)
        #expect(report.problems.isEmpty, "\(report.problems)")
        #expect(!report.isDamaged)
    }

    /// The transactions of this series were opened by hand, more than one in a mailbox: all else is as a server writes it.
    @Test("Overlapping transactions of one mailbox are told, and nothing else of their series")
    func overlapping() throws {
        let report = try Verification(isStrict: true).run(Verification.files(in: Fixtures.folder.appending("rollover")))
        #expect(report.problems.map(\.text) == [
            "the transaction 1795403520.4 of mailbox 7 is open at the same time",
            "change 232 of mailbox 7 comes after change 234",
        ])
    }

    @Test("Sound logs are told sound, damaged ones damaged", arguments: Fixtures.logs)
    func single(_ name: String) throws {
        let report = try Verification().run([Fixtures.path(name)])
        let document = try Fixtures.document(name)
        #expect(report.records == Int64(try #require(document["records"] as? [NSDictionary]).count))
        let problems = try #require(document["problems"] as? [NSDictionary])
        #expect(report.isDamaged == problems.contains { $0["kind"] as? String == "garbage" }, "\(report.problems)")
        #expect(report.problems.count == problems.count)
        let transactions = try #require(document["transactions"] as? [NSDictionary])
        #expect(report.openCount == transactions.count { $0["state"] as? String == "open" })
    }

    /// A log with one message, and the message's body in the file.
    private func mailLog(_ body: [UInt8], size: Int, _ name: String = "redo.log") throws -> (FilePath, Record) {
        let path = folder.path.appending(name)
        let location = LogLocation(log: path, archive: folder.path.appending("archive"))
        var hash = SHA256()
        let content = Array("Subject: x\r\n\r\nhello\r\n".utf8)
        content.withUnsafeBytes { hash.update($0) }
        let writer = try LogWriter(location: location, serverID: "server")
        let message = CreateMessage {
            $0.size = Int64(size)
            $0.digest = LogText(bytes: serverBase64(hash.finish()))
            $0.itemID = 257
            $0.body = Body(length: Int64(body.count))
        }
        let id = try writer.logStart(.createMessage(message), mailbox: 1, change: 1, bodies: [.bytes(body)])
        try writer.logCommit(id)
        try writer.close(rollsOver: false)
        return (path, try RecordReader(file: LogFile(path)).allRecords()[0])
    }

    /// The same content as a gzip stream made by another program.
    private static func gzip() throws -> [UInt8] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/gzip")
        process.arguments = ["-cn"]
        let input = Pipe()
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        input.fileHandleForWriting.write(Data("Subject: x\r\n\r\nhello\r\n".utf8))
        input.fileHandleForWriting.closeFile()
        return [UInt8](output.fileHandleForReading.readDataToEndOfFile())
    }

    @Test("A body is compared with its digest, plain or compressed; one flipped bit is found", arguments: [false, true])
    func digests(_ isCompressed: Bool) throws {
        let content = Array("Subject: x\r\n\r\nhello\r\n".utf8)
        let (path, record) = try mailLog(isCompressed ? Self.gzip() : content, size: content.count)
        let sound = try Verification(isStrict: true).run([path])
        #expect(sound.problems.isEmpty, "\(sound.problems)")
        #expect(sound.digests == 1)

        guard case .createMessage(let message) = record.operation, let body = message.body else {
            Issue.record("no message")
            return
        }
        var bytes = try LogFile(path).read(at: 0, count: 4096)
        bytes[Int(body.offset) + 12] ^= 1
        let damaged = folder.file("damaged.log", bytes)
        #expect(try Verification().run([damaged]).problemCounts == [.digest: 1])
        #expect(try !Verification(checksDigests: false).run([damaged]).isDamaged)
    }

    @Test("A size that is not the content's is found")
    func wrongSize() throws {
        let content = Array("Subject: x\r\n\r\nhello\r\n".utf8)
        let (path, _) = try mailLog(content, size: content.count + 1)
        #expect(try Verification().run([path]).problemCounts == [.digest: 1])
    }

    /// A sample with one byte changed.
    private func changed(_ sample: String, at offset: Int, to byte: UInt8) throws -> VerificationReport {
        var bytes = Fixtures.bytes(sample)
        bytes[offset] = byte
        return try Verification(isStrict: true).run([folder.file("redo.log", bytes)])
    }

    @Test("Broken invariants are found one by one")
    func invariants() throws {
        let sample = "concurrent/redo-20261123.031330.318-seq0.log"
        let records = try RecordReader(file: LogFile(Fixtures.path(sample))).allRecords()
        let commit = try #require(records.first { $0.role == .commit })
        let at = Int(commit.offset)
        #expect(try changed(sample, at: 511, to: 1).problemCounts == [.invariant: 1])  // padding
        #expect(try changed(sample, at: 15, to: 0xEE).problemCounts == [.invariant: 1])  // file size
        #expect(try changed(sample, at: 159, to: 0xEE).problemCounts == [.invariant: 1])  // first record's time
        #expect(try changed(sample, at: at + 25, to: 5).isDamaged)  // change number of an end record
        #expect(try changed(sample, at: at + 45, to: 0xEE).isDamaged)  // mailbox of an end record
        #expect(try changed(sample, at: at + 49, to: 0x63).isDamaged)  // operation of an end record
    }

    @Test("A missing file of a series is found")
    func missingFile() throws {
        let files = try Verification.files(in: Fixtures.folder.appending("rollover"))
        let report = try Verification(isStrict: true).run([files[0], files[2]])
        #expect(report.problemCounts[.invariant] ?? 0 > 0)
        #expect(try !Verification().run([files[0], files[2]]).isDamaged)
    }

    @Test("A bad header is a problem, not an error")
    func headers() throws {
        for bytes in [[], [UInt8](repeating: 0, count: 600), Array(Fixtures.bytes("empty.log").prefix(511))] {
            let report = try Verification().run([folder.file("bad.log", bytes)])
            #expect(report.problemCounts == [.header: 1])
        }
        var future = Fixtures.bytes("empty.log")
        future[171] = 44
        #expect(try Verification().run([folder.file("future.log", future)]).problemCounts == [.header: 1])
    }

    @Test("A line about a record hides the secrets of guests")
    func summary() throws {
        let file = try LogFile(Fixtures.path("zimbra-all-ops.log"))
        let summary = Summary(of: file)
        let lines = try RecordReader(file: file).allRecords().map { try summary.line($0) }
        let tag = try #require(lines.first { $0.contains("CreateTag") })
        #expect(tag.contains("2026-05-28 20:26:48.000  txn 1795403519.9  mailbox 7  change 108  CreateTag"))
        #expect(tag.contains("\"name\":\"Projekt Ä\""))
        var secrets = 0
        for record in try RecordReader(file: file).allRecords() {
            guard case .grantAccess(let grant) = record.operation, let secret = grant.secret, !secret.isEmpty else { continue }
            secrets += 1
            #expect(try !summary.line(record).contains("\"\(secret)\""))
        }
        #expect(secrets > 0)
    }
}
