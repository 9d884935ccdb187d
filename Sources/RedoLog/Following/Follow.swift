/// What comes next in a followed log.
public enum Follow: Sendable {
    /// A transaction took effect.
    case transaction(CommittedTransaction)
    /// An end record of a transaction that is not open: the server did an operation again after a crash (section 1.6), or its
    /// start record is in a lost file. Nothing is undone; the mailbox has to be compared with the server.
    case repeatedEnd(TransactionID, mailboxID: Int64, committed: Bool)
    /// A transaction whose end was in the log and is there no more: whether it took effect is not known. The mailbox has to be
    /// compared with the server.
    case lostEnd(TransactionAssembler.Open, sequence: Int64)
    /// Something that the log tells of itself.
    case notice(FollowNotice)
    /// Nothing more is there now.
    case caughtUp
}
