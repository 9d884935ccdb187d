/// What following the log did so far.
public struct FollowStatistics: Hashable, Sendable {
    /// Committed transactions read.
    public var transactions = 0
    /// Of them, left out: known already, or of a mailbox that belongs to no account.
    public var skipped = 0
    /// Operations that only a scan sees, by name.
    public var unapplied: [String: Int] = [:]
    /// From the server's commit to the durable state, of each transaction.
    public var lag = LagHistogram()
    /// What an administrator should know: gaps and damage of the log, changes that could not be taken in; the first 10,000.
    public var notices: [String] = []

    /// How often something of the backup path looked damaged: a coherency check tells what is.
    public var suspicions = 0

    /// Nothing was read yet.
    public init() {}
}
