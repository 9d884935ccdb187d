extension FileStoreWriter {
    /// Makes histories durable and seals the journal's segment (R5). Commits nothing.
    public func checkpoint() throws { try checkpoint(always: false) }

    func checkpoint(always: Bool) throws {
        try working("making a checkpoint") {
            try makeReady()
            guard group.transactions == 0, group.open == nil else { throw invalid("transactions are not committed") }
            try makeCheckpoint(always: always)
        }
    }

    func makeCheckpoint(always: Bool) throws {
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
}
