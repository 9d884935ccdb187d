import Foundation
import SystemPackage
import Testing

@testable import RedoLog

@Suite("The follower")
struct LogFollowerTests {
    let folder = TemporaryFolder()
    var location: LogLocation {
        LogLocation(log: folder.path.appending("redo.log"), archive: folder.path.appending("archive"))
    }

    @Test("R4: any life, followed with kills at any step, gives each committed transaction once", arguments: 0..<30)
    func archivedLife(_ seed: Int) throws {
        let life = try LogLife(folder, seed: UInt64(seed), deletes: false)
        var random = SeededGenerator(seed: UInt64(seed) &+ 1_000_000)
        var follower = try LogFollower(location: life.location, beginning: .oldestFile, usesNotification: false)
        var seen: [TransactionID] = []
        var notices: [FollowNotice] = []
        var lostEnds: [TransactionID] = []
        for _ in 0..<400 {
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<50: try life.step()
            case 50..<53: try life.rollOver()
            case 53: try life.crash()
            case 54..<62:
                let json = try follower.position()?.json
                follower = try LogFollower(
                    location: life.location, from: try json.map { try LogPosition(json: $0) }, beginning: .oldestFile,
                    usesNotification: false)
            default:
                let follow = try follower.next()
                seen += [follow].transactions
                notices += [follow].notices
                lostEnds += [follow].lostEnds
            }
        }
        try life.finish()
        let rest = try follower.drain()
        seen += rest.transactions
        notices += rest.notices
        lostEnds += rest.lostEnds
        #expect(seen == life.committed, "seed \(seed)")
        #expect(lostEnds.isEmpty, "seed \(seed)")
        #expect(notices.allSatisfy { $0.kind == .headerRewritten }, "seed \(seed): \(notices)")
    }

    @Test("R4: with delete-on-rollover too, as long as the follower is there at each rollover", arguments: 0..<20)
    func deletedLife(_ seed: Int) throws {
        let life = try LogLife(folder, seed: UInt64(seed), deletes: true)
        var random = SeededGenerator(seed: UInt64(seed) &+ 2_000_000)
        var follower = try LogFollower(location: life.location, usesNotification: false)
        var seen: [TransactionID] = []
        var hasRolledOver = false
        func drain() throws {
            let all = try follower.drain()
            seen += all.transactions
            #expect(all.notices.allSatisfy { $0.kind == .headerRewritten }, "seed \(seed)")
            hasRolledOver = false
        }
        try drain()
        for _ in 0..<400 {
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<60: try life.step()
            case 60..<64:
                if hasRolledOver { try drain() }
                seen += [try follower.next()].transactions  // Now it has opened the current file.
                try life.rollOver()
                hasRolledOver = true
            case 64: try life.crash()
            case 65..<70:
                if hasRolledOver { try drain() }
                let json = try #require(try follower.position()).json
                follower = try LogFollower(location: life.location, from: try LogPosition(json: json), usesNotification: false)
                try drain()
            default: seen += [try follower.next()].transactions
            }
        }
        try life.finish()
        try drain()
        #expect(seen == life.committed, "seed \(seed)")
    }

    @Test("R4: a process that ends before a rollover loses nothing where the current file has a second name", arguments: 0..<20)
    func keptLife(_ seed: Int) throws {
        let life = try LogLife(folder, seed: UInt64(seed), deletes: true)
        var location = life.location
        location.kept = folder.path.appending("kept")
        var random = SeededGenerator(seed: UInt64(seed) &+ 3_000_000)
        var follower = try LogFollower(location: location, usesNotification: false)
        var seen: [TransactionID] = []
        var hasRolledOver = false
        func drain() throws {
            let all = try follower.drain()
            seen += all.transactions
            #expect(all.notices.allSatisfy { $0.kind == .headerRewritten }, "seed \(seed): \(all.notices)")
            hasRolledOver = false
        }
        try drain()
        var restarts = 0
        for _ in 0..<400 {
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<60: try life.step()
            case 60..<66:
                if hasRolledOver { try drain() }
                try life.rollOver()
                hasRolledOver = true
            case 66: try life.crash()
            case 67..<75:
                // Its descriptor dies with it, also of a file that is deleted.
                let position = try #require(try follower.position())
                if hasRolledOver { restarts += 1 }
                try location.dropKept(before: position)
                follower = try LogFollower(location: location, from: try LogPosition(json: position.json), usesNotification: false)
            default: seen += [try follower.next()].transactions
            }
        }
        try life.finish()
        try drain()
        #expect(seen == life.committed, "seed \(seed)")
        #expect(restarts > 0)
        let position = try #require(try follower.position())
        try location.dropKept(before: position)
        let left = try FileManager.default.contentsOfDirectory(atPath: folder.path.appending("kept").string)
        #expect(left.count == 1 && left.allSatisfy { $0.hasSuffix(".log") }, "\(left)")
    }

    @Test("Where the current file cannot be kept, that is told once, and it is followed all the same")
    func notKept() throws {
        let life = try LogLife(folder, seed: 1, deletes: true)
        var location = life.location
        location.kept = folder.path.appending("no").appending("such")
        let follower = try LogFollower(location: location, usesNotification: false)
        for _ in 0..<20 { try life.step() }
        try life.finish()
        var all = try follower.drain()
        try life.rollOver()
        for _ in 0..<20 { try life.step() }
        try life.finish()
        all += try follower.drain()
        let told = all.notices.filter { $0.kind == .notKept }
        #expect(told.count == 1 && told.allSatisfy { !$0.needsScan && $0.description.contains("cannot be kept") }, "\(told)")
        #expect(all.transactions == life.committed)
    }

    @Test("A file that grows by any steps gives the same as the whole file", arguments: 0..<12)
    func growing(_ seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let name = ["zimbra-all-ops.log", "carbonio-all-ops.log", "transactions.log"][seed % 3]
        let bytes = Fixtures.bytes(name)
        let whole = folder.file("whole.log", bytes)
        let expected = try LogFollower(
            location: LogLocation(log: whole, archive: location.archive), usesNotification: false
        ).drain().transactions

        let path = folder.file("redo.log", Array(bytes[..<512]))
        let handle = try #require(FileHandle(forWritingAtPath: path.string))
        try handle.seekToEnd()
        let follower = try LogFollower(location: location, usesNotification: false)
        var seen: [TransactionID] = []
        var written = 512
        while written < bytes.count {
            let count = min(Int.random(in: 1...40, using: &random), bytes.count - written)
            try handle.write(contentsOf: bytes[written..<written + count])
            written += count
            let all = try follower.drain()
            #expect(all.notices.isEmpty, "seed \(seed)")
            seen += all.transactions
        }
        #expect(seen == expected)
        #expect(!expected.isEmpty)
    }

    /// A log with these transactions committed, and the writer.
    private func log(_ count: Int, deletes: Bool = false) throws -> (LogWriter, [TransactionID]) {
        var settings = LogWriter.Settings()
        settings.syncsStarts = false
        settings.deletesOnRollover = deletes
        let writer = try LogWriter(location: location, serverID: "server", settings: settings)
        return (writer, try commit(count, with: writer))
    }

    private func commit(_ count: Int, with writer: LogWriter) throws -> [TransactionID] {
        try (0..<count).map { index in
            let id = try writer.logStart(.createTag(CreateTag { $0.name = "\(index)" }), mailbox: 1, change: 1)
            try writer.logCommit(id)
            return id
        }
    }

    @Test("Missing files are a gap, told once, and the rest is followed")
    func gap() throws {
        let (writer, _) = try log(2)
        let follower = try LogFollower(location: location, usesNotification: false)
        _ = try follower.drain()
        let position = try #require(try follower.position())
        try writer.rollOver()
        _ = try commit(1, with: writer)
        try writer.rollOver()
        let last = try commit(1, with: writer)
        for archived in try location.archivedFiles() { try FileManager.default.removeItem(atPath: archived.path.string) }

        let alive = try follower.drain()
        #expect(alive.notices.map(\.kind) == [.gap])
        #expect(alive.notices.first?.sequence == 1)
        #expect(alive.transactions == last)
        let resumed = try LogFollower(location: location, from: position, usesNotification: false).drain()
        #expect(resumed.notices.map(\.kind) == [.gap])
        #expect(resumed.transactions == last)
    }

    @Test("A file that shrinks is told, and followed from its new end")
    func truncation() throws {
        let (writer, _) = try log(3)
        let cut = writer.size
        _ = try commit(1, with: writer)
        let follower = try LogFollower(location: location, usesNotification: false)
        _ = try follower.drain()
        let position = try #require(try follower.position())
        #expect(truncate(location.log.string, off_t(cut)) == 0)

        #expect(try follower.drain().notices.map(\.kind) == [.truncated])
        let next = try LogWriter(location: location, serverID: "server")
        let more = try commit(2, with: next)
        #expect(try follower.drain().transactions == more)
        let resumed = try LogFollower(location: location, from: position, usesNotification: false).drain()
        // The file is longer than before by now: only its bytes tell.
        #expect(resumed.notices.map(\.kind) == [.replaced] || resumed.notices.map(\.kind) == [.truncated])
        #expect(resumed.transactions.suffix(2) == more[...])
    }

    @Test("R4: a position in another file of the same number is not gone on from")
    func replacement() throws {
        let (_, _) = try log(3)
        let follower = try LogFollower(location: location, usesNotification: false)
        _ = try follower.drain()
        let position = try #require(try follower.position())
        try FileManager.default.removeItem(atPath: location.log.string)
        let (_, others) = try log(4)
        let alive = try follower.drain()
        #expect(alive.notices.map(\.kind) == [.replaced])
        #expect(alive.transactions == others)
        let resumed = try LogFollower(location: location, from: position, usesNotification: false).drain()
        #expect(resumed.notices.map(\.kind) == [.replaced])
        #expect(resumed.transactions == others)
    }

    @Test("A header rewritten in place by a restarted server is told and changes nothing else")
    func headerRewritten() throws {
        let (writer, _) = try log(1)
        let follower = try LogFollower(location: location, usesNotification: false)
        #expect(try follower.drain().transactions.count == 1)
        try writer.close(rollsOver: false)
        #expect(try follower.drain().isEmpty)
        let next = try LogWriter(location: location, serverID: "server")
        let more = try commit(1, with: next)
        let all = try follower.drain()
        #expect(all.notices.map(\.kind) == [.headerRewritten])
        #expect(all.transactions == more)
    }

    @Test("What follows garbage in a file is not proven, also after a restart of the follower")
    func garbage() throws {
        let bytes = Fixtures.bytes("damaged/garbage-middle.log")
        _ = folder.file("redo.log", bytes)
        var follower = try LogFollower(location: location, usesNotification: false)
        var seen: [(TransactionID, Bool)] = []
        var kinds: [FollowNotice.Kind] = []
        following: while true {
            switch try follower.next() {
            case .transaction(let transaction): seen.append((transaction.id, transaction.isUnproven))
            case .notice(let notice): kinds.append(notice.kind)
            case .repeatedEnd, .lostEnd: break
            case .caughtUp: break following
            }
            follower = try LogFollower(location: location, from: try follower.position(), usesNotification: false)
        }
        #expect(kinds == [.garbage])
        #expect(seen.first?.1 == false)
        #expect(seen.last?.1 == true)
    }

    @Test("A finished file that is cut is told; a growing one is waited for")
    func cutTail() throws {
        let archive = location.archive
        try FileManager.default.createDirectory(atPath: archive.string, withIntermediateDirectories: true)
        let bytes = Fixtures.bytes("damaged/truncated-tail.log")
        _ = folder.file("redo.log", bytes)
        #expect(try LogFollower(location: location, usesNotification: false).drain().notices.isEmpty)
        #expect(rename(location.log.string, archive.appending("redo-20261123.031200.279-seq0.log").string) == 0)
        let follower = try LogFollower(location: location, beginning: .oldestFile, usesNotification: false)
        #expect(try follower.drain().notices.map(\.kind) == [.cutTail])
        #expect(try follower.drain().isEmpty)
    }

    @Test("The series of the samples is followed through its archive", arguments: ["rollover", "concurrent", "session"])
    func sampleSeries(_ name: String) throws {
        let directory = Fixtures.folder.appending(name)
        let location = LogLocation(log: directory.appending("redo.log"), archive: directory)
        var assembler = TransactionAssembler()
        var expected: [TransactionID] = []
        var paths = try location.archivedFiles().map(\.path)
        if FileManager.default.fileExists(atPath: location.log.string) { paths.append(location.log) }
        for path in paths {
            let file = try LogFile(path)
            for record in try RecordReader(file: file).allRecords() {
                if case .committed(let transaction) = assembler.feed(record, in: file) { expected.append(transaction.id) }
            }
        }
        let all = try LogFollower(location: location, beginning: .oldestFile, usesNotification: false).drain()
        #expect(all.transactions == expected)
        #expect(!expected.isEmpty)
        #expect(all.notices.isEmpty)
        // In this series, one mailbox has two transactions open at a time; that of the first comes all the same.
        #expect(all.lostEnds.map(\.description) == (name == "rollover" ? ["1795403520.4"] : []))
    }

    @Test("The end of a log is a position that knows what is open")
    func endPosition() throws {
        #expect(try LogFollower.end(of: location) == nil)
        let (writer, _) = try log(3)
        let open = try writer.logStart(.createTag(CreateTag { $0.name = "open" }), mailbox: 1, change: 9)
        let done = try commit(1, with: writer)
        let position = try #require(try LogFollower.end(of: location))
        #expect(position.oldestOpen < position.applied)
        try writer.logCommit(open)
        let seen = try LogFollower(location: location, from: position, usesNotification: false).drain().transactions
        #expect(seen == [open])
        #expect(!seen.contains(done[0]))
    }

    @Test("Waiting ends when something is written")
    func waiting() throws {
        let (writer, _) = try log(1)
        let follower = try LogFollower(location: location)
        _ = try follower.drain()
        let more = try commit(1, with: writer)
        var seen: [TransactionID] = []
        while seen.isEmpty {
            follower.wait(milliseconds: 10_000)
            seen += try follower.drain().transactions
        }
        #expect(seen == more)
    }

    @Test("A position survives its text form; other texts are refused")
    func positionText() throws {
        let position = LogPosition(
            sequence: 41, createTime: 1_780_000_000_000, applied: 12345, oldestOpen: 512, isUnproven: true, fingerprint: "00ff")
        #expect(try LogPosition(json: position.json) == position)
        for text in ["", "{}", "null", "{\"sequence\":1}", position.json + "}"] {
            #expect(throws: RedoLogError.self) { try LogPosition(json: text) }
        }
    }
}
