import BackupStore
import RedoLog
import SystemPackage

@testable import BackupCore

/// A redo log that a test writes by hand, and a backup path that follows it without a server.
final class LogBench {
    static let alice = "aaaaaaaa-0000-4000-8000-00000000000a"
    static let bob = "bbbbbbbb-0000-4000-8000-00000000000b"

    let folder: TemporaryFolder
    let writer: LogWriter
    var now: Int64 = 1_795_000_000_000
    private var change: Int32 = 0
    var backupPath: FilePath { folder.path.appending("backup") }
    var logFolder: FilePath { folder.path.appending("log") }

    /// Two mailboxes, numbers 1 and 2.
    init() throws {
        folder = try TemporaryFolder()
        let log = folder.path.appending("log")
        try TemporaryFolder.make(log)
        var settings = LogWriter.Settings()
        settings.syncsStarts = false
        writer = try LogWriter(
            location: LogLocation(log: log.appending("redo.log"), archive: log), serverID: "server", settings: settings)
        try StoreWriter.create(folder.path.appending("backup"), serverID: "server")
        for (mailbox, account) in [(Int64(1), Self.alice), (2, Self.bob)] { try createMailbox(mailbox, account) }
    }

    deinit { folder.remove() }

    func createMailbox(_ mailbox: Int64, _ account: String) throws {
        try log(.createMailbox(make(CreateMailbox()) { $0.accountID = LogText(account) }), mailbox: mailbox)
    }

    /// Logs an operation and its commit.
    func log(
        _ operation: Operation, mailbox: Int64 = 1, time: Int64? = nil, commitTime: Int64? = nil, bodies: [[UInt8]] = []
    ) throws {
        now += 1000
        change += 1
        let id = try writer.logStart(
            operation, mailbox: mailbox, change: change, timestamp: time ?? now, bodies: bodies.map { .bytes($0) })
        try writer.logCommit(id, timestamp: commitTime ?? time ?? now)
    }

    /// Logs a message with these bytes, whose record says this size and digest.
    func message(_ id: Int32, mailbox: Int64 = 1, _ body: [UInt8], size: Int64? = nil, digest: LogText = "") throws {
        try log(
            .createMessage(
                make(CreateMessage()) {
                    $0.itemID = id
                    $0.folderID = 2
                    $0.size = size ?? Int64(body.count)
                    $0.digest = digest
                    $0.body = Body(length: Int64(body.count))
                }), mailbox: mailbox, bodies: [body])
    }

    func engine() throws -> BackupEngine {
        try BackupEngine(
            source: try LogArchive(folder: logFolder), store: try StoreWriter(opening: backupPath, serverID: "server"))
    }

    /// Follows the log to its end.
    @discardableResult
    func backUp() throws -> FollowStatistics {
        try writer.flush()
        let engine = try engine()
        try engine.begin()
        let statistics = try engine.catchUp()
        try engine.close()
        return statistics
    }

    /// Looks into the backup path.
    func read<Result>(_ body: (StoreReader) throws -> Result) throws -> Result {
        let reader = try StoreReader(opening: backupPath)
        defer { reader.close() }
        return try body(reader)
    }

    func item(_ id: Int64, _ account: String = alice) throws -> ItemState? {
        try read { try $0.item(account, id).flatMap(ItemState.init(indexed:)) }
    }

    func reasons(_ account: String = alice) throws -> [String] { try read { try $0.marks(account).map(\.reason) } }
}

/// A payload, filled in.
func make<Payload>(_ payload: Payload, _ fill: (inout Payload) -> Void) -> Payload {
    var payload = payload
    fill(&payload)
    return payload
}
