import SystemPackage

extension FileStoreWriter {
    /// Makes everything appended durable: blobs, then the journal's group (the commit), then histories and index.
    ///
    /// When it returns, the group is committed, also where histories or index could not be written: then the next call that
    /// needs them writes them from the journal. When it throws, nothing of the group is committed, and all blobs staged since
    /// the last commit are gone.
    public func commit() throws {
        try working("committing") {
            try refuseUnnoticedLoss()
            guard group.open == nil else { throw invalid("a transaction is open") }
            guard group.transactions > 0, let segment else { return }
            let durable: JournalGroup
            do {
                try blobs.publish(group.blobs.keys)  // R1
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
            // The lines of one history stay in their order.
            var places: [HistoryKey: Int] = [:]
            var lines: [(key: HistoryKey, ranges: [Range<Int>])] = []
            var start = 0
            for (key, end) in group.lines {
                if let place = places[key] {
                    lines[place].ranges.append(start..<end)
                } else {
                    places[key] = lines.count
                    lines.append((key, [start..<end]))
                }
                start = end
            }
            try group.bytes.withUnsafeBytes { bytes in
                try files.manyAtOnce(lines.count) { [lines] place in
                    for range in lines[place].ranges {
                        try histories.append(UnsafeRawBufferPointer(rebasing: bytes[range]), to: lines[place].key)
                    }
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
}
