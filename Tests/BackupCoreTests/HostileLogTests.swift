import BackupStore
import Foundation
import RedoLog
import SystemPackage
import Testing

@testable import BackupCore
@testable import BackupStore

@Suite("A log that holds what no server should write")
struct HostileLogTests {
    private static let gzipLike: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3] + Array("this is no deflate stream".utf8)

    @Test("A body that looks compressed and is not costs its message the content, and nobody else anything (R15)")
    func damagedBody() throws {
        let bench = try LogBench()
        try bench.backUp()
        try bench.message(300, Self.gzipLike, size: 1000)
        try bench.message(301, message("later"))
        try bench.message(300, mailbox: 2, message("other"))
        for _ in 0..<2 { try bench.backUp() }
        let kept = try #require(try bench.item(300))
        #expect(kept.row.folderID == 2 && kept.row.size == 1000 && kept.blob == nil && !kept.doubts.isEmpty)
        #expect(try bench.item(301)?.row.subject == "later")
        #expect(try bench.item(300, LogBench.bob)?.row.subject == "other")
        let mark = try #require(try bench.read { try $0.marks(LogBench.alice) }.first { $0.candidates == [300] })
        #expect(mark.reason.contains("content of item 300"))
        #expect(try !bench.reasons(LogBench.bob).contains { $0.contains("content") })
    }

    @Test("A body that decompresses to more than its record says ends there: a bomb costs its message the content, and no room")
    func bomb() throws {
        let bench = try LogBench()
        let zeros = [UInt8](repeating: 0, count: 1 << 20)
        var bomb: [UInt8] = []
        let compressor = Compressor(level: 6)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        defer { buffer.deallocate() }
        for piece in 0..<64 {
            try zeros.withUnsafeBytes { zeros in
                try compressor.run(zeros, last: piece == 63, buffer: buffer) { bomb.append(contentsOf: $0) }
            }
        }
        #expect(bomb.count < 1 << 17)
        try bench.message(300, bomb, size: 1000)
        try bench.message(301, message("later"))
        try bench.backUp()
        let kept = try #require(try bench.item(300))
        #expect(kept.blob == nil && kept.doubts.contains { $0.contains("content") }, "\(kept.doubts)")
        #expect(try bench.item(301)?.row.subject == "later")

        // What it was let decompress: no more than one buffer beyond the record's size.
        let file = try LogFile(bench.logFolder.appending("redo.log"))
        let reader = try RecordReader(file: file)
        var found: Body?
        steps: while found == nil {
            switch try reader.next() {
            case .record(let record): if case .createMessage(let message) = record.operation { found = message.body }
            case .end: break steps
            default: break
            }
        }
        let body = try #require(found)
        let read = try file.openBody(body, uncompressedSize: 1000)
        var count = 0
        #expect(throws: RedoLogError.self) {
            while case let more = try read(buffer), more > 0 { count += more }
        }
        #expect(count <= buffer.count)
    }

    @Test("A body whose bytes are not those of its digest is kept where nothing better is, and its account is marked")
    func wrongDigest() throws {
        let bench = try LogBench()
        let body = Array("Subject: Rotten\r\n\r\nJello\r\n".utf8)
        let right = Array("Subject: Rotten\r\n\r\nHello\r\n".utf8).withUnsafeBytes { BlobID(of: $0) }
        try bench.message(300, body, digest: LogText(right.description))
        try bench.backUp()
        let state = try #require(try bench.item(300))
        #expect(state.blob?.id == body.withUnsafeBytes { BlobID(of: $0) } && state.row.blobDigest == right.description)
        #expect(state.doubts == ["content: the bytes are not those of the digest"])
        #expect(try bench.reasons().contains { $0.contains("not those of the digest") })
    }

    @Test("A mail that itself begins like gzip is its own content, where the digest says so")
    func gzipLikeContent() throws {
        let bench = try LogBench()
        let digest = Self.gzipLike.withUnsafeBytes { BlobID(of: $0).description }
        try bench.message(300, Self.gzipLike, size: 1000, digest: LogText(digest))
        try bench.message(301, Self.gzipLike)
        try bench.backUp()
        for id in [300, 301] as [Int64] { #expect(try bench.item(id)?.blob?.id.description == digest) }
        #expect(try bench.reasons().filter { $0.contains("content") } == [])
    }

    @Test(
        "A tail that was cut off and written over marks the accounts, also where what was read of it is gone",
        arguments: [0, 40], [true, false])
    func holeInTheLog(more: Int64, goesOn: Bool) throws {
        let bench = try LogBench()
        try bench.message(300, message("before"))
        try bench.writer.flush()
        var engine = try bench.engine()
        try engine.begin()
        try engine.catchUp()
        if !goesOn { try engine.close() }
        let log = try FileDescriptor.open(bench.logFolder.appending("redo.log"), .readWrite)
        let read = try log.seek(offset: 0, from: .end)
        try bench.message(301, message("lost"))
        try log.closeAfter { try log.resize(to: read - more) }
        try bench.message(302, message("after"))
        try bench.writer.flush()
        if !goesOn {
            engine = try bench.engine()
            try engine.begin()
        }
        try engine.catchUp()
        try engine.close()
        #expect(try bench.item(302) != nil && bench.item(301) == nil)
        #expect(try !bench.reasons().isEmpty)
    }

    @Test("A shared body that does not decompress costs its recipients the content")
    func damagedSharedBody() throws {
        let bench = try LogBench()
        try bench.log(
            .storeIncomingBlob(
                make(StoreIncomingBlob()) {
                    $0.path = "incoming/1"
                    $0.size = 1000
                    $0.mailboxIDs = [1, 2]
                    $0.body = Body(length: Int64(Self.gzipLike.count))
                }), mailbox: 1, bodies: [Self.gzipLike])
        for mailbox in [1, 2] as [Int64] {
            try bench.log(
                .createMessage(
                    make(CreateMessage()) {
                        $0.itemID = 300
                        $0.folderID = 2
                        $0.shared = true
                        $0.path = "incoming/1"
                        $0.bodyType = 2
                    }), mailbox: mailbox)
        }
        try bench.message(301, message("later"))
        let statistics = try bench.backUp()
        #expect(statistics.notices.contains { $0.contains("decompressing") })
        for account in [LogBench.alice, LogBench.bob] {
            #expect(try bench.item(300, account)?.blob == nil)
            #expect(try bench.reasons(account).contains { $0.contains("content of item 300") })
        }
        #expect(try bench.item(301)?.row.subject == "later")
    }

    @Test("An account id that is no file name is told of, and nothing else is lost")
    func unsafeAccountID() throws {
        let bench = try LogBench()
        try bench.createMailbox(3, "../../evil")
        try bench.message(300, mailbox: 3, message("left out"))
        try bench.message(300, message("kept"))
        let statistics = try bench.backUp()
        #expect(statistics.notices.contains { $0.contains("createMailbox") || $0.contains("CreateMailbox") })
        #expect(try bench.item(300)?.row.subject == "kept")
        #expect(try bench.read { try $0.accounts() }.sorted() == [LogBench.alice, LogBench.bob])
        try bench.backUp()
    }

    @Test("A state that the backup path refuses marks its account, and following goes on")
    func refusedState() throws {
        let bench = try LogBench()
        try bench.backUp()
        let store = try StoreWriter(opening: bench.backupPath, serverID: "server")
        let scanner = try RealTimeScanner(
            source: try LogArchive(folder: bench.logFolder), store: store, logger: .init(label: "test"))
        // A life as only a defect of this program could make it.
        scanner.mailboxes.adopt(MailboxLife(accountID: "a/b", mailboxID: 9, generation: 1), lastChange: 0)
        try bench.message(300, mailbox: 9, message("refused"))
        try bench.message(301, message("kept"))
        try bench.writer.flush()
        while try scanner.step() {}
        #expect(scanner.statistics.notices.contains { $0.contains("mailbox 9") })
        try store.close()
        #expect(try bench.item(301)?.row.subject == "kept")
    }

    @Test("Times at both ends of their range are taken in", arguments: [Int64.min, -1, 0, .max])
    func extremeTimes(time: Int64) throws {
        let bench = try LogBench()
        try bench.log(.createFolder(make(CreateFolder()) { $0.folderID = 300; $0.parentID = 1; $0.date = time }), time: time)
        try bench.log(.dateItem(make(DateItem()) { $0.itemID = 300; $0.date = time }), time: time)
        let statistics = try bench.backUp()
        #expect(statistics.notices == [])
        #expect(try bench.item(300)?.row.date == time / 1000)
        #expect(try bench.reasons().contains { $0.contains("impossible time") } == (time.magnitude > 1))
        // The histories can be read: from their files, too.
        let history = try bench.read { try $0.history(of: .item(account: LogBench.alice, id: 300)) }
        #expect(history.lines.count == 2 && history.damage.isEmpty)
    }

    @Test("A shared body whose blob is damaged does not keep the backup from starting")
    func damagedHeldBlob() throws {
        let bench = try LogBench()
        let body = message("shared")
        try bench.log(
            .storeIncomingBlob(
                make(StoreIncomingBlob()) {
                    $0.path = "incoming/1"
                    $0.size = Int32(body.count)
                    $0.mailboxIDs = [1, 2]
                    $0.body = Body(length: Int64(body.count))
                }), bodies: [body])
        try bench.message(300, message("carries the position"))
        try bench.backUp()
        let name = body.withUnsafeBytes { BlobID(of: $0).description }
        let file = URL(fileURLWithPath: bench.backupPath.string).appending(path: "items/\(name.prefix(2))/\(name)")
        try Data([1, 2, 3]).write(to: file)
        try bench.message(301, message("later"))
        try bench.backUp()
        #expect(try bench.item(301)?.row.subject == "later")
    }

    @Test("R15: an end that damage took without an unreadable byte marks its account, and no other")
    func lostEnd() throws {
        let bench = try LogBench()
        try bench.message(300, Array("one".utf8))
        try bench.writer.flush()
        let log = bench.logFolder.appending("redo.log")
        let file = try FileDescriptor.open(log, .readWrite)
        try file.closeAfter {
            // The end's transaction and mailbox become nobody's.
            let end = try file.seek(offset: 0, from: .end) - 50
            try file.writeAll(toAbsoluteOffset: end + 30, [UInt8](repeating: 0, count: 16))
        }
        try bench.message(301, Array("two".utf8))
        try bench.message(400, mailbox: 2, Array("another's".utf8))
        try bench.backUp()
        try bench.read { reader in
            let reasons = try reader.marks(LogBench.alice).map(\.reason)
            #expect(reasons.contains { $0.contains("has lost the end of CreateMessage") }, "\(reasons)")
            #expect(try !reader.marks(LogBench.bob).contains { $0.reason.contains("lost the end") })
            #expect(try reader.item(LogBench.alice, 301) != nil)
        }
    }

    @Test("Repeated ends of a crash recovery mark an account once")
    func marksOnce() throws {
        let bench = try LogBench()
        try bench.log(.createFolder(make(CreateFolder()) { $0.folderID = 300; $0.parentID = 1 }))
        try bench.writer.flush()
        let follower = try LogFollower(location: bench.writer.location)
        var last: CommittedTransaction?
        while case .transaction(let transaction) = try follower.next() { last = transaction }
        for round in 0..<5 { try bench.writer.logRepeatedEnd(of: try #require(last), committed: round % 2 == 0) }
        try bench.backUp()
        try bench.backUp()
        #expect(try bench.reasons().filter { $0.contains("recovered") }.count == 1)
    }
}
