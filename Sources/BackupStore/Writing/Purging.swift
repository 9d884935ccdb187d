import SystemPackage

extension FileStoreWriter {
    /// Removes whole histories, as purge does; the only thing that ever removes anything (Design, section 4).
    ///
    /// The removal is a transaction of its own and durable when this returns, but the blobs stay: see
    /// ``expireBlobs(_:day:)``.
    /// - Parameter keys: few enough to be held; purge goes through an account in batches.
    /// - Returns: blobs that the histories named; some may have lost their last reference.
    public func removeHistories(_ keys: [HistoryKey], time: Int64) throws -> [BlobID] {
        try working("removing histories") {
            try commit()
            try makeReady()
            let named = try index.use("removing histories") { statements in
                try Set(keys.flatMap { try statements.blobs(of: $0) })
            }
            try begin(StoreTransaction(account: nil, time: time, kind: "purge"))
            for key in keys { try addRemoval(of: key) }
            try end()
            if !BrokenRule.breaks(.r2) { try commit() }
            return Array(named)
        }
    }

    /// Moves those of the blobs that nothing names any more to `expired/<day>/`, where readers still find them (R2).
    ///
    /// - Parameter day: name of the folder, `yyyy-MM-dd`.
    /// - Returns: what was moved. Pinned blobs and those still named stay.
    public func expireBlobs(_ candidates: [BlobID], day: String) throws -> [BlobID] {
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
            var folders: Set<FilePath> = [folder]
            for id in candidates {
                let isMoved = try blobs.unlessPinned(id) {  // A pin is a reference in the making (R1).
                    guard try !index.use("expiring blobs", { try $0.isUsed(id) }), try files.status(path.blob(id)) != nil else {
                        return false
                    }
                    if moved.isEmpty {
                        try files.makeFolderIfMissing(folder)
                        try files.syncFolder(path.expired)  // Its name may be unsynced since a process that died.
                    }
                    try files.rename(path.blob(id), to: path.expiredBlob(id, day: day))
                    return true
                }
                guard isMoved == true else { continue }
                folders.insert(path.blob(id).removingLastComponent())
                moved.append(id)
            }
            if !moved.isEmpty { for folder in folders { try files.syncFolder(folder) } }
            return moved
        }
    }

    /// Removes for good what lies in `expired/<day>/`, seven days after purge moved it there.
    public func emptyExpired(day: String) throws {
        try working("emptying the expired blobs of \(day)") {
            guard isFileName(day) else { throw invalid("day \(day)") }
            let folder = path.expired.appending(day)
            guard try files.status(folder) != nil else { return }
            if !BrokenRule.breaks(.r2) {
                try commit()
                try makeReady()
                try proveIndex("emptying \(folder)")
            }
            for entry in try files.list(folder) {
                guard let id = BlobID(entry.name) else {
                    try files.remove(folder.appending(entry.name))
                    continue
                }
                // Staged again in the meantime: it moved back, or is about to.
                try blobs.unlessPinned(id) { try empty(id, at: folder.appending(entry.name)) }
            }
        }
    }

    /// Removes an expired blob, or moves it back where something names it again (R2).
    private func empty(_ id: BlobID, at place: FilePath) throws {
        try index.use("emptying \(place)") { statements in
            let isUsed = try statements.isUsed(id)
            if isUsed, let known = try statements.blob(id), try files.status(path.blob(id))?.size != known.stored {
                guard try blobs.restoreExpired(known) else { return }  // Damaged: all there is, so it stays.
            } else {
                if !isUsed { try statements.forget(id) }
                try files.remove(place)
            }
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
