import SystemPackage

/// The one writer of a backup path, on the machine's file system.
public typealias StoreWriter = FileStoreWriter<PosixFileSystem>

/// The one writer of a backup path (R8).
///
/// Transactions are appended and then committed in groups: ``append(_:)`` makes them visible to this writer's own reading,
/// ``commit()`` makes them durable. What was appended and not committed is gone after a crash, ``rollback()`` or any error that
/// ``commit()`` throws; ``position`` then tells where the source must be read again (R4, R10).
///
/// Blocking. Safe to call from any thread; blobs may be staged by several threads at a time.
public final class FileStoreWriter<Files: FileSystem>: StoreReading, @unchecked Sendable {
    // Unchecked: `lock` guards everything that changes.

    let files: Files
    let path: BackupPath
    let identity: StoreIdentity
    let options: StoreOptions
    let lock = Lock()
    let blobs: BlobStore<Files>
    let histories: HistoryFiles<Files>
    private let writerLock: WriterLock<Files>
    private let root: Files.File

    var index: StoreIndex
    var segment: SegmentWriter<Files>?
    var group = Group()
    var committed: Committed
    private var isClosed = false
    /// Histories or index lag behind the journal, or the segment was abandoned: the next append reopens from disk.
    var mustReopen: Reopening?
    private var indexStatus: FileStatus?

    /// What opening found and did.
    public internal(set) var recovery: RecoveryReport

    /// What is committed and durable.
    struct Committed {
        var sequence: UInt64
        var position: String?
        var checkpoint: UInt64
    }

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
        var blobs: Set<BlobID> = []
        var removals: [HistoryKey] = []
        var open: TransactionHeader?
    }

    /// More bytes of lines than this are read from the journal again after the commit instead of being held (R12).
    static var heldBytes: Int { 8 << 20 }

    // MARK: Opening

    /// Makes a backup path in an empty folder, or in a new one.
    /// - Throws: `notEmpty` where the folder holds anything, `foreignBackup` where that is Zextras Backup's data.
    public static func create(_ path: FilePath, serverID: String, files: Files) throws {
        try StoreCreation.create(BackupPath(path), serverID: serverID, files)
    }

    /// Opens a path for writing: takes the lock, recovers what a crash left behind, brings the index up to date.
    /// - Throws: `locked`, `wrongServer` (R8), `unknownFormat`, `caseInsensitive`, `notABackupPath`.
    public init(opening path: FilePath, serverID: String, options: StoreOptions = StoreOptions(), files: Files) throws {
        self.files = files
        self.path = BackupPath(path)
        self.options = options
        identity = try StoreIdentity.read(files, self.path)
        guard identity.serverID == serverID else {
            throw StoreError(
                .wrongServer, doing: "opening the backup path for writing",
                subject: "\(path) belongs to server \(identity.serverID), not to \(serverID)",
                remedy: "Reading it is allowed. To write, use a backup path of this server")
        }
        try StoreCreation.refuseCaseInsensitive(self.path, files)
        writerLock = try WriterLock(files, self.path)
        do {
            try StoreCreation.removeUnfinished(self.path, files)
            root = try files.openFolder(self.path.root)
            blobs = try BlobStore(files: files, path: self.path, level: options.compressionLevel)
            histories = HistoryFiles(files: files, path: self.path)
            let opened = try Self.recover(
                files, self.path, identity, options, isCopy: try StoreInstance.isCopy(files, self.path), reopening: nil)
            (index, segment, committed, recovery) = (opened.index, opened.segment, opened.committed, opened.report)
            group.sequence = committed.sequence
            group.position = committed.position
        } catch {
            writerLock.release()
            throw error
        }
        if recovery.wasCopy {
            // The instance may name this folder only when no copied checkpoint counts any more (R7).
            try checkpoint(always: true)
            try StoreInstance.write(files, self.path)
        }
        indexStatus = try files.status(self.path.indexFile)
    }

    deinit { try? close() }  // Whoever wants to know of errors closes the writer.

    /// Makes a checkpoint and gives the lock back. What was not committed is dropped.
    public func close() throws {
        try lock.locked {
            guard !isClosed else { return }
            isClosed = true
            defer {
                blobs.dropAll()
                index.close()
                writerLock.release()
            }
            dropGroup()
            if mustReopen == nil { try makeCheckpoint(always: false) }
        }
    }

    /// Leaves everything as a crash of the process would: nothing is finished, the lock is gone.
    func abandon() {
        lock.locked {
            guard !isClosed else { return }
            isClosed = true
            index.rollback()
            index.close()
            writerLock.release()
        }
    }

    // MARK: State

    /// The last committed sequence.
    public var lastSequence: UInt64 { lock.locked { committed.sequence } }

    /// The last committed source position (R4).
    public var position: String? { lock.locked { committed.position } }

    /// The backup path.
    public var backupPath: FilePath { path.root }

    // MARK: Appending

    /// Adds a transaction to the group at hand.
    ///
    /// A transaction that the store cannot keep (`invalidInput`, `blobMissing`) is refused before anything changes. Any other
    /// error drops the whole group.
    /// - Returns: the commit sequence it will have.
    @discardableResult
    public func append(_ transaction: StoreTransaction) throws -> UInt64 {
        try lock.locked {
            for state in transaction.states { _ = try check(state) }
            let sequence = try begin(transaction)
            for state in transaction.states { try add(state) }
            try end()
            return sequence
        }
    }

    /// Begins a transaction too large for memory; its `states` may be empty or a first part.
    @discardableResult
    public func begin(_ transaction: StoreTransaction) throws -> UInt64 {
        try lock.locked {
            try makeReady()
            guard group.open == nil else { throw invalid("a transaction is open already") }
            if let account = transaction.account, !isFileName(account) { throw invalid("account id \(account)") }
            for blob in transaction.heldBlobs { try checkBlob(blob, of: "the source position") }
            let header = TransactionHeader(transaction, sequence: group.sequence + 1)
            try droppingOnError {
                try index.begin()
                try segment!.append { JournalRecord.append(begin: header, to: &$0) }
                try index.use("appending a transaction") { try $0.apply(header) }
            }
            for blob in transaction.heldBlobs { group.blobs.insert(blob.id) }
            group.open = header
            return header.sequence
        }
    }

    /// Adds a state to the open transaction.
    public func add(_ state: NewState) throws {
        try lock.locked {
            guard let header = group.open else { throw invalid("no transaction is open") }
            var state = state
            state.blobs = try check(state)
            try droppingOnError {
                let start = group.bytes.count
                try index.use("appending a state of \(state.key)") { statements in
                    let tail = try statements.tail(of: state.key)
                    let next = HistoryCoding.encode(state, header, after: tail, into: &group.bytes)
                    try group.bytes.withUnsafeBytes { bytes in
                        let line = HistoryLine(
                            sequence: header.sequence, ordinal: next.ordinal, time: header.time, change: header.change,
                            generation: header.generation, kind: header.kind, fields: state.fields, blobs: state.blobs)
                        try statements.applyNew(
                            line, checksum: next.checksum, bytes: UnsafeRawBufferPointer(rebasing: bytes[start...]), to: state.key)
                    }
                }
                try segment!.append { records in
                    group.bytes.withUnsafeBytes {
                        JournalRecord.append(line: UnsafeRawBufferPointer(rebasing: $0[start...]), of: state.key, to: &records)
                    }
                }
                for blob in state.blobs { group.blobs.insert(blob.id) }
                if group.isHeld {
                    group.lines.append((state.key, group.bytes.count))
                    if group.bytes.count > Self.heldBytes {
                        group.isHeld = false
                        group.lines = []
                    }
                }
                if !group.isHeld { group.bytes.removeAll(keepingCapacity: true) }
            }
        }
    }

    /// Completes the open transaction.
    public func end() throws {
        try lock.locked {
            guard let header = group.open else { throw invalid("no transaction is open") }
            try droppingOnError { try segment!.append { JournalRecord.append(end: header.sequence, to: &$0) } }
            group.open = nil
            group.sequence = header.sequence
            group.transactions += 1
            if let position = header.position { group.position = position }
        }
    }

    /// Drops what was appended since the last commit.
    public func rollback() throws {
        try lock.locked {
            guard let segment, index.inTransaction || segment.hasPending else { return }
            index.rollback()
            resetGroup()
            do {
                try segment.rollback()
            } catch {
                self.segment = nil
                mustReopen = mustReopen ?? .materialisation
                throw error
            }
        }
    }

    /// Refuses what cannot be kept. Returns the blobs as they are recorded: one may have been written again since the caller
    /// got its reference.
    private func check(_ state: NewState) throws -> [BlobReference] {
        guard state.key.isStorable else { throw invalid("the name of \(state.key)") }
        for member in state.fields.members where HistoryLine.reservedNames.contains(where: { sameBytes($0, member.name) }) {
            throw invalid("the member \(member.name) of \(state.key) is the store's own")
        }
        return try state.blobs.map { try checkBlob($0, of: state.key.description) }
    }

    /// R1: a state may only name blobs that are staged, or durable as recorded.
    @discardableResult
    private func checkBlob(_ blob: BlobReference, of user: String) throws -> BlobReference {
        if let staged = blobs.stagedReference(blob.id) { return staged }
        if let recorded = try index.use("looking for a blob", { try $0.blob(blob.id) }) { return recorded }
        throw StoreError(
            .blobMissing, doing: "appending a state", subject: "blob \(blob.id) of \(user) is not staged",
            remedy: "After a rollback or a failed commit all blobs of the group must be staged again")
    }

    /// Adds the removal of a history to the open transaction (purge): after the commit its file and its index rows are gone.
    func addRemoval(of key: HistoryKey) throws {
        try lock.locked {
            guard group.open != nil, key.isStorable else { throw invalid("no transaction is open") }
            try droppingOnError {
                try segment!.append { JournalRecord.append(removal: key, to: &$0) }
                try index.use("removing \(key)") { try $0.remove(key) }
                group.removals.append(key)
            }
        }
    }

    private func droppingOnError(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch {
            abandonGroup(.materialisation)
            throw error
        }
    }

    private func dropGroup() {
        index.rollback()
        resetGroup()
    }

    private func resetGroup() {
        group = Group()
        group.sequence = committed.sequence
        group.position = committed.position
    }

    /// Drops the group and the segment; the next append begins a new one.
    private func abandonGroup(_ reason: Reopening) {
        dropGroup()
        if mustReopen != .sync { mustReopen = reason }
    }

    func invalid(_ what: String) -> StoreError {
        StoreError(.invalidInput, doing: "appending a transaction", subject: what)
    }

    // MARK: Committing

    /// Makes everything appended durable: blobs, then the journal's group (the commit), then histories and index.
    ///
    /// When it returns, the group is committed, also where histories or index could not be written: then the next call that
    /// needs them writes them from the journal. When it throws, nothing of the group is committed, and all blobs staged since
    /// the last commit are gone.
    public func commit() throws {
        try lock.locked {
            guard group.open == nil else { throw invalid("a transaction is open") }
            guard group.transactions > 0, let segment else { return }
            let durable: JournalGroup
            do {
                try blobs.publish(group.blobs)  // R1
                durable = try segment.commit(lastSequence: group.sequence)  // R3
            } catch {
                // R10: nothing of the group is acknowledged; a second sync that succeeds would prove nothing.
                let isSync = (error as? StoreError)?.code == .syncFailed
                abandonGroup(isSync ? .sync : .materialisation)
                throw error
            }
            committed.sequence = group.sequence
            committed.position = group.position
            blobs.release(group.blobs)
            do {
                try materialise(durable, segment)
                resetGroup()
            } catch {
                abandonGroup(.materialisation)
                return
            }
            try? keepUp(segment)  // What fails here is tried again, and reported, by the next append.
        }
    }

    /// R5: histories and index follow the commit. Histories first, so that no reader's index names a line that is not there.
    private func materialise(_ durable: JournalGroup, _ segment: SegmentWriter<Files>) throws {
        if group.isHeld {
            try group.bytes.withUnsafeBytes { bytes in
                var start = 0
                for (key, end) in group.lines {
                    try histories.append(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), to: key)
                    start = end
                }
            }
        } else {
            try SegmentReader(segment.name, files, path).records(of: durable) { record in
                if case .line(let key, let bytes) = record { try histories.append(bytes, to: key) }
            }
        }
        for key in group.removals { try histories.remove(key) }
        try index.use("committing to the index") { try $0.setMeta("sequence", String(committed.sequence)) }
        try index.commit()
    }

    /// Makes a checkpoint when the segment is long, and a new index when somebody deleted it.
    private func keepUp(_ segment: SegmentWriter<Files>) throws {
        if segment.end > options.checkpointBytes { try makeCheckpoint(always: false) }
        if let indexStatus, try files.status(path.indexFile)?.inode != indexStatus.inode { try remakeIndex() }
    }

    // MARK: Reopening

    /// Reopens from disk after an error, if one came before.
    func makeReady() throws {
        guard !isClosed else { throw StoreError(.closed, doing: "writing to the backup path", subject: path.root.string) }
        guard let reason = mustReopen else { return }
        dropGroup()
        try blobs.reopen()
        index.close()
        let abandoned = segment.map { ($0.name, $0.end) }
        let opened = try Self.recover(files, path, identity, options, isCopy: false, reopening: (reason, abandoned))
        (index, segment, committed) = (opened.index, opened.segment, opened.committed)
        recovery = opened.report
        mustReopen = nil
        indexStatus = try files.status(path.indexFile)
        resetGroup()
    }

    /// Makes the index anew from histories and journal.
    public func rebuildIndex() throws {
        try lock.locked {
            try makeReady()
            guard group.transactions == 0, group.open == nil else { throw invalid("transactions are not committed") }
            try remakeIndex()
        }
    }

    private func remakeIndex() throws {
        index.close()
        do {
            var recovery = try Recovery(files, path, identity, isCopy: false)
            index = try Self.newIndex(files, path, &recovery, storeID: identity.storeID)
            self.recovery = recovery.report
            indexStatus = try files.status(path.indexFile)
        } catch {
            mustReopen = mustReopen ?? .materialisation
            throw error
        }
    }

    // MARK: Checkpoints

    /// Makes histories durable and seals the journal's segment (R5). Commits nothing.
    public func checkpoint() throws { try checkpoint(always: false) }

    private func checkpoint(always: Bool) throws {
        try lock.locked {
            try makeReady()
            guard group.transactions == 0, group.open == nil else { throw invalid("transactions are not committed") }
            try makeCheckpoint(always: always)
        }
    }

    private func makeCheckpoint(always: Bool) throws {
        guard let segment, always || committed.sequence > committed.checkpoint else { return }
        do {
            let maker = CheckpointMaking(files: files, path: path, identity: identity, options: options, root: root)
            self.segment = try maker.make(committed, segment, index)
            committed.checkpoint = committed.sequence
        } catch {
            mustReopen = .sync
            throw error
        }
    }

    // MARK: Blobs

    /// Streams a blob in: compressed, verified, pinned (R1); durable with the next ``commit()``.
    ///
    /// - Parameter source: fills the buffer and returns the count, 0 at the end.
    /// - Returns: the reference to name in states. Equal bytes are kept once.
    public func stageBlob(_ source: ByteSource) throws -> BlobReference {
        try blobs.stage(source) { id in try recordedBlob(id) }
    }

    /// Stages a blob that is in memory.
    public func stageBlob(_ bytes: [UInt8]) throws -> BlobReference {
        try bytes.withUnsafeBytes { try stageBlob($0) }
    }

    /// Stages a blob that is in memory.
    public func stageBlob(_ bytes: UnsafeRawBufferPointer) throws -> BlobReference {
        try blobs.stage(bytes) { id in try recordedBlob(id) }
    }

    private func recordedBlob(_ id: BlobID) throws -> BlobReference? {
        try lock.locked { try index.use("looking for a blob") { try $0.blob(id) } }
    }
}

extension FileStoreWriter where Files == PosixFileSystem {
    /// Makes a backup path in an empty folder, or in a new one.
    public static func create(_ path: FilePath, serverID: String) throws {
        try create(path, serverID: serverID, files: PosixFileSystem())
    }

    /// Opens a path for writing.
    public convenience init(opening path: FilePath, serverID: String, options: StoreOptions = StoreOptions()) throws {
        try self.init(opening: path, serverID: serverID, options: options, files: PosixFileSystem())
    }
}
