import Foundation
import Glibc
import SystemPackage
import Testing

@testable import RedoLog

@Suite("Hostile and damaged files")
struct HostileFileTests {
    let folder = TemporaryFolder()

    /// Reads a file to its end and checks that the steps cover it without a hole, in any file whatsoever.
    @discardableResult
    private func readWhole(_ path: FilePath, isGrowing: Bool = false) throws -> [RecordReader.Step] {
        let file = try LogFile(path)
        let size = try file.size()
        let steps = try RecordReader(file: file, isGrowing: isGrowing).allSteps()
        var expected: Int64 = 512
        for step in steps {
            switch step {
            case .record(let record):
                #expect(record.offset == expected && record.length > 0)
                expected = record.end
            case .garbage(let offset, let length), .incompleteTail(let offset, let length):
                #expect(offset == expected && length > 0)
                expected = offset + length
            case .end: break
            }
        }
        #expect(expected == max(512, size))
        return steps
    }

    private static let samples = ["transactions.log", "zimbra-all-ops.log", "carbonio-all-ops.log", "old/v1_00.log"]

    @Test("Cut anywhere, the records before the cut are read and the rest is an incomplete tail", arguments: samples)
    func truncation(_ name: String) throws {
        let bytes = Fixtures.bytes(name)
        let records = try RecordReader(file: LogFile(Fixtures.path(name))).allRecords()
        let path = folder.file("redo.log", bytes)
        let file = try LogFile(path)
        for end in Int64(512)...Int64(bytes.count) {
            let whole = records.prefix { $0.end <= end }
            // Only the last record can be touched by a cut; the ones before are read once for all cuts.
            let start = whole.last?.offset ?? 512
            let steps = try RecordReader(file: file, from: start, end: end).allSteps()
            var decoded: [Int64] = []
            for step in steps {
                switch step {
                case .record(let record): decoded.append(record.end)
                case .incompleteTail(let offset, let length):
                    #expect(offset == whole.last?.end ?? 512 && offset + length == end, "cut at \(end)")
                case .garbage(let offset, _): Issue.record("cut at \(end): garbage at \(offset)")
                case .end: break
                }
            }
            // A prefix of a record with several layouts may fit another one of them exactly.
            let isAmbiguous = decoded.last == end && whole.last?.end != end
            if !isAmbiguous { #expect(decoded == (whole.last.map { [$0.end] } ?? []), "cut at \(end)") }
            let growing = try RecordReader(file: file, from: start, end: end, isGrowing: true).allRecords()
            #expect(growing.allSatisfy { $0.end <= whole.last?.end ?? 512 }, "cut at \(end), growing")
        }
    }

    @Test("Bits flipped anywhere: no crash, no hole, and the reader ends", arguments: 0..<150)
    func bitFlips(_ seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        var bytes = Fixtures.bytes(Self.samples[seed % Self.samples.count])
        for _ in 0..<Int.random(in: 1...40, using: &random) {
            bytes[Int.random(in: 512..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        }
        let path = folder.file("flipped.log", bytes)
        let steps = try readWhole(path)
        try readWhole(path, isGrowing: true)
        // What is decoded can be described and encoded, whatever it is.
        for case .record(let record) in steps {
            let encoded = try record.header.encode(record.operation)
            #expect(encoded.bytes.starts(with: RecordHeader.magic), "seed \(seed)")
        }
        try Description(of: LogFile(path)).write { _ in }
        _ = try Verification(isStrict: true).run([path])
    }

    @Test("Pieces cut out, doubled, shuffled and zeroed: the same", arguments: 0..<100)
    func mutilation(_ seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed) &+ 5_000)
        let source = Array(Fixtures.bytes(Self.samples[seed % Self.samples.count]))
        var bytes = Array(source.prefix(512))
        for _ in 0..<Int.random(in: 1...20, using: &random) {
            let start = Int.random(in: 512..<source.count, using: &random)
            let end = min(source.count, start + Int.random(in: 1...2000, using: &random))
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes += [UInt8](repeating: 0, count: Int.random(in: 1...300, using: &random))
            case 1: bytes += (0..<Int.random(in: 1...300, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            case 2: bytes += Array("ZMREDO".utf8.prefix(Int.random(in: 1...6, using: &random)))
            default: bytes += source[start..<end]
            }
        }
        let path = folder.file("mutilated.log", bytes)
        try readWhole(path)
        try readWhole(path, isGrowing: true)
    }

    /// A log with one record of these bytes behind the header.
    private func log(_ code: Int32, version: FormatVersion = .current, _ payload: [UInt8], _ rest: [UInt8] = []) -> FilePath {
        let header = RecordHeader(
            version: version, code: OperationCode(rawValue: code), timestamp: 1, transaction: TransactionID(time: 1, counter: 1),
            mailboxID: 1)
        var bytes = (try? header.encode(.trackSync))?.bytes ?? []
        bytes.replaceSubrange(10..<14, with: withUnsafeBytes(of: code.bigEndian) { Array($0) })
        let file = FileHeader(openFlag: 0, sequence: 0, serverID: "s", createTime: 1).bytes
        return folder.file("\(UUID().uuidString).log", file + bytes + payload + rest)
    }

    private func big(_ value: Int32) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }

    /// A commit, to have something behind a damaged record.
    private var commit: [UInt8] {
        let header = RecordHeader(code: .commitTxn, timestamp: 1, transaction: TransactionID(time: 1, counter: 1), mailboxID: 1)
        return (try? header.encode(.commitTxn(.createTag)))?.bytes ?? []
    }

    private func kinds(_ path: FilePath) throws -> [String] {
        try readWhole(path).map {
            switch $0 {
            case .record: "record"
            case .garbage: "garbage"
            case .incompleteTail: "tail"
            case .end: "end"
            }
        }
    }

    @Test("No length is trusted: impossible ones are damage, those beyond the end an incomplete tail")
    func lengths() throws {
        // CreateMailbox is one text.
        for (length, expected) in [
            (Int32(-2), ["garbage", "record"]), (.min, ["garbage", "record"]), ((32 << 20) + 1, ["garbage", "record"]),
            (.max, ["garbage", "record"]), (32 << 20, ["tail"]), (1000, ["tail"]),
        ] {
            #expect(try kinds(log(7, big(length), commit)) == expected, "a text of \(length)")
        }
        // DeleteItemFromDumpster is a list of ids.
        #expect(try kinds(log(77, big(-1), commit)) == ["garbage", "record"])
        #expect(try kinds(log(77, big(.max), commit)) == ["tail"])
        // StoreIncomingBlob has at most a million recipients.
        #expect(try kinds(log(26, big(1_000_001), commit)) == ["garbage", "record"])
        #expect(try kinds(log(26, big(-1), commit)) == ["garbage", "record"])
        #expect(try kinds(log(26, big(1_000_000), commit)) == ["tail"])
        // SetImapUid, FixCalendarItemTZ: lists of elements.
        #expect(try kinds(log(29, big(-5), commit)) == ["garbage", "record"])
        #expect(try kinds(log(29, big(.max), commit)) == ["tail"])
        #expect(try kinds(log(70, big(1) + big(.max), commit)) == ["tail"])
    }

    @Test("Unknown codes and versions are damage; codes without a known layout reach to the next record")
    func codes() throws {
        for code in [Int32(0), -1, 100, .max] { #expect(try kinds(log(code, [], commit)) == ["garbage", "record"]) }
        for code in [Int32(2), 5, 42, 81, 82, 85, 87, 88, 94, 96, 97, 98, 99] {
            let steps = try readWhole(log(code, [1, 2, 3, 4, 5], commit))
            guard case .record(let record) = steps.first else {
                Issue.record("code \(code)")
                continue
            }
            #expect(record.operation == .opaque(OperationCode(rawValue: code), bytes: Body(offset: 512 + 46, length: 5)))
            #expect(steps.count == 2)
        }
        var future = Fixtures.bytes("open.log")
        future[512 + 9] = 44
        #expect(try kinds(folder.file("future.log", future)) == ["garbage", "record"])
    }

    @Test("Zimbra X records are read and written back")
    func zimbraX() throws {
        let operations: [RedoLog.Operation] = [
            .addSearchHistoryEntry(AddSearchHistoryEntry { $0.searchString = "query"; $0.newSearchID = 7 }),
            .addSearchHistoryEntry(AddSearchHistoryEntry { $0.prompted = true }), .purgeSearchHistory, .deleteSearchHistory,
            .setSavedSearchStatus(SetSavedSearchStatus { $0.searchString = "q"; $0.status = 1 }),
            .createSmartFolder(CreateSmartFolder { $0.itemID = 300; $0.name = "smart" }),
            .createMessage(CreateMessage { $0.bodyType = 3; $0.path = ":external:" }),
        ]
        let location = LogLocation(log: folder.path.appending("redo.log"), archive: folder.path.appending("archive"))
        let writer = try LogWriter(location: location, serverID: "server")
        for operation in operations {
            try writer.logCommit(
                try writer.logStart(operation, mailbox: 1, change: 1, version: .highest))
        }
        let file = try LogFile(location.log)
        let records = try RecordReader(file: file).allRecords()
        #expect(records.count == 2 * operations.count)
        for (record, operation) in zip(records.filter { $0.role == .start }, operations) {
            #expect(record.header.code == operation.code)
            let bytes = try record.header.encode(record.operation).bytes
            #expect(try bytes == file.read(at: record.offset, count: Int(record.length)))
        }
        var text: [UInt8] = []
        try Description(of: file).write { text += $0 }
        #expect(String(decoding: text, as: UTF8.self).contains("\"dialect\":\"zimbra-x\""))
    }

    @Test("A record forged in a message's body is never read")
    func forgedRecords() throws {
        let forged = try RecordHeader(
            code: .deleteMailbox, timestamp: 1, transaction: TransactionID(time: 1, counter: 9), mailboxID: 1
        ).encode(.deleteMailbox).bytes
        let location = LogLocation(log: folder.path.appending("redo.log"), archive: folder.path.appending("archive"))
        let writer = try LogWriter(location: location, serverID: "server")
        let body = Array("Subject: x\r\n\r\n".utf8) + forged + commit + forged
        let message = CreateMessage {
            $0.size = Int64(body.count)
            $0.body = Body(length: Int64(body.count))
        }
        let id = try writer.logStart(.createMessage(message), mailbox: 1, change: 1, bodies: [.bytes(body)])
        let size = writer.size
        try writer.logCommit(id)
        let file = try LogFile(location.log)
        #expect(try RecordReader(file: file).allRecords().map(\.header.code) == [.createMessage, .commitTxn])
        // Nor while the message is only half there.
        for end in stride(from: Int64(512), to: size, by: 7) {
            #expect(try RecordReader(file: file, end: end).allRecords().isEmpty)
            #expect(try RecordReader(file: file, end: end, isGrowing: true).allRecords().isEmpty)
        }
    }

    @Test("Memory stays bounded on a large file of forged beginnings")
    func boundedMemory() throws {
        // Each beginning claims a text of 30 MB, which is there, and then an impossible one.
        var piece = RecordHeader.magic + [0, 1, 0, 42] + big(15) + [UInt8](repeating: 0, count: 36) + big(30 << 20)
        piece += [UInt8](repeating: 0x41, count: 1000 - piece.count)
        var bytes = FileHeader(openFlag: 0, sequence: 0, serverID: "s", createTime: 1).bytes
        for _ in 0..<200 { bytes += piece }
        bytes += [UInt8](repeating: 0xFF, count: 31 << 20)
        let path = folder.file("forged.log", bytes)
        var before = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &before)
        let steps = try readWhole(path)
        var after = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &after)
        #expect(!steps.isEmpty)
        #expect(after.ru_maxrss - before.ru_maxrss < 128 << 10)
    }

    @Test("A file that shrinks while it is read is only a short read")
    func shrinking() throws {
        let bytes = Fixtures.bytes("zimbra-all-ops.log")
        let path = folder.file("redo.log", bytes)
        let file = try LogFile(path)
        let reader = try RecordReader(file: file)
        #expect(truncate(path.string, 3000) == 0)
        let steps = try reader.allSteps()
        guard case .incompleteTail? = steps.last else {
            Issue.record("no incomplete tail")
            return
        }
        #expect(steps.count > 10)
    }
}
