import BackupCore
import BackupStore
import Foundation
import Testing

@testable import SandboxServer

@Suite("Mail by LMTP")
struct LMTPTests {
    private final class Taken {
        var messages: [(bytes: [UInt8], recipients: [String])] = []
    }

    private func session(_ taken: Taken) -> LMTPSession {
        LMTPSession(host: "mail.example.com", findMailbox: { $0.hasSuffix("@example.com") }) { message, recipients in
            let here = recipients.filter { $0 != "full@example.com" }
            taken.messages.append((message, recipients))
            if here.isEmpty { throw SandboxError(.refused, doing: "delivering", reason: "no room\r\nat all") }
            return here
        }
    }

    @Test("A pipelined conversation is answered in order, once for each recipient after the message")
    func pipelining() {
        let taken = Taken()
        var session = session(taken)
        let input = """
            LHLO client\r\nMAIL FROM:<x@y.org> SIZE=100 BODY=8BITMIME\r\nRCPT TO:<a@example.com>\r\nRCPT TO:<b@x.org>\r\n\
            RCPT TO:<full@example.com>\r\nDATA\r\nSubject: a\r\n\r\n..dot\r\n.\r\nQUIT\r\n
            """
        let answers = session.receive(input.utf8).split(separator: "\r\n").map { String($0.prefix(9)) }
        #expect(
            answers == [
                "250-mail.", "250-PIPEL", "250-8BITM", "250-ENHAN", "250 SIZE ", "250 2.0.0", "250 2.1.5", "550 5.1.1", "250 2.1.5",
                "354 end d", "250 2.1.5", "451 4.3.0", "221 2.0.0",
            ])
        #expect(session.isOver)
        #expect(taken.messages.map { String(decoding: $0.bytes, as: UTF8.self) } == ["Subject: a\r\n\r\n.dot\r\n"])
        #expect(taken.messages.first?.recipients == ["a@example.com", "full@example.com"])
    }

    @Test("Bytes may come in any pieces: dots, bare line ends and NULs come through", arguments: [1, 2, 3, 7, 1000])
    func pieces(size: Int) {
        let content = Array("Subject: x\r\n\r\n".utf8) + [0, 255, 10, 46, 13, 13, 10] + Array(".\n.\r\n..\r\nlast line\r\n".utf8)
        var stuffed: [UInt8] = []
        var isAtStart = true
        for (place, byte) in content.enumerated() {
            if isAtStart, byte == 46 { stuffed.append(46) }
            stuffed.append(byte)
            isAtStart = byte == 10 && place > 0 && content[place - 1] == 13
        }
        let taken = Taken()
        var session = session(taken)
        let all = Array("LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\nDATA\r\n".utf8) + stuffed + Array(".\r\nNOOP\r\n".utf8)
        var answers = ""
        for start in stride(from: 0, to: all.count, by: size) { answers += session.receive(all[start..<min(start + size, all.count)]) }
        #expect(taken.messages.map(\.bytes) == [content])
        #expect(answers.hasSuffix("delivered\r\n250 2.0.0 OK\r\n"))
    }

    @Test("A very long line is content like any other")
    func longLine() {
        let content = Array("Subject: x\r\n\r\n".utf8) + [UInt8](repeating: 46, count: 300_000) + [13, 10]
        let taken = Taken()
        var session = session(taken)
        _ = session.receive("LHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\nDATA\r\n".utf8)
        _ = session.receive(content.prefix(14) + [46] + content.dropFirst(14) + Array(".\r\n".utf8))
        #expect(taken.messages.map(\.bytes.count) == [content.count])
        #expect(taken.messages.first?.bytes == content)
    }

    @Test("What comes at the wrong time or is no command is refused, and the conversation goes on", arguments: [
        ("HELO x", "500 5.5.1"), ("EHLO x", "500 5.5.1"), ("LHLO", "501 5.5.4"), ("MAIL FROM:<a@b>", "503 5.5.1"), ("DATA", "503 5.5.1"),
        ("RCPT TO:<a@example.com>", "503 5.5.1"), ("HELP me", "500 5.5.2"), ("VRFY a", "252 2.5.0"), ("RSET", "250 2.0.0"),
    ])
    func refusals(command: String, code: String) {
        var session = session(Taken())
        #expect(session.receive((command + "\r\n").utf8).hasPrefix(code))
        #expect(session.receive("NOOP\r\n".utf8) == "250 2.0.0 OK\r\n")
    }

    @Test("Parameters of MAIL are checked", arguments: [
        ("SIZE=999999999", "552 5.3.4"), ("SIZE=x", "501 5.5.4"), ("BODY=BINARYMIME", "555 5.5.4"), ("FOO", "555 5.5.4"), ("BODY=7BIT", "250 2.0.0"),
    ])
    func parameters(parameter: String, code: String) {
        var session = session(Taken())
        _ = session.receive("LHLO c\r\n".utf8)
        #expect(session.receive("MAIL FROM:<a@b> \(parameter)\r\n".utf8).hasPrefix(code))
    }

    @Test("An endless command line ends the conversation")
    func endlessLine() {
        var session = session(Taken())
        #expect(session.receive([UInt8](repeating: 65, count: 5000)).hasPrefix("500 5.5.2"))
        #expect(session.isOver)
    }

    // MARK: A real client

    private static let python = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/python3" }.first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    /// Real mail for tests, beside the project; not part of it.
    private static let corpus = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appending(path: "../../../shared/corpus/spamassassin-public-corpus.tar.gz").standardized.path

    private static let client = """
        import base64, hashlib, smtplib, sys, tarfile
        port, limit, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
        def messages():
            if path:
                count = 0
                with tarfile.open(path) as archive:
                    for member in archive:
                        if not member.isfile() or count >= limit: continue
                        data = archive.extractfile(member).read()
                        # What a client can send: lines that end with CR LF.
                        data = smtplib._fix_eols(data.decode('latin-1')).encode('latin-1')
                        if not data.endswith(b'\\r\\n'): data += b'\\r\\n'
                        count += 1
                        yield data
            else:
                for n in range(limit):
                    yield b'Subject: made %d\\r\\n\\r\\n.\\r\\n..two\\r\\nend %d \\xff\\r\\n' % (n, n)
        with smtplib.LMTP('127.0.0.1', port) as client:
            for data in messages():
                refused = client.sendmail('from@example.org', ['alice@example.com', 'bob@example.com'], data, ['BODY=8BITMIME'])
                assert not refused, refused
                # smtplib reads the first recipient's answer only.
                code, text = client.getreply()
                assert code == 250, text
                print(base64.b64encode(hashlib.sha256(data).digest()).decode().replace('/', ','), len(data))
        """

    private func deliver(limit: Int, corpus: String) throws {
        let test = try TestServer()
        let alice = try test.mailbox("alice@example.com")
        let bob = try test.mailbox("bob@example.com")
        let listener = try LMTPServer(test.server, port: 0)
        defer { try? listener.close() }  // The test's outcome is known by then.
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Self.python))
        process.arguments = ["-c", Self.client, "\(listener.port)", "\(limit)", corpus]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        let sent = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        #expect(sent.count == limit)
        for mailbox in [alice, bob] {
            let rows = try mailbox.items(inFolder: 2)
            #expect(rows.map { "\($0.size)" } == sent.map { $0[1] })
            for (row, expected) in zip(rows, sent) {
                let path = try test.server.database.read { try test.server.path(of: row, mailbox: mailbox.mailboxID, in: $0) }
                #expect(row.blobDigest == expected[0])
                #expect(ServerDigest.sha256(try Files.read(path)) == expected[0])
            }
        }
        try restore(from: test, expected: sent.map { $0[0] }.sorted())
    }

    /// Backs alice up, restores her into a new account, and reads what is there.
    private func restore(from test: TestServer, expected: [String]) throws {
        let backup = test.path.appending("backup")
        try StoreWriter.create(backup, serverID: test.server.identity.id)
        let store = try StoreWriter(opening: backup, serverID: test.server.identity.id)
        defer { try? store.close() }  // The test's outcome is known by then.
        let engine = try BackupEngine(source: test.server, store: store)
        try engine.begin()
        try engine.catchUp()
        let report = try RestoreOnNewAccount(source: "alice@example.com", destination: "copy@example.com", moment: .last)
            .run(from: store, to: test.server, stateFolder: test.path.appending("state"))
        #expect(report.isComplete, "\(report.text)")
        let copy = try test.server.openMailbox("copy@example.com")
        let paths = try copy.items(inFolder: 2).map { row in
            try test.server.database.read { try test.server.path(of: row, mailbox: copy.mailboxID, in: $0) }
        }
        #expect(try paths.map { ServerDigest.sha256(try Files.read($0)) }.sorted() == expected)
    }

    @Test("Python's smtplib delivers to two recipients, byte by byte", .enabled(if: python != nil, "there is no python3"))
    func smtplib() throws { try deliver(limit: 20, corpus: "") }

    @Test(
        "1,000 messages of real mail come back byte by byte",
        .enabled(if: python != nil, "there is no python3"),
        .enabled(if: FileManager.default.fileExists(atPath: corpus), "the mail corpus is not there"))
    func realMail() throws { try deliver(limit: 1000, corpus: Self.corpus) }
}
