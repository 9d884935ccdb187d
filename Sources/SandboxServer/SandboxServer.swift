import BackupCore
import GRDB
import Glibc
import RedoLog
import Synchronization
import SystemPackage

/// A small but real mail server in one folder: database, blob volume, redo log and directory.
///
/// It keeps the real server's tables and file layout and logs each operation as the real server does (formats/zimbra-redolog.md,
/// section 1.7): rows written in an open database transaction, start record flushed, database committed, commit record written,
/// blobs of deleted items unlinked. It knows folders, messages, drafts, conversations, tags, flags and grants.
///
/// Calls block, and may come from any thread and from several processes: an operation waits for its turn. The log is continued by
/// whoever writes next.
public final class SandboxServer: @unchecked Sendable {
    // What makes it Sendable: every stored variable below is touched inside `database.writeWithoutTransaction` only, which
    // admits one thread at a time, or has a lock of its own; `turn` admits one process.

    /// How hard the redo log's start records are made durable.
    public enum Durability: Sendable {
        /// Every start record and blob is fsynced before the database commits.
        case full
        /// The kernel writes when it likes: a killed process loses nothing, a power failure may.
        case processCrash
    }

    /// Settings that are not stored in the server's folder.
    public struct Options: Sendable {
        /// `processCrash` unless a test is about power failures.
        public var durability: Durability = .processCrash
        /// Milliseconds since the epoch.
        public var clock: @Sendable () -> Int64 = { SandboxServer.wallClock() }
        /// The redo log rolls over at this size; nil = the real server's 1 GB with its minimum age.
        public var rolloverSize: Int64?
        /// False: finished log files are deleted instead of archived.
        public var archivesLog = true

        /// The defaults.
        public init() {}
    }

    /// The folder.
    public let path: FilePath
    /// Its id and host name, made with the folder.
    public let identity: MailServerIdentity
    /// The redo log, in the folder.
    public let redoLog: LogLocation
    let options: Options
    let database: DatabasePool

    private var log: (any OperationLog)?
    private let turn: WriterTurn
    private var states: [Int64: MailboxState] = [:]
    /// Whether mailboxes are loaded where another process left them, not as after a restart.
    private var countersGoOn = false
    private var volumes: [Int64: Volume] = [:]
    private var messageVolume: BlobVolume?
    /// Volumes as readers know them; asked for again where a content is not there.
    let volumesOfReaders = Mutex<[Int64: Volume]>([:])
    private var dumpsters: [String: Bool] = [:]
    /// Filled and emptied with the database at hand, read without.
    private let known = Mutex(KnownEntries())

    /// What is known of the directory and of the volume, so that a delivery need not ask.
    private struct KnownEntries {
        var addresses: [String: String] = [:]
        var mailboxes: [String: Int64] = [:]
        var incoming: IncomingFolder?
    }

    /// Creates a server in a folder that does not exist yet or is empty.
    public static func create(
        at path: FilePath, name: String = "mail.example.com", id: String? = nil, options: Options = Options()
    ) throws -> SandboxServer {
        guard Files.names(in: path).isEmpty else {
            throw SandboxError(.alreadyExists, doing: "creating a server in \(path)", reason: "the folder is not empty")
        }
        for folder in ["store/incoming", "index", "redolog/archive"] { try Files.makeFolders(path.pushing(FilePath(folder))) }
        let database = try open(path.appending(Self.databaseName), creating: true)
        try database.write { database in
            try Schema.create(in: database, store: "store", index: "index")
            try database.execute(sql: "CREATE TABLE directory_server (id TEXT PRIMARY KEY, name TEXT NOT NULL)")
            try database.execute(
                sql: "INSERT INTO directory_server VALUES (?, ?)", arguments: [id ?? UUIDText.random(), name])
        }
        try database.close()
        return try SandboxServer(at: path, options: options)
    }

    /// Opens a server.
    public init(at path: FilePath, options: Options = Options()) throws {
        let file = path.appending(Self.databaseName)
        guard access(file.string, F_OK) == 0 else {
            throw SandboxError(.notASandbox, doing: "opening the server in \(path)", reason: "there is no \(Self.databaseName)")
        }
        self.path = path
        self.options = options
        database = try Self.open(file, creating: false)
        let row = try database.read { try Row.fetchOne($0, sql: "SELECT id, name FROM directory_server") }
        guard let row else {
            throw SandboxError(.notASandbox, doing: "opening the server in \(path)", reason: "it has no identity")
        }
        identity = MailServerIdentity(id: row["id"], name: row["name"])
        turn = try WriterTurn(path.appending("server.lock"))
        let folder = path.appending("redolog")
        redoLog = LogLocation(log: folder.appending("redo.log"), archive: folder.appending("archive"))
    }

    static let databaseName = "server.db"

    private static func open(_ file: FilePath, creating: Bool) throws -> DatabasePool {
        var configuration = Configuration()
        configuration.busyMode = .timeout(30)
        configuration.maximumReaderCount = 4
        configuration.prepareDatabase { database in
            // Whoever wants durability syncs the log. A checkpoint writes each page once, however often it changed.
            try database.execute(sql: "PRAGMA synchronous = OFF; PRAGMA cache_size = -16000; PRAGMA wal_autocheckpoint = 4000")
        }
        return try DatabasePool(path: file.string, configuration: configuration)
    }

    /// The time of day in milliseconds.
    public static func wallClock() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }

    /// Stops the server in an orderly way: the log rolls over and is closed.
    ///
    /// The server can be used again afterwards; its counters then jump to the next block, as after a restart.
    public func close(rollingOver: Bool = true) throws {
        try database.writeWithoutTransaction { database in
            guard let log else { return }
            var stops = false
            defer {
                turn.end(stopped: stops)
                forgetAll()
            }
            guard try turn.begin() == .continued else { return }
            try log.close(rollingOver: rollingOver)
            stops = true
        }
    }

    /// Rolls the redo log over now.
    public func rollOver() throws { try exclusively { try $1.rollOver() } }

    private func forgetAll() {
        log = nil
        states = [:]
        messageVolume = nil
        known.withLock { $0.incoming = nil }
        forgetDirectory()
    }
}

// MARK: - Running an operation

extension SandboxServer {
    /// Runs one operation on a mailbox as one transaction; `body` writes rows and says what is logged.
    func change<Result>(
        _ mailbox: Int64, transaction known: TransactionID? = nil, _ body: (Change) throws -> (Result, Logged)
    ) throws -> Result {
        try exclusively { database, log in
            let transaction = known ?? log.newTransaction()
            let time = options.clock()
            let change = Change(
                state: try loadState(mailbox, in: database), time: time, database: database, server: self)
            var result: Result?
            var isStarted = false
            var rest: [Logged] = []
            do {
                try database.inPreparedTransaction {
                    let (value, logged) = try body(change)
                    rest = logged.then
                    try change.finish()
                    try log.start(
                        logged.operation, transaction: transaction, mailbox: mailbox, change: change.number, timestamp: time,
                        body: logged.body)
                    isStarted = true
                    result = value
                }
            } catch {
                for file in change.made { unlink(file.string) }
                if isStarted { try log.abort(transaction, timestamp: options.clock()) }
                throw error
            }
            states[mailbox] = change.state
            try log.commit(transaction, timestamp: max(time, options.clock()))
            for (place, next) in rest.enumerated() {
                let transaction = log.newTransaction()
                try log.start(
                    next.operation, transaction: transaction, mailbox: mailbox, change: change.number + 1 + Int64(place), timestamp: time,
                    body: next.body)
                try log.commit(transaction, timestamp: max(time, options.clock()))
            }
            for file in change.removals { unlink(file.string) }
            guard let result else { preconditionFailure("a committed operation has a result") }
            return result
        }
    }

    /// Logs an operation that belongs to no mailbox's changes.
    func logAlone(_ operation: Operation, mailbox: Int64, body: LoggedBody?, to log: any OperationLog) throws {
        let transaction = log.newTransaction()
        let time = options.clock()
        try log.start(operation, transaction: transaction, mailbox: mailbox, change: -1, timestamp: time, body: body)
        try log.commit(transaction, timestamp: max(time, options.clock()))
    }

    /// Calls when no other thread and no other process writes; what another process changed meanwhile is read anew.
    func exclusively<Result>(_ body: (Database, any OperationLog) throws -> Result) throws -> Result {
        try database.writeWithoutTransaction { database in
            let arrival = try turn.begin()
            defer { turn.end() }
            if arrival != .continued {
                forgetAll()
                countersGoOn = arrival == .handedOver
            }
            if let log { return try body(database, log) }
            let opened = try FileOperationLog(
                location: redoLog, serverID: identity.id, options: options, afterCrash: arrival == .crashed
            ) { header, operation in try tookEffect(header, operation, in: database) }
            log = opened
            return try body(database, opened)
        }
    }

    /// Whether an operation whose end is not in the log is in the database.
    private func tookEffect(_ header: RecordHeader, _ operation: Operation, in database: Database) throws -> Bool {
        let id = header.mailboxID
        guard id > 0 else { return false }
        let account = try String.fetchOne(database, sql: "SELECT account_id FROM mailbox WHERE id = ?", arguments: [id])
        switch operation {
        case .createMailbox(let create): return account == create.accountID?.string
        case .deleteMailbox: return account == nil
        default:
            let last = try Int64.fetchOne(database, sql: "SELECT change_id FROM sandbox_progress WHERE mailbox_id = ?", arguments: [id])
            return last ?? 0 >= Int64(header.changeID)
        }
    }

    func loadState(_ mailbox: Int64, in database: Database) throws -> MailboxState {
        if let state = states[mailbox] { return state }
        guard let state = try MailboxState(loading: mailbox, from: database, counters: countersGoOn ? .exact : .nextBlock) else {
            throw SandboxError(.noSuchMailbox, doing: "mailbox \(mailbox)", reason: "there is none with this number")
        }
        states[mailbox] = state
        return state
    }

    func remember(_ state: MailboxState) { states[state.row.id] = state }

    func forget(mailbox: Int64, account: String) {
        states[mailbox] = nil
        known.withLock { $0.mailboxes[account] = nil }
    }

    /// Removes the contents of a deleted mailbox from every volume.
    func removeBlobs(ofMailbox mailbox: Int64, in database: Database) throws {
        for id in try Int64.fetchAll(database, sql: "SELECT id FROM volume WHERE type = 1") {
            Files.removeTree(try volume("\(id)", in: database).folder(ofMailbox: mailbox))
        }
        messageVolume = nil  // It remembers which folders there are.
    }

    /// What is cached of the directory may have changed.
    func forgetDirectory() {
        dumpsters = [:]
        known.withLock { ($0.addresses, $0.mailboxes) = ([:], [:]) }
    }

    func cachedAddress(_ address: String, _ find: (Database) throws -> String?) throws -> String? {
        if let id = known.withLock({ $0.addresses[address] }) { return id }
        return try database.writeWithoutTransaction { database in
            let found = try find(database)
            known.withLock { $0.addresses[address] = found }
            return found
        }
    }

    func cachedMailbox(_ account: String, _ find: (Database) throws -> Int64?) throws -> Int64? {
        if let id = known.withLock({ $0.mailboxes[account] }) { return id }
        return try database.writeWithoutTransaction { database in
            let found = try find(database)
            known.withLock { $0.mailboxes[account] = found }
            return found
        }
    }

    func keepsDumpster(_ account: String, in database: Database) throws -> Bool {
        if let known = dumpsters[account] { return known }
        let value = try String.fetchOne(
            database, sql: "SELECT value FROM directory_attribute WHERE entry_id = ? AND name = 'zimbraDumpsterEnabled'",
            arguments: [account])
        dumpsters[account] = value == "TRUE"
        return value == "TRUE"
    }
}

// MARK: - Volumes

extension SandboxServer {
    func volume(_ locator: String?, in database: Database) throws -> Volume {
        guard let id = Int64(locator ?? "") else {
            throw SandboxError(.blobDamaged, doing: "finding a blob", reason: "\"\(locator ?? "NULL")\" is no volume")
        }
        if let volume = volumes[id] { return volume }
        let volume = try Self.readVolume(id, home: path, in: database)
        volumes[id] = volume
        return volume
    }

    static func readVolume(_ id: Int64, home: FilePath, in database: Database) throws -> Volume {
        // Kept: a scan asks once for each content.
        let statement = try database.cachedStatement(sql: "SELECT * FROM volume WHERE id = ?")
        guard let row = try Row.fetchOne(statement, arguments: [id]) else {
            throw SandboxError(.blobDamaged, doing: "finding a blob", reason: "there is no volume \(id)")
        }
        var volume = Volume(id: id, root: home.pushing(FilePath(row["path"] as String)))
        (volume.fileBits, volume.fileGroupBits) = (row["file_bits"], row["file_group_bits"])
        (volume.mailboxBits, volume.mailboxGroupBits) = (row["mailbox_bits"], row["mailbox_group_bits"])
        volume.compresses = row["compress_blobs"] != 0
        volume.compressionThreshold = row["compression_threshold"]
        return volume
    }

    /// The volumes are not what they were.
    func forgetVolumes() {
        volumes = [:]
        messageVolume = nil
        known.withLock { $0.incoming = nil }
    }

    func path(of item: ItemRow, mailbox: Int64, in database: Database) throws -> FilePath {
        try volume(item.locator, in: database).path(mailbox: mailbox, item: item.id, modContent: item.modContent)
    }

    /// Calls with the volume that new blobs go to.
    func withMessageVolume<Result>(_ database: Database, _ body: (inout BlobVolume) throws -> Result) throws -> Result {
        if messageVolume == nil {
            let id = try Int64.fetchOne(database, sql: "SELECT message_volume_id FROM current_volumes") ?? 1
            messageVolume = BlobVolume(volume: try volume("\(id)", in: database))
        }
        return try body(&messageVolume!)
    }

    /// Where new contents come in.
    func incomingFolder() throws -> IncomingFolder {
        if let folder = known.withLock({ $0.incoming }) { return folder }
        return try database.writeWithoutTransaction { database in
            let folder = try withMessageVolume(database) {
                IncomingFolder(of: $0.volume, syncs: options.durability == .full, now: options.clock())
            }
            known.withLock { $0.incoming = folder }
            return folder
        }
    }
}

/// Random UUIDs in text form.
enum UUIDText {
    static func random() -> String {
        var generator = SystemRandomNumberGenerator()
        let high = (generator.next() as UInt64) & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
        let low = (generator.next() as UInt64) & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        func hex(_ value: UInt64, _ digits: Int) -> String {
            let text = String(value, radix: 16)
            return String(repeating: "0", count: max(0, digits - text.count)) + text
        }
        return [
            hex(high >> 32, 8), hex(high >> 16 & 0xFFFF, 4), hex(high & 0xFFFF, 4), hex(low >> 48, 4),
            hex(low & 0xFFFF_FFFF_FFFF, 12),
        ].joined(separator: "-")
    }
}
