#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import BackupStore
import Logging
import RedoLog
import SystemPackage

/// The backup of one mail server: scans what was never seen, then follows the redo log.
///
/// Calls block, and an engine belongs to one thread. Everything that `catchUp` or `follow` reported is durable (R3, R10).
///
///     let store = try StoreWriter(opening: path, serverID: server.identity.id)
///     let engine = try BackupEngine(source: server, store: store)
///     try engine.begin()
///     try engine.follow { stop.isSet }
///     try engine.close()
public final class BackupEngine {
    /// How often a checkpoint is made while following.
    private static let checkpointInterval = Duration.seconds(30)

    private let source: any MailSource
    let store: any StoreWriting
    private let logger: Logger
    let scanner: RealTimeScanner
    private var lastCheckpoint = ContinuousClock.now

    /// How the engine works; obeyed from the next transaction on.
    public var settings = BackupSettings() {
        didSet {
            if settings.compressionLevel != oldValue.compressionLevel { store.setCompressionLevel(settings.compressionLevel) }
            scanner.keepsContents = settings.keepsContents
            if settings.contentThreads != oldValue.contentThreads { scanner.ahead = ahead(isPolite: false) }
        }
    }

    /// Called by a smart scan between two mailboxes, where other work of this engine may be done before it goes on.
    public var atSafePoint: (BackupEngine) throws -> Void = { _ in }

    /// Why the log is not followed at the moment; nil while it is.
    public internal(set) var heldBecause: String?
    var lastSpaceCheck: (time: ContinuousClock.Instant, reason: String?)?

    /// Opens the log at the committed position.
    ///
    /// - Parameter directoryInterval: how often accounts and their settings are looked at while the log is followed: the log does
    ///   not tell of them, so that their changes are dated up to this much too late.
    /// - Throws: `CoreError` when the backup path belongs to another server (R8); what opening the log throws.
    public init(
        source: any MailSource, store: any StoreWriting, logger: Logger = Logger(label: "zxbackup"),
        directoryInterval: Duration = .seconds(60)
    ) throws {
        let owner = try store.info().serverID
        guard owner == source.identity.id else {
            throw CoreError(
                .wrongServer, doing: "opening the backup path for writing", subject: "server \(source.identity.id)",
                reason: "the path holds the backup of server \(owner)",
                remedy: "Give each server a backup path of its own; to read this one, a command with backup_path will do.")
        }
        self.source = source
        self.store = store
        self.logger = logger
        func scanner() throws -> RealTimeScanner {
            try RealTimeScanner(source: source, store: store, logger: logger, directoryInterval: directoryInterval)
        }
        do {
            self.scanner = try scanner()
        } catch let error as StoreError where error.code == .index {
            // A cache: whatever is wrong with it ends with a new one.
            logger.warning("the index is made anew: \(error)")
            try store.rebuildIndex()
            self.scanner = try scanner()
        }
        self.scanner.ahead = ahead(isPolite: false)
    }

    /// Threads that take contents in, as many as the settings say.
    func ahead(isPolite: Bool) -> ContentsAhead? {
        guard store.stagesOnThreads else { return nil }
        let threads = settings.contentThreads > 0 ? settings.contentThreads : min(max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))), 8)
        return ContentsAhead(threads: threads, isPolite: isPolite)
    }

    /// The backup path.
    public var backupPath: FilePath { store.backupPath }

    /// The last committed transaction.
    public var lastSequence: UInt64 { store.lastSequence }

    /// Why an account, by id or name, needs a scan.
    ///
    /// - Throws: `unknownAccount`.
    public func marks(_ nameOrID: String) throws -> [Mark] {
        try store.marks(try BackedUpAccount.find(nameOrID, in: store).entry.id)
    }

    /// Makes the index anew from histories and journal.
    ///
    /// - Returns: the number of accounts in it.
    @discardableResult
    public func rebuildIndex() throws -> Int {
        try scanner.commit()
        try store.rebuildIndex()
        return try store.accounts().count
    }

    /// What opening the backup path, or making its index anew since, found damaged or missing.
    public var findings: [Damage] { store.recovery.findings }

    /// What following did so far.
    public var statistics: FollowStatistics { scanner.statistics }

    /// Takes in the directory's accounts, and scans whole each mailbox that was never seen.
    ///
    /// The log has been open since before the first look, so nothing falls between the scan and the log.
    ///
    /// - Parameter progress: called after each account, with its name and what its scan did.
    @discardableResult
    public func begin(progress: (String, ScanStatistics) throws -> Void = { _, _ in }) throws -> ScanStatistics {
        var total = ScanStatistics()
        let accounts = try source.accounts()
        try scanner.recordDirectory(.allButKnownAccounts)
        let rows = try source.mailboxes().filter { try scanner.isNew($0) && !scanner.isSwitchedOff($0) }
        defer { scanner.endAhead() }
        for (place, row) in rows.enumerated() {
            scanner.upcoming = place + 1 < rows.count ? rows[place + 1] : nil
            let account = accounts.first { $0.id == row.accountID }
                ?? AccountEntry(id: row.accountID, name: row.comment ?? row.accountID)
            let statistics = try scanner.scanOrRefuse(row, account: account)
            total += statistics
            try progress(account.name, statistics)
        }
        try scanner.commit()
        return total
    }

    /// Follows the log to its present end, then looks up what the log alone could not tell.
    ///
    /// - Throws: `tooLittleSpace` below the threshold of the settings; what was taken in before is durable.
    @discardableResult
    public func catchUp(progress: (FollowStatistics) throws -> Void = { _ in }) throws -> FollowStatistics {
        while try mayFollowOrRefuse(), try scanner.step() { try progress(scanner.statistics) }
        if settings.followsLog {
            try scanner.tellOfMissingLog()
            try scanner.settle(looksAtDirectory: true)
        }
        try store.checkpoint()
        return scanner.statistics
    }

    /// Follows the log until told to stop.
    ///
    /// - Parameters:
    ///   - stop: asked between transactions, and at least ten times a second.
    ///   - idle: called whenever the end of the log is reached.
    ///   - between: called as often as `stop`, after it said no; may set ``settings`` and scan accounts.
    public func follow(
        until stop: () -> Bool, idle: (FollowStatistics) throws -> Void = { _ in }, between: () throws -> Void = {}
    ) throws {
        while !stop() {
            try between()
            if try !mayFollow() {
                try scanner.commit()
                try idle(scanner.statistics)
                scanner.wait(milliseconds: 100)
            } else if try !scanner.step() {
                try scanner.settle()
                try idle(scanner.statistics)
                scanner.wait(milliseconds: 100)
            }
            let now = ContinuousClock.now
            if now - lastCheckpoint >= Self.checkpointInterval {
                try scanner.commit()
                try store.checkpoint()
                lastCheckpoint = now
            }
        }
        try scanner.commit()
    }

    /// Makes everything durable and lets go of the backup path.
    public func close() throws {
        try scanner.commit()
        try store.close()
    }
}
