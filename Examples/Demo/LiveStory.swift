import BackupCore
import BackupStore
import Foundation
import SandboxServer
import Synchronization
import SystemPackage

/// A mail server at work is followed live, a folder is emptied, and the mailbox is brought back as of the second before.
struct LiveStory {
    private static let alice = "alice@example.com"
    private static let restored = "alice-restored@example.com"

    let folder: URL

    /// - Returns: whether the restored mailbox is the one that was.
    func tell() throws -> Bool {
        headline("1. A mail server at work")
        let server = try SandboxServer.create(at: FilePath(folder.appending(path: "server").path))
        var life = try SandboxLife(on: server, seed: 2026, accounts: [Self.alice, "bob@example.com", "carla@example.com"])
        life.onlyMail = true
        try life.run(operations: 300)
        say("\(server.path) with \(try server.accounts().count) accounts; \(life.count) operations so far")

        headline("2. The backup: every mailbox scanned once, then the redo log followed as it is written")
        let backup = FilePath(folder.appending(path: "backup").path)
        try StoreWriter.create(backup, serverID: server.identity.id)
        let service = Service(server: server, path: backup)
        try service.start()
        say("first scan: \(service.scanned.newMetadata) items of \(service.scanned.accounts) accounts, "
            + "\(service.scanned.newFiles) contents")
        try life.run(rate: 250, seconds: 6)
        try service.waitUntilIdle()
        let lag = service.statistics.lag
        say("\(service.statistics.transactions) operations followed live; from the server's commit to the durable state: "
            + "p50 \(lag.percentile(0.5)) ms, p99 \(lag.percentile(0.99)) ms, max \(lag.longest) ms")

        headline("3. A mistake: the Inbox is emptied")
        let mailbox = try server.openMailbox(Self.alice)
        waitUntilAfter(second: now() / 1000)
        let moment = now() / 1000 - 1
        let before = try MailboxImage(of: mailbox.mailboxID, in: server)
        // The server deletes the files of what is emptied: what the proof compares with is put aside.
        let contents = try before.locations.map { try bytes(of: server.openBlob($0)) }
        waitUntilAfter(second: now() / 1000)
        let inInbox = before.messages.filter { $0.folder == "/Inbox" || $0.folder.hasPrefix("/Inbox/") }.count
        try mailbox.emptyFolder(2)
        for number in 1...100 {
            let text = "From: news@example.net\r\nTo: \(Self.alice)\r\nSubject: News \(number)\r\n\r\nMail goes on.\r\n"
            _ = try server.deliver(Array(text.utf8), to: [Self.alice, "bob@example.com"])
        }
        try service.waitUntilIdle()
        let left = try MailboxImage(of: mailbox.mailboxID, in: server)
        say("\(before.messages.count) messages at \(commandTime(moment)), \(inInbox) of them in the Inbox; "
            + "\(left.messages.count) after it was emptied and mail went on")

        headline("4. The mailbox comes back, as of the second before, into a new account")
        say("zxbackup doRestoreOnNewAccount \(Self.alice) \(Self.restored) \"\(commandTime(moment))\"")
        let store = try StoreReader(opening: backup)
        let report = try RestoreOnNewAccount(source: Self.alice, destination: Self.restored, moment: .second(moment))
            .run(from: store, to: server, stateFolder: FilePath(folder.appending(path: "state").path))
        store.close()
        for line in report.text.split(separator: "\n") { say(String(line)) }

        headline("5. The proof: the restored mailbox against the server's own tables of that second, item by item")
        let target = try server.openMailbox(Self.restored)
        let after = try MailboxImage(of: target.mailboxID, in: server)
        var comparison = MailboxComparison(expected: before, actual: after)
        var place: [BlobLocation: Int] = [:]
        for (index, location) in before.locations.enumerated() { place[location] = index }
        try comparison.compareBlobs(
            before, after, expectedBytes: { reader(of: contents[place[$0] ?? 0]) }, actualBytes: { try server.openBlob($0) })
        say("compared: \(comparison.folders) folders, \(comparison.tags) tags, \(comparison.messages) messages; "
            + "\(comparison.blobs) blobs byte by byte (\(comparison.bytes) bytes)")
        for difference in comparison.differences.prefix(20) { say("difference: \(difference)") }
        say("\(comparison.numberOfDifferences) differences")
        try service.stop()
        try server.close()
        return comparison.numberOfDifferences == 0 && report.unrestored.isEmpty && comparison.messages > 0
    }
}



/// The engine on a thread of its own, as `zxbackup serve` runs it.
private final class Service: Sendable {
    private struct State {
        var scanned = ScanStatistics()
        var statistics = FollowStatistics()
        /// Counts how often the end of the log was reached.
        var idles = 0
        var failure: (any Error)?
        var isStopping = false
        var isDone = false
    }

    private let state = Mutex(State())
    private let server: SandboxServer
    private let path: FilePath

    init(server: SandboxServer, path: FilePath) {
        self.server = server
        self.path = path
    }

    var scanned: ScanStatistics { state.withLock { $0.scanned } }
    var statistics: FollowStatistics { state.withLock { $0.statistics } }

    /// Starts the thread, and returns when the log is read to its end.
    func start() throws {
        let thread = Thread { [self] in
            do {
                let engine = try BackupEngine(source: server, store: try StoreWriter(opening: path, serverID: server.identity.id))
                let scanned = try engine.begin()
                state.withLock { $0.scanned = scanned }
                try engine.follow(until: { state.withLock { $0.isStopping } }) { statistics in
                    state.withLock {
                        $0.statistics = statistics
                        $0.idles += 1
                    }
                }
                try engine.close()
            } catch {
                state.withLock { $0.failure = error }
            }
            state.withLock { $0.isDone = true }
        }
        thread.stackSize = 8 << 20
        thread.start()
        try waitUntilIdle()
    }

    /// Returns when everything that the server has committed is durable.
    func waitUntilIdle() throws {
        let seen = state.withLock { $0.idles }
        while true {
            let (idles, failure, isDone) = state.withLock { ($0.idles, $0.failure, $0.isDone) }
            if let failure { throw failure }
            // Two ends of the log: the first may have been reached before the server's last commit.
            if idles >= seen + 2 || isDone { return }
            usleep(10_000)
        }
    }

    func stop() throws {
        state.withLock { $0.isStopping = true }
        while !state.withLock({ $0.isDone }) { usleep(10_000) }
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }
}
