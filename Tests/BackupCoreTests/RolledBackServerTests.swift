import BackupStore
import Foundation
import RedoLog
import SandboxServer
import SystemPackage
import Testing

@testable import BackupCore

/// R9: a server that is put back to an older snapshot counts on from there, and means other changes by the same numbers.
@Suite("A server that went back to an older snapshot")
struct RolledBackServerTests {
    /// A sandbox server whose folder can be put back.
    private final class Machine {
        let folder: TemporaryFolder
        private(set) var server: SandboxServer
        var backupPath: FilePath { folder.path.appending("backup") }

        init() throws {
            folder = try TemporaryFolder()
            server = try SandboxServer.create(at: folder.path.appending("server"))
            _ = try server.createAccount(name: "alice@example.com")
            _ = try server.createAccount(name: "bob@example.com")
            for name in ["alice@example.com", "bob@example.com"] { _ = try server.openMailbox(name) }
            try StoreWriter.create(backupPath, serverID: server.identity.id)
        }

        deinit { folder.remove() }

        private func stopped(_ body: () throws -> Void) throws {
            let path = server.path
            try server.close(rollingOver: false)
            try body()
            server = try SandboxServer(at: path)
        }

        func snapshot() throws {
            try stopped {
                try FileManager.default.copyItem(
                    atPath: server.path.string, toPath: folder.path.appending("snapshot").string)
            }
        }

        func goBack(parts: [String] = [""]) throws {
            try stopped {
                for part in parts {
                    let place = part.isEmpty ? server.path : server.path.appending(part)
                    let snapshot = folder.path.appending("snapshot")
                    let saved = part.isEmpty ? snapshot : snapshot.appending(part)
                    try? FileManager.default.removeItem(atPath: place.string)
                    if FileManager.default.fileExists(atPath: saved.string) {
                        try FileManager.default.copyItem(atPath: saved.string, toPath: place.string)
                    }
                }
            }
        }

        @discardableResult
        func backUp() throws -> FollowStatistics {
            let engine = try BackupEngine(
                source: server, store: try StoreWriter(opening: backupPath, serverID: server.identity.id))
            try engine.begin()
            let statistics = try engine.catchUp()
            try engine.close()
            return statistics
        }

        func deliver(_ subject: String, to name: String = "alice@example.com") throws -> Int64 {
            try server.deliver(message(subject), to: [name])[0].itemID
        }

        func generation(_ name: String = "alice@example.com") throws -> Int64? {
            let id = try server.openMailbox(name).accountID
            let reader = try StoreReader(opening: backupPath)
            defer { reader.close() }
            return try reader.state(of: .mailbox(id))?.fields["mailbox_generation"]?.int
        }

        func subjects(_ moment: RestoreMoment = .last) throws -> [String] {
            let id = try server.openMailbox("alice@example.com").accountID
            let reader = try StoreReader(opening: backupPath)
            defer { reader.close() }
            let selection = try Selection(account: id, at: moment, in: reader)
            var subjects: [String] = []
            try reader.items(id, .all) { latest in
                if case .alive(let state) = try selection.state(of: latest, reader), state.row.type == .message {
                    subjects.append(state.row.subject ?? "")
                }
            }
            return subjects.sorted()
        }

        func marks() throws -> [Mark] {
            let reader = try StoreReader(opening: backupPath)
            defer { reader.close() }
            return try reader.marks(try server.openMailbox("alice@example.com").accountID)
        }
    }

    @Test("With its log: the next change begins a new generation, and the mailbox is the server's again", arguments: [1, 5, 150])
    func withItsLog(changesAfterwards: Int) throws {
        let machine = try Machine()
        _ = try machine.deliver("before")
        try machine.backUp()
        try machine.snapshot()
        for number in 0..<3 { _ = try machine.deliver("lost \(number)") }
        try machine.backUp()
        #expect(try machine.subjects() == ["before", "lost 0", "lost 1", "lost 2"])
        try machine.goBack()
        let after = (0..<changesAfterwards).map { "after \($0)" }
        for subject in after { _ = try machine.deliver(subject) }
        try machine.backUp()
        #expect(try machine.generation() == 2)
        #expect(try machine.subjects() == (["before"] + after).sorted())
        #expect(try machine.marks() == [])
        // And it goes on in the new life.
        _ = try machine.deliver("later")
        try machine.backUp()
        #expect(try machine.generation() == 2)
        #expect(try machine.subjects() == (["before", "later"] + after).sorted())
    }

    @Test("With its log and without any change since: what it lost is found at the end of the log")
    func withoutChanges() throws {
        let machine = try Machine()
        _ = try machine.deliver("before")
        try machine.backUp()
        try machine.snapshot()
        _ = try machine.deliver("lost")
        try machine.backUp()
        try machine.goBack()
        try machine.backUp()
        #expect(try machine.generation() == 2)
        #expect(try machine.subjects() == ["before"])
    }

    @Test("Without its log: a number that comes again at another time is another change")
    func databaseOnly() throws {
        let machine = try Machine()
        _ = try machine.deliver("before")
        try machine.backUp()
        try machine.snapshot()
        for number in 0..<250 { _ = try machine.deliver("lost \(number)") }
        try machine.backUp()
        try machine.goBack(parts: ["server.db", "server.db-wal", "server.db-shm", "store"])
        _ = try machine.deliver("after")
        try machine.backUp()
        #expect(try machine.generation() == 2)
        #expect(try machine.subjects() == ["after", "before"])
    }

    @Test("A log that was taken away is no reason for a new generation of mailboxes that are not behind")
    func logTakenAway() throws {
        let machine = try Machine()
        _ = try machine.deliver("before")
        try machine.server.rollOver()
        _ = try machine.deliver("before too")
        try machine.backUp()
        try machine.server.close(rollingOver: false)
        try FileManager.default.removeItem(atPath: machine.server.redoLog.log.string)
        try FileManager.default.removeItem(atPath: machine.server.redoLog.archive.string)
        _ = try machine.deliver("a new log", to: "bob@example.com")
        let statistics = try machine.backUp()
        #expect(statistics.notices.contains { $0.contains("replaced") })
        #expect(try machine.generation() == 1)
        #expect(try machine.marks() == [])
        // The old log's places say nothing of the new one's.
        _ = try machine.deliver("goes on")
        try machine.backUp()
        #expect(try machine.subjects() == ["before", "before too", "goes on"])
    }

    @Test("The second of before the snapshot comes back from the old generation")
    func oldGenerationRestores() throws {
        let machine = try Machine()
        _ = try machine.deliver("before")
        try machine.backUp()
        try machine.snapshot()
        _ = try machine.deliver("lost")
        try machine.backUp()
        let reader = try StoreReader(opening: machine.backupPath)
        let last = try #require(try reader.changes(of: try machine.server.openMailbox("alice@example.com").accountID)?.last)
        reader.close()
        try machine.goBack()
        while SandboxServer.wallClock() / 1000 <= last.time / 1000 { usleep(50_000) }
        _ = try machine.deliver("after")
        try machine.backUp()
        #expect(try machine.subjects(.second(last.time / 1000)) == ["before", "lost"])
        #expect(try machine.subjects() == ["after", "before"])
    }

    @Test("A log without its server: the changes are taken in, and the account is marked")
    func logAlone() throws {
        let bench = try LogBench()
        try bench.message(300, message("first"))
        try bench.backUp()
        let id = try bench.writer.logStart(
            .createFolder(make(CreateFolder()) { $0.folderID = 301; $0.parentID = 1; $0.name = "again" }), mailbox: 1, change: 3,
            timestamp: bench.now + 5000)
        try bench.writer.logCommit(id)
        try bench.backUp()
        #expect(try bench.item(301)?.row.name == "again")
        #expect(try bench.reasons().contains { $0.contains("went back") })
    }

    @Test(
        "A real server's life, with a crash and its recovery, is one generation; read twice, nothing is doubled",
        arguments: ["small", "crash"])
    func realLives(name: String) throws {
        let dataset = Dataset(name)
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let packed = dataset.folder.appending(path: "redolog.tar.gz")
        var logs = dataset.folder.appending(path: "redolog")
        if FileManager.default.fileExists(atPath: packed.path) {
            try unpack(packed, into: folder.url)
            logs = folder.url.appending(path: "redolog")
        }
        let all = folder.path.appending("log")
        try TemporaryFolder.make(all)
        let files = try #require(FileManager.default.enumerator(at: logs, includingPropertiesForKeys: nil))
        for case let file as URL in files where file.pathExtension == "log" {
            let copy = URL(fileURLWithPath: all.string).appending(path: file.lastPathComponent)
            try FileManager.default.copyItem(at: file, to: copy)
        }
        let source = try LogArchive(folder: all)
        let path = folder.path.appending("backup")
        try StoreWriter.create(path, serverID: source.identity.id)

        func follow() throws -> FollowStatistics {
            let engine = try BackupEngine(source: source, store: try StoreWriter(opening: path, serverID: source.identity.id))
            try engine.begin()
            let statistics = try engine.catchUp()
            try engine.close()
            return statistics
        }
        let first = try follow()
        // Another file under the name of the first one: the log is read again from there.
        let store = try StoreWriter(opening: path, serverID: source.identity.id)
        for account in try store.accounts() {
            #expect(try store.state(of: .mailbox(account))?.fields["mailbox_generation"]?.int == 1)
            #expect(try store.marks(account).filter { $0.reason.contains("went back") } == [])
        }
        let follower = try LogFollower(location: source.redoLog, beginning: .oldestFile)
        _ = try follower.next()
        var place = try #require(try follower.position())
        place.fingerprint = "00"
        let sequence = try store.append(
            StoreTransaction(account: nil, time: 0, position: SourcePosition(log: place, shared: SharedBodies()).text))
        try store.commit()
        try store.close()
        let second = try follow()
        #expect(first.transactions > 100 && second.transactions == first.transactions)
        #expect(second.notices.contains { $0.contains("replaced") })
        let reader = try StoreReader(opening: path)
        defer { reader.close() }
        for account in try reader.accounts() {
            #expect(try reader.changes(of: account)!.last.sequence < sequence, "\(account)")
        }
    }
}
