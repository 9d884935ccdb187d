/// What a scan did, in the words of the manual's statistics.
public struct ScanStatistics: Hashable, Sendable {
    /// Mailboxes scanned.
    public var accounts = 0
    /// Of these the ones never scanned before.
    public var newAccounts = 0
    /// Mailboxes that a smart scan left alone, since they had not changed.
    public var unchangedAccounts = 0
    /// Mailboxes whose backup is switched off, by their COS or their account.
    public var skippedAccounts = 0
    /// Mailboxes that could not be scanned: each was told of, and its account is marked.
    public var failedAccounts = 0
    /// Accounts that the directory has no more.
    public var deletedAccounts = 0
    /// Items looked at: their whole rows, or the number of their last change.
    public var checkedItems = 0
    /// Whole rows read.
    public var readRows = 0
    /// Of these the ones that nothing was said to have changed, and that it was the turn of.
    public var lookedAgain = 0
    /// States written.
    public var newMetadata = 0
    /// Archives of the server's directory and files that were kept.
    public var newArchives = 0
    /// Contents read from the server's store.
    public var newFiles = 0
    /// Contents that are not in the backup because contents are not kept.
    public var leftOutFiles = 0
    /// Items found to be gone.
    public var deletedItems = 0
    /// Of these the ones that are presumed, since too many vanished at once.
    public var presumedDeletions = 0
    /// Presumed deletions that became certain.
    public var confirmedDeletions = 0
    /// Contents of a deep scan that the backup had already, and that were compared.
    public var comparedFiles = 0
    /// Contents that a deep scan found damaged on one side, and whole on the other: each is in `problems`.
    public var damagedFiles = 0
    /// Contents that could not be read: each is in `problems`.
    public var skippedItems = 0
    /// Contents that lie where only the mail server reaches them: neither missing nor damaged, and not in the backup.
    public var notReadableHere = 0
    /// "item 257 of alice@example.com: …", at most the first 1,000.
    public var problems: [String] = []

    /// Nothing was done yet.
    public init() {}

    mutating func report(_ problem: String) {
        skippedItems += 1
        tell(problem)
    }

    mutating func reportDamage(_ problem: String) {
        damagedFiles += 1
        tell(problem)
    }

    mutating func tell(_ problem: String) {
        if problems.count < 1000 { problems.append(problem) }
    }

    private static let figures: [WritableKeyPath<Self, Int> & Sendable] = [
        \.accounts, \.newAccounts, \.unchangedAccounts, \.skippedAccounts, \.failedAccounts, \.deletedAccounts, \.checkedItems, \.readRows, \.lookedAgain,
        \.newMetadata, \.newArchives, \.newFiles, \.leftOutFiles, \.deletedItems, \.presumedDeletions, \.confirmedDeletions, \.comparedFiles, \.damagedFiles,
        \.skippedItems, \.notReadableHere,
    ]

    static func += (left: inout Self, right: Self) {
        for figure in figures { left[keyPath: figure] += right[keyPath: figure] }
        left.problems += right.problems.prefix(max(0, 1000 - left.problems.count))
    }
}
