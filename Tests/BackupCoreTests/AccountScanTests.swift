import BackupStore
import Foundation
import SandboxServer
import SystemPackage
import Testing

@testable import BackupCore

@Suite("The scan of one account")
struct AccountScanTests {
    private func message(_ subject: String) -> [UInt8] { Array("Subject: \(subject)\r\n\r\nHello\r\n".utf8) }

    /// Takes states back as if the log had lost them: what is in the backup is not what the server has.
    private func forget(_ id: Int64, of account: String, presumed: Bool, in bench: Bench) throws {
        let store = try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id)
        var state = try #require(try store.item(account, id).flatMap { ItemState(indexed: $0) })
        state.deleted = true
        state.presumed = presumed
        try store.append(
            StoreTransaction(
                account: account, time: WallClock.milliseconds, states: [state.newState(account: account)],
                marks: [Mark(reason: "a test forgot an item", time: WallClock.milliseconds)]))
        try store.commit()
        try store.close()
    }

    @Test("What the backup lost comes back, the account's mark is settled, and another account's is not")
    func heals() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp()
        let lost = try bench.server.deliver(message("Lost"), to: ["alice@example.com"])[0].itemID
        let other = try bench.server.deliver(message("Other"), to: ["bob@example.com"])[0].itemID
        try bench.backUp()
        try forget(lost, of: bench.alice.accountID, presumed: false, in: bench)
        try forget(other, of: bench.bob.accountID, presumed: false, in: bench)
        let late = try bench.server.deliver(message("Not followed yet"), to: ["alice@example.com"])[0].itemID
        try bench.backUp { engine in
            var looks = 0
            let statistics = try engine.scan(account: "ALICE@example.com", progress: { _ in looks += 1 })
            #expect(statistics.newMetadata == 1 && statistics.checkedItems > 17 && looks > 17, "\(statistics)")
            #expect(try engine.marks("alice@example.com").isEmpty)
            #expect(try engine.marks("bob@example.com").map(\.reason) == ["a test forgot an item"])
        }
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        #expect(try reader.item(bench.alice.accountID, lost)?.isDeleted == false)
        #expect(try reader.item(bench.alice.accountID, late)?.kind == "redolog", "the log came before the scan")
        #expect(try bench.differences().filter { !$0.contains("\(other)") } == [])
    }

    private func content(_ id: Int64, in bench: Bench) throws -> [UInt8] {
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        let state = try #require(try reader.item(bench.alice.accountID, id).flatMap { ItemState(indexed: $0) })
        return try reader.blobBytes(try #require(state.blob).id)
    }

    @Test("A content whose bytes were damaged in the log is taken from the server's store")
    func damagedBody() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp()
        let text = message("Bytes that rot")
        let id = try bench.server.deliver(text, to: ["alice@example.com"])[0].itemID
        let log = try FileDescriptor.open(bench.server.redoLog.log, .readWrite)
        try log.closeAfter {
            var bytes = [UInt8](repeating: 0, count: Int(try log.seek(offset: 0, from: .end)))
            _ = try bytes.withUnsafeMutableBytes { try log.read(fromAbsoluteOffset: 0, into: $0) }
            let place = try #require(bytes.firstRange(of: Array("Hello".utf8))).lowerBound
            _ = try log.writeAll(toAbsoluteOffset: Int64(place), "Jello".utf8)
        }
        try bench.backUp()
        #expect(try content(id, in: bench) == text)
    }

    @Test("A content that is not the one its row names is taken from the server by the scan")
    func wrongContent() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp()
        let text = message("Right")
        let id = try bench.server.deliver(text, to: ["alice@example.com"])[0].itemID
        try bench.backUp()
        let store = try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id)
        var state = try #require(try store.item(bench.alice.accountID, id).flatMap { ItemState(indexed: $0) })
        state.blob = try store.stageBlob(message("Wrong"))
        try store.append(
            StoreTransaction(
                account: bench.alice.accountID, time: WallClock.milliseconds,
                states: [state.newState(account: bench.alice.accountID)]))
        try store.commit()
        try store.close()
        #expect(try content(id, in: bench) != text)
        try bench.backUp { engine in
            let statistics = try engine.scan(account: "alice@example.com")
            #expect(statistics.newFiles == 1 && statistics.newMetadata == 1)
        }
        #expect(try content(id, in: bench) == text)
    }

    @Test("What the log has lost for good is taken from the server, and the log goes on behind it")
    func lostByTheLog() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp()
        let log = bench.server.redoLog.log.string
        let size = try #require(FileManager.default.attributesOfItem(atPath: log)[.size] as? Int)
        let lost = try bench.server.deliver(message("Lost by the log"), to: ["alice@example.com"])[0].itemID
        let handle = try #require(FileHandle(forUpdatingAtPath: log))
        let end = try handle.seekToEnd()
        try handle.seek(toOffset: UInt64(size))
        handle.write(Data(count: Int(end) - size))
        try handle.close()
        try bench.backUp { engine in _ = try engine.scan(account: "alice@example.com") }
        let late = try bench.server.deliver(message("Later"), to: ["alice@example.com"])[0].itemID
        try bench.backUp()
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        #expect(try reader.item(bench.alice.accountID, lost)?.kind == "scan")
        #expect(try reader.item(bench.alice.accountID, late)?.kind == "redolog")
        #expect(try bench.differences() == [])
    }

    @Test("A document that the backup lost comes back with its former versions, as one line of its history")
    func document() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp()
        let id = try bench.alice.saveDocument(Array("one".utf8), named: "plan.txt")
        try bench.alice.addRevision(Array("two".utf8), to: id)
        try bench.backUp()
        try forget(id, of: bench.alice.accountID, presumed: false, in: bench)
        try bench.backUp { engine in _ = try engine.scan(account: "alice@example.com") }
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        let history = try reader.history(of: .item(account: bench.alice.accountID, id: id))
        #expect(history.damage == [] && history.lines.count == 4)
        let state = try #require(try reader.item(bench.alice.accountID, id).flatMap { ItemState(indexed: $0) })
        #expect(!state.deleted && state.revisions.count == 1 && state.revisions[0].blob != nil)
        #expect(try bench.differences() == [])
    }

    @Test("R15: presumed deletions become certain only where that is asked for and the server really has the item no more")
    func confirms() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp()
        let gone = try bench.server.deliver(message("Gone"), to: ["alice@example.com"])[0].itemID
        let there = try bench.server.deliver(message("There"), to: ["alice@example.com"])[0].itemID
        try bench.alice.delete([gone])
        try bench.backUp()
        for id in [gone, there] { try forget(id, of: bench.alice.accountID, presumed: true, in: bench) }
        func state(_ id: Int64) throws -> ItemState {
            let reader = try StoreReader(opening: bench.backupPath)
            defer { reader.close() }
            return try #require(try reader.item(bench.alice.accountID, id).flatMap { ItemState(indexed: $0) })
        }
        try bench.backUp { engine in
            let statistics = try engine.scan(account: bench.alice.accountID)
            #expect(statistics.confirmedDeletions == 0)
        }
        #expect(try state(gone).presumed)
        #expect(try state(gone).deleted)
        #expect(try !state(there).deleted)
        try bench.backUp { engine in
            let statistics = try engine.scan(account: bench.alice.accountID, confirmingDeletions: true)
            #expect(statistics.confirmedDeletions == 1)
        }
        #expect(try !state(gone).presumed)
        #expect(try state(gone).deleted)
        #expect(try bench.differences() == [])
    }

    @Test("Stopped, it leaves nothing of itself; a mailbox never seen is scanned whole")
    func stops() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp { engine in
            let first = try engine.scan(account: "alice@example.com")
            #expect(first.newMetadata == first.checkedItems && first.checkedItems > 0)
            #expect { try engine.scan(account: "alice@example.com", stop: { true }) } throws: {
                ($0 as? CoreError)?.code == .stopped
            }
            #expect { try engine.scan(account: "carl@example.com") } throws: { ($0 as? CoreError)?.code == .unknownAccount }
            try engine.begin()
            try engine.catchUp()
        }
        #expect(try bench.differences() == [])
    }

    // MARK: Deep

    private func scanDeep(_ bench: Bench, _ source: FaultySource) throws -> ScanStatistics {
        let engine = try BackupEngine(
            source: source, store: try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id))
        let statistics = try engine.scan(account: "alice@example.com", deep: true)
        try engine.close()
        return statistics
    }

    private func content(_ id: Int64, _ bench: Bench) throws -> (bytes: [UInt8], blob: BlobID, states: Int64) {
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        let item = try #require(try reader.item(bench.alice.accountID, id))
        let blob = try #require(item.blobs.first?.id)
        return (try reader.blobBytes(blob), blob, item.ordinal)
    }

    @Test("A deep scan compares every content, versions of documents too, and writes nothing where both sides agree")
    func agrees() throws {
        let bench = try Bench()
        defer { bench.remove() }
        let large = try bench.server.deliver(
            message("Large") + [UInt8](repeating: 65, count: 1_000_000), to: ["alice@example.com"])[0].itemID
        let document = try bench.alice.saveDocument(Array("first".utf8), named: "plan.txt")
        try bench.alice.addRevision(Array("second".utf8), to: document)
        try bench.backUp()
        let statistics = try scanDeep(bench, FaultySource(bench.server))
        #expect(statistics.comparedFiles == 3 && statistics.newMetadata == 0 && statistics.newFiles == 0, "\(statistics)")
        #expect(statistics.damagedFiles == 0 && statistics.problems.isEmpty)
        #expect(try content(large, bench).bytes.count > 1_000_000)
    }

    @Test("A deep scan tells what the server has damaged or lost; the backup keeps the content that the row's digest names")
    func serverDamage() throws {
        let bench = try Bench()
        defer { bench.remove() }
        var ids: [Int64] = []
        for text in ["Flipped", "Short", "Long", "Gone"] {
            ids.append(try bench.server.deliver(message(text), to: ["alice@example.com"])[0].itemID)
        }
        try bench.backUp()
        let source = FaultySource(bench.server)
        source.otherContent = { [ids, message] location in
            switch ids.firstIndex(of: location.itemID) {
            case 0: message("Flopped")
            case 1: Array(message("Short").dropLast())
            case 2: message("Long") + [0]
            case 3: throw FaultySource.Failure()
            default: nil
            }
        }
        let statistics = try scanDeep(bench, source)
        #expect(statistics.damagedFiles == 4 && statistics.newMetadata == 0 && statistics.skippedItems == 0, "\(statistics)")
        for (id, problem) in zip(ids, statistics.problems) { #expect(problem.hasPrefix("item \(id) of alice@example.com: the server's")) }
        for (id, text) in zip(ids, ["Flipped", "Short", "Long", "Gone"]) { #expect(try content(id, bench).bytes == message(text)) }
        try bench.backUp { engine in
            let marks = try engine.marks("alice@example.com")
            #expect(marks.isEmpty, "the backup is whole")
        }
        // The scan that is not deep looks at no content.
        source.otherContent = { _ in throw FaultySource.Failure() }
        let engine = try BackupEngine(
            source: source, store: try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id))
        #expect(try engine.scan(account: "alice@example.com").problems == [])
        try engine.close()
    }

    @Test("A deep scan takes from the server what the backup has lost, and tells what the backup has damaged")
    func backupDamage() throws {
        let bench = try Bench()
        defer { bench.remove() }
        let lost = try bench.server.deliver(message("Lost"), to: ["alice@example.com"])[0].itemID
        let rotten = try bench.server.deliver(message("Rotten"), to: ["alice@example.com"])[0].itemID
        try bench.backUp()
        func file(_ id: Int64) throws -> FilePath {
            let name = "\(try content(id, bench).blob)"
            return bench.backupPath.appending("items").appending(String(name.prefix(2))).appending(name)
        }
        let before = try content(lost, bench)
        let (lostFile, rottenFile) = (try file(lost), try file(rotten))
        let descriptor = try FileDescriptor.open(rottenFile, .readWrite)
        try descriptor.closeAfter { _ = try descriptor.writeAll(toAbsoluteOffset: 12, [0x55, 0xAA, 0x55]) }
        #expect(unlink(lostFile.string) == 0)
        let statistics = try scanDeep(bench, FaultySource(bench.server))
        #expect(statistics.newFiles == 1 && statistics.newMetadata == 1 && statistics.damagedFiles == 1, "\(statistics)")
        #expect(statistics.problems.first?.hasPrefix("item \(rotten) of alice@example.com: the backup's content is damaged") == true)
        let after = try content(lost, bench)
        #expect(after.bytes == message("Lost") && after.blob == before.blob && after.states == before.states + 1)
    }

    @Test("A deep scan finds other bytes under an unchanged row whose digest does not name them, and keeps both states")
    func otherBytes() throws {
        let bench = try Bench()
        defer { bench.remove() }
        let id = try bench.server.deliver(message("Old"), to: ["alice@example.com"])[0].itemID
        let source = FaultySource(bench.server)
        // As an old server's rows: a SHA-1.
        source.changeRow = { if $0.id == id { $0.blobDigest = "qvTGHdzF6KLavt4PO0gs2a6pQ00=" } }
        let engine = try BackupEngine(
            source: source, store: try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id))
        try engine.begin()
        try engine.close()
        let before = try content(id, bench)
        source.otherContent = { [message] in $0.itemID == id ? message("New") : nil }
        let statistics = try scanDeep(bench, source)
        #expect(statistics.newFiles == 1 && statistics.newMetadata == 1 && statistics.damagedFiles == 0, "\(statistics)")
        let after = try content(id, bench)
        #expect(after.bytes == message("New") && after.states == before.states + 1)
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        #expect(try reader.blobBytes(before.blob) == message("Old"))
    }

    @Test("What came and went to the dumpster while the log was lost is in the backup, deleted, with its content", arguments: [false, true])
    func lostInTheDumpster(isBySmartScan: Bool) throws {
        let bench = try Bench()
        defer { bench.remove() }
        let dora = try bench.server.createAccount(name: "dora@example.com", attributes: ["zimbraDumpsterEnabled": ["TRUE"]])
        let mailbox = try bench.server.openMailbox("dora@example.com")
        let early = try bench.server.deliver(message("early"), to: ["dora@example.com"])[0].itemID
        try mailbox.delete([early])
        try bench.backUp()
        try bench.server.rollOver()
        let lost = try bench.server.deliver(message("came and went"), to: ["dora@example.com"])[0].itemID
        try mailbox.delete([lost])
        try bench.server.rollOver()
        let archived = try bench.server.redoLog.archivedFiles()
        try FileManager.default.removeItem(atPath: try #require(archived.last).path.string)
        _ = try bench.server.deliver(message("late"), to: ["dora@example.com"])
        var notices: [String] = []
        try bench.backUp { engine in
            try engine.begin()
            try engine.catchUp()
            notices = engine.statistics.notices
            if isBySmartScan { _ = try engine.smartScan(.impolite) } else { _ = try engine.scan(account: "dora@example.com") }
            #expect(try engine.scan(account: "dora@example.com").newMetadata == 0, "it is there now")
        }
        #expect(notices.contains { $0.contains("gap") || $0.contains("missing") }, "\(notices)")

        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        let lines = try reader.history(of: .item(account: dora.id, id: lost)).lines
        #expect(lines.count == 1)
        let state = try #require(lines.last.flatMap { ItemState(id: lost, fields: $0.fields, blobs: $0.blobs) })
        #expect(state.deleted && state.inDumpster && !state.presumed && state.row.subject == "came and went")
        let scanned = try #require(try reader.state(of: .mailbox(dora.id)).flatMap { MailboxLife(accountID: dora.id, fields: $0.fields) })
        let (notBefore, end) = (try #require(state.notBefore), TimeText.iso(try #require(scanned.scannedTime)))
        #expect(notBefore < end, "R15: after the scan before")
        #expect(try reader.blobBytes(try #require(state.blob).id) == message("came and went"))
        #expect(try reader.history(of: .item(account: dora.id, id: early)).lines.isEmpty, "what went before the backup began is not its own")
        let report = try Undelete(account: "dora@example.com", start: nil, end: .last).run(
            from: reader, to: bench.server, stateFolder: bench.folder.path.appending("state"))
        #expect(report.restored >= 1 && report.isComplete, "\(report)")
        #expect(try mailbox.items().contains { $0.subject == "came and went" })
    }
}
