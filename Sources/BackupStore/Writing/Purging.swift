import SystemPackage

extension FileStoreWriter {
    /// Removes whole histories, as purge does; the only thing that ever removes anything (Design, section 4).
    ///
    /// The removal is a transaction of its own and durable when this returns, but the blobs stay: see
    /// ``expireBlobs(_:day:)``.
    /// - Parameter keys: few enough to be held; purge goes through an account in batches.
    /// - Returns: blobs that the histories named; some may have lost their last reference.
    public func removeHistories(_ keys: [HistoryKey], time: Int64) throws -> [BlobID] {
        try lock.locked {
            try commit()
            try makeReady()
            let named = try index.use("removing histories") { statements in
                try Set(keys.flatMap { try statements.blobs(of: $0) })
            }
            try begin(StoreTransaction(account: nil, time: time, kind: "purge"))
            for key in keys { try addRemoval(of: key) }
            try end()
            try commit()
            return Array(named)
        }
    }

    /// Moves those of the blobs that nothing names any more to `expired/<day>/`, where readers still find them (R2).
    ///
    /// - Parameter day: name of the folder, `yyyy-MM-dd`.
    /// - Returns: what was moved. Pinned blobs and those still named stay.
    public func expireBlobs(_ candidates: [BlobID], day: String) throws -> [BlobID] {
        try lock.locked {
            guard isFileName(day) else { throw invalid("day \(day)") }
            // R2: the histories' removal is durable, not only committed, before a blob moves; a new state in the making counts.
            try commit()
            try checkpoint()
            // The index is trusted only after it is proven to know everything that is committed.
            guard try index.sequence() == committed.sequence else {
                throw StoreError(
                    .index, doing: "expiring blobs", subject: path.indexFile.string,
                    remedy: "The index lags behind the journal; run rebuildIndex")
            }
            let unused = try candidates.filter { id in
                // A pin is a reference in the making (R1).
                guard !blobs.isPinned(id) else { return false }
                return try !index.use("expiring blobs") { try $0.isUsed(id) }
            }
            guard !unused.isEmpty else { return [] }
            let folder = path.expired.appending(day)
            if try files.makeFolderIfMissing(folder) { try files.syncFolder(path.expired) }
            var moved: [BlobID] = []
            var folders: Set<FilePath> = [folder]
            for id in unused where try files.status(path.blob(id)) != nil {
                try files.rename(path.blob(id), to: path.expiredBlob(id, day: day))
                folders.insert(path.blob(id).removingLastComponent())
                moved.append(id)
            }
            for folder in folders { try files.syncFolder(folder) }
            return moved
        }
    }

    /// Removes for good what lies in `expired/<day>/`, seven days after purge moved it there.
    public func emptyExpired(day: String) throws {
        try lock.locked {
            guard isFileName(day) else { throw invalid("day \(day)") }
            let folder = path.expired.appending(day)
            guard try files.status(folder) != nil else { return }
            for entry in try files.list(folder) {
                if let id = BlobID(entry.name) {
                    // Staged again in the meantime: it moved back, or is about to.
                    guard !blobs.isPinned(id) else { continue }
                    try index.use("emptying \(folder)") { try $0.forget(id) }
                }
                try files.remove(folder.appending(entry.name))
            }
        }
    }
}
