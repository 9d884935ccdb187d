import SystemPackage

/// Reads a backup path on the machine's file system.
public typealias StoreReader = FileStoreReader<PosixFileSystem>

/// Reads a backup path without a lock, while a writer writes, after a crash, on a copy, on a read-only medium.
///
/// Where the path's own index can be trusted it is used. Where it cannot (deleted, behind the journal, or the path is a copy:
/// R7) a private one is made in a temporary folder and removed with the reader; nothing is ever written to the path.
public final class FileStoreReader<Files: FileSystem>: StoreReading, @unchecked Sendable {
    // Unchecked: `lock` guards everything that changes.

    private let files: Files
    private let path: BackupPath
    private let identity: StoreIdentity
    private let lock = Lock()
    private let histories: HistoryFiles<Files>
    private var index: StoreIndex
    private let privateFolder: FilePath?
    private let copy: Bool
    private let checkpoint: UInt64
    /// When the journal's last checkpoint was made, milliseconds since 1970; nil where there is none that counts (R7).
    public let checkpointTime: Int64?

    /// What had to be left out of the reading and why; empty where the path's own index is used.
    public let recovery: RecoveryReport

    /// Whether the path's own index could not be used.
    public var usesPrivateIndex: Bool { privateFolder != nil }

    /// Opens a path for reading.
    /// - Parameter temporaryFolder: where a private index is made if one is needed; `$TMPDIR` or `/tmp` where nil.
    /// - Throws: `notABackupPath`, `foreignBackup`, `unknownFormat`.
    public init(opening path: FilePath, temporaryFolder: FilePath? = nil, files: Files) throws {
        self.files = files
        self.path = BackupPath(path)
        do {
            identity = try StoreIdentity.read(files, self.path)
            histories = HistoryFiles(files: files, path: self.path)
            copy = try StoreInstance.isCopy(files, self.path)
            if !copy, let index = try Self.ownIndex(files, self.path, identity) {
                self.index = index
                privateFolder = nil
                recovery = RecoveryReport()
                let last = try JournalFolder(files, self.path, storeID: identity.storeID).checkpoints.last
                (checkpoint, checkpointTime) = (last?.sequence ?? 0, last?.time)
                return
            }
            let folder = try PrivateIndexFolder.make(in: temporaryFolder)
            do {
                var recovery = try Recovery(files, self.path, identity, isCopy: copy)
                if copy { try recovery.findCuts() }
                index = try StoreIndex(private: folder.appending("index.sqlite"))
                try recovery.rebuild(index, overlays: true)
                self.recovery = recovery.report
                (checkpoint, checkpointTime) = (recovery.checkpoint?.sequence ?? recovery.floor, recovery.checkpoint?.time)
                privateFolder = folder
            } catch {
                PrivateIndexFolder.remove(folder)
                throw error
            }
        } catch let error as Errno {
            throw StoreError(error, doing: "opening the backup path for reading", subject: path.string)
        }
    }

    /// Opens a path for reading with its own index; nil where that cannot be trusted, instead of the time that another takes.
    /// - Throws: as of ``init(opening:temporaryFolder:files:)``.
    public init?(openingIndexOf path: FilePath, files: Files) throws {
        self.files = files
        self.path = BackupPath(path)
        do {
            identity = try StoreIdentity.read(files, self.path)
            guard try !StoreInstance.isCopy(files, self.path), let index = try Self.ownIndex(files, self.path, identity) else {
                return nil
            }
            self.index = index
            let last = try JournalFolder(files, self.path, storeID: identity.storeID).checkpoints.last
            (checkpoint, checkpointTime) = (last?.sequence ?? 0, last?.time)
        } catch let error as Errno {
            throw StoreError(error, doing: "opening the backup path for reading", subject: path.string)
        }
        histories = HistoryFiles(files: files, path: self.path)
        copy = false
        privateFolder = nil
        recovery = RecoveryReport()
    }

    deinit { close() }

    /// Closes the index and removes a private one.
    public func close() {
        lock.locked {
            index.close()
            if let privateFolder { PrivateIndexFolder.remove(privateFolder) }
        }
    }

    /// The path's own index if it knows everything that is committed.
    private static func ownIndex(_ files: Files, _ path: BackupPath, _ identity: StoreIdentity) throws -> StoreIndex? {
        guard try files.status(path.indexFile) != nil else { return nil }
        let index: StoreIndex
        do {
            index = try StoreIndex(reading: path.indexFile)
        } catch let error as StoreError where error.code == .index {
            return nil
        }
        guard try index.isUsable(storeID: identity.storeID) else {
            index.close()
            return nil
        }
        // A writer at work keeps it up to date; after a crash it may be behind the journal.
        if try WriterLock.isHeld(files, path) { return index }
        let recovery = try Recovery(files, path, identity, isCopy: false)
        guard try index.sequence() >= recovery.lastSequence, try isMaterialised(recovery, index) else {
            index.close()
            return nil
        }
        return index
    }

    /// Whether nothing came after the checkpoint: then the histories are whole too.
    private static func isMaterialised(_ recovery: Recovery<Files>, _ index: StoreIndex) throws -> Bool {
        recovery.lastSequence == recovery.floor
    }

    // MARK: StoreReading

    /// What the path says of itself.
    public func info() throws -> StoreInfo {
        try lock.locked {
            StoreInfo(
                storeID: identity.storeID, serverID: identity.serverID, formatVersion: identity.formatVersion,
                features: identity.features, lastSequence: try index.sequence(), position: try index.meta("position"),
                checkpointSequence: checkpoint, isCopy: copy)
        }
    }

    /// Ids of all accounts that ever had a state.
    public func accounts() throws -> [String] { try lock.locked { try index.accounts() } }

    /// Ids of all entries of that kind that ever had a state.
    public func entries(of kind: DirectoryKind) throws -> [String] { try lock.locked { try index.entries(of: kind) } }

    /// The latest state.
    public func state(of key: HistoryKey) throws -> IndexedState? { try lock.locked { try index.state(of: key) } }

    /// Calls `body` for the latest state of each item.
    public func items(_ account: String, _ filter: ItemFilter, _ body: (IndexedItem) throws -> Void) throws {
        try lock.locked { try index.forEachItem(account, filter, body) }
    }

    /// How many items of an account are alive.
    public func livingItems(_ account: String) throws -> Int64 { try lock.locked { try index.livingItems(account) } }

    /// All states that the history holds, without those that a copy cut.
    public func history(of key: HistoryKey) throws -> History {
        try lock.locked {
            var history = try describingErrors("reading the history of \(key)", path.root.string) {
                try histories.history(of: key)
            }
            let (overlays, cuts) = try index.use("reading the history of \(key)") {
                (try $0.overlays(of: key), try $0.cuts(of: key))
            }
            guard usesPrivateIndex else {
                if !cuts.isEmpty { history.leaveOut(cuts, of: path.relativeHistory(key)) }
                return history
            }
            let limit = try index.sequence()
            for line in history.lines where line.sequence > limit {
                let reason = "transaction \(line.sequence) is not in the journal"
                history.damage.append(Damage(.cutByCopy, file: path.relativeHistory(key), offset: 0, reason: reason))
            }
            history.lines.removeAll { $0.sequence > limit }
            for var text in overlays {
                guard let line = text.withUTF8({ HistoryCoding.decode(UnsafeRawBufferPointer($0)) })?.line else { continue }
                if !history.lines.contains(where: { $0.sequence == line.sequence }) { history.lines.append(line) }
            }
            history.lines.sort { $0.sequence < $1.sequence }
            if !overlays.isEmpty {
                // A line that the copy's file has only in part stands in the journal whole.
                history.damage.removeAll { $0.finding == .tornTail }
            }
            if !cuts.isEmpty { history.leaveOut(cuts, of: path.relativeHistory(key)) }
            return history
        }
    }

    /// The mailbox after the last change of that second or before it.
    public func cut(_ account: String, atOrBeforeSecond second: Int64) throws -> Cut? {
        try lock.locked { try index.cut(account, atOrBeforeSecond: second) }
    }

    /// The mailbox after its last change with that number or a smaller one.
    public func cut(_ account: String, change: Int64) throws -> Cut? {
        try lock.locked { try index.cut(account, change: change) }
    }

    /// The account's first change and its last.
    public func changes(of account: String) throws -> (first: AccountChange, last: AccountChange)? {
        try lock.locked { try index.changes(of: account) }
    }

    /// Whether a transaction of that account bears this change number.
    public func hasChange(_ account: String, generation: Int64, change: Int64) throws -> Bool {
        try lock.locked { try index.hasChange(account, generation: generation, change: change) }
    }

    /// Why the account needs a scan.
    public func marks(_ account: String) throws -> [Mark] { try lock.locked { try index.marks(account) } }

    /// Hands out a blob's bytes.
    public func readBlob(_ id: BlobID, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        try describingErrors("reading blob \(id)", path.blob(id).string, but: body) { try files.readBlob(id, in: path, $0) }
    }
}

extension FileStoreReader where Files == PosixFileSystem {
    /// Opens a path for reading.
    public convenience init(opening path: FilePath, temporaryFolder: FilePath? = nil) throws {
        try self.init(opening: path, temporaryFolder: temporaryFolder, files: PosixFileSystem(below: path))
    }

    /// Opens a path for reading with its own index; nil where that cannot be trusted.
    public convenience init?(openingIndexOf path: FilePath) throws {
        try self.init(openingIndexOf: path, files: PosixFileSystem(below: path))
    }
}
