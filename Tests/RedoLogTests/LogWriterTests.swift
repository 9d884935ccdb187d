import Foundation
import SystemPackage
import Testing

@testable import RedoLog

@Suite("The log writer")
struct LogWriterTests {
    let folder = TemporaryFolder()
    var location: LogLocation {
        LogLocation(log: folder.path.appending("redo.log"), archive: folder.path.appending("archive"))
    }

    func writer(_ change: (inout LogWriter.Settings) -> Void = { _ in }) throws -> LogWriter {
        var settings = LogWriter.Settings()
        settings.syncsStarts = false
        change(&settings)
        return try LogWriter(location: location, serverID: "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", settings: settings)
    }

    func tag(_ name: LogText) -> RedoLog.Operation { .createTag(CreateTag { $0.name = name }) }

    @Test("Records of the samples are written with the same bytes", arguments: ["zimbra-all-ops.log", "old/v1_25.log"])
    func sameBytes(_ name: String) throws {
        let sample = try LogFile(Fixtures.path(name))
        let log = try writer()
        for record in try RecordReader(file: sample).allRecords() {
            let header = record.header
            switch record.role {
            case .start:
                let bodies = try header.encode(record.operation).bodies.map { BodySource.log(sample, $0.body) }
                try log.logStart(
                    record.operation, mailbox: header.mailboxID, change: header.changeID, timestamp: header.timestamp,
                    constraint: header.changeConstraint, transaction: header.transaction, version: header.version,
                    bodies: bodies)
            case .commit: try log.logCommit(header.transaction, timestamp: header.timestamp)
            case .abort, .checkpoint: Issue.record("not in this sample")
            }
        }
        let written = try LogFile(location.log)
        let records = try RecordReader(file: written).allRecords()
        let originals = try RecordReader(file: sample).allRecords()
        try #require(records.count == originals.count)
        for (record, original) in zip(records, originals) where original.role == .start {
            #expect(
                try written.read(at: record.offset, count: Int(record.length))
                    == sample.read(at: original.offset, count: Int(original.length)))
        }
    }

    @Test("A rollover lists what is open and writes it again, byte for byte, as in the samples")
    func rollover() throws {
        let log = try writer()
        let first = try log.logStart(tag("first"), mailbox: 7, change: 1, timestamp: 10)
        let done = try log.logStart(tag("done"), mailbox: 8, change: 1, timestamp: 30)
        try log.logCommit(done, timestamp: 31)
        let second = try log.logStart(
            .storeIncomingBlob(StoreIncomingBlob { $0.body = Body(length: 5); $0.size = 5 }), mailbox: -1, change: -1,
            timestamp: 20, bodies: [.bytes(Array("hello".utf8))])
        try log.rollOver()

        let archived = try #require(try location.archivedFiles().first)
        #expect(archived.sequence == 0)
        let old = try LogFile(archived.path)
        let oldRecords = try RecordReader(file: old).allRecords()
        guard case .checkpoint(let checkpoint) = oldRecords.last?.operation else {
            Issue.record("no checkpoint at the end")
            return
        }
        #expect(checkpoint.activeTransactions == [first, second])
        let oldHeader = try old.header()
        #expect(!oldHeader.isOpen)
        #expect(try oldHeader.fileSize == old.size())
        #expect(oldHeader.firstOperationTime == 10)
        #expect(oldHeader.lastOperationTime == 31)

        let new = try LogFile(location.log)
        let newRecords = try RecordReader(file: new).allRecords()
        #expect(newRecords.map(\.header.transaction) == [first, second])
        for record in newRecords {
            let before = try #require(oldRecords.first { $0.header.transaction == record.header.transaction })
            #expect(
                try new.read(at: record.offset, count: Int(record.length))
                    == old.read(at: before.offset, count: Int(before.length)))
        }
        let newHeader = try new.header()
        #expect(newHeader.isOpen)
        #expect(newHeader.sequence == 1)
        #expect(newHeader.firstOperationTime == 10)
        try log.logCommit(second)
        try log.logAbort(first)
        try log.close()
        #expect(try LogFile(location.log).size() == 512)
    }

    @Test("With delete-on-rollover the old file goes")
    func deleting() throws {
        let log = try writer { $0.deletesOnRollover = true }
        try log.logCommit(try log.logStart(tag("a"), mailbox: 7, change: 1))
        try log.rollOver()
        #expect(try location.archivedFiles().isEmpty)
        #expect(log.sequence == 1)
    }

    @Test("A starting writer cuts an incomplete tail off and knows what is open")
    func startUp() throws {
        var log: LogWriter? = try writer { $0.processStart = 100 }
        let open = try log!.logStart(tag("open"), mailbox: 7, change: 1)
        let done = try log!.logStart(tag("done"), mailbox: 8, change: 1)
        try log!.logCommit(done)
        let size = log!.size
        log = nil
        let handle = try #require(FileHandle(forWritingAtPath: location.log.string))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data([0x5A, 0x4D, 0x52, 0x45, 0x44, 0x4F, 0, 1, 0]))
        try handle.close()

        let next = try writer { $0.processStart = 100 }
        #expect(next.recovery.truncatedBytes == 9)
        #expect(next.size == size)
        #expect(next.recovery.open.map(\.start.header.transaction) == [open])
        #expect(next.recovery.recent.map(\.id) == [done])
        #expect(next.nextTransaction().time == 101)
        try next.logCommit(open)
        try next.logRepeatedEnd(of: try #require(next.recovery.recent.first), committed: false)
        let roles = try RecordReader(file: LogFile(location.log)).allRecords().map(\.role)
        #expect(roles == [.start, .start, .commit, .commit, .abort])
    }

    @Test("What a dead server left in a rollover is settled")
    func temporaryFiles() throws {
        let log = try writer()
        try log.logCommit(try log.logStart(tag("kept"), mailbox: 7, change: 1))
        try log.close(rollsOver: false)
        let temporary = folder.path.appending("~tmp-redo-20260601.120000.000-seq1.log")
        #expect(rename(location.log.string, temporary.string) == 0)
        let next = try writer()
        #expect(next.size > 512)
        #expect(!FileManager.default.fileExists(atPath: temporary.string))
        _ = folder.file("~tmp-redo-20260601.120000.001-seq2.log", [1, 2, 3])
        _ = try writer()
        #expect(FileManager.default.fileExists(atPath: folder.path.appending("~tmp-redo-20260601.120000.001-seq2.log.bak").string))
    }
}
