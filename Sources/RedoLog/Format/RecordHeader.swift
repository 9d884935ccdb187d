/// The fixed part of a record (section 4.1): 46 bytes, 42 before version 1.26.
public struct RecordHeader: Hashable, Sendable {
    /// The version that decides the layout of this record.
    public var version: FormatVersion
    /// The operation.
    public var code: OperationCode
    /// Milliseconds since the epoch: when the operation began, or when the end record was written; 0 in a checkpoint.
    public var timestamp: Int64
    /// The mailbox's change number that the operation got; −1 when there is none.
    public var changeID: Int32
    /// 0 = none; see section 4.1.
    public var changeConstraint: Int32
    /// The transaction that the record starts or ends.
    public var transaction: TransactionID
    /// −1 = all mailboxes, 0 = none.
    public var mailboxID: Int64

    /// A header; the defaults are those of a record without change number.
    public init(
        version: FormatVersion = .current, code: OperationCode, timestamp: Int64, changeID: Int32 = -1,
        changeConstraint: Int32 = 0, transaction: TransactionID, mailboxID: Int64
    ) {
        self.version = version
        self.code = code
        self.timestamp = timestamp
        self.changeID = changeID
        self.changeConstraint = changeConstraint
        self.transaction = transaction
        self.mailboxID = mailboxID
    }

    /// `ZMREDO`
    static let magic: [UInt8] = [0x5A, 0x4D, 0x52, 0x45, 0x44, 0x4F]
    /// The bytes that a plausible header needs: magic, version, code.
    static let plausibleLength = 14

    /// The length in bytes for a version.
    static func length(_ version: FormatVersion) -> Int64 { version >= FormatVersion(1, 26) ? 46 : 42 }
}
