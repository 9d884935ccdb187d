/// Code 1: the transactions that are open at a rollover; the last record of its file.
public struct Checkpoint: CodedPayload {
    /// In the order in which they were first logged.
    public var activeTransactions: [TransactionID] = []

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.transactions("activeTransactions", &activeTransactions)
    }
}

/// Code 6: never written by a known server.
public struct Rollover: CodedPayload {
    /// The file's number.
    public var sequence: Int64 = 0
    /// The file's name.
    public var filename: LogText?

    /// A payload with the defaults above, to be filled in.
    public init() {}

    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure) {
        try codec.int64("sequence", &sequence)
        try codec.text("filename", &filename)
    }
}
