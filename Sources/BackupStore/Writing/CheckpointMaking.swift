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
        _ committed: FileStoreWriter<Files>.Committed, _ segment: SegmentWriter<Files>, _ index: StoreIndex
    ) throws -> SegmentWriter<Files> {
        let batches = files.hasReliableSyncfs(path.root)
        if batches { try synchronise() }  // Elsewhere each append to a history was synced by itself.
        try writeStats(committed, index, batches: batches)
        let now = options.now()
        let header = SegmentHeader(
            storeID: identity.storeID, firstSequence: committed.sequence + 1, previousEnd: segment.end,
            position: committed.position, time: now)
        let name = SegmentName(number: segment.name.number + 1, salt: UInt64.random(in: 1...UInt64.max))
        let next = try SegmentWriter(name, header: header, files, path)
        let checkpoint = Checkpoint(
            sequence: committed.sequence, segment: name.number, position: committed.position, time: now)
        try files.writeDurably(checkpoint.bytes, to: path.checkpoint(committed.sequence))
        try removeOld(newest: checkpoint, now: now)
        return next
    }

    private func synchronise() throws {
        do {
            try root.syncFileSystem()
        } catch {
            throw StoreError(
                .syncFailed, doing: "making a checkpoint", subject: path.root.string,
                remedy: "Look at the kernel's log for errors of the disk", cause: error)
        }
    }

    private func writeStats(_ committed: FileStoreWriter<Files>.Committed, _ index: StoreIndex, batches: Bool) throws {
        var last: Int64 = 0
        while true {
            let page = try index.use("making a checkpoint") { statements in
                try statements.accounts(changedAfter: committed.checkpoint, number: last, limit: 500).map { account in
                    (account, try statements.stat(of: account, sequence: committed.sequence))
                }
            }
            guard let end = page.last else { return }
            last = end.0.number
            try write(page.map { ($0.0.account, $0.1) }, batches: batches)
        }
    }

    private func write(_ stats: [(account: String, stat: AccountStat)], batches: Bool) throws {
        let placed = stats.map { account, stat in
            (path.account(account), "\(AccountStat.prefix)\(stat.sequence)", stat)
        }
        for (folder, _, _) in placed { try files.makeFolders(folder, below: path.root) }
        if !batches {
            for (folder, name, stat) in placed { try files.writeDurably(stat.bytes, to: folder.appending(name)) }
        } else {
            for (folder, name, stat) in placed {
                let file = try files.open(folder.appending(BackupPath.temporaryPrefix + name), .createOrUpdate)
                defer { file.close() }
                try file.truncate(to: 0)
                try stat.bytes.withUnsafeBytes { try file.write($0, at: 0) }
            }
            try synchronise()
            for (folder, name, _) in placed {
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
        let journal = try JournalFolder(files, path)
        let checkpoints = journal.checkpoints.filter { $0.sequence < newest.sequence }
        for old in checkpoints.dropLast() { try files.removeIfThere(path.checkpoint(old.sequence)) }
        guard let previous = checkpoints.last else { return }
        for (sealed, next) in zip(journal.segments, journal.segments.dropFirst()) {
            // Sealed when the one after it was begun.
            guard sealed.name.number < previous.segment, let sealing = next.header?.time,
                now - sealing > options.journalKeepDays * 86_400_000
            else { break }
            try files.removeIfThere(path.segment(sealed.name))
        }
    }
}
