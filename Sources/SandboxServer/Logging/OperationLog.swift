import RedoLog
import SystemPackage

/// Where a record's body comes from, or its bodies in the order of the record.
enum LoggedBody {
    case bytes([UInt8])
    case several([[UInt8]])
    case file(FilePath, size: Int64)
}

/// The server's redo log: what an operation calls around its database commit (formats/zimbra-redolog.md, section 1.7).
///
/// Not thread-safe: the server's lock covers it.
protocol OperationLog: AnyObject {
    /// The id of a transaction that begins now.
    func newTransaction() -> TransactionID

    /// Writes a start record and makes it as durable as the policy wants.
    func start(
        _ operation: Operation, transaction: TransactionID, mailbox: Int64, change: Int64, timestamp: Int64, body: LoggedBody?) throws

    /// Writes the commit record of a transaction.
    func commit(_ transaction: TransactionID, timestamp: Int64) throws

    /// Writes the abort record of a transaction.
    func abort(_ transaction: TransactionID, timestamp: Int64) throws

    /// Rolls over now, whatever the size.
    func rollOver() throws

    /// Closes the file properly; `rollingOver` as an orderly shutdown does.
    func close(rollingOver: Bool) throws
}
