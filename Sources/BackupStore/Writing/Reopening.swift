extension FileStoreWriter {
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
        try working("making the index anew") {
            try makeReady()
            guard group.transactions == 0, group.open == nil else { throw invalid("transactions are not committed") }
            try remakeIndex()
        }
    }

    func remakeIndex() throws {
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
}
