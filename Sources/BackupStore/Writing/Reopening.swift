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
        try noteOrphans()
        try markVanished()
    }

    /// Makes the index anew from histories and journal.
    public func rebuildIndex() throws {
        try working("making the index anew") {
            try makeReady()
            guard group.transactions == 0, group.open == nil else { throw invalid("transactions are not committed") }
            try remakeIndex()
        }
    }

    /// Marks accounts whose histories are gone in part: what their next `account_stat` counts is what is left, and a restore must
    /// not call that everything (R10, R15).
    func markVanished() throws {
        guard !recovery.vanished.isEmpty else { return }
        let now = options.now()
        for (account, count) in recovery.vanished.sorted(by: { $0.key < $1.key }) {
            let reason = "\(count) of its histories \(count == 1 ? "is" : "are") gone from the backup path, with all states"
            let generation = try index.changes(of: account)?.last.generation ?? 1
            try append(
                StoreTransaction(
                    account: account, generation: generation, time: now, kind: "mark", marks: [Mark(reason: reason, time: now)]))
        }
        try commit()
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
        try markVanished()
    }
}
