import BackupCore
import RedoLog
import Testing

@testable import SandboxServer

/// What the writing side of the server logs; that a follower has the same is `FollowedRestoreTests`.
@Suite("Items from a backup")
struct RestoredTests {
    private func content(_ text: String) -> NewItem.Content {
        var rest = Array(text.utf8)[...]
        return NewItem.Content(size: Int64(rest.count)) { buffer in
            let piece = rest.prefix(buffer.count)
            buffer.copyBytes(from: piece)
            rest = rest.dropFirst(piece.count)
            return piece.count
        }
    }

    private func codes(_ test: TestServer, since count: Int) throws -> [OperationCode] {
        try test.records().map(\.record).filter { $0.role == .start }.dropFirst(count).map(\.header.code)
    }

    private func starts(_ test: TestServer) throws -> Int { try test.records().filter { $0.record.role == .start }.count }

    @Test("A series comes with all its invitations, each with its message out of the content")
    func series() throws {
        let test = try TestServer()
        let alice = try test.mailbox()
        let start: Int64 = 1_795_600_800_000
        var new = NewAppointment(uid: "uid", summary: "Series", start: start, days: 3)
        new.exceptions = [.init(instance: start + CalendarText.day, start: nil, summary: "Off")]
        let source = try #require(try alice.item(alice.setAppointment(new, flags: .flagged)))
        let numbers = source.map.invitations.compactMap { $0.integer("mid") }
        try #require(numbers.count == 2)
        let bob = try test.mailbox("bob@example.com")
        var item = NewItem(row: source)
        item.content = content(
            "Content-Type: multipart/digest;\r\n boundary=\"mark\"\r\n\r\n--mark\r\ninvId: \(numbers[1])\r\nContent-Type: message/rfc822\r\n\r\n"
                + "Subject: Off\r\n\r\nnever\r\n\r\n--mark\r\nContent-Type: message/rfc822\r\ninvId: \(numbers[0])\r\n\r\nSubject: Series\r\n\r\n--mark--\r\n")
        let id = try bob.addItem(item)
        let (record, file) = try #require(
            try test.records().last { if case .setCalendarItem = $0.record.operation { true } else { false } }.map { ($0.record, $0.file) })
        guard case .setCalendarItem(let logged) = record.operation else { return }
        #expect(logged.calendarItemID == Int32(id) && logged.flags == Int32(Flags.flagged.rawValue) && logged.nextAlarm == -1)
        func text(_ block: CalendarInvitation?) throws -> String? {
            try block?.message.map { String(decoding: try file.read(at: $0.offset, count: Int($0.length)), as: UTF8.self) }
        }
        #expect(try text(logged.series) == "Subject: Series\r\n")
        #expect(try logged.exceptions.map { try text($0) } == ["Subject: Off\r\n\r\nnever\r\n"])
        #expect(logged.exceptions[0].invite?.string == source.map.invitations[1].text(forColumn: false))
    }

    @Test("Numbers of versions that the source had purged are passed, and the log tells each step")
    func versions() throws {
        let test = try TestServer()
        let alice = try test.mailbox()
        let file = try alice.saveDocument(Array("1".utf8), named: "a.txt")
        for text in ["2", "3", "4", "5"] { try alice.addRevision(Array(text.utf8), to: file) }
        for version in [1, 3] as [Int64] { try alice.purgeRevision(version, of: file) }
        let bob = try test.mailbox("bob@example.com")
        var item = NewItem(row: try #require(try alice.item(file)), content: content("5"))
        item.revisions = try alice.revisions(of: file).map { ($0, content("\($0.version)")) }
        let before = try starts(test)
        let id = try bob.addItem(item)
        #expect(
            try codes(test, since: before)
                == [.saveDocument] + Array(repeating: .addDocumentRevision, count: 4) + [.purgeRevision, .purgeRevision])
        #expect(try bob.revisions(of: id).map(\.version) == [2, 4])
        try checkConsistency(of: bob)
        let found = try #require(try derive(test)[bob.mailboxID]?.item(id))
        #expect(found.revisions.map(\.row.version) == [2, 4])
        #expect(try found.revisions.map(\.row.modContent) == bob.revisions(of: id).map(\.modContent))
    }

    @Test("What no client can make comes as a row, without a record")
    func rowsOnly() throws {
        let test = try TestServer()
        let alice = try test.mailbox()
        var conversation = ItemRow(id: 1, type: .conversation)
        conversation.folderID = FolderID.conversations
        var document = ItemRow(id: 1, type: .document)
        document.folderID = FolderID.briefcase
        document.name = "a.txt"
        var lacking = NewItem(row: document, content: content("now"))
        lacking.row.metadata = "d3:veri2ee"
        lacking.revisions = [(RevisionRow(itemID: 1, version: 1), nil)]
        var contradicting = NewItem(row: document, content: content("now"))
        contradicting.row.name = "b.txt"
        contradicting.revisions = [(RevisionRow(itemID: 1, version: 7), content("former"))]
        let before = try starts(test)
        for item in [NewItem(row: conversation), lacking, contradicting] { _ = try alice.addItem(item) }
        #expect(try starts(test) == before)
        #expect(try alice.items().filter { $0.id > 256 }.map(\.type) == [.conversation, .document, .document])
    }
}
