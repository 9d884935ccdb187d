import BackupStore
import Foundation
import LifeChecks
import RedoLog
import SandboxServer
import SystemPackage
import Testing

@testable import BackupCore

/// A sandbox server with two accounts and a backup path, in a folder of their own.
struct Bench {
    let folder: TemporaryFolder
    let server: SandboxServer
    let alice: SandboxMailbox
    let bob: SandboxMailbox
    var backupPath: FilePath { folder.path.appending("backup") }

    init(options: SandboxServer.Options = .init()) throws {
        folder = try TemporaryFolder()
        server = try SandboxServer.create(at: folder.path.appending("server"), options: options)
        for name in ["alice@example.com", "bob@example.com"] { _ = try server.createAccount(name: name) }
        alice = try server.openMailbox("alice@example.com")
        bob = try server.openMailbox("bob@example.com")
        try StoreWriter.create(backupPath, serverID: server.identity.id)
    }

    /// Runs `body` with an engine, and closes it.
    @discardableResult
    func backUp(_ body: (BackupEngine) throws -> Void = { try $0.begin(); try $0.catchUp() }) throws -> FollowStatistics {
        let engine = try BackupEngine(
            source: server, store: try StoreWriter(opening: backupPath, serverID: server.identity.id))
        try body(engine)
        let statistics = engine.statistics
        try engine.close()
        return statistics
    }

    func remove() { folder.remove() }

    /// What the histories say that the server's tables do not, item by item; empty when they agree.
    ///
    /// - Parameter account: one that a restore made.
    func differences(restored account: String? = nil) throws -> [String] {
        let reader = try StoreReader(opening: backupPath)
        defer { reader.close() }
        var differences: [String] = []
        for mailbox in try server.mailboxes() {
            let marks = try reader.marks(mailbox.accountID)
            var expected: [Int64: ItemState] = [:]
            _ = try server.readMailbox(mailbox.id) { element in
                switch element {
                case .item(let row): expected[row.id] = ItemState(row: row)
                // The ids of tags that no record creates are in no log.
                case .tag(let tag) where tag.listed: expected[tag.id] = ItemState(tag: tag)
                case .revision(let row): expected[row.itemID]?.revisions.append(.init(row: row, blob: nil))
                default: break
                }
            }
            for (id, state) in expected.sorted(by: { $0.key < $1.key }) {
                guard let found = try reader.item(mailbox.accountID, id).flatMap(ItemState.init(indexed:)), !found.deleted else {
                    differences.append("\(state.row.type.name) \(id) of mailbox \(mailbox.id) is missing")
                    continue
                }
                differences += ItemComparison.differences(
                    expected: state, found: found, marks: marks, isRestored: mailbox.accountID == account)
                    .map { "mailbox \(mailbox.id): \($0)" }
                for blob in found.blobs { _ = try reader.blobBytes(blob.id) }
            }
            for item in try reader.items(mailbox.accountID, .alive) {
                if case .item(_, let id) = item.key, expected[id] == nil, ItemState(indexed: item)?.tag?.listed != false {
                    differences.append("item \(id) of mailbox \(mailbox.id) is too many")
                }
            }
        }
        return differences
    }
}

func message(_ subject: String, from: String = "carol@example.com", body: String = "Hello.") -> [UInt8] {
    Array(
        "From: Carol <\(from)>\r\nTo: alice@example.com\r\nSubject: \(subject)\r\nMessage-ID: <\(subject.hashValue)@example.com>\r\n\r\n\(body)\r\n"
            .utf8)
}

@Suite("The backup engine on a sandbox server")
struct BackupEngineTests {
    @Test("A mailbox that was never seen is scanned whole, and the log joined without a gap or a doubled state")
    func joinsScanAndLog() throws {
        let bench = try Bench()
        defer { bench.remove() }
        let early = try bench.server.deliver(message("early"), to: ["alice@example.com"])[0].itemID
        _ = try bench.alice.createFolder(named: "Projects")
        try bench.backUp()
        let late = try bench.server.deliver(message("late"), to: ["alice@example.com", "bob@example.com"])[0].itemID
        try bench.alice.markRead([early])
        try bench.backUp()
        #expect(try bench.differences() == [])

        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        let lines = try reader.history(of: .item(account: bench.alice.accountID, id: early)).lines
        #expect(lines.map(\.kind) == ["scan", "redolog"])
        #expect(lines.map { $0.fields["unread"]?.int } == [1, 0])
        #expect(try reader.history(of: .item(account: bench.alice.accountID, id: late)).lines.map(\.kind) == ["redolog"])
    }

    @Test("Reading the same log again changes nothing (R4)")
    func isIdempotent() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp()
        for number in 0..<20 { _ = try bench.server.deliver(message("m\(number)"), to: ["alice@example.com"]) }
        try bench.backUp()
        let before = try sequence(bench)
        for _ in 0..<3 { try bench.backUp() }
        #expect(try sequence(bench) == before)
        #expect(try bench.differences() == [])
    }

    private func sequence(_ bench: Bench) throws -> UInt64 {
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        return try reader.info().lastSequence
    }

    @Test("Every operation on folders, messages and tags arrives as the server's tables have it")
    func appliesOperations() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp()
        let (server, alice) = (bench.server, bench.alice)
        let ids = try (0..<12).map { try server.deliver(message("topic \($0 % 4)"), to: ["alice@example.com"])[0].itemID }
        let folder = try alice.createFolder(named: "Work")
        let sub = try alice.createFolder(named: "Deep", in: folder)
        _ = try alice.createFolderPath("/A/B/C")
        try alice.renameFolder(folder, to: "Work 2026")
        try alice.moveFolder(sub, to: 1)
        try alice.move([ids[0], ids[1]], to: folder)
        let copies = try alice.copy([ids[2], ids[3]], to: sub)
        try alice.alterFlag(.flagged, add: true, of: [ids[4], copies[0]])
        try alice.markRead([ids[5], ids[6]])
        let tag = try alice.createTag(name: "Projekt Ä", color: 3)
        try alice.alterTag("Projekt Ä", add: true, of: [ids[0], ids[7]])
        try alice.renameTag(tag, to: "Projekt B")
        try alice.setColor(5, of: [folder], type: .folder)
        let draft = try alice.saveDraft(message("draft"))
        try alice.updateDraft(draft, message("draft, second version"))
        try alice.grant(Grant(granteeType: 1, grantee: bench.bob.accountID, rights: 1), onFolder: folder)
        try alice.delete([ids[8]])
        try alice.move([ids[9], ids[10]], to: 3)
        try alice.emptyFolder(3)
        try alice.deleteFolder(folder)
        try bench.backUp()
        let differences = try bench.differences()
        #expect(differences == [])
    }

    @Test("A mailbox made while the log is followed gets its system folders completed from the server")
    func settlesNewMailboxes() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp()
        _ = try bench.server.createAccount(name: "dora@example.com")
        let dora = try bench.server.openMailbox("dora@example.com")
        _ = try bench.server.deliver(message("welcome"), to: ["dora@example.com"])
        try bench.backUp()
        #expect(try bench.differences() == [])
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        #expect(try reader.marks(dora.accountID) == [])
    }

    @Test("A mailbox that is deleted and made again is another generation (R9)")
    func countsGenerations() throws {
        let bench = try Bench()
        defer { bench.remove() }
        let first = try bench.server.deliver(message("first life"), to: ["bob@example.com"])[0].itemID
        try bench.backUp()
        try bench.server.deleteMailbox(ofAccount: "bob@example.com")
        let again = try bench.server.openMailbox("bob@example.com")
        _ = try bench.server.deliver(message("second life"), to: ["bob@example.com"])
        try bench.backUp()
        #expect(try bench.differences() == [])
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        let lines = try reader.history(of: .item(account: again.accountID, id: first)).lines
        #expect(lines.first?.generation == 1)
        #expect(lines.contains { $0.fields["deleted"]?.bool == true && $0.generation == 1 })
        #expect(try reader.state(of: .mailbox(again.accountID))?.fields["mailbox_generation"]?.int == 2)
    }

    @Test("Following goes on over rollovers, with and without an archive", arguments: [true, false])
    func followsRollovers(archives: Bool) throws {
        var options = SandboxServer.Options()
        options.archivesLog = archives
        let bench = try Bench(options: options)
        defer { bench.remove() }
        try bench.backUp { engine in
            try engine.begin()
            for round in 0..<5 {
                for number in 0..<7 {
                    _ = try bench.server.deliver(
                        message("round \(round) number \(number)"), to: ["alice@example.com", "bob@example.com"])
                }
                try engine.catchUp()
                try bench.server.rollOver()
            }
            try engine.catchUp()
        }
        #expect(try bench.differences() == [])
    }

    @Test("A log that was rolled over several times while nobody followed is read from its archive")
    func catchesUpFromArchive() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp()
        for number in 0..<12 {
            _ = try bench.server.deliver(message("number \(number)"), to: ["alice@example.com"])
            if number % 3 == 0 { try bench.server.rollOver() }
        }
        let statistics = try bench.backUp()
        #expect(statistics.notices == [])
        #expect(try bench.differences() == [])
    }

    @Test("A gap in the log is never papered over: the accounts are marked")
    func marksGaps() throws {
        var options = SandboxServer.Options()
        options.archivesLog = false
        let bench = try Bench(options: options)
        defer { bench.remove() }
        try bench.backUp()
        for _ in 0..<3 {
            _ = try bench.server.deliver(message("lost"), to: ["alice@example.com"])
            try bench.server.rollOver()
        }
        let statistics = try bench.backUp()
        #expect(statistics.notices.count == 1)
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        #expect(try reader.marks(bench.alice.accountID).first?.reason.contains("missing") == true)
        #expect(try !reader.marks(bench.bob.accountID).isEmpty)
    }

    @Test("Of a log that is deleted at its rollover, the current file is read to its end by the next process, and then let go of")
    func keepsLog() throws {
        var options = SandboxServer.Options()
        options.archivesLog = false
        let bench = try Bench(options: options)
        defer { bench.remove() }
        let source = FaultySource(bench.server)
        source.keptLogs = bench.folder.path.appending("kept")
        func kept() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: bench.folder.path.appending("kept").string).sorted() }
        func backUp() throws -> FollowStatistics {
            let engine = try BackupEngine(source: source, store: try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id))
            try engine.begin()
            let statistics = try engine.catchUp()
            try engine.close()
            return statistics
        }
        _ = try backUp()
        for round in 0..<4 {
            _ = try bench.server.deliver(message("before rollover \(round)"), to: ["alice@example.com"])
            try bench.server.rollOver()
            _ = try bench.server.deliver(message("after rollover \(round)"), to: ["bob@example.com"])
            #expect(try kept().count == 1)
            let statistics = try backUp()
            #expect(statistics.notices == [])
            #expect(try kept().count == 1, "the finished one was read")
        }
        #expect(try bench.differences() == [])
    }

    @Test("A backup path of another server is refused (R8)")
    func refusesForeignPaths() throws {
        let bench = try Bench()
        defer { bench.remove() }
        let other = bench.folder.path.appending("other")
        try StoreWriter.create(other, serverID: "another")
        let store = try StoreWriter(opening: other, serverID: "another")
        #expect { try BackupEngine(source: bench.server, store: store) } throws: {
            ($0 as? CoreError)?.code == .wrongServer
        }
        try store.close()
    }

    @Test("The concurrent series of a real server, followed through a backup path, ends as the server's tables did")
    func followsRealSeries() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let series = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "../RedoLogTests/Fixtures/concurrent").standardized
        let source = try LogArchive(folder: FilePath(series.path))
        let path = folder.path.appending("backup")
        try StoreWriter.create(path, serverID: source.identity.id)
        let engine = try BackupEngine(source: source, store: try StoreWriter(opening: path, serverID: source.identity.id))
        try engine.begin()
        let statistics = try engine.catchUp()
        try engine.close()
        #expect(statistics.notices == [])
        #expect(statistics.unapplied == [:])

        let reader = try StoreReader(opening: path)
        defer { reader.close() }
        let accounts = try reader.accounts()
        #expect(accounts.count == 2)
        var byMailbox: [Int64: String] = [:]
        for account in accounts {
            byMailbox[try reader.state(of: .mailbox(account))?.fields["mailbox_id"]?.int ?? 0] = account
        }
        let truth = try #require(try object(series.appending(path: "state-final.json")))
        for json in truth["items"] as? [[String: Any]] ?? [] where int(json["type"]) == 5 {
            let account = try #require(byMailbox[int(json["mailboxId"]) ?? 0])
            let state = try #require(try reader.item(account, int(json["id"]) ?? 0).flatMap(ItemState.init(indexed:)))
            #expect(!state.deleted)
            // The sample's database took all of Unicode; a server's columns have one `?` for each character beyond U+FFFF.
            let subject = (json["subject"] as? String)?.unicodeScalars.map { $0.value > 0xFFFF ? "?" : String($0) }.joined()
            #expect(state.row.subject == subject)
            #expect(state.row.parentID == int(json["parentId"]))
            #expect(state.row.blobDigest == json["digest"] as? String)
            #expect(state.blob?.id.description == json["digest"] as? String)
            #expect(Int64(try reader.blobBytes(try #require(state.blob).id).count) == int(json["size"]))
            #expect(state.row.flags.subtracting(.copied) == Flags(rawValue: int(json["flags"]) ?? 0).subtracting(.copied))
        }
    }
}
