import SystemPackage

/// Writing a backup path, whatever file system it lies on: what the engine needs of a ``FileStoreWriter``.
///
/// Blocking; safe to call from any thread. Errors are ``StoreError``.
public protocol StoreWriting: StoreReading {
    /// The backup path.
    var backupPath: FilePath { get }
    /// What opening, or making the index anew since, found and did.
    var recovery: RecoveryReport { get }
    /// The last committed sequence.
    var lastSequence: UInt64 { get }
    /// The last committed source position (R4).
    var position: String? { get }

    /// Adds a transaction to the group at hand.
    /// - Returns: the commit sequence it will have.
    @discardableResult
    func append(_ transaction: StoreTransaction) throws -> UInt64
    /// Begins a transaction too large for memory; its `states` may be empty or a first part.
    @discardableResult
    func begin(_ transaction: StoreTransaction) throws -> UInt64
    /// Adds a state to the open transaction.
    func add(_ state: NewState) throws
    /// Completes the open transaction.
    func end() throws
    /// Drops what was appended since the last commit. Blobs stay staged.
    func rollback() throws
    /// Makes everything appended durable.
    func commit() throws
    /// Makes histories durable and seals the journal's segment (R5). Commits nothing.
    func checkpoint() throws
    /// Makes the index anew from histories and journal.
    func rebuildIndex() throws
    /// Streams a blob in: compressed, verified, pinned (R1); durable with the next ``commit()``.
    /// - Parameter source: fills the buffer and returns the count, 0 at the end.
    /// - Returns: the reference to name in states. Equal bytes are kept once.
    func stageBlob(_ source: ByteSource) throws -> BlobReference
    /// Whether blobs may be staged by other threads than the writer's.
    var stagesOnThreads: Bool { get }
    /// Whether a blob is still staged: an error may have dropped it. Reopens first where an error asks for that.
    func isStaged(_ blob: BlobReference) throws -> Bool
    /// Takes the staging of a blob back which no state will name.
    func unstage(_ blob: BlobReference)
    /// Compresses contents from now on at another level, 1 to 9.
    func setCompressionLevel(_ level: Int)
    /// The commit sequence before which everything is at least so many days old, by store days and by the wall clock (R11).
    func sequence(olderThan days: Int64) throws -> UInt64
    /// Up to `limit` items that are certainly deleted (R15), by a transaction before `sequence`, in the order of their deletions.
    /// - Parameter last: the last one of the page before.
    func deletedItems(_ account: String, before sequence: UInt64, after last: IndexedItem?, limit: Int) throws -> [IndexedItem]
    /// Removes whole histories; their blobs stay until ``expireReleasedBlobs(stop:)``.
    func removeHistories(_ keys: [HistoryKey], with transaction: StoreTransaction) throws
    /// Moves the blobs that lost their last reference to where readers still find them (R2).
    func expireReleasedBlobs(stop: () -> Bool) throws -> PurgedBlobs
    /// Removes for good what was moved there some days ago.
    func emptyExpired(stop: () -> Bool) throws -> PurgedBlobs
    /// Removes the folders of accounts that were purged whole.
    func removePurgedAccounts() throws
    /// Keeps a file of the mail server in `server/`, durable when this returns.
    func keepArchive(
        _ kind: ServerArchive.Kind, named name: String, at time: Int64,
        _ body: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws -> ServerArchive
    /// Removes archives that were kept before a commit sequence, but of each kind the last one.
    func removeArchives(before sequence: UInt64) throws -> [ServerArchive]
    /// Mends what a check of the path found.
    func mend(_ findings: [CheckFinding]) throws -> MendReport
    /// Brings back what a mending moved away to a folder below `quarantine/`.
    func undoMending(_ name: String) throws -> (back: [String], left: [(file: String, reason: String)])
    /// Makes a checkpoint and gives the lock back. What was not committed is dropped.
    func close() throws
}
