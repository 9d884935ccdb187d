/// What mending a backup path did.
public struct MendReport: Sendable {
    /// A history that was written anew of what is left of it.
    public struct History: Sendable, Hashable {
        /// Whose it is.
        public var key: HistoryKey
        /// States that it has now.
        public var states: Int64
        /// States that are known to be lost; 0 where the journal had them all.
        public var lost: Int64
    }

    /// The folder below the backup path that has what was moved away, and `manifest.jsonl`; nil where nothing was.
    public internal(set) var quarantine: String?
    /// Files that were moved away, relative to the backup path; of a history, the damaged one.
    public internal(set) var moved: [String] = []
    /// Histories that were written anew.
    public internal(set) var histories: [History] = []
    /// Files that were brought back to what they were: a blob compressed twice, or among the expired ones.
    public internal(set) var restored: [String] = []
    /// Accounts that need a look at the server, by id: states or contents of theirs are lost.
    public internal(set) var doubted: Set<String> = []
    /// Findings that nothing can be done about here.
    public internal(set) var unmended: [CheckFinding] = []

    /// Nothing was done.
    public init() {}
}
