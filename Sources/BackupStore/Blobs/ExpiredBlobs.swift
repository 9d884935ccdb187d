import SystemPackage

extension BlobStore {
    /// Moves a blob that purge took back to its place (R2); false if it is nowhere.
    func restoreExpired(_ known: BlobReference) throws -> Bool {
        guard let expired = try Self.findExpired(known.id, files, path),
            try files.status(expired)?.size == known.stored
        else { return false }
        let target = path.blob(known.id)
        try files.makeFolderIfMissing(target.removingLastComponent())
        try files.rename(expired, to: target)
        try files.syncFolder(target.removingLastComponent())
        try files.syncFolder(path.blobs)
        do {
            try files.syncFolder(expired.removingLastComponent())
        } catch let error as Errno where error == .noSuchFileOrDirectory {}  // Emptied, and removed, meanwhile.
        return true
    }

    /// Where purge put a blob, nil if nowhere.
    static func findExpired(_ id: BlobID, _ files: Files, _ path: BackupPath) throws -> FilePath? {
        guard try files.status(path.expired) != nil else { return nil }
        for day in try files.list(path.expired) where day.isFolder {
            let candidate = path.expiredBlob(id, day: day.name)
            if try files.status(candidate) != nil { return candidate }
        }
        return nil
    }
}
