import BackupStoreTesting
import Foundation
import SystemPackage

@testable import BackupCore
@testable import BackupStore
@testable import RedoLog

/// Well-formed inputs: the other tests' fixtures, and texts as the field writes them.
enum Samples {
    static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()

    private static func files(below folder: String, _ isWanted: (String) -> Bool) throws -> [[UInt8]] {
        let root = tests.appendingPathComponent(folder)
        let names = try FileManager.default.subpathsOfDirectory(atPath: root.path).filter(isWanted).sorted()
        return try names.map { root.appendingPathComponent($0) }.filter { !$0.hasDirectoryPath }
            .map { [UInt8](try Data(contentsOf: $0)) }
    }

    /// The sample logs whole, and each of their records behind a file header of its own.
    static func logs() throws -> [[UInt8]] {
        let whole = try files(below: "RedoLogTests/Fixtures") { $0.hasSuffix(".log") }
        var seeds = whole.filter { $0.count <= FuzzTarget.longest }
        for bytes in whole {
            let memory = try MemoryFile.path(bytes)
            defer { memory.close() }
            guard let file = try? LogFile(memory.path), let reader = try? RecordReader(file: file) else { continue }
            while case .record(let record) = try reader.next() {
                guard record.length < 2000 else { continue }
                seeds.append(Array(bytes[..<FileHeader.length]) + bytes[Int(record.offset)..<Int(record.end)])
            }
        }
        return seeds
    }

    static func historyLines() throws -> [[UInt8]] {
        let histories = try files(below: "Fixtures/broken/sound/accounts") { $0.contains("/items/") || $0.hasSuffix("mailbox") }
        let lines = histories.filter { !$0.isEmpty }.flatMap { $0.split(separator: 0x0A).map { Array($0) + [0x0A] } }
        return lines + [Array(#"{"seq":1,"n":1,"prev":"00000000","start_date":"1969-12-31T23:59:59.999Z","generation":-1,"kind":"","crc":""}"#.utf8)]
    }

    /// One of each record of the journal's stream, and a segment of a sample path.
    static func journalPayloads() -> [[UInt8]] {
        let blob = BlobReference(id: Array("body".utf8).withUnsafeBytes { BlobID(of: $0) }, size: 4, stored: 24)
        let account = "6f1c5a3e-0000-4000-8000-000000000001"
        let transaction = StoreTransaction(
            account: account, generation: 2, time: 1_780_000_000_000, change: 7, kind: "scan",
            marks: [Mark(reason: "doubt", candidates: [257], time: 5)], clearsMarks: true, position: "{}", heldBlobs: [blob])
        let header = TransactionHeader(transaction, sequence: 9)
        let keys: [HistoryKey] = [
            .item(account: account, id: 257), .accountInfo(account), .mailbox(account), .directory(.domains, "example.com"),
        ]
        var all: [UInt8] = []
        var seeds: [[UInt8]] = []
        func add(_ append: (inout [UInt8]) -> Void) {
            var one: [UInt8] = []
            append(&one)
            seeds.append(one)
            all += one
        }
        add { JournalRecord.append(begin: header, to: &$0) }
        for key in keys {
            var line: [UInt8] = []
            _ = HistoryCoding.encode(NewState(key: key, fields: ["type": "message"], blobs: [blob]), header, after: HistoryTail(), into: &line)
            add { bytes in line.withUnsafeBytes { JournalRecord.append(line: $0, of: key, to: &bytes) } }
            add { JournalRecord.append(removal: key, to: &$0) }
        }
        add { JournalRecord.append(end: 9, to: &$0) }
        let segments = (try? files(below: "Fixtures/broken/sound/journal") { $0.contains("segment-") }) ?? []
        return seeds + [all] + segments
    }

    static func gzipMembers() throws -> [[UInt8]] {
        var seeds = try files(below: "Fixtures/broken/sound/items") { $0.contains("/") }
        for level in [1, 2, 6, 9] {
            for size in [0, 1, 300] {
                let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 * $0) }
                var member: [UInt8] = []
                let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
                defer { buffer.deallocate() }
                try bytes.withUnsafeBytes { try Compressor(level: level).run($0, last: true, buffer: buffer) { member += $0 } }
                seeds.append(member)
            }
        }
        return seeds
    }

    static func metadata() throws -> [[UInt8]] {
        var map = MetadataDictionary()
        map["f"] = .string("Grüße")
        map["n"] = .integer(-7)
        map["l"] = .list([.integer(1), .string(""), .list([]), .dictionary(map)])
        map["d"] = .dictionary(map)
        return [MetadataDictionary().text(), map.text(), map.text(forColumn: false)].map { Array($0.utf8) }
            + ["", "d1:vi10ee", "d1:f2:ab1:vi10ee", "=?UTF-8?B?ZDE6dmkxMGVl?="].map { Array($0.utf8) }
    }

    static let messages: [[UInt8]] = messageTexts.map { Array($0.replacingOccurrences(of: "\n", with: "\r\n").utf8) }

    private static let messageTexts = [
        """
        Subject: Re: [list] =?UTF-8?Q?Gr=C3=BC=C3=9Fe?= (fwd)
        From: "Ann, Miss" <ann@example.com>
        To: bob@example.com, =?ISO-8859-1?Q?J=F6rg?= <j@example.com>
        Date: Thu, 26 Nov 2026 10:00:00 +0100
        Message-ID: <1@example.com>
        References: <0@example.com>
        X-Priority: 1

        Hello

        """,
        """
        Content-Type: multipart/mixed; boundary="b"

        --b
        Content-Type: text/html

        <p>Hello &amp; bye</p>
        --b
        Content-Type: application/pdf; name=a.pdf
        Content-Disposition: attachment
        Content-Transfer-Encoding: base64

        AAAA
        --b--

        """,
        """
        Content-Type: text/calendar; method=REQUEST

        BEGIN:VCALENDAR
        METHOD:REQUEST
        BEGIN:VEVENT
        UID:1
        DTSTART;TZID="Europe/Berlin":20261126T100000
        ATTENDEE;PARTSTAT=ACCEPTED:mailto:a@example.com
        SUMMARY:A\\, b
        RRULE:FREQ=DAILY
        END:VEVENT
        END:VCALENDAR

        """,
    ]

    static let commandLines: [[UInt8]] = commandLineTexts.map { Array($0.utf8) }

    private static let commandLineTexts = [
        "getItem\nalice@example.com\n257\ndump_blob\ntrue\ndate\nall", "--json\nbackup\ngetAccountInfo\nalice@example.com",
        "doRestoreOnNewAccount\na@example.com\nb@example.com\n26/11/2026 10:00:00\nhide_in_gal\ntrue", "help\ngetItem",
        "--config\n/etc/zxbackup.yaml\n--backup-path\n/b\n--progress\ndoUndelete\na@example.com\nfirst\nlast",
        "doExportMailbox\na@example.com\n/tmp/out\nformat\nmaildir\ndate\n2026-10-25T02:30:00+02:00", "redolog\ndump\n--json\nfile",
        "doItemSearch\na@example.com\nquery\nsubject:x\nchange:12",
    ]

    static let configurations: [[UInt8]] = configurationTexts.map { Array($0.utf8) }

    private static let configurationTexts = [
        "server: {kind: sandbox, path: server}\nbackupPath: backup\nstateFolder: /var/lib/zxbackup\n",
        "server:\n  kind: log\n  path: /opt/zimbra/redolog\n", "backupPath: &a /b\nstateFolder: *a\n", "# nothing\n",
    ]
}
