extension FileStoreWriter {
    /// Makes histories durable and seals the journal's segment (R5). Commits nothing.
    public func checkpoint() throws { try checkpoint(always: false) }

    func checkpoint(always: Bool) throws {
        try working("making a checkpoint") {
            try makeReady()
            guard group.transactions == 0, group.open == nil else { throw invalid("transactions are not committed") }
            try countStoreDay()
            try makeReady()  // Its commit may have ended before its histories were written.
            try makeCheckpoint(always: always || hasTimeToNote)
        }
    }

    func makeCheckpoint(always: Bool) throws {
        guard let segment, always || committed.sequence > committed.checkpoint else { return }
        do {
            let maker = CheckpointMaking(files: files, path: path, identity: identity, options: options, root: root)
            let minutes = uncounted / 60_000
            self.segment = try maker.make(committed, segment, index, minutes: minutes)
            (committed.checkpoint, notedMinutes) = (committed.sequence, minutes)
        } catch {
            mustReopen = .sync
            throw error
        }
    }
}
