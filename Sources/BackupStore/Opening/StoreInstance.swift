import SystemPackage

/// Tells a backup path from its copies by the device and inode of its `journal` folder (R7).
enum StoreInstance {
    /// Whether the path is not the one that its `journal/instance` was written on.
    static func isCopy(_ files: some FileSystem, _ path: BackupPath) throws -> Bool {
        if BrokenRule.breaks(.r7) { return false }
        guard let bytes = try files.readSmallFile(path.instance, limit: 4096), let members = SealedJSON.decode(bytes),
            let status = try files.status(path.journal)
        else { return true }
        return members["device"]?.string != String(status.device) || members["inode"]?.string != String(status.inode)
    }

    /// Declares the path the original.
    static func write(_ files: some FileSystem, _ path: BackupPath) throws {
        guard let status = try files.status(path.journal) else { throw Errno.noSuchFileOrDirectory }
        let members: JSONObject = ["device": .string(String(status.device)), "inode": .string(String(status.inode))]
        try files.writeDurably(SealedJSON.encode(members), to: path.instance)
    }
}
