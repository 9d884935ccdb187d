/// What a mail server computes from a message's bytes for its row.
public struct MessageSummary: Hashable, Sendable {
    public init(bytes: [UInt8], isWhole: Bool) {}

    /// Fills the derived columns.
    func fill(_ row: inout ItemRow) {}
}
