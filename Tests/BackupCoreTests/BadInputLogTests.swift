import BackupStore
import Foundation
import RedoLog
import SandboxServer
import SystemPackage
import Testing

@testable import BackupCore

@Suite("Bad input: a redo log that is damaged, empty, cut, foreign or not the one that follows")
struct BadInputLogTests {
    private static let names = ["alice@example.com", "bob@example.com"]

    private func deliver(_ bench: Bench, _ subject: String, to names: [String] = names) throws -> [Int64] {
        try bench.server.deliver(message(subject), to: names).map(\.itemID)
    }

    private func marks(_ bench: Bench, _ mailbox: SandboxMailbox) throws -> [String] {
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        return try reader.marks(mailbox.accountID).map(\.reason)
    }

    private func knows(_ bench: Bench, _ item: Int64, of mailbox: SandboxMailbox) throws -> Bool {
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        return try reader.item(mailbox.accountID, item).map { !$0.isDeleted } ?? false
    }

    /// What every line must show: the accounts are marked with the file and the reason, and later mail is followed as ever.
    private func goesOn(_ bench: Bench, marked words: [String]) throws {
        for mailbox in [bench.alice, bench.bob] {
            let reasons = try marks(bench, mailbox)
            #expect(reasons.contains { reason in words.allSatisfy { reason.contains($0) } }, "\(reasons)")
        }
        let later = try deliver(bench, "later")
        let statistics = try bench.backUp()
        #expect(statistics.notices == [], "told once")
        #expect(try knows(bench, later[0], of: bench.alice) && knows(bench, later[1], of: bench.bob))
        // The index made anew from histories and journal says the same: the store is sound.
        let writer = try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id)
        try writer.rebuildIndex()
        #expect(writer.recovery.findings == [])
        try writer.close()
        #expect(try knows(bench, later[0], of: bench.alice))
    }

    private func newestArchived(_ bench: Bench) throws -> FilePath {
        try #require(try bench.server.redoLog.archivedFiles().last).path
    }

    /// Changes a file's bytes.
    private func spoil(_ file: FilePath, _ change: (inout Data) -> Void) throws {
        var bytes = try Data(contentsOf: URL(fileURLWithPath: file.string))
        change(&bytes)
        try bytes.write(to: URL(fileURLWithPath: file.string))
    }

    @Test("Garbage in the middle: told with its place, the accounts marked, everything before and behind it followed")
    func garbage() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp()
        let before = try deliver(bench, "before")
        try bench.server.rollOver()
        let start = try FileManager.default.attributesOfItem(atPath: bench.server.redoLog.log.string)[.size] as? Int ?? 0
        let hit = try deliver(bench, "hit", to: ["alice@example.com"])
        let end = try FileManager.default.attributesOfItem(atPath: bench.server.redoLog.log.string)[.size] as? Int ?? 0
        let behind = try deliver(bench, "behind")
        try bench.server.rollOver()
        try spoil(newestArchived(bench)) { for place in start..<end { $0[place] = UInt8(truncatingIfNeeded: place &* 7) } }
        let statistics = try bench.backUp()
        let told = try #require(statistics.notices.first { $0.contains("garbage") })
        #expect(told.contains(try newestArchived(bench).string) && told.contains("at \(start)") && told.contains("bytes are no record"),
            "\(told)")
        for (index, mailbox) in [bench.alice, bench.bob].enumerated() {
            #expect(try knows(bench, before[index], of: mailbox) && knows(bench, behind[index], of: mailbox))
        }
        #expect(try !knows(bench, hit[0], of: bench.alice), "what only the damaged bytes told is not guessed")
        try goesOn(bench, marked: ["garbage", newestArchived(bench).lastComponent!.string])
    }

    @Test("A finished file that ends within a record: told with its place, and the next file is followed")
    func cutTail() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp()
        let before = try deliver(bench, "before")
        try bench.server.rollOver()
        _ = try deliver(bench, "cut", to: ["alice@example.com"])
        try bench.server.rollOver()
        let file = try newestArchived(bench)
        let behind = try deliver(bench, "behind")
        try spoil(file) { $0.removeLast(40) }
        let statistics = try bench.backUp()
        #expect(statistics.notices.contains { $0.contains("cut tail") && $0.contains(file.string) }, "\(statistics.notices)")
        #expect(try knows(bench, before[0], of: bench.alice) && knows(bench, behind[1], of: bench.bob))
        try goesOn(bench, marked: ["cut tail", "ends within a record"])
    }

    @Test("A log cut before what was read of it: told, and the mailboxes are compared with the server")
    func truncated() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp()
        _ = try deliver(bench, "before")
        try bench.backUp()
        try bench.server.close(rollingOver: false)
        try spoil(bench.server.redoLog.log) { $0.removeLast(100) }
        let statistics = try bench.backUp()
        #expect(statistics.notices.contains { $0.contains("truncated")
            && $0.contains("the file is shorter than what was read of it") })
        #expect(try bench.differences() == [])
        let later = try deliver(bench, "later")
        try bench.backUp()
        #expect(try knows(bench, later[0], of: bench.alice) && bench.differences() == [])
    }

    @Test("A file missing from the series: a gap, told with its number, and the rest is followed")
    func missing() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp()
        try bench.server.rollOver()
        _ = try deliver(bench, "lost", to: ["alice@example.com"])
        try bench.server.rollOver()
        let file = try newestArchived(bench)
        let number = try #require(try bench.server.redoLog.archivedFiles().last).sequence
        let behind = try deliver(bench, "behind")
        try FileManager.default.removeItem(atPath: file.string)
        let statistics = try bench.backUp()
        #expect(statistics.notices.contains { $0.contains("gap") && $0.contains("files \(number) to \(number) are missing") },
            "\(statistics.notices)")
        #expect(try knows(bench, behind[0], of: bench.alice) && knows(bench, behind[1], of: bench.bob))
        try goesOn(bench, marked: ["gap", "missing"])
    }

    @Test("A log that starts after the committed position: a gap, told with what is lost, and the rest is followed")
    func startsLater() throws {
        var options = SandboxServer.Options()
        options.archivesLog = false
        let bench = try Bench(options: options)
        defer { bench.remove() }
        try bench.backUp()
        _ = try deliver(bench, "lost", to: ["alice@example.com"])
        for _ in 0..<3 { try bench.server.rollOver() }
        let behind = try deliver(bench, "behind")
        let statistics = try bench.backUp()
        #expect(statistics.notices.contains { $0.contains("gap") && $0.contains("is missing; what it held behind offset") },
            "\(statistics.notices)")
        #expect(try knows(bench, behind[0], of: bench.alice) && knows(bench, behind[1], of: bench.bob))
        try goesOn(bench, marked: ["gap", "is lost"])
    }

    @Test("An empty, a short or a missing log: told, nothing is taken for it, and the real one is followed when it is back",
        arguments: [0, 100, nil])
    func empty(_ size: Int?) throws {
        let bench = try Bench()
        defer { bench.remove() }
        _ = try deliver(bench, "before")
        try bench.backUp()
        let behind = try deliver(bench, "behind")
        try bench.server.close(rollingOver: false)
        let log = bench.server.redoLog.log
        let whole = try Data(contentsOf: URL(fileURLWithPath: log.string))
        try FileManager.default.removeItem(atPath: log.string)
        if let size { try whole.prefix(size).write(to: URL(fileURLWithPath: log.string)) }
        for _ in 0..<2 {
            let statistics = try bench.backUp()
            #expect(statistics.notices.count == 1
                && statistics.notices[0].contains("the redo log \(log) is missing, empty or unusable"))
            #expect(statistics.notices.first?.contains("Check that the server runs") == true, "\(statistics.notices)")
        }
        #expect(try marks(bench, bench.alice) == [])
        try whole.write(to: URL(fileURLWithPath: log.string))
        let statistics = try bench.backUp()
        #expect(statistics.notices == [] && statistics.transactions > 0)
        #expect(try knows(bench, behind[0], of: bench.alice) && bench.differences() == [])
    }

    @Test("A damaged header: told with the reason, the accounts marked; the log is followed when it is whole again")
    func damagedHeader() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp()
        let behind = try deliver(bench, "behind")
        try bench.server.close(rollingOver: false)
        let log = bench.server.redoLog.log
        let whole = try Data(contentsOf: URL(fileURLWithPath: log.string))
        for (place, reason) in [(0, "does not begin with ZM_REDO"), (24, "the length of the server id"), (168, "of version")] {
            try spoil(log) { $0 = whole; $0[place] = 0xF7 & 0x7F | (place == 24 ? 0x80 : 0) }
            let statistics = try bench.backUp()
            #expect(statistics.notices.contains { $0.contains("header damaged") && $0.contains(log.string) && $0.contains(reason) },
                "\(statistics.notices)")
        }
        #expect(try marks(bench, bench.bob).contains { $0.contains("header damaged") })
        try whole.write(to: URL(fileURLWithPath: log.string))
        #expect(try bench.backUp().notices == [])
        #expect(try knows(bench, behind[0], of: bench.alice) && bench.differences() == [])
    }

    @Test("Another server's log: told, nothing of it is taken for this server's mail, and the own log is followed when it is back")
    func foreign() throws {
        let bench = try Bench()
        defer { bench.remove() }
        let other = try Bench()  // Its mailboxes have the same numbers.
        defer { other.remove() }
        for bench in [bench, other] { _ = try deliver(bench, "before") }
        try bench.backUp()
        let behind = try deliver(bench, "behind")
        let strange = try deliver(other, "strange")
        for bench in [bench, other] { try bench.server.close(rollingOver: false) }
        let log = bench.server.redoLog.log.string
        let own = bench.folder.path.appending("own.log").string
        try FileManager.default.moveItem(atPath: log, toPath: own)
        try FileManager.default.copyItem(atPath: other.server.redoLog.log.string, toPath: log)
        let statistics = try bench.backUp()
        let notice = statistics.notices.first { $0.hasPrefix("foreign in the redo log \(log)") }
        let told = try #require(notice, "\(statistics.notices)")
        #expect(told.contains("the file is server \(other.server.identity.id)'s, not server \(bench.server.identity.id)'s")
            && told.contains("nothing of it is read"))
        let reader = try StoreReader(opening: bench.backupPath)
        try reader.items(bench.alice.accountID, .all) { #expect($0.fields["subject"]?.string != "strange") }
        reader.close()
        #expect(!strange.isEmpty)
        try FileManager.default.removeItem(atPath: log)
        try FileManager.default.moveItem(atPath: own, toPath: log)
        #expect(try bench.backUp().transactions > 0)
        #expect(try knows(bench, behind[0], of: bench.alice) && bench.differences() == [])
        try goesOn(bench, marked: ["foreign", "not server \(bench.server.identity.id)'s"])
    }

    @Test("Another server's file in the archive, and one written over the log that is being followed: never read")
    func foreignWhileFollowing() throws {
        let bench = try Bench()
        defer { bench.remove() }
        let other = try Bench()
        defer { other.remove() }
        _ = try deliver(other, "strange")
        try other.server.rollOver()
        try bench.backUp { engine in
            try engine.begin()
            try engine.catchUp()
            _ = try deliver(bench, "before")
            try bench.server.rollOver()
            let strange = try newestArchived(other)
            let name = strange.lastComponent!.string.replacingOccurrences(of: "seq0", with: "seq1")
            try FileManager.default.copyItem(atPath: strange.string, toPath: bench.server.redoLog.archive.appending(name).string)
            try bench.server.rollOver()
            try engine.catchUp()
            // Written over in place: the same inode.
            try bench.server.close(rollingOver: false)
            let handle = try #require(FileHandle(forWritingAtPath: bench.server.redoLog.log.string))
            try handle.write(contentsOf: try Data(contentsOf: URL(fileURLWithPath: strange.string)))
            try handle.close()
            try engine.catchUp()
            #expect(engine.statistics.notices.filter { $0.hasPrefix("foreign") }.count == 2, "\(engine.statistics.notices)")
        }
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        for mailbox in [bench.alice, bench.bob] {
            try reader.items(mailbox.accountID, .all) { #expect($0.fields["subject"]?.string != "strange") }
        }
        #expect(try bench.differences() == [])
    }

    @Test("A folder of logs without a usable one is refused with the file and the reason",
        arguments: [nil, "", "ZM_REDO", "not a log at all"])
    func noArchive(_ content: String?) throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let log = folder.path.appending("redo.log").string
        if let content { try Data(content.utf8).write(to: URL(fileURLWithPath: log)) }
        #expect { _ = try LogArchive(folder: folder.path) } throws: {
            let error = $0 as? RedoLogError
            return error?.code == (content == nil ? .fileAccess : .headerDamaged)
                && "\($0)".contains(log) && "\($0)".contains("Check that")
        }
    }
}
