import BackupCore
import RedoLog
import Testing

@testable import SandboxServer

@Suite("The sandbox server")
struct SandboxServerTests {
    @Test("A delivered message has its row, its blob and its records")
    func deliver() throws {
        let test = try TestServer()
        let alice = try test.mailbox()
        let message = mail(subject: "Re: [list] A kettle")
        let delivery = try test.server.deliver(message, to: ["alice@example.com"])
        #expect(delivery.map(\.itemID) == [257])
        let row = try #require(try alice.item(257))
        #expect(row.folderID == 2)
        #expect(row.unread == 1)
        #expect(row.subject == "A kettle")
        #expect(row.sender == "Bob Example")
        #expect(row.recipients == "alice@example.com")
        #expect(row.blobDigest == ServerDigest.sha256(message))
        #expect(row.modMetadata == 2 && row.modContent == 2)
        #expect(row.metadata == "d1:f27:The kettle is on the table.1:p11:Re: [list] 1:s29:Bob Example <bob@example.com>1:t17:alice@example.com1:vi10ee")
        #expect(try Files.read(test.path.pushing("store/0/1/msg/0/257-2.msg")) == message)
        #expect(Files.names(in: test.path.pushing("store/incoming")).isEmpty)

        let records = try test.records()
        #expect(records.map(\.record.header.code) == [.createMailbox, .commitTxn, .createMessage, .commitTxn])
        guard case .createMessage(let logged) = records[2].record.operation else { Issue.record("no message"); return }
        #expect(logged.itemID == 257 && logged.folderID == 2 && logged.flags == 0x200 && logged.conversationID == -1)
        #expect(logged.recipient == "alice@example.com")
        let body = try #require(logged.body)
        #expect(try records[2].file.read(at: body.offset, count: Int(body.length)) == message)
    }

    @Test("Processes take turns; the numbers go on, and jump after a restart")
    func turns() throws {
        let test = try TestServer()
        let alice = try test.mailbox()
        // A second opening stands for another process: it has a lock, a log and a memory of its own.
        let clock = test.clock
        var options = SandboxServer.Options()
        options.clock = { clock.now() }
        let other = try SandboxServer(at: test.path, options: options)
        for round in 0..<5 {
            let server = round % 2 == 0 ? test.server : other
            try server.deliver(mail(subject: "turn \(round)"), to: ["alice@example.com"])
        }
        #expect(try alice.items(inFolder: 2).map(\.id) == [257, 258, 259, 260, 261])
        #expect(try alice.items(inFolder: 2).map(\.modMetadata) == [2, 3, 4, 5, 6])
        try test.server.close()
        #expect(try LogFile(test.server.redoLog.log).header().isOpen == false)
        try test.server.deliver(mail(subject: "restarted"), to: ["alice@example.com"])
        #expect(try alice.items(inFolder: 2).last?.id == 280)
        #expect(try alice.items(inFolder: 2).last?.modMetadata == 100)
        try checkConsistency(of: alice)
        try compare(try #require(try derive(test)[1]), with: alice)
    }
}
