import SystemPackage

/// Checks a backup path on the machine's file system.
public typealias StoreCheck = FileStoreCheck<PosixFileSystem>

/// Checks a backup path whole, without writing to it and without its lock, also while a writer writes:
///
/// - every line of every history against its checksum and its neighbours;
/// - the journal, group by group, and against the histories;
/// - checkpoints and `account_stat` against journal and histories;
/// - the path's own index against one that is made anew from histories and journal, in a temporary folder;
/// - every blob against its name and its recorded length, and every reference to one;
/// - the archives in `server/` against what their histories say;
/// - the names of all files.
///
/// What was committed when the check began must be there. What a writer commits or purges meanwhile is neither missed nor
/// taken for damage. Memory does not grow with the path (R12); the temporary index grows as the path's own.
public struct FileStoreCheck<Files: FileSystem>: Sendable {
    private let path: BackupPath
    private let files: Files
    private let temporaryFolder: FilePath?
    /// How many threads read histories and blobs: as many as there are processors, or fewer beside other work. One on a file system that
    /// is not the machine's: what happens there must happen again.
    public var threads = Files.threads

    /// What is looked at.
    public var scope = CheckScope.everything

    /// A check of a path.
    /// - Parameter temporaryFolder: where an index is made to compare with; `$TMPDIR` or `/tmp` where nil.
    public init(of path: FilePath, temporaryFolder: FilePath? = nil, files: Files) {
        self.path = BackupPath(path)
        self.files = files
        self.temporaryFolder = temporaryFolder
    }

    /// Checks.
    ///
    /// - Parameters:
    ///   - stop: asked now and then whether to stop; the report then says so.
    ///   - progress: called now and then.
    /// - Throws: `notABackupPath`, `foreignBackup`, `unknownFormat`, `damaged` where the path cannot even be opened; what the
    ///   system says of folders that cannot be read. What is wrong with the rest is in the report.
    public func run(
        stop: @escaping () -> Bool = { false }, progress: @escaping (CheckProgress) -> Void = { _ in }
    ) throws -> CheckReport {
        try describingErrors("checking the backup path", path.root.string) {
            let identity = try StoreIdentity.read(files, path)
            let folder = try PrivateIndexFolder.make(in: temporaryFolder)
            defer { PrivateIndexFolder.remove(folder) }
            let check = try CheckRun(files, path, identity, folder, scope: scope, threads: threads, stop: stop, progress: progress)
            defer { check.close() }
            do {
                try check.run()
            } catch is CheckRun<Files>.Stopped {
                check.report.isStopped = true
            }
            return check.report
        }
    }
}

extension FileStoreCheck where Files == PosixFileSystem {
    /// A check of a path.
    public init(of path: FilePath, temporaryFolder: FilePath? = nil) {
        self.init(of: path, temporaryFolder: temporaryFolder, files: PosixFileSystem(below: path))
    }
}

/// One check under way. Its parts are extensions, one a file.
final class CheckRun<Files: FileSystem> {
    struct Stopped: Error {}

    let files: Files
    let path: BackupPath
    let identity: StoreIdentity
    let histories: HistoryFiles<Files>
    /// The journal as it was when the check began.
    var recovery: Recovery<Files>
    /// Made anew from histories and journal.
    let index: StoreIndex
    let folder: FilePath
    var report = CheckReport()
    /// The highest sequence of a history's line beyond what the journal had at the beginning.
    var highestBeyond: UInt64 = 0
    /// Whether a line of a history is damaged or missing: then counts differ for that reason.
    var hasDamagedHistories = false
    /// What a purge since the beginning may explain.
    enum Doubted: Hashable {
        case history(HistoryKey)
        case account(String)
    }
    /// Those that were told of.
    private var unreadableFolders: Set<FilePath> = []
    private var doubts: [(finding: CheckFinding, about: Doubted)] = []
    /// The path's own index, nil where it cannot be used.
    var own: StoreIndex?
    let scope: CheckScope
    let threads: Int
    private let stop: () -> Bool
    private let progress: (CheckProgress) -> Void

    var isCopy: Bool { recovery.isCopy }
    /// The last sequence committed when the check began.
    var last: UInt64 { recovery.lastSequence }

    init(
        _ files: Files, _ path: BackupPath, _ identity: StoreIdentity, _ folder: FilePath, scope: CheckScope, threads: Int,
        stop: @escaping () -> Bool, progress: @escaping (CheckProgress) -> Void
    ) throws {
        (self.files, self.path, self.identity, self.folder) = (files, path, identity, folder)
        (self.scope, self.threads, self.stop, self.progress) = (scope, threads, stop, progress)
        histories = HistoryFiles(files: files, path: path)
        recovery = try Recovery(files, path, identity, isCopy: try StoreInstance.isCopy(files, path))
        (recovery.scope, recovery.threads) = (scope, threads)
        index = try StoreIndex(private: folder.appending("index.sqlite"))
        report.isCopy = recovery.isCopy
        report.lastSequence = recovery.lastSequence
    }

    func close() {
        index.close()
        own?.close()
    }

    func run() throws {
        try checkJournal()
        try checkHistories()
        try checkPending()
        openOwnIndex()
        try compareIndex()
        try checkReferences()
        if scope.includesRest {
            try checkBlobFiles()
            try checkArchives()
        }
        try checkNames()
        try checkBeyond()
        try settleDoubts()
    }

    /// Says how far the check is, and ends it where that is wished.
    func step(_ phase: CheckProgress.Phase, _ done: Int64, of total: Int64? = nil) throws {
        progress(CheckProgress(phase: phase, done: done, total: total))
        if stop() { throw Stopped() }
    }

    func find(_ finding: CheckFinding) { report.add(finding) }

    /// Goes on behind a file that the system does not let read.
    func unlessUnreadable(_ file: String, of key: HistoryKey? = nil, _ body: () throws -> Void) throws {
        do {
            try body()
        } catch let error as Errno where error != .noSuchFileOrDirectory {
            let reason = "the file cannot be read: \(error)"
            find(CheckFinding(.unreadable, file: file, of: key, reason, remedy: Self.unreadableRemedy))
        }
    }

    private static var unreadableRemedy: String { "Check its owner and mode, and the kernel's log" }

    /// Tells once of a folder that the system does not let read; what lies in it is not checked.
    func unreadable(_ folder: FilePath, _ error: Errno) {
        guard unreadableFolders.insert(folder).inserted else { return }
        let names = FilePath(path.relative(folder)).components.map(\.string)
        let account = names.first == "accounts" && names.count > 1 ? names[1] : nil
        find(
            CheckFinding(
                .unreadable, file: path.relative(folder), account: account,
                "the folder cannot be read: \(error)", remedy: Self.unreadableRemedy))
    }

    /// The last sequence that the journal proves now.
    func currentSequence() throws -> UInt64 {
        let journal = try JournalFolder(files, path, storeID: identity.storeID)
        let floor = isCopy ? 0 : journal.checkpoints.last?.sequence ?? 0
        return max(last, try journal.scan(fromSegment: 0, floor: floor).lastSequence)
    }

    // MARK: What a writer did since the check began

    /// Tells of something at the end, unless a purge since the check began explains it.
    func doubt(_ finding: CheckFinding, about doubted: Doubted) {
        hasDamagedHistories = true
        doubts.append((finding, doubted))
        if doubts.count > CheckReport.limit { doubts.removeLast() }
    }

    /// Tells of what no purge explains. The journal has a removal before any file goes.
    private func settleDoubts() throws {
        guard !doubts.isEmpty else { return }
        let doubted = Set(doubts.map(\.about))
        var explained: Set<Doubted> = []
        var current: UInt64 = 0
        try JournalFolder(files, path, storeID: identity.storeID).replay(fromSegment: 0) { record in
            if case .begin(let header) = record { current = header.sequence }
            guard case .removal(let key) = record, current > last else { return }
            for one in [Doubted.history(key)] + (key.account.map { [.account($0)] } ?? []) where doubted.contains(one) {
                explained.insert(one)
            }
        }
        for (finding, about) in doubts where !explained.contains(about) { find(finding) }
        doubts = []
    }

    /// Whether the last state that named the blob has gone since.
    func isReleasedSince(_ id: BlobID) throws -> Bool {
        try ownSays {
            guard let sequence = try $0.meta("sequence").flatMap({ UInt64($0) }), sequence > last else { return false }
            return try !$0.isUsed(id)
        } ?? false
    }

    /// What the path's own index says; nil where there is none, or it is rotten: of that the comparison tells.
    func ownSays<Answer>(_ body: (IndexStatements) throws -> Answer?) throws -> Answer? {
        do {
            return try own?.use("looking something up", body) ?? nil
        } catch let error as StoreError where error.code == .index {
            return nil
        }
    }
}
