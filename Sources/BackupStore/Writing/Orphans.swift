import SystemPackage

/// The index's notes of blobs that nothing may name and that it does not know.
enum Orphans {
    /// The note; nil where there are none.
    static let name = "sweep"
    /// Its value where all histories are whole.
    static let possible = "1"
    /// Its value where histories are damaged: such a blob may belong to what cannot be read.
    static let damagedHistories = "damaged"
    /// That a writer is at work.
    static let open = "open"
}

extension FileStoreWriter {
    /// Notes that a writer is at work; where one did not close, it may have left blobs of a group that was never committed.
    func noteOpening() throws {
        if try index.meta(Orphans.open) != nil { try noteOrphans() }
        try index.use("opening the index") { try $0.setMeta(Orphans.open, "1") }
    }

    /// Notes that a group was dropped whose blobs may be in their places.
    func noteOrphans() throws {
        guard try index.meta(Orphans.name) == nil else { return }
        try index.use("opening the index") { try $0.setMeta(Orphans.name, Orphans.possible) }
    }

    /// Notes that this writer is done.
    func noteClosing() throws { try index.use("closing the index") { try $0.setMeta(Orphans.open, nil) } }

    /// Lists the files of blobs that nothing names; a folder at a time.
    ///
    /// - Returns: false where it was stopped.
    func releaseOrphans(stop: () -> Bool) throws -> Bool {
        for folder in try files.list(path.blobs) where folder.isFolder {
            guard !stop() else { return false }
            let names = try files.list(path.blobs.appending(folder.name)).filter { !$0.isFolder }
            try index.use("looking for blobs that nothing names") { statements in
                for id in names.compactMap({ BlobID($0.name) }) where try !statements.isUsed(id) { try statements.release(id) }
            }
        }
        try index.use("looking for blobs that nothing names") { try $0.setMeta(Orphans.name, nil) }
        return true
    }
}
