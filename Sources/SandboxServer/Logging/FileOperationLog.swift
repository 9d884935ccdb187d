import BackupCore
import RedoLog
import SystemPackage

/// The redo log as files, by `RedoLog.LogWriter`.
final class FileOperationLog: OperationLog {
    private let writer: LogWriter
    private static let longestContinued: Int64 = 8 << 20

    /// Goes on with the log.
    ///
    /// Where the process before was killed (`afterCrash`), each transaction without an end gets one: `took` says whether its operation
    /// is in the database. As the real server does then, transactions committed shortly before get a second end record, and the log
    /// rolls over (formats/zimbra-redolog.md, section 1.6).
    init(
        location: LogLocation, serverID: String, options: SandboxServer.Options, afterCrash: Bool,
        took: (RecordHeader, Operation) throws -> Bool
    ) throws {
        var settings = LogWriter.Settings()
        settings.syncsStarts = options.durability == .full
        settings.deletesOnRollover = !options.archivesLog
        settings.clock = options.clock
        if let size = options.rolloverSize {
            settings.softLimit = size
            settings.hardLimit = size
        }
        writer = try LogWriter(location: location, serverID: LogText(serverID), settings: settings)
        let recovery = writer.recovery
        for open in recovery.open {
            let header = open.start.header
            if try took(header, open.start.operation) {
                try writer.logCommit(header.transaction)
            } else {
                try writer.logAbort(header.transaction)
            }
        }
        if afterCrash {
            for transaction in recovery.recent { try writer.logRepeatedEnd(of: transaction, committed: true) }
        }
        // Whoever continues the log reads it first: a long one is not left to be read again and again.
        if afterCrash || writer.size > Self.longestContinued { try writer.rollOver() }
    }

    func newTransaction() -> TransactionID { writer.nextTransaction() }

    func start(
        _ operation: Operation, transaction: TransactionID, mailbox: Int64, change: Int64, timestamp: Int64, body: LoggedBody?
    ) throws {
        func log(_ bodies: [BodySource]) throws {
            try writer.logStart(
                operation, mailbox: mailbox, change: Int32(change), timestamp: timestamp, transaction: transaction, bodies: bodies)
        }
        switch body {
        case .bytes(let bytes): try log([.bytes(bytes)])
        case .several(let all): try log(all.map { .bytes($0) })
        case .file(let path, let size):
            let file = try FileDescriptor.open(path, .readOnly)
            try file.closeAfter { try log([.file(file, offset: 0, length: size)]) }
        case nil: try log([])
        }
    }

    func commit(_ transaction: TransactionID, timestamp: Int64) throws { try writer.logCommit(transaction, timestamp: timestamp) }

    func abort(_ transaction: TransactionID, timestamp: Int64) throws { try writer.logAbort(transaction, timestamp: timestamp) }

    func rollOver() throws { try writer.rollOver() }

    func close(rollingOver: Bool) throws { try writer.close(rollsOver: rollingOver) }
}
