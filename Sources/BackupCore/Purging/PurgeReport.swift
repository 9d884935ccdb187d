import BackupStore

/// How long what is deleted is kept.
public struct PurgeRequest: Hashable, Sendable {
    /// Days that deleted items are kept; 0 = forever.
    public var itemDays: Int64
    /// Days that deleted accounts are kept; 0 = forever.
    public var accountDays: Int64
    /// Whether it is only said what would go.
    public var isTrial = false
    /// Whether archives of the server's directory and files go when they are as old as deleted items.
    public var purgesArchives = true

    /// A request made of its parts.
    public init(itemDays: Int64, accountDays: Int64, isTrial: Bool = false) {
        self.itemDays = itemDays
        self.accountDays = accountDays
        self.isTrial = isTrial
    }
}

/// What a purge took, and why.
public struct PurgeReport: Sendable {
    /// What went of an account.
    public struct Account: Sendable, Hashable {
        /// The account.
        public var id: String
        /// Its name as it was last.
        public var name: String
        /// Whether the account itself was deleted long enough ago, and went with everything.
        public var isWhole = false
        /// Ids of the items that went, in the order of their deletions.
        public var items: [Int64] = []
        /// When the first and the last of the deletions were, milliseconds since 1970; nil where no item went.
        public var deletions: ClosedRange<Int64>?

        mutating func add(_ item: IndexedItem) {
            guard case .item(_, let id) = item.key else { return }
            items.append(id)
            let known = deletions ?? item.time...item.time
            deletions = min(known.lowerBound, item.time)...max(known.upperBound, item.time)
        }
    }

    /// What was asked for.
    public var request: PurgeRequest
    /// The accounts that something went of.
    public internal(set) var accounts: [Account] = []
    /// Ids of accounts under legal hold, which were passed over.
    public internal(set) var held: [String] = []
    /// Contents that nothing names any more; they can still be read for some days.
    public internal(set) var expired = PurgedBlobs()
    /// Contents that are gone for good: an earlier purge had moved them away.
    public internal(set) var removed = PurgedBlobs()
    /// Archives of the server's directory and files that went.
    public internal(set) var archives: [ServerArchive] = []
    /// What an administrator should know.
    public internal(set) var warnings: [String] = []
    /// Whether it was stopped by request; the next one goes on.
    public internal(set) var isStopped = false

    /// Items that went, those of accounts that went whole included.
    public var items: Int { accounts.reduce(0) { $0 + $1.items.count } }

    init(_ request: PurgeRequest) { self.request = request }
}
