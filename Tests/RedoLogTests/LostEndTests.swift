import Foundation
import SystemPackage
import Testing

@testable import RedoLog

@Suite("Transactions whose end the log has lost")
struct LostEndTests {
    let folder = TemporaryFolder()
    let writer: LogWriter
    var location: LogLocation {
        LogLocation(log: folder.path.appending("redo.log"), archive: folder.path.appending("archive"))
    }

    init() throws {
        let location = LogLocation(log: folder.path.appending("redo.log"), archive: folder.path.appending("archive"))
        writer = try LogWriter(location: location, serverID: "server")
    }

    private func start(mailbox: Int64, change: Int32) throws -> TransactionID {
        try writer.logStart(
            .createTag(CreateTag { $0.name = "tag"; $0.itemID = 256 + change }), mailbox: mailbox, change: change)
    }

    /// Ends the transaction with a record that, after damage, names a transaction and a mailbox that nobody knows.
    private func endUnreadably(_ transaction: TransactionID) throws {
        let file = try FileDescriptor.open(location.log, .readWrite)
        try file.closeAfter {
            let offset = try file.seek(offset: 0, from: .end)
            try writer.logCommit(transaction)
            try file.writeAll(toAbsoluteOffset: offset + 30, [UInt8](repeating: 0, count: 16))
        }
    }

    private func follower(from position: LogPosition? = nil) throws -> LogFollower {
        try LogFollower(location: location, from: position, beginning: .oldestFile, usesNotification: false)
    }

    @Test("R15: the mailbox's next transaction tells that the one before had an end")
    func nextStart() throws {
        let follower = try follower()
        let lost = try start(mailbox: 1, change: 5)
        try endUnreadably(lost)
        let other = try start(mailbox: 2, change: 5)
        try writer.logCommit(other)
        #expect(try follower.drain().lostEnds.isEmpty)  // Mailbox 1 may still be at work.
        let before = try follower.position()
        let next = try start(mailbox: 1, change: 6)
        try writer.logCommit(next)
        let seen = try follower.drain()
        #expect(seen.lostEnds == [lost])
        #expect(seen.transactions == [next])
        #expect(try self.follower(from: before).drain().lostEnds == [lost])
        #expect(try self.follower(from: follower.position()).drain().isEmpty)
        // It is told once, also at the end of the file.
        try writer.rollOver()
        #expect(try follower.drain().isEmpty)
    }

    @Test("R15: what is open in a finished file whose checkpoint does not list it had an end; what is listed goes on")
    func finishedFile() throws {
        let open = try start(mailbox: 7, change: 5)
        let lost = [try start(mailbox: 1, change: 5), try start(mailbox: 2, change: 5)]
        for transaction in lost { try endUnreadably(transaction) }
        let follower = try follower()
        #expect(try follower.drain().lostEnds.isEmpty)
        try writer.rollOver()
        // A stop between the two notices finds both again.
        guard case .lostEnd(let first, _) = try follower.next() else { Issue.record("no lost end"); return }
        #expect(first.start.header.transaction == lost[0])
        #expect(try self.follower(from: follower.position()).drain().lostEnds == lost)
        #expect(try follower.drain().lostEnds == [lost[1]])
        try writer.logCommit(open)
        let rest = try follower.drain()
        #expect(rest.transactions == [open])
        #expect(rest.lostEnds.isEmpty)
    }

    @Test("An end that comes although the mailbox went on is not thrown away")
    func lateEnd() throws {
        let follower = try follower()
        let first = try start(mailbox: 1, change: 5)
        let second = try start(mailbox: 1, change: 6)
        try writer.logCommit(second)
        try writer.logCommit(first)
        let seen = try follower.drain()
        #expect(seen.lostEnds == [first])
        #expect(seen.transactions == [second, first])
    }
}
