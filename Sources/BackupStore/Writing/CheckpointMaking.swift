import SystemPackage

/// Makes a checkpoint: histories durable, marks of the accounts written down, the segment sealed (R5).
struct CheckpointMaking<Files: FileSystem> {
    let files: Files
    let path: BackupPath
    let identity: StoreIdentity
    let options: StoreOptions
    let root: Files.File

    /// Returns the segment that commits go to from now on.
    func make(
        _ committed: FileStoreWriter<Files>.Committed, _ segment: SegmentWriter<Files>, _ index: StoreIndex, minutes: Int64
    ) throws -> SegmentWriter<Files> {
        let batches = files.hasReliableSyncfs(path.root)  // Elsewhere each append to a history was synced by itself.
        let isSynced = try writeStats(committed, index, batches: batches)
        if batches, !isSynced { try synchronise() }
        let now = options.now()
        let header = SegmentHeader(
            storeID: identity.storeID, firstSequence: committed.sequence + 1, previousEnd: segment.end,
            position: committed.position, time: now)
        let name = SegmentName(number: segment.name.number + 1, salt: options.salt())
        let next = try SegmentWriter(name, header: header, files, path)
        let checkpoint = Checkpoint(
            sequence: committed.sequence, segment: name.number, position: committed.position, time: now, minutes: minutes)
        try files.writeDurably(checkpoint.bytes, to: path.checkpoint(committed.sequence))
        try removeOld(newest: checkpoint, now: now)
        return next
    }

    private func synchronise() throws {
        if BrokenRule.breaks(.r5) { return }
        do {
            try root.syncFileSystem()
        } catch {
            throw StoreError(
                .syncFailed, doing: "making a checkpoint", subject: path.root.string,
                remedy: "Look at the kernel's log for errors of the disk", cause: error)
        }
    }

    /// Returns whether an account had changed: the sync before its marks count has then made all histories durable.
    private func writeStats(
        _ committed: FileStoreWriter<Files>.Committed, _ index: StoreIndex, batches: Bool
    ) throws -> Bool {
        var last: Int64 = 0
        while true {
            let page = try index.use("making a checkpoint") { statements in
                try statements.accounts(changedAfter: committed.checkpoint, number: last, limit: 500).map { account in
                    (account, try statements.stat(of: account, sequence: committed.sequence))
                }
            }
            guard let end = page.last else { return last > 0 }
            last = end.0.number
            try write(page.map { ($0.0.account, $0.1) }, batches: batches)
        }
    }

    private func write(_ stats: [(account: String, stat: AccountStat)], batches: Bool) throws {
        let placed = stats.map { account, stat in
            (path.account(account), "\(AccountStat.prefix)\(stat.sequence)", stat)
        }
        func each(_ body: (FilePath, String, AccountStat) throws -> Void) throws {
            for (folder, name, stat) in placed {
                try describingErrors("writing an account_stat", folder.string) { try body(folder, name, stat) }
            }
        }
        try each { folder, _, stat in
            if stat.lines == 0 { return try files.makeFolders(folder, below: path.root) }
            // Its histories are there before: a rotten index makes the account up, or its folder is lost.
            guard try files.status(folder) != nil else {
                throw StoreError(
                    .index, doing: "writing an account_stat", subject: "\(folder) is not there; the index counts \(stat.lines) states in it",
                    remedy: "doCoherencyCheck with fixBackup true writes anew what is left of it, and the index")
            }
        }
        if !batches {
            try each { folder, name, stat in try files.writeDurably(stat.bytes, to: folder.appending(name)) }
            try files.syncFolder(path.accounts)
        } else {
            try each { folder, name, stat in
                let file = try files.open(folder.appending(BackupPath.temporaryPrefix + name), .createOrUpdate)
                defer { file.close() }
                try file.truncate(to: 0)
                try stat.bytes.withUnsafeBytes { try file.write($0, at: 0) }
            }
            try synchronise()
            try each { folder, name, _ in
                try files.rename(folder.appending(BackupPath.temporaryPrefix + name), to: folder.appending(name))
            }
            try synchronise()
        }
        // The one before stays until the next checkpoint: this one is not durable yet.
        for (account, _) in stats {
            for number in try AccountStat.numbers(files, path, account).dropFirst(2) {
                try files.removeIfThere(path.account(account).appending("\(AccountStat.prefix)\(number)"))
            }
        }
    }

    /// Removes segments that are sealed by an earlier checkpoint and older than they need be, and older checkpoints.
    private func removeOld(newest: Checkpoint, now: Int64) throws {
        let names = try files.list(path.journal).map(\.name)
        let earlier = names.compactMap { BackupPath.number($0, after: "checkpoint-") }.filter { $0 < newest.sequence }.sorted()
        for old in earlier.dropLast() { try files.removeIfThere(path.checkpoint(old)) }
        guard let last = earlier.last, let bytes = try files.readSmallFile(path.checkpoint(last)),
            let previous = Checkpoint(bytes)
        else { return }
        // Oldest first, and only as far as something is old enough: there may be thousands.
        let segments = names.compactMap { SegmentName($0) }.sorted { $0.number < $1.number }
        var isRemoving = false
        for (sealed, next) in zip(segments, segments.dropFirst()) where sealed.number < previous.segment {
            // Sealed when the one after it was begun.
            guard let sealing = try SegmentReader(next, files, path).header?.time,
                now - sealing > options.journalKeepDays * 86_400_000
            else { break }
            // One is gone for good before the next goes: a power failure must leave no gap (R6).
            if isRemoving { try files.syncFolder(path.journal) }
            isRemoving = true
            try files.removeIfThere(path.segment(sealed))
        }
    }
}
