import Synchronization
import SystemPackage

/// The one writer of a backup path, on the machine's file system.
public typealias StoreWriter = FileStoreWriter<PosixFileSystem>

/// The one writer of a backup path (R8).
///
/// Transactions are appended and then committed in groups: ``append(_:)`` makes them visible to this writer's own reading,
/// ``commit()`` makes them durable. What was appended and not committed is gone after a crash, ``rollback()`` or any error that
/// ``commit()`` throws; ``position`` then tells where the source must be read again (R4, R10). After an error of
/// ``append(_:)`` that cost earlier transactions of the group, the writer refuses to go on until ``rollback()`` is called.
///
/// Blocking. Safe to call from any thread; blobs may be staged by several threads at a time.
public final class FileStoreWriter<Files: FileSystem>: StoreWriting, @unchecked Sendable {
    // Unchecked: `lock` guards everything that changes.

    let files: Files
    let path: BackupPath
    let identity: StoreIdentity
    let options: StoreOptions
    let lock = Lock()
    let blobs: BlobStore<Files>
    let histories: HistoryFiles<Files>
    private let writerLock: WriterLock<Files>
    let root: Files.File

    var index: StoreIndex
    var segment: SegmentWriter<Files>?
    var group = Group()
    var committed: Committed
    var isClosed = false
    /// Milliseconds of the store day that has begun, as of the last look at the clock (R11).
    var uncounted: Int64 = 0
    var lastLook: Int64
    /// What the last checkpoint noted of them.
    var notedMinutes: Int64 = 0
    /// Histories or index lag behind the journal, or the segment was abandoned: the next append reopens from disk.
    var mustReopen: Reopening? {
        didSet { asksForReopening.store(mustReopen != nil, ordering: .sequentiallyConsistent) }
    }
    /// The same for threads that stage blobs: a commit holds the lock for long.
    let asksForReopening = Atomic<Bool>(false)
    var indexStatus: FileStatus?

    /// What opening found and did.
    public internal(set) var recovery: RecoveryReport

    /// What is committed and durable.
    struct Committed {
        var sequence: UInt64
        var position: String?
        var checkpoint: UInt64
    }

    /// An error dropped appended transactions, and the caller has not said that it knows.
    var hasUnnoticedLoss = false

    /// Why the writer must reopen from disk.
    enum Reopening {
        /// The journal is whole; histories or index could not be written.
        case materialisation
        /// A sync failed: what the page cache shows proves nothing.
        case sync
    }

    /// What was appended since the last commit.
    struct Group {
        var sequence: UInt64 = 0
        var position: String?
        var transactions = 0
        /// Bytes of the lines and where each belongs; dropped when the group grows too large to be held.
        var bytes: [UInt8] = []
        var lines: [(key: HistoryKey, end: Int)] = []
        var isHeld = true
        /// How often the group names each blob.
        var blobs: [BlobID: Int] = [:]
        var removals: [HistoryKey] = []
        var open: TransactionHeader?
    }

    /// More bytes of lines than this are read from the journal again after the commit instead of being held (R12).
    static var heldBytes: Int { 8 << 20 }

    // MARK: Opening

    /// Makes a backup path in an empty folder, or in a new one.
    /// - Throws: `notEmpty` where the folder holds anything, `foreignBackup` where that is Zextras Backup's data.
    public static func create(_ path: FilePath, serverID: String, files: Files) throws {
        try describingErrors("making a backup path", path.string) {
            try StoreCreation.create(BackupPath(path), serverID: serverID, files)
        }
    }

    /// Opens a path for writing: takes the lock, recovers what a crash left behind, brings the index up to date.
    /// - Throws: `locked`, `wrongServer` (R8), `unknownFormat`, `caseInsensitive`, `notABackupPath`,
    ///   `isCopy` where the options say so.
    public init(opening path: FilePath, serverID: String, options: StoreOptions = StoreOptions(), files: Files) throws {
        self.files = files
        self.path = BackupPath(path)
        self.options = options
        lastLook = options.sinceBoot()
        do {
            identity = try StoreIdentity.read(files, self.path)
            guard identity.serverID == serverID else {
                throw StoreError(
                    .wrongServer, doing: "opening the backup path for writing",
                    subject: "\(path) belongs to server \(identity.serverID), not to \(serverID)",
                    remedy: "Reading it is allowed. To write, use a backup path of this server")
            }
            let isCopy = try StoreInstance.isCopy(files, self.path)
            guard !isCopy || !options.refusesCopies else {
                throw StoreError(
                    .isCopy, doing: "opening the backup path for writing", subject: path.string,
                    remedy: "It is a copy: readers make an index of their own, and writing would make it an original")
            }
            try StoreCreation.refuseCaseInsensitive(self.path, files)
            writerLock = try WriterLock(files, self.path)
            do {
                try StoreCreation.removeUnfinished(self.path, files)
                try files.syncFolder(self.path.root)  // The process that made the path may have died before that.
                root = try files.openFolder(self.path.root)
                blobs = try BlobStore(files: files, path: self.path, level: options.compressionLevel)
                histories = HistoryFiles(files: files, path: self.path)
                let opened = try Self.recover(
                    files, self.path, identity, options, isCopy: isCopy, reopening: nil)
                (index, segment, committed, recovery) = (opened.index, opened.segment, opened.committed, opened.report)
                group.sequence = committed.sequence
                group.position = committed.position
                (uncounted, notedMinutes) = (opened.minutes * 60_000, opened.minutes)
            } catch {
                writerLock.release()
                throw error
            }
            try noteOpening()
            try markVanished()
            if recovery.wasCopy {
                // The instance may name this folder only when no copied checkpoint counts any more (R7).
                try checkpoint(always: true)
                try StoreInstance.write(files, self.path)
            } else if recovery.replayed > options.replayLimit {
                // Else a service that is killed again and again before its next checkpoint would have more to replay each time.
                try checkpoint()
            }
            indexStatus = try files.status(self.path.indexFile)
        } catch let error as Errno {
            throw StoreError(error, doing: "opening the backup path for writing", subject: path.string)
        }
    }

    deinit { try? close() }  // Whoever wants to know of errors closes the writer.

    /// Makes a checkpoint and gives the lock back. What was not committed is dropped.
    public func close() throws {
        try working("closing the backup path") {
            guard !isClosed else { return }
            defer {
                isClosed = true
                blobs.dropAll()
                index.close()
                writerLock.release()
            }
            dropGroup()
            try makeReady()  // R10: the next process would find a failed group whole, and take it for committed.
            try makeCheckpoint(always: hasTimeToNote)
            if blobs.hasStaged { try noteOrphans() }  // One may have been moved back from where purge had put it.
            try noteClosing()
        }
    }

    /// Leaves everything as a crash of the process would: nothing is finished, the lock is gone.
    package func abandon() {
        lock.locked {
            guard !isClosed else { return }
            isClosed = true
            index.rollback()
            index.close()
            writerLock.release()
        }
    }

    /// One call of the writer at a time; errors of system calls leave it as what they mean.
    func working<Result>(_ doing: String, _ body: () throws -> Result) throws -> Result {
        try lock.locked { try describingErrors(doing, path.root.string, body) }
    }

    // MARK: State

    /// The last committed sequence.
    public var lastSequence: UInt64 { lock.locked { committed.sequence } }

    /// The last committed source position (R4).
    public var position: String? { lock.locked { committed.position } }

    /// The backup path.
    public var backupPath: FilePath { path.root }

    /// Compresses contents from now on at another level, 1 to 9 (``StoreOptions/compressionLevel``).
    public func setCompressionLevel(_ level: Int) { blobs.setLevel(min(max(level, 1), 9)) }
}

extension FileStoreWriter where Files == PosixFileSystem {
    /// Makes a backup path in an empty folder, or in a new one.
    public static func create(_ path: FilePath, serverID: String) throws {
        try create(path, serverID: serverID, files: PosixFileSystem(below: path))
    }

    /// Opens a path for writing.
    public convenience init(opening path: FilePath, serverID: String, options: StoreOptions = StoreOptions()) throws {
        try self.init(opening: path, serverID: serverID, options: options, files: PosixFileSystem(below: path))
    }
}
