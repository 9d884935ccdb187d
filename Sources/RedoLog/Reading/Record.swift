/// A record of a log file, decoded whole except for its bodies.
public struct Record: Sendable {
    /// The offset of its first byte in the file.
    public let offset: Int64
    /// Its length in the file, bodies included.
    public let length: Int64
    /// The fixed part.
    public let header: RecordHeader
    /// The payload.
    public let operation: Operation
    /// Whether garbage lies right before it.
    public let afterGap: Bool

    /// The offset behind its last byte.
    public var end: Int64 { offset + length }

    /// What the record is for a transaction (section 5.1).
    public var role: Role {
        switch operation {
        case .commitTxn: .commit
        case .abortTxn: .abort
        case .checkpoint: .checkpoint
        default: .start
        }
    }

    /// What a record is for a transaction.
    public enum Role: Sendable {
        /// It opens a transaction.
        case start
        /// The transaction took effect.
        case commit
        /// The transaction was given up.
        case abort
        /// Neither; written at rollovers.
        case checkpoint
    }
}
