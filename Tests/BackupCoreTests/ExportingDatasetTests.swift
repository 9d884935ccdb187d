import BackupStore
import Foundation
import SandboxServer
import SystemPackage
import Testing

@testable import BackupCore

@Suite("The mailboxes of real servers in plain files")
struct ExportingDatasetTests {
    @Test("At each instant of a life every item has its file: folders, flags, tags, dates and bytes are the server's", arguments: ["small", "crash"])
    func lives(_ name: String) throws {
        let dataset = Dataset(name)
        let unpacked = try TemporaryFolder()
        defer { unpacked.remove() }
        try unpack(dataset.folder.appending(path: "blobs.tar.gz"), into: unpacked.url)
        let instants = try dataset.instants
        let mailboxes = Set(instants.flatMap { $0.mailboxes.compactMap { int($0["mailbox_id"]) } }).sorted()
        var exported: Int64 = 0
        for id in mailboxes {
            let bench = try RestoringBench()
            var living: [Int64: ItemState] = [:]
            var moments: [(change: Int64, truth: [Int64: ItemState])] = []
            for instant in instants {
                guard let truth = instant.mailboxes.first(where: { int($0["mailbox_id"]) == id }) else { continue }
                var now: [Int64: ItemState] = [:]
                for json in truth["items"] as? [[String: Any]] ?? [] {
                    let row = ItemRow(json: json)
                    now[row.id] = ItemState(row: row, blob: try stage(row.blobDigest, unpacked.url, bench.store))
                }
                let changed = now.values.filter { living[$0.row.id] != $0 }
                let gone = living.values.filter { now[$0.row.id] == nil }.map(bench.deleted)
                try bench.commit(changed + gone)
                living = now
                moments.append((bench.change, now))
            }
            for (change, truth) in moments {
                let export = try bench.export(.eml, at: .change(change))
                try compare(export, truth, unpacked.url)
                exported += export.report.exported
                for format in [ExportFormat.maildir, .mbox] {
                    let export = try bench.export(format, at: .change(change))
                    let mail = truth.values.filter { [.message, .chat].contains($0.row.type) }.count
                    #expect(export.report.addsUp && export.report.exported == Int64(mail), "\(name) mailbox \(id) change \(change)")
                }
            }
        }
        #expect(exported > 500)
    }

    private func stage(_ digest: String?, _ folder: URL, _ store: StoreWriter) throws -> BlobReference? {
        guard let digest, let id = BlobID(digest) else { return nil }
        guard let bytes = try? Data(contentsOf: folder.appending(path: "blobs/\(hexadecimal(id))")) else { return nil }
        return try store.stageBlob(Array(bytes))
    }

    private func hexadecimal(_ id: BlobID) -> String { id.hash.map { String(format: "%02x", $0) }.joined() }

    private func compare(_ export: Export, _ truth: [Int64: ItemState], _ blobs: URL) throws {
        var lines: [Int64: JSONObject] = [:]
        for line in try export.manifest where line["version"] == nil { lines[line["id"]?.int ?? 0] = line }
        func path(_ id: Int64?) -> String {
            guard let id, id != 1, id != 11, let row = truth[id]?.row else { return "" }
            return path(row.folderID) + "/" + (row.name ?? "")
        }
        #expect(export.report.addsUp)
        let withoutBlob = Set(export.report.unexported.map(\.id))
        for state in truth.values where state.row.type != .conversation && ![1, 11].contains(state.row.id) {
            let row = state.row
            let line = try #require(lines[row.id], "item \(row.id)")
            var flags = row.flags
            if !row.type.isContainer, row.unread ?? 0 > 0 { flags.insert(.unread) }
            #expect(line["type"]?.string == row.type.name && line["flags"]?.string == flags.letters, "item \(row.id)")
            #expect(Set(line["tags"]?.array?.compactMap(\.string) ?? []) == Set(row.tags), "item \(row.id)")
            #expect(line["date"]?.string == TimeText.iso(row.date * 1000) && line["change"]?.int == row.modMetadata, "item \(row.id)")
            #expect(line["folder"]?.string == (path(row.folderID).isEmpty ? "/" : path(row.folderID)), "item \(row.id)")
            if row.type.isContainer { continue }
            guard let file = line["file"]?.string else {
                // A shared file has no content on the server: the manifest tells of it.
                let hasNone = row.type == .link || row.type == .document && (row.blobDigest ?? "").isEmpty
                #expect(state.blob == nil && withoutBlob.contains(row.id) != hasNone, "item \(row.id) has no file")
                continue
            }
            let bytes = try export.bytes(file)
            #expect(export.line(line, has: bytes), "item \(row.id)")
            switch row.type {
            case .message, .chat, .document, .wiki:
                let blob = try #require(state.blob)
                #expect(bytes == Array(try Data(contentsOf: blobs.appending(path: "blobs/\(hexadecimal(blob.id))"))), "item \(row.id)")
            case .contact: checkLines(bytes, "VCARD", row.id)
            case .appointment, .task:
                checkLines(bytes, "VCALENDAR", row.id)
                let text = String(decoding: bytes, as: UTF8.self)
                let component = row.type == .task ? "BEGIN:VTODO\r\n" : "BEGIN:VEVENT\r\n"
                #expect(text.components(separatedBy: component).count - 1 == Int(state.metadata.integer("nc") ?? 1), "item \(row.id)")
            default: break
            }
        }
        for line in lines.values where line["type"]?.string != "tag" {
            #expect(truth[line["id"]?.int ?? 0] != nil, "too many: \(line["id"]?.int ?? 0)")
        }
    }

    /// Every line is folded and ended as the formats ask, and every BEGIN has its END.
    private func checkLines(_ bytes: [UInt8], _ whole: String, _ id: Int64) {
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.hasPrefix("BEGIN:\(whole)\r\n") && text.hasSuffix("END:\(whole)\r\n"), "item \(id)")
        var open: [String] = []
        for line in text.components(separatedBy: "\r\n") {
            #expect(line.utf8.count <= 75 && !line.unicodeScalars.contains("\n") && !line.unicodeScalars.contains("\r"), "item \(id): \(line)")
            if line.hasPrefix("BEGIN:") { open.append(String(line.dropFirst(6))) }
            if line.hasPrefix("END:") { #expect(open.popLast() == String(line.dropFirst(4)), "item \(id)") }
        }
        #expect(open.isEmpty, "item \(id)")
    }

    @Test("A series with an exception, an alarm and a long description")
    func series() throws {
        let bench = try RestoringBench()
        let blob = """
            Content-Type: multipart/digest; boundary="b"\r\n\r\n--b\r\nContent-Type: message/rfc822\r\ninvId: 291\r\n\r\nContent-Type: text/plain; charset=utf-8\r
            Content-Transfer-Encoding: quoted-printable\r\n\r\nLong =C3=BC description, with; signs\r\n--b--\r\n
            """
        var rid = MetadataDictionary()
        rid["dt"] = .string("TZID=Europe/Rome:20261202T100000")
        var exception = MetadataDictionary()
        exception["rid"] = .dictionary(rid)
        exception["st"] = .string("20261202")
        exception["n"] = .string("Moved, and renamed")
        exception["mid"] = .integer(292)
        exception["desc"] = .string("short")
        var series = MetadataDictionary()
        for (key, value) in [("st", "TZID=Europe/Rome:20261201T100000"), ("et", "TZID=Europe/Rome:20261201T110000"), ("n", "Day"), ("status", "CONF"), ("u", "uid")] {
            series[key] = .string(value)
        }
        series["mid"] = .integer(291)
        series["seq"] = .integer(3)
        series["dts"] = .integer(1_795_425_776_000)
        func map(_ pairs: KeyValuePairs<String, MetadataDictionary.Value>) -> MetadataDictionary {
            var map = MetadataDictionary()
            for (key, value) in pairs { map[key] = value }
            return map
        }
        series["numAt"] = .integer(1)
        series["at0"] = .dictionary(map(["a": .string("bob@example.com"), "cn": .string("Bob \"x\""), "ptst": .string("AC"), "r": .string("REQ"), "v": .string("1")]))
        series["org"] = .dictionary(map(["a": .string("ann@example.com")]))
        series["numAl"] = .integer(1)
        series["al0"] = .dictionary(map(["ac": .string("D"), "tr": .string("-PT15M"), "trd": .string("s")]))
        let rule = map(["nr": .integer(1), "r0": .dictionary(map(["t": .integer(2), "recur": .string("FREQ=DAILY;COUNT=6")]))])
        let dates = map(["numV": .integer(1), "v0": .string("20261203T100000"), "tzid": .string("Europe/Rome")])
        let without = map(["nr": .integer(1), "r0": .dictionary(map(["t": .integer(6), "rexd": .dictionary(dates)]))])
        series["recurrence"] = .dictionary(map(["add": .dictionary(rule), "sub": .dictionary(without)]))
        let zone = map([
            "tzid": .string("Europe/Rome"), "so": .integer(3_600_000), "do": .integer(7_200_000), "d2ss": .string("19710101T030000"),
            "d2sr": .string("FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU"), "s2ds": .string("19710101T020000"), "s2dr": .string("FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU"),
        ])
        let item = map([
            "nc": .integer(2), "inv0": .dictionary(series), "inv1": .dictionary(exception), "u": .string("uid"),
            "tzm": .dictionary(map(["#0": .dictionary(zone), "Rome": .integer(0)])),
        ])
        try bench.commit(try bench.item(320, .appointment, bytes: Array(blob.utf8)) { $0.metadata = item.text(); $0.subject = "Day"; $0.tags = ["red"] })
        let export = try bench.export()
        #expect(try export.files == ["Inbox/320 Day.content.eml", "Inbox/320 Day.ics", "manifest.jsonl"])
        #expect(try export.line(320)?["content"]?.string == "Inbox/320 Day.content.eml")
        let lines = try export.text("Inbox/320 Day.ics").replacingOccurrences(of: "\r\n ", with: "").components(separatedBy: "\r\n")
        #expect(lines == [
            "BEGIN:VCALENDAR", "PRODID:-//zxbackup//EN", "VERSION:2.0", "METHOD:PUBLISH", "BEGIN:VTIMEZONE", "TZID:Europe/Rome", "BEGIN:STANDARD",
            "DTSTART:19710101T030000", "TZOFFSETFROM:+0200", "TZOFFSETTO:+0100", "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU", "END:STANDARD",
            "BEGIN:DAYLIGHT", "DTSTART:19710101T020000", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200", "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU",
            "END:DAYLIGHT", "END:VTIMEZONE", "BEGIN:VEVENT", "UID:uid", "DTSTAMP:20261123T092256Z", "SEQUENCE:3",
            "DTSTART;TZID=Europe/Rome:20261201T100000", "DTEND;TZID=Europe/Rome:20261201T110000", "SUMMARY:Day",
            "DESCRIPTION:Long ü description\\, with\\; signs", "STATUS:CONFIRMED", "CLASS:PUBLIC", "TRANSP:OPAQUE", "CATEGORIES:red",
            "ORGANIZER:mailto:ann@example.com", "ATTENDEE;CN=\"Bob x\";ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;RSVP=TRUE:mailto:bob@example.com",
            "RRULE:FREQ=DAILY;COUNT=6", "EXDATE;TZID=\"Europe/Rome\":20261203T100000", "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT15M",
            "DESCRIPTION:Reminder", "END:VALARM", "END:VEVENT", "BEGIN:VEVENT", "UID:uid", "SEQUENCE:0", "DTSTART;VALUE=DATE:20261202",
            "RECURRENCE-ID;TZID=Europe/Rome:20261202T100000", "SUMMARY:Moved\\, and renamed", "DESCRIPTION:short", "CLASS:PUBLIC", "TRANSP:OPAQUE",
            "CATEGORIES:red", "END:VEVENT", "END:VCALENDAR", "",
        ])
    }
}

extension Export {
    /// Whether a manifest's line has the length and the hash of these bytes.
    func line(_ line: JSONObject, has bytes: [UInt8]) -> Bool {
        let hash = bytes.withUnsafeBytes { BlobID(of: $0) }.hash.map { String(format: "%02x", $0) }.joined()
        return line["size"]?.int == Int64(bytes.count) && line["sha256"]?.string == hash
    }
}

@Suite("Exports of a sandbox server's mailbox")
struct ExportingLifeTests {
    /// What a row and a line of the manifest both say of a message.
    private struct Message: Hashable {
        var id: Int64
        var folder: String
        var digest: String
        var date: Int64
        var flags: String
        var tags: [String]
    }

    @Test("At noted moments of a seeded life every message is in the files as the tables had it", arguments: [UInt64(11), 20_251_125])
    func life(seed: UInt64) throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp()
        var life = try SandboxLife(on: bench.server, seed: seed, accounts: ["alice@example.com", "bob@example.com"])
        var noted: [(change: Int64, messages: Set<Message>)] = []
        for _ in 0..<3 {
            try life.run(operations: 60)
            try bench.backUp()
            let reader = try StoreReader(opening: bench.backupPath)
            defer { reader.close() }
            let change = try #require(try reader.changes(of: bench.alice.accountID)?.last.change)
            noted.append((change, try messages(bench.alice)))
        }
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        for (change, messages) in noted {
            for format in ExportFormat.allCases {
                let out = bench.backupPath.removingLastComponent().appending("out-\(change)-\(format)")
                let report = try MailboxExport(account: "alice@example.com", destination: out, moment: .change(change), format: format).run(from: reader)
                #expect(report.isComplete && report.addsUp, "seed \(seed)")
                let found = try Export(url: URL(fileURLWithPath: out.string), report: report).manifest.filter { $0["type"]?.string == "message" }
                #expect(Set(found.map(message)) == messages, "seed \(seed), change \(change), \(format)")
            }
        }
    }

    private func messages(_ mailbox: SandboxMailbox) throws -> Set<Message> {
        Set(try mailbox.items().filter { $0.type == .message }.map { row in
            var flags = row.flags
            if row.unread ?? 0 > 0 { flags.insert(.unread) }
            return Message(
                id: row.id, folder: try mailbox.path(ofFolder: row.folderID ?? 1) ?? "?", digest: row.blobDigest ?? "", date: row.date,
                flags: flags.subtracting(.copied).letters, tags: row.tags.sorted())
        })
    }

    private func message(_ line: JSONObject) -> Message {
        let hash = Array((line["sha256"]?.string ?? "").utf8)
        let bytes = stride(from: 0, to: hash.count, by: 2).map { UInt8(String(decoding: hash[$0..<$0 + 2], as: UTF8.self), radix: 16) ?? 0 }
        let date = (try? Date(line["date"]?.string ?? "", strategy: .iso8601.year().month().day().time(includingFractionalSeconds: true)))
            ?? .distantPast
        return Message(
            id: line["id"]?.int ?? 0, folder: line["folder"]?.string ?? "", digest: BlobID(hash: bytes)?.description ?? "",
            date: Int64(date.timeIntervalSince1970), flags: line["flags"]?.string ?? "", tags: (line["tags"]?.array?.compactMap(\.string) ?? []).sorted())
    }
}
