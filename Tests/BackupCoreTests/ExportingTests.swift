import BackupStore
import Foundation
import SystemPackage
import Testing

@testable import BackupCore

@Suite("A mailbox in plain files")
struct ExportingTests {
    @Test("eml: every content byte by byte in the folder tree, at the moment that was asked for")
    func moment() throws {
        let bench = try RestoringBench()
        let first = try bench.message(300, in: 2, "Subject: one\r\n\r\nbody\0\u{80}", date: 1_600_000_000, flags: [.flagged], unread: true, tags: ["red", "blue"])
        try bench.commit(bench.folder(400, "Work"), bench.folder(401, "Entwürfe & mehr", in: 400), ItemState(tag: TagRow(id: 64, name: "red", color: 1)))
        let wanted = try bench.commit(bench.moved(first, to: 401), try bench.message(301, in: 2, bytes: []))
        try bench.commit(bench.deleted(first), try bench.message(302))

        let export = try bench.export(at: .second(wanted))
        #expect(try export.files == ["Inbox/301.eml", "Work/Entwürfe & mehr/300.eml", "manifest.jsonl"])
        #expect(try export.bytes("Work/Entwürfe & mehr/300.eml") == Array("Subject: one\r\n\r\nbody\0\u{80}".utf8))
        #expect(try export.bytes("Inbox/301.eml") == [])
        #expect(try export.date("Work/Entwürfe & mehr/300.eml") == 1_600_000_000)
        #expect(export.isFolder("Sent") && export.isFolder("Trash"), "empty folders are there too")
        let line = try #require(try export.line(300))
        #expect(line["type"]?.string == "message" && line["folder"]?.string == "/Work/Entwürfe & mehr")
        #expect(line["file"]?.string == "Work/Entwürfe & mehr/300.eml" && line["flags"]?.string == "fu")
        #expect(line["tags"] == ["red", "blue"] && line["date"]?.string == "2020-09-13T12:26:40.000Z")
        let sum = try OtherProgram.run("/usr/bin/sha256sum", [export.url.appending(path: "Work/Entwürfe & mehr/300.eml").path])
        #expect(line["sha256"]?.string == String(decoding: sum.prefix(64), as: UTF8.self))
        #expect(line["change"]?.int == first.row.modMetadata)
        #expect(try export.line(64)?["type"]?.string == "tag" && export.line(401)?["file"]?.string == "Work/Entwürfe & mehr")
        #expect(export.report.isComplete && export.report.addsUp && export.report.exported == 2)
        #expect(export.report.selection.cut.last.time / 1000 == wanted)

        let later = try bench.export(at: .last)
        #expect(try later.files == ["Inbox/301.eml", "Inbox/302.eml", "manifest.jsonl"])
        let change = try bench.export(at: .change(101))
        #expect(try change.files == ["manifest.jsonl"] && change.isFolder("Work/Entwürfe & mehr"))
    }

    @Test("A destination that exists is refused, and nothing in it is touched; so is one whose parent folder does not exist")
    func destination() throws {
        let bench = try RestoringBench()
        try bench.commit(try bench.message(300))
        _ = try bench.export(name: "there")
        #expect { _ = try bench.export(name: "there") } throws: {
            ($0 as? CoreError)?.code == .alreadyExists && "\($0)".contains("the destination exists already")
        }
        #expect { _ = try bench.export(name: "no/such/folder") } throws: { ($0 as? CoreError)?.code == .destinationUnwritable }
        #expect { _ = try bench.export(at: .second(1), name: "early") } throws: { ($0 as? CoreError)?.code == .beforeFirstScan }
        #expect(!FileManager.default.fileExists(atPath: bench.folder.path.appending("early").string), "refused before anything is written")
    }

    @Test("R10: a rotten or missing content is one unexported item, and no part of it is left", arguments: ExportFormat.allCases)
    func rotten(_ format: ExportFormat) throws {
        let bench = try RestoringBench()
        var random = SeededGenerator(seed: 5)
        let long = (0..<600_000).map { _ in UInt8.random(in: 32...126, using: &random) }
        let before = try bench.message(299, in: 2, "first\n")
        let rotten = try bench.message(300, in: 2, bytes: long)
        let missing = try bench.message(301, "lost")
        var unread = try bench.message(302, "never readable")
        unread.blob = nil
        try bench.commit(before, rotten, missing, unread, try bench.message(303, in: 2, "last\n"))
        var bytes = try Data(contentsOf: bench.file(of: rotten))
        bytes[bytes.count - 5] ^= 0x40
        try bytes.write(to: bench.file(of: rotten))
        try FileManager.default.removeItem(at: bench.file(of: missing))

        let export = try bench.export(format)
        #expect(Dictionary(uniqueKeysWithValues: export.report.unexported.map { ($0.id, $0.reason) })
            == [300: .broken, 301: .readError, 302: .readError])
        #expect(export.report.addsUp && export.report.exported == 2 && !export.report.isComplete)
        #expect(export.report.text.hasPrefix("- stats -\nExported Items: 2\nUnexported Items: 3\n"))
        #expect(export.report.text.contains("unexported items: 300,301,302\n"))
        #expect(try export.line(300)?["file"] == nil && export.line(300)?["unexported"]?.string?.hasPrefix("broken: ") == true)
        switch format {
        case .eml: #expect(try export.files == ["Inbox/299.eml", "Inbox/303.eml", "manifest.jsonl"])
        case .maildir: #expect(try export.files.filter { $0.hasPrefix("cur/") }.count == 2)
        case .tgz: #expect(try export.files == ["mailbox.tgz", "manifest.jsonl"])
        case .mbox:
            #expect(try export.text("Inbox.mbox") == "From MAILER-DAEMON Thu Jan  1 00:08:20 1970\nStatus: RO\nfirst\n\n"
                + "From MAILER-DAEMON Thu Jan  1 00:08:20 1970\nStatus: RO\nlast\n\n")
        }
    }

    @Test("Hostile names of folders, subjects and documents: every item has a file of its own, inside of the destination", arguments: ExportFormat.allCases)
    func hostileNames(_ format: ExportFormat) throws {
        let bench = try RestoringBench()
        let names = [
            "..", ".", "/", "a/b", "a_b", "a\\b", "\0", "x\ny", "\u{202E}evil", "evil", String(repeating: "ä", count: 10_000),
            String(repeating: "ä", count: 10_001), "cur", "new", "tmp", "INBOX", "manifest.jsonl", "a.b", "%", "*", "~", "subscriptions", "maildirfolder", "",
            String(decoding: [0xFF, 0xFE, 0x41], as: UTF8.self), "-rf", "&", "con", "e\u{301}", "\u{E9}",
        ]
        var states: [ItemState] = []
        for (place, name) in names.enumerated() {
            let id = Int64(400 + 10 * place)
            states.append(bench.folder(id, name))
            states.append(bench.folder(id + 1, name, in: id))
            states.append(try bench.message(id + 2, in: id))
            states.append(try bench.message(id + 3, in: id + 1))
            states[states.count - 1].row.subject = name
            states.append(try bench.item(id + 4, .document, in: 2, bytes: Array("document \(id)".utf8)) { $0.name = name })
            states.append(try bench.item(id + 5, .document, in: id, bytes: Array("document \(id)".utf8)) { $0.name = name + ".pdf" })
        }
        try bench.commit(states)
        let around = try FileManager.default.subpathsOfDirectory(atPath: bench.folder.path.string).count
        let export = try bench.export(format, name: "out")
        let inside = try FileManager.default.subpathsOfDirectory(atPath: export.url.path)
        #expect(try FileManager.default.subpathsOfDirectory(atPath: bench.folder.path.string).count == around + inside.count + 1)
        #expect(export.report.addsUp && export.report.unexported.isEmpty)
        #expect(inside.allSatisfy { $0.split(separator: "/").allSatisfy { $0.utf8.count <= 255 } })
        var seen: Set<[UInt8]> = []
        for line in try export.manifest where line["sha256"] != nil {
            let file = try #require(line["file"]?.string)
            if format == .mbox || format == .tgz { continue }
            #expect(seen.insert(Array(file.utf8)).inserted, "\(file)")
            let id = try #require(line["id"]?.int)
            let expected = line["type"]?.string == "document" ? "document" : "message \(id)"
            #expect(try export.text(file).hasPrefix(expected), "\(file)")
        }
        let mail = Int64(2 * names.count)
        let takesAll = format == .eml || format == .tgz
        #expect(export.report.exported == (takesAll ? 2 * mail : mail) && export.report.leftOutCount == (takesAll ? 0 : mail))
        if format != .mbox, format != .tgz { #expect(seen.count == Int(export.report.exported)) }
    }

    @Test("Folders nested deeper than a path can be long", arguments: ExportFormat.allCases)
    func deep(_ format: ExportFormat) throws {
        let bench = try RestoringBench()
        var states: [ItemState] = []
        for depth in 0..<60 {
            let id = Int64(400 + depth)
            states.append(bench.folder(id, "\(depth) " + String(repeating: "x", count: 120), in: depth == 0 ? 1 : id - 1))
            states.append(try bench.message(1000 + Int64(depth), in: id))
        }
        try bench.commit(states)
        let export = try bench.export(format)
        #expect(export.report.exported == 60 && export.report.isComplete)
        // An archive's names may have any length.
        #expect(format == .tgz || export.report.warnings.contains { $0.contains("placed at the top") })
        #expect(try export.line(1059)?["folder"]?.string?.split(separator: "/").count == 60, "the manifest says the true path")
    }

    @Test("Every type of item has its file; what a format has no place for is counted by type")
    func types() throws {
        let bench = try RestoringBench()
        var document = try bench.item(330, .document, in: 2, bytes: Array("now".utf8)) { $0.name = "plan.txt" }
        var former = RevisionRow(itemID: 330, version: 1)
        former.name = "plan.txt"
        document.revisions = [.init(row: former, blob: try bench.store.stageBlob(Array("then".utf8))), .init(row: RevisionRow(itemID: 330, version: 2), blob: nil)]
        try bench.commit(
            try bench.message(300), try bench.item(310, .contact) { $0.metadata = "d3:fldd9:firstName3:Ann8:lastName5:Smithee" },
            try bench.item(320, .appointment) { $0.subject = "Meeting"; $0.metadata = "d4:inv0d1:n7:Meeting2:st16:20261129T200000Zee" },
            try bench.item(321, .task) { $0.subject = "Buy"; $0.metadata = "d4:inv0d1:n3:Buyee" }, document,
            try bench.item(340, .note) { $0.subject = "line one\nline two" }, try bench.item(341, .link) { $0.metadata = "d3:aid1:xe" },
            try bench.item(342, .conversation), try bench.item(343, ItemType(rawValue: 99), bytes: [1, 2, 3]) { $0.name = "odd" })
        let export = try bench.export()
        #expect(try export.files == [
            "Inbox/300.eml", "Inbox/310 Ann Smith.vcf", "Inbox/320 Meeting.ics", "Inbox/321 Buy.ics", "Inbox/340.txt", "Inbox/343 odd",
            "Inbox/plan (version 1).txt", "Inbox/plan.txt", "manifest.jsonl",
        ])
        #expect(try export.text("Inbox/plan (version 1).txt") == "then" && export.text("Inbox/340.txt") == "line one\nline two")
        #expect(try export.line(341)?["metadata"]?.string == "d3:aid1:xe")
        #expect(export.report.asked == 10 && export.report.exported == 9 && export.report.unexported.map(\.id) == [330] && export.report.addsUp)
        let maildir = try bench.export(.maildir)
        #expect(maildir.report.leftOut == ["contact": 1, "appointment": 1, "task": 1, "document": 3, "note": 1, "link": 1, "type-99": 1])
        #expect(maildir.report.exported == 1 && maildir.report.addsUp && maildir.report.isComplete)
        #expect(maildir.report.text.contains("Left Out Items: 9 (the format maildir has no place for them: appointment 1, "))
    }

    @Test("A vCard says every field, folded at 75 bytes")
    func card() throws {
        let bench = try RestoringBench()
        var fields = MetadataDictionary()
        for (name, value) in [
            ("firstName", "Jörg"), ("lastName", "Groß; von, zu"), ("email", "j@example.com"), ("email2", "k@example.com"), ("workPhone", "+39 1"),
            ("notes", "one\r\ntwo\\three " + String(repeating: "ß", count: 100)), ("homeStreet", "Via 1"), ("homeCity", "Roma"), ("custom1", "mine"),
            ("company", "A, B"), ("odd field:x\r\nEVIL:1", "v"),
        ] { fields[name] = .string(value) }
        var metadata = MetadataDictionary()
        metadata["fld"] = .dictionary(fields)
        let state = try bench.item(310, .contact) { $0.metadata = metadata.text(); $0.tags = ["red", "a,b"] }
        let text = ContactCard(state).text
        let lines = text.split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)
        #expect(lines.allSatisfy { $0.utf8.count <= 75 } && lines.last == "")
        let unfolded = text.replacingOccurrences(of: "\r\n ", with: "").components(separatedBy: "\r\n")
        #expect(unfolded == [
            "BEGIN:VCARD", "VERSION:3.0", "PRODID:-//zxbackup//EN", "FN:Jörg Groß\\; von\\, zu", "N:Groß\\; von\\, zu;Jörg;;;", "UID:310",
            "EMAIL;TYPE=internet,pref:j@example.com", "NOTE:one\\ntwo\\\\three " + String(repeating: "ß", count: 100), "TEL;TYPE=work,voice:+39 1",
            "ORG:A\\, B;", "ADR;TYPE=home:;;Via 1;Roma;;;", "X-ZIMBRA-CUSTOM1:mine", "EMAIL;TYPE=internet:k@example.com",
            "X-ZIMBRA-ODD-FIELD-X--EVIL-1:v", "CATEGORIES:red,a\\,b", "REV:2023-11-14T22:13:20.000Z", "END:VCARD", "",
        ])
        #expect(ContactCard(try bench.item(1, .contact) { $0.metadata = "garbage" }).text.contains("FN:Contact 1\r\n"))
    }

    @Test("Searches and mountpoints are lines of the manifest, not folders of files; an item whose folder was never seen has a place")
    func noFolders() throws {
        let bench = try RestoringBench()
        try bench.commit(
            try bench.item(410, .searchFolder, in: 1) { $0.name = "Unread"; $0.metadata = "d1:q9:is:unreade" },
            try bench.item(411, .mountpoint, in: 1) { $0.name = "Bob's" }, try bench.message(300, in: 999), try bench.message(301, in: 16))
        let export = try bench.export()
        #expect(try export.files == ["Briefcase/301.eml", "Folder 999/300.eml", "manifest.jsonl"])
        #expect(!export.isFolder("Unread") && !export.isFolder("Bob's"))
        #expect(try export.line(410)?["metadata"]?.string == "d1:q9:is:unreade" && export.line(411)?["type"]?.string == "mountpoint")
        #expect(export.report.warnings == ["Item 300 is placed in 'Folder 999': its folder 999 is not in the backup."])
    }

    @Test("A stopped export says so, and what it reached adds up")
    func stopped() throws {
        let bench = try RestoringBench()
        try bench.commit(try (0..<50).map { try bench.message(300 + $0) })
        var asked = 0
        let export = try bench.export(stop: { asked += 1; return asked > 20 })
        #expect(export.report.isStopped && !export.report.isComplete && export.report.addsUp && export.report.exported < 50)
        #expect(export.report.text.contains("Stopped by request"))
    }

    @Test("R7: a read-only copy of a backup path is enough", arguments: ExportFormat.allCases)
    func copy(_ format: ExportFormat) throws {
        let bench = try RestoringBench()
        try bench.commit(try (0..<20).map { try bench.message(300 + $0) })
        try bench.store.checkpoint()
        let copy = bench.folder.path.appending("copy")
        try FileManager.default.copyItem(atPath: bench.backupPath.string, toPath: copy.string)
        try? FileManager.default.removeItem(atPath: copy.appending("index").string)
        try OtherProgram.run("/bin/chmod", ["-R", "a-w", copy.string])
        defer { _ = try? OtherProgram.run("/bin/chmod", ["-R", "u+w", copy.string]) }
        let reader = try StoreReader(opening: copy)
        defer { reader.close() }
        let report = try MailboxExport(account: "ann@example.com", destination: bench.folder.path.appending("out"), format: format).run(from: reader)
        #expect(report.isComplete && report.exported == 20)
    }

    /// A small file system of its own; nil where the machine lets nobody mount one.
    private static func smallDisk(_ place: FilePath, bytes: Int) -> Bool {
        try? FileManager.default.createDirectory(atPath: place.string, withIntermediateDirectories: true)
        return (try? OtherProgram.run("/bin/mount", ["-t", "tmpfs", "-o", "size=\(bytes)", "none", place.string])) != nil
    }

    private static let canMount: Bool = {
        let place = FilePath(FileManager.default.temporaryDirectory.appending(path: "zxbackup-\(UUID().uuidString)").path)
        defer { try? FileManager.default.removeItem(atPath: place.string) }
        guard smallDisk(place, bytes: 4096) else { return false }
        return (try? OtherProgram.run("/bin/umount", [place.string])) != nil
    }()

    @Test("A full disk is a clear error", .enabled(if: canMount, "no file system can be mounted here"), arguments: ExportFormat.allCases)
    func fullDisk(_ format: ExportFormat) throws {
        let bench = try RestoringBench()
        var random = SeededGenerator(seed: 6)
        try bench.commit(
            try (0..<40).map { try bench.message(300 + $0, in: 2, bytes: (0..<20_000).map { _ in UInt8.random(in: 32...255, using: &random) }) })
        let disk = bench.folder.path.appending("disk")
        try #require(Self.smallDisk(disk, bytes: 400_000))
        #expect { _ = try bench.export(format, name: "disk/out") } throws: {
            let error = $0 as? CoreError
            return error?.code == .destinationUnwritable && "\($0)".contains("the destination is full") && "\($0)".contains("Make room")
        }
        // It would be busy if a file were still open there.
        _ = try OtherProgram.run("/bin/umount", [disk.string])
        let again = try bench.export(format)
        #expect(again.report.isComplete && again.report.exported == 40, "with room, the same export is complete")
    }
}
