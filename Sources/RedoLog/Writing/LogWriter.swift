import Glibc
import SystemPackage

/// Writes a redo log as a mail server does: its files can be read by the real server.
///
/// One writer for one log; not for several threads at once. Start records are durable when `logStart` returns (unless
/// `Settings.syncsStarts` is off), commits with the next start or `flush()`, as section 1.7 tells.
public final class LogWriter {
    /// When files are synced and rolled over.
    public struct Settings: Sendable {
        /// Whether a start or abort record is synced before `logStart` and `logAbort` return.
        public var syncsStarts = true
        /// Whether the old file is deleted at a rollover instead of being moved to the archive.
        public var deletesOnRollover = false
        /// From this size on a file that is old enough is rolled over. Bytes.
        public var softLimit: Int64 = 1 << 30
        /// From this size on a file is rolled over. Bytes.
        public var hardLimit: Int64 = 4 << 30
        /// How old a file must be before the soft limit counts. Milliseconds.
        public var minimumAge: Int64 = 3_600_000
        /// Bytes of a record that are written at once; the real server's pieces have 1024.
        public var pieceSize = 64 << 10
        /// Seconds since the epoch in the ids of this process's transactions.
        public var processStart: Int32?
        /// The current time. Milliseconds since the epoch.
        public var clock: @Sendable () -> Int64 = LogWriter.systemTime

        /// The defaults of a server as it is shipped, but with the archive in use.
        public init() {}
    }

    /// What was found in an existing log at the start.
    public struct Recovery: Sendable {
        /// Bytes of an incomplete record that were cut off.
        public var truncatedBytes: Int64 = 0
        /// Transactions without end. Their operations may or may not have taken effect: the server does them again and then
        /// calls `logCommit` or `logAbort`.
        public var open: [TransactionAssembler.Open] = []
        /// Transactions whose commit is younger than the look-back: the server does them again and then calls `logRepeatedEnd`.
        public var recent: [CommittedTransaction] = []
    }

    /// The log's place.
    public let location: LogLocation
    /// What was found in an existing log when the writer was made.
    public private(set) var recovery = Recovery()

    private var settings: Settings
    private var file: AppendedFile
    /// The current file's header as it is to be.
    private var header: FileHeader
    private var open = OpenStarts()
    private var sizeAfterRollover: Int64
    private var lastTransaction: TransactionID
    private var isClosed = false

    /// The current file's size.
    public var size: Int64 { file.size }
    /// The current file's number.
    public var sequence: Int64 { header.sequence }
    /// The transactions that have a start record and no end.
    public var openTransactions: [TransactionID] { open.inOrder.map(\.id) }

    /// The system's clock, milliseconds since the epoch.
    public static let systemTime: @Sendable () -> Int64 = {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }

    /// Creates the log, or goes on with it as a starting server does (section 1.6): files left by a rollover are dealt with, an
    /// incomplete tail is cut off, `recovery` tells what is to be done again.
    ///
    /// - Parameter lookback: how many seconds before the log's last write commits are reported in `recovery.recent`.
    public init(
        location: LogLocation, serverID: LogText, settings: Settings = Settings(), lookback: Int64 = 10
    ) throws(RedoLogError) {
        self.location = location
        self.settings = settings
        try FileSwitch.settleTemporaryFiles(location)
        let now = settings.clock()
        file = try AppendedFile(location.log, pieceSize: settings.pieceSize)
        lastTransaction = TransactionID(time: settings.processStart ?? Int32(truncatingIfNeeded: now / 1000), counter: 0)
        if file.size < Int64(FileHeader.length) {
            try file.truncate(to: 0)
            header = FileHeader(openFlag: 1, sequence: 0, serverID: serverID, createTime: now)
        } else {
            header = try FileHeader(bytes: try file.read(at: 0, count: FileHeader.length), file: location.log.string)
            header.serverID = serverID
            header.version = max(header.version, .current)
        }
        sizeAfterRollover = max(file.size, Int64(FileHeader.length))
        if file.size > Int64(FileHeader.length) { try scan(lookback: lookback * 1000) }
        header.openFlag = 1
        try file.write(header)
        try file.sync()
    }

    /// Reads the existing file: what is open, and where the last record ends.
    private func scan(lookback: Int64) throws(RedoLogError) {
        let modified = try file.modificationTime()
        let log = try LogFile(location.log)
        let reader = try RecordReader(file: log)
        var assembler = TransactionAssembler()
        var lastEnd = Int64(FileHeader.length)
        scanning: while true {
            switch try reader.next() {
            case .record(let record):
                lastEnd = record.end
                header.lastOperationTime = max(header.lastOperationTime, record.header.timestamp)
                // Ids of this process must not be taken for those of the one before, also within one second.
                if record.header.transaction.time >= lastTransaction.time {
                    lastTransaction.time = record.header.transaction.time &+ 1
                }
                switch assembler.feed(record, in: log, isUnproven: reader.hasSeenGarbage) {
                case .started:
                    open.add(record.header, offset: record.offset, length: record.length)
                case .committed(let transaction):
                    open.remove(transaction.id)
                    if transaction.commitTimestamp >= modified - lookback { recovery.recent.append(transaction) }
                case .aborted(let start): open.remove(start.header.transaction)
                case .restarted, .repeatedEnd, .checkpoint: break
                }
            case .garbage, .incompleteTail: break
            case .end: break scanning
            }
        }
        recovery.open = assembler.open
        recovery.truncatedBytes = file.size - lastEnd
        if recovery.truncatedBytes > 0 { try file.truncate(to: lastEnd) }
        header.fileSize = lastEnd
    }

    // MARK: - Transactions

    /// Hands out the id of an operation that begins now.
    public func nextTransaction() -> TransactionID {
        if lastTransaction.counter == .max {
            let now = Int32(truncatingIfNeeded: settings.clock() / 1000)
            lastTransaction = TransactionID(time: max(now, lastTransaction.time &+ 1), counter: 0)
        }
        lastTransaction.counter += 1
        return lastTransaction
    }

    /// Writes the start record of an operation.
    ///
    /// - Parameters:
    ///   - change: the mailbox's change number that the operation got; −1 for operations without one.
    ///   - timestamp: when the operation began; now by default. Milliseconds.
    ///   - transaction: the id that the operation got when it began; the next one by default. Of one that is open already
    ///     (`DeleteMailbox`) the record is written once more.
    ///   - bodies: the bytes of the operation's bodies in the order of the record; their lengths are as the operation says.
    /// - Throws: `notEncodable`; `fileAccess` when the disk is full: then nothing of the record stays in the file.
    @discardableResult
    public func logStart(
        _ operation: Operation, mailbox: Int64, change: Int32, timestamp: Int64? = nil, constraint: Int32 = 0,
        transaction: TransactionID? = nil, version: FormatVersion = .current, bodies: [BodySource] = []
    ) throws(RedoLogError) -> TransactionID {
        let id = transaction ?? nextTransaction()
        let record = RecordHeader(
            version: version, code: operation.code, timestamp: timestamp ?? settings.clock(), changeID: change,
            changeConstraint: constraint, transaction: id, mailboxID: mailbox)
        let offset = file.size
        try append(record, operation, bodies)
        open.add(record, offset: offset, length: file.size - offset)
        if settings.syncsStarts { try file.sync() }
        try rollOverIfDue()
        return id
    }

    /// Writes the commit of an open transaction. It is durable with the next sync.
    public func logCommit(_ transaction: TransactionID, timestamp: Int64? = nil) throws(RedoLogError) {
        try logEnd(transaction, timestamp) { .commitTxn($0) }
        try rollOverIfDue()
    }

    /// Writes that an open transaction was given up.
    public func logAbort(_ transaction: TransactionID, timestamp: Int64? = nil) throws(RedoLogError) {
        try logEnd(transaction, timestamp) { .abortTxn($0) }
        if settings.syncsStarts { try file.sync() }
        try rollOverIfDue()
    }

    private func logEnd(
        _ transaction: TransactionID, _ timestamp: Int64?, _ operation: (OperationCode) -> Operation
    ) throws(RedoLogError) {
        guard let start = open[transaction] else {
            throw RedoLogError(
                .misuse, doing: "ending the transaction \(transaction), which is not open", subject: location.log.string,
                remedy: "Only a transaction with a start record and without an end can be ended.")
        }
        try append(end: operation(start.code), of: transaction, mailbox: start.mailboxID, timestamp)
        open.remove(transaction)
    }

    /// Writes a second end record of a transaction that was committed before a crash and was done again now.
    ///
    /// - Parameter committed: false where doing it again failed; the operation is in effect all the same.
    public func logRepeatedEnd(
        of transaction: CommittedTransaction, committed: Bool, timestamp: Int64? = nil
    ) throws(RedoLogError) {
        let code = transaction.start.header.code
        try append(
            end: committed ? .commitTxn(code) : .abortTxn(code), of: transaction.id, mailbox: transaction.mailboxID, timestamp)
    }

    private func append(
        end operation: Operation, of transaction: TransactionID, mailbox: Int64, _ timestamp: Int64?
    ) throws(RedoLogError) {
        let record = RecordHeader(
            code: operation.code, timestamp: timestamp ?? settings.clock(), transaction: transaction, mailboxID: mailbox)
        try append(record, operation, [])
    }

    private func append(_ record: RecordHeader, _ operation: Operation, _ bodies: [BodySource]) throws(RedoLogError) {
        guard !isClosed else {
            throw RedoLogError(
                .misuse, doing: "writing to a closed redo log", subject: location.log.string,
                remedy: "A log that was closed is opened again by a new writer.")
        }
        let encoded = try record.encode(operation)
        guard encoded.bodies.map(\.body.length) == bodies.map(\.length).filter({ $0 > 0 }) else {
            throw RedoLogError(
                .notEncodable, doing: "logging \(record.code): the bodies given are not as long as the operation says",
                subject: location.log.string, remedy: "Each body of the operation needs a source of its length.")
        }
        let isFirst = file.size == Int64(FileHeader.length)
        try file.append(encoded, bodies.filter { $0.length > 0 })
        header.note(record.timestamp, isFirst: isFirst)
        // As the real server does: the first record's time is seen in the header at once.
        if isFirst { try file.write(header) }
    }

    /// Makes everything durable that was logged.
    public func flush() throws(RedoLogError) { try file.sync() }

    // MARK: - Rollover

    /// Rolls over where section 1.4 says so.
    private func rollOverIfDue() throws(RedoLogError) {
        let isLarge = file.size >= settings.softLimit && file.size > sizeAfterRollover
        guard
            file.size >= settings.hardLimit
                || (isLarge && settings.clock() - header.createTime >= settings.minimumAge)
        else { return }
        try rollOver()
    }

    /// Begins a new file, step by step as section 1.5 tells; an empty file stays as it is.
    public func rollOver() throws(RedoLogError) {
        guard file.size > Int64(FileHeader.length) else { return }
        if !open.inOrder.isEmpty {
            let checkpoint = Operation.checkpoint(Checkpoint { $0.activeTransactions = openTransactions })
            try append(
                RecordHeader(code: .checkpoint, timestamp: 0, transaction: .none, mailboxID: 0), checkpoint, [])
            try file.sync()
        }
        try file.close(&header)
        let now = settings.clock()
        let rollover = FileSwitch(location: location, time: archiveTime(now), deletes: settings.deletesOnRollover)
        var next = FileHeader(
            openFlag: 1, sequence: RedoLog.sequence(after: header.sequence), serverID: header.serverID,
            createTime: max(now, header.createTime))
        let moved = try rollover.perform(from: file, old: header, next: &next, open: &open, pieceSize: settings.pieceSize)
        file = moved
        header = next
        header.openFlag = 1
        sizeAfterRollover = file.size
        try file.write(header)
        try file.sync()
    }

    /// Closes the log as an orderly shutdown does: a rollover, then a closed header.
    ///
    /// - Parameter rollsOver: false leaves the records in the current file.
    public func close(rollsOver: Bool = true) throws(RedoLogError) {
        guard !isClosed else { return }
        if rollsOver { try rollOver() }
        try file.close(&header)
        isClosed = true
    }
}

extension FileHeader {
    /// Takes the time of a record that was written.
    mutating func note(_ timestamp: Int64, isFirst: Bool) {
        if isFirst { firstOperationTime = timestamp }
        lastOperationTime = max(lastOperationTime, timestamp)
    }
}
