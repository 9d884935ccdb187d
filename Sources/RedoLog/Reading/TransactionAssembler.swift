/// A transaction that took effect: its start record, and where and when it was committed.
public struct CommittedTransaction: Sendable {
    /// The operation.
    public let start: Record
    /// The file that holds the start record and its bodies; stays readable after it was renamed or unlinked.
    public let file: LogFile
    /// When the commit was logged. Milliseconds.
    public let commitTimestamp: Int64
    /// The offset behind the commit record, in the file in which it was met (not always `file`).
    public let end: Int64
    /// Whether garbage lies before one of its records in the same file: then it may be forged by the writer of a mail, and
    /// the mailbox has to be compared with the server.
    public let isUnproven: Bool

    /// The transaction's name.
    public var id: TransactionID { start.header.transaction }
    /// The mailbox.
    public var mailboxID: Int64 { start.header.mailboxID }
}

/// Pairs start records with their ends (section 5), across the files of a series.
public struct TransactionAssembler: Sendable {
    /// What a record means for the transactions.
    public enum Outcome: Sendable {
        /// A transaction was opened.
        case started
        /// A transaction that is open already was logged again: at a rollover, or for `DeleteMailbox`.
        case restarted
        /// A transaction took effect.
        case committed(CommittedTransaction)
        /// A transaction was given up.
        case aborted(Record)
        /// An end whose transaction is not open: repeated by crash recovery, or its start is in a lost file. It undoes
        /// nothing; the mailbox has to be compared with the server.
        case repeatedEnd
        /// Neither start nor end.
        case checkpoint
    }

    /// A transaction without end so far.
    public struct Open: Sendable {
        /// Its start record, as it was logged last.
        public let start: Record
        /// The file that holds the record.
        public let file: LogFile
        /// As in `CommittedTransaction`.
        public let isUnproven: Bool
        /// Grows in the order in which transactions were first logged.
        let order: Int
    }

    private var transactions: [TransactionID: Open] = [:]
    private var count = 0

    /// Knows of no transaction.
    public init() {}

    /// The transactions without end, in the order in which they were first logged.
    public var open: [Open] { transactions.values.sorted { $0.order < $1.order } }

    /// An open transaction by its name.
    public subscript(id: TransactionID) -> Open? { transactions[id] }

    /// Forgets an open transaction, whose end will not come.
    public mutating func drop(_ id: TransactionID) { transactions[id] = nil }

    /// The smallest offset of an open transaction's start record in this file.
    public func oldestStart(in file: LogFile) -> Int64? {
        transactions.isEmpty ? nil : transactions.values.lazy.filter { $0.file === file }.map(\.start.offset).min()
    }

    /// Takes the next record of the series.
    ///
    /// - Parameter isUnproven: whether there was garbage before the record in its file.
    public mutating func feed(_ record: Record, in file: LogFile, isUnproven: Bool = false) -> Outcome {
        let id = record.header.transaction
        switch record.role {
        case .checkpoint: return .checkpoint
        case .start:
            let known = transactions[id]
            // The newest repetition is kept, so that a file is let go as soon as everything open is in the next.
            transactions[id] = Open(
                start: record, file: file, isUnproven: isUnproven || (known?.isUnproven ?? false),
                order: known?.order ?? count)
            if known != nil { return .restarted }
            count += 1
            return .started
        case .commit:
            guard let open = transactions.removeValue(forKey: id) else { return .repeatedEnd }
            return .committed(
                CommittedTransaction(
                    start: open.start, file: open.file, commitTimestamp: record.header.timestamp, end: record.end,
                    isUnproven: open.isUnproven || isUnproven))
        case .abort:
            guard let open = transactions.removeValue(forKey: id) else { return .repeatedEnd }
            return .aborted(open.start)
        }
    }
}
