import SystemPackage

/// Blobs that a step of purge took, and their length on disk.
public struct PurgedBlobs: Sendable, Hashable {
    /// How many.
    public var count: Int64 = 0
    /// Bytes on disk.
    public var bytes: Int64 = 0

    /// None.
    public init() {}

    mutating func add(_ stored: Int64) {
        count += 1
        bytes += stored
    }
}

extension FileStoreWriter {
    /// How long what purge took away can still be read: days of the store and of the wall clock, both (R2, R11).
    public static var graceDays: Int64 { 7 }

    /// Removes whole histories, as purge does; the only thing that ever removes anything (Design, section 4).
    ///
    /// The removal is durable when this returns, but the blobs stay: see ``expireReleasedBlobs(stop:)``.
    /// - Parameters:
    ///   - keys: few enough to be held; purge goes through an account in batches.
    ///   - transaction: what is committed with it; its states are of other histories.
    public func removeHistories(_ keys: [HistoryKey], with transaction: StoreTransaction) throws {
        try working("removing histories") {
            try commit()
            try makeReady()
            try begin(transaction)
            for state in transaction.states { try add(state) }
            for key in keys { try addRemoval(of: key) }
            try end()
            if !BrokenRule.breaks(.r2) { try commit() }
        }
    }

    /// Moves the blobs that lost their last reference to `expired/<store day>/`, where readers still find them (R2).
    ///
    /// Where a crash or a new index may have left blobs that nothing names, all folders of blobs are gone through for them first.
    /// - Parameter stop: asked now and then; what is left then goes with the next call.
    /// - Throws: `damaged` where histories are: a state that cannot be read may name any blob.
    public func expireReleasedBlobs(stop: () -> Bool = { false }) throws -> PurgedBlobs {
        try working("expiring blobs") {
            try makeReady()
            let owed = try index.meta(Orphans.name)
            guard owed == nil || owed == Orphans.possible else {
                throw StoreError(
                    .damaged, doing: "expiring blobs", subject: path.root.string,
                    remedy: "The index was made of damaged histories, and what cannot be read may need any content: none is removed. "
                        + "doCoherencyCheck tells what is damaged; after it is mended, run rebuildIndex")
            }
            if owed != nil, try !releaseOrphans(stop: stop) { return PurgedBlobs() }
            let day = try String(storeDays().count)
            var moved = PurgedBlobs()
            var last = ""
            while !stop() {
                let page = try index.use("listing blobs that nothing names") { try $0.released(after: last, limit: 500) }
                guard let end = page.last else { break }
                last = end.description
                let lengths = try index.use("looking up blobs") { statements in
                    try Dictionary(uniqueKeysWithValues: page.map { ($0, try statements.blob($0)?.stored ?? 0) })
                }
                for id in try expireBlobs(page, day: day) { moved.add(lengths[id] ?? 0) }
            }
            return moved
        }
    }

    /// Moves those of the blobs that nothing names any more to `expired/<day>/`.
    ///
    /// - Parameter day: name of the folder.
    /// - Returns: what was moved. Pinned blobs and those still named stay.
    func expireBlobs(_ candidates: [BlobID], day: String) throws -> [BlobID] {
        try working("expiring blobs") {
            guard isFileName(day) else { throw invalid("day \(day)") }
            // R2: the histories' removal is durable, not only committed, before a blob moves; a new state in the making counts.
            if !BrokenRule.breaks(.r2) {
                try commit()
                try checkpoint()
                try proveIndex("expiring blobs")
            }
            let folder = path.expired.appending(day)
            var moved: [BlobID] = []
            var folders: Set<FilePath> = []
            var settled: [BlobID] = []
            for id in candidates {
                let isMoved = try blobs.unlessPinned(id) {  // A pin is a reference in the making (R1).
                    guard try !index.use("expiring blobs", { try $0.isUsed(id) }) else {
                        try index.use("expiring blobs") { try $0.keep(id) }
                        return false
                    }
                    folders.insert(path.blob(id).removingLastComponent())
                    settled.append(id)
                    // One that is not there may have been moved by a call whose sync failed: that is made good before it is forgotten.
                    guard try files.status(path.blob(id)) != nil else { return false }
                    if moved.isEmpty {
                        try files.makeFolderIfMissing(folder)
                        try files.syncFolder(path.expired)  // Its name may be unsynced since a process that died.
                    }
                    try files.rename(path.blob(id), to: path.expiredBlob(id, day: day))
                    return true
                }
                if isMoved == true { moved.append(id) }
            }
            // Where it comes to lie first: a power failure in between leaves two names, never none.
            for folder in [folder] + folders.sorted(by: { $0.string < $1.string }) where try files.status(folder) != nil {
                try files.syncFolder(folder)
            }
            // Only now: where a power failure takes the move back, the next purge finds the blob again.
            try index.use("expiring blobs") { statements in for id in settled { try statements.keep(id) } }
            return moved
        }
    }

    /// Removes for good what purge moved away ``graceDays`` ago or earlier.
    public func emptyExpired(stop: () -> Bool = { false }) throws -> PurgedBlobs {
        try working("emptying the expired blobs") {
            let (days, now) = (try storeDays(), options.now())
            var removed = PurgedBlobs()
            for folder in try files.list(path.expired) where folder.isFolder && !stop() {
                guard let day = Int64(folder.name), days.isOver(day, for: Self.graceDays, now: now) else { continue }
                let found = try emptyExpired(day: folder.name)
                removed.count += found.count
                removed.bytes += found.bytes
            }
            return removed
        }
    }

    /// Removes for good what lies in `expired/<day>/`.
    @discardableResult
    package func emptyExpired(day: String) throws -> PurgedBlobs {
        try working("emptying the expired blobs of \(day)") {
            guard isFileName(day) else { throw invalid("day \(day)") }
            let folder = path.expired.appending(day)
            var removed = PurgedBlobs()
            guard try files.status(folder) != nil else { return removed }
            if !BrokenRule.breaks(.r2) {
                try commit()
                try makeReady()
                try proveIndex("emptying \(folder)")
            }
            for entry in try files.list(folder) where !entry.isFolder {
                guard let id = BlobID(entry.name) else {
                    try files.remove(folder.appending(entry.name))
                    continue
                }
                // Staged again in the meantime: it moved back, or is about to.
                try blobs.unlessPinned(id) {
                    let stored = try index.use("emptying \(folder)") { try $0.blob(id)?.stored ?? 0 }
                    if try empty(id, at: folder.appending(entry.name)) { removed.add(stored) }
                }
            }
            if try files.list(folder).isEmpty { try files.removeFolder(folder) }
            return removed
        }
    }

    /// Removes an expired blob, or moves it back where something names it again (R2).
    ///
    /// - Returns: whether it is gone.
    private func empty(_ id: BlobID, at place: FilePath) throws -> Bool {
        try index.use("emptying \(place)") { statements in
            let isUsed = try statements.isUsed(id)
            if isUsed, let known = try statements.blob(id), try files.status(path.blob(id))?.size != known.stored {
                _ = try blobs.restoreExpired(known)  // Damaged, it stays: it is all there is.
                return false
            }
            if !isUsed { try statements.forget(id) }
            try files.remove(place)
            return true
        }
    }

    /// The index is trusted only after it is proven to know everything that is committed (R2).
    private func proveIndex(_ doing: String) throws {
        guard try index.sequence() == committed.sequence else {
            throw StoreError(
                .index, doing: doing, subject: path.indexFile.string,
                remedy: "The index lags behind the journal; run rebuildIndex")
        }
    }
}

extension FileStoreWriter {
    /// Removes the folders of accounts that were purged whole.
    ///
    /// A checkpoint has written an `account_stat` that counts nothing before: whatever a crash leaves of the folder is right.
    public func removePurgedAccounts() throws {
        try working("removing the folders of purged accounts") {
            try commit()
            try checkpoint()
            for account in try index.use("listing purged accounts", { try $0.emptyAccounts() }) {
                let folder = path.account(account.account)
                // The newest goes last, once the others are gone for good: they count what was purged.
                for number in try AccountStat.numbers(files, path, account.account).reversed() {
                    try files.syncFolder(folder)
                    try files.remove(folder.appending("\(AccountStat.prefix)\(number)"))
                }
                guard try removeFolders(folder) else { continue }
                try files.syncFolder(path.accounts)
                try index.use("forgetting an account") { try $0.forget(account) }
            }
        }
    }

    /// Removes a folder and those in it; where somebody's file lies in one of them, it stays.
    private func removeFolders(_ folder: FilePath) throws -> Bool {
        guard try files.status(folder) != nil else { return true }
        var isEmpty = true
        for entry in try files.list(folder) {
            isEmpty = try entry.isFolder && removeFolders(folder.appending(entry.name)) && isEmpty
        }
        if isEmpty { try files.removeFolder(folder) }
        return isEmpty
    }
}
