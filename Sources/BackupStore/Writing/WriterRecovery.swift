import SystemPackage

extension FileStoreWriter {
    /// What opening gives.
    struct Opened {
        var index: StoreIndex
        var segment: SegmentWriter<Files>
        var committed: Committed
        /// Minutes of the store day that had begun at the checkpoint (R11).
        var minutes: Int64
        var report: RecoveryReport
    }

    /// Repairs the path from its journal and begins a segment.
    static func recover(
        _ files: Files, _ path: BackupPath, _ identity: StoreIdentity, _ options: StoreOptions, isCopy: Bool,
        reopening: (reason: Reopening, abandoned: (name: SegmentName, end: Int64)?)?
    ) throws -> Opened {
        var recovery = try Recovery(
            files, path, identity, isCopy: isCopy, rewrites: reopening?.reason == .sync, abandoned: reopening?.abandoned)
        // R3: what histories and index take over is durable in the journal before.
        for name in recovery.journal.leftovers { try files.removeIfThere(path.segment(name)) }
        if let stillborn = recovery.scan.stillborn {
            try files.removeIfThere(path.segment(stillborn))
            recovery.journal.forget(stillborn)
        }
        try renewHeader(files, path, recovery)
        let carried = try reopening == nil ? carryLastGroup(files, path, identity, options, recovery) : nil
        try recovery.recoverHistories()
        let index = try openIndex(files, path, &recovery, identity)
        let lastSequence = max(recovery.lastSequence, try index.sequence())
        let position = try index.meta("position")
        let segment =
            try carried
            ?? beginSegment(
                files, path, identity, options, recovery, lastSequence: lastSequence, position: position,
                isNew: reopening != nil)
        if isCopy { try recovery.writeCuts(number: segment.name.number) }
        if carried != nil, recovery.scan.endBeforeUnbegun != nil, let unbegun = recovery.journal.segments.last {
            // The new one has its number and its group. Histories and index have read it; should its name come back, it is a leftover.
            try files.removeIfThere(path.segment(unbegun.name))
        }
        // What the checkpoint noted of a store day that was over after it is in that day.
        let noted = recovery.checkpoint.map { isOver(after: $0, index) ? 0 : $0.minutes } ?? 0
        let committed = Committed(
            sequence: lastSequence, position: position, checkpoint: recovery.checkpoint?.sequence ?? recovery.floor)
        return Opened(
            index: index, segment: segment, committed: committed, minutes: noted, report: recovery.report)
    }

    /// Whether a store day was over after a checkpoint; also where the index cannot say: purge may be late, never early (R11).
    private static func isOver(after checkpoint: Checkpoint, _ index: StoreIndex) -> Bool {
        do {
            return try index.state(of: StoreDays.key).map { $0.sequence > checkpoint.sequence } ?? false
        } catch {
            return true
        }
    }

    /// The index, caught up; made anew where it is missing, foreign, or not between checkpoint and journal.
    private static func openIndex(
        _ files: Files, _ path: BackupPath, _ recovery: inout Recovery<Files>, _ identity: StoreIdentity
    ) throws -> StoreIndex {
        try files.makeFolderIfMissing(path.index)
        if !recovery.isCopy, try files.status(path.indexFile) != nil {
            do {
                let index = try StoreIndex(writing: path.indexFile)
                if try index.isUsable(storeID: identity.storeID), try index.sequence() >= recovery.floor {
                    try recovery.catchUp(index)
                    return index
                }
                index.close()
            } catch let error as StoreError where error.code == .index {
                // It is a cache: whatever is wrong with it ends with a new one.
            }
        }
        return try newIndex(files, path, &recovery, storeID: identity.storeID)
    }

    /// Makes the index anew. Readers that use the old one keep it until they close it.
    static func newIndex(
        _ files: Files, _ path: BackupPath, _ recovery: inout Recovery<Files>, storeID: String
    ) throws -> StoreIndex {
        try files.makeFolderIfMissing(path.index)
        for suffix in ["", "-wal", "-shm"] {
            try files.removeIfThere(path.index.appending("index.sqlite" + suffix))
        }
        let index = try StoreIndex(writing: path.indexFile)
        try recovery.rebuild(index, overlays: false)
        return index
    }

    /// Writes the header of the newest segment again, unless a second group proves that it is durable.
    ///
    /// Its making may have been cut off between the write and the sync, or by a sync that failed: the kernel counts the pages as clean
    /// then, and what is read now goes with the next power failure (R10).
    private static func renewHeader(_ files: Files, _ path: BackupPath, _ recovery: Recovery<Files>) throws {
        guard let newest = recovery.journal.segments.last, newest.header != nil else { return }
        if recovery.scan.lastSegment == recovery.journal.segments.count - 1, recovery.scan.lastGroup!.start > newest.start { return }
        let file = try files.open(path.segment(newest.name), .update)
        defer { file.close() }
        let header = try file.readBytes(at: 0, count: Int(newest.start))
        try header.withUnsafeBytes { try file.write($0, at: 0) }
        try file.sync()
    }

    /// Begins a segment with the journal's last group, if that ends the journal.
    ///
    /// The group was whole but its sync may have failed, in a process that is gone: what is read now may be the page cache alone
    /// (R10). It is written again; all groups before it were synced before it was begun.
    private static func carryLastGroup(
        _ files: Files, _ path: BackupPath, _ identity: StoreIdentity, _ options: StoreOptions, _ recovery: Recovery<Files>
    ) throws -> SegmentWriter<Files>? {
        guard let place = recovery.scan.lastSegment, place == recovery.journal.segments.count - 1,
            let group = recovery.scan.lastGroup, group.end == recovery.scan.end
        else { return nil }
        let segment = recovery.journal.segments[place]
        var first: UInt64?
        try segment.records(of: group) { record in
            if first == nil, case .begin(let header) = record { first = header.sequence }
        }
        let header = SegmentHeader(
            storeID: identity.storeID, firstSequence: first ?? group.lastSequence,
            previousEnd: recovery.scan.endBeforeUnbegun ?? group.start,
            // What the segments before it say of the position is read before it.
            position: recovery.checkpoint?.position ?? segment.header?.position, time: options.now())
        let (before, end) = recovery.scan.endBeforeUnbegun.map { (recovery.journal.segments[place - 1], $0) } ?? (segment, group.end)
        return try begin(files, path, options, after: before, end: end) { name in
            try SegmentWriter(
                name, header: header, files, path, carrying: { try segment.payloads(of: group, $0) },
                lastSequence: group.lastSequence)
        }
    }

    /// Begins the segment that this writer appends to; the empty one that is there, unless `isNew`.
    private static func beginSegment(
        _ files: Files, _ path: BackupPath, _ identity: StoreIdentity, _ options: StoreOptions, _ recovery: Recovery<Files>,
        lastSequence: UInt64, position: String?, isNew: Bool
    ) throws -> SegmentWriter<Files> {
        let newest = recovery.journal.segments.last
        let end = recovery.scan.end
        if let newest, let header = newest.header, end == newest.start, newest.size == end,
            header.firstSequence == lastSequence + 1, !isNew
        {
            return try SegmentWriter(emptySegment: newest.name, start: newest.start, files, path)
        }
        let header = SegmentHeader(
            storeID: identity.storeID, firstSequence: lastSequence + 1, previousEnd: end, position: position, time: options.now())
        return try begin(files, path, options, after: newest, end: end) { try SegmentWriter($0, header: header, files, path) }
    }

    /// Begins the segment after one, and cuts that where it ends.
    private static func begin(
        _ files: Files, _ path: BackupPath, _ options: StoreOptions, after before: SegmentReader<Files>?, end: Int64,
        _ make: (SegmentName) throws -> SegmentWriter<Files>
    ) throws -> SegmentWriter<Files> {
        let writer = try make(SegmentName(number: (before?.name.number ?? 0) + 1, salt: options.salt()))
        if let before, before.size > end {
            // The new segment's header says the same; the file only follows (R6). A group that was carried over stays in the old
            // one too: a copy that listed the folder before the new one was there must find it (R7).
            let file = try files.open(path.segment(before.name), .update)
            defer { file.close() }
            try file.truncate(to: end)
        }
        return writer
    }
}
