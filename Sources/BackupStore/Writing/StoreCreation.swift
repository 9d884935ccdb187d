import SystemPackage

/// Making a backup path, and what is looked at before one is written.
enum StoreCreation {
    static func create<Files: FileSystem>(
        _ path: BackupPath, serverID: String, storeID: String = randomName(), _ files: Files
    ) throws {
        let doing = "making a backup path"
        try files.makeFolderIfMissing(path.root)
        // What a crash of an earlier `create` left is ours to finish; a path is one only with its `zxbackup.json`.
        let entries = try files.list(path.root).filter { !$0.name.hasPrefix(BackupPath.temporaryPrefix) }
        let isUnfinished = try isUnfinishedCreation(entries, path, files)
        guard entries.isEmpty || isUnfinished else {
            if try StoreIdentity.holdsZextrasBackup(files, path) {
                throw StoreError(
                    .foreignBackup, doing: doing, subject: path.root.string,
                    remedy: "The folder holds the data of Zextras Backup, which is not touched. Choose an empty folder")
            }
            throw StoreError(
                .notEmpty, doing: doing, subject: path.root.string,
                remedy: "Choose an empty folder (a new file system's lost+found counts too: take a folder inside it)")
        }
        try refuseCaseInsensitive(path, files)
        for folder in BackupPath.folders { try files.makeFolderIfMissing(path.root.appending(folder)) }
        try StoreInstance.write(files, path)
        try files.syncFolder(path.root)
        let identity = StoreIdentity(storeID: storeID, serverID: serverID)
        // Written last: where this file is, everything else is.
        do {
            try files.writeDurably(identity.bytes, to: path.identity)
            let above = path.root.removingLastComponent()
            try files.syncFolder(above.isEmpty ? "." : above)
        } catch {
            // R10: a name whose sync failed is not there. The error that matters is the one above.
            try? files.removeIfThere(path.identity)
            throw error
        }
    }

    /// Whether the folder holds nothing but empty folders of the layout.
    private static func isUnfinishedCreation(_ entries: [FolderEntry], _ path: BackupPath, _ files: some FileSystem) throws
        -> Bool
    {
        for entry in entries {
            guard entry.isFolder, BackupPath.folders.contains(entry.name) else { return false }
            let inside = try files.list(path.root.appending(entry.name))
            guard inside.allSatisfy({ entry.name == "journal" && $0.name.hasSuffix("instance") }) else { return false }
        }
        return true
    }

    /// Names differ in case only: base64 of two digests, for example (Design, section 4).
    static func refuseCaseInsensitive(_ path: BackupPath, _ files: some FileSystem) throws {
        let probe = path.root.appending(BackupPath.temporaryPrefix + "case")
        let file = try files.open(probe, .createOrUpdate)
        file.close()
        defer { try? files.remove(probe) }  // The next writer removes what stays.
        if try files.status(path.root.appending((BackupPath.temporaryPrefix + "case").uppercased())) != nil {
            throw StoreError(
                .caseInsensitive, doing: "opening the backup path for writing", subject: path.root.string,
                remedy: "The file system does not tell upper case from lower case; blobs would overwrite each other")
        }
    }

    /// R13: removes what writers before this one did not finish.
    static func removeUnfinished(_ path: BackupPath, _ files: some FileSystem) throws {
        func clean(_ folder: FilePath) throws {
            try describingErrors("removing unfinished files", folder.string) {
                guard try files.status(folder) != nil else { return }
                for entry in try files.list(folder) where entry.name.hasPrefix(BackupPath.temporaryPrefix) && !entry.isFolder {
                    try files.removeIfThere(folder.appending(entry.name))
                }
            }
        }
        for folder in [path.root, path.blobs, path.journal, path.index, path.expired, path.server] { try clean(folder) }
        guard try files.status(path.accounts) != nil else { return }
        for account in try files.list(path.accounts) where account.isFolder { try clean(path.account(account.name)) }
    }
}
