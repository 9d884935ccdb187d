import Glibc
import SystemPackage

/// Second names of current files, for servers that delete what is finished (section 1.8).
extension LogLocation {
    /// Finished files that were kept.
    func keptFiles() throws(RedoLogError) -> [ArchivedFile] {
        guard let kept else { return [] }
        let live = LogFile.FileIdentity(of: log)
        return try namesOfFiles(in: kept).compactMap { ArchivedFile(name: $0, directory: kept) }
            .filter { live == nil || LogFile.FileIdentity(of: $0.path) != live }
    }

    /// Gives the current file its second name, unless it has it.
    ///
    /// - Throws: `fileAccess`: the folder cannot be made or written, or lies on another file system.
    func keep(_ file: LogFile, _ header: FileHeader) throws(RedoLogError) {
        guard let kept else { return }
        func failure() -> RedoLogError {
            RedoLogError(Errno(rawValue: errno), doing: "keeping the current redo log by a second name", subject: kept.string)
        }
        if mkdir(kept.string, 0o700) != 0, errno != EEXIST { throw failure() }
        // The inode in the name: no other file can have it while this name is there.
        let name = kept.appending("redo-\(archiveTime(header.createTime))-i\(file.identity.inode)-seq\(header.sequence).log")
        guard link(log.string, name.string) == 0 else {
            if errno == EEXIST || errno == ENOENT { return }  // Kept before; or a rollover is just going on, and the next one is.
            throw failure()
        }
        // The log may have been rolled over since the file was opened.
        if LogFile.FileIdentity(of: name) != file.identity, unlink(name.string) != 0 { throw failure() }
    }

    /// Drops second names of files that were begun before the one that a durable position is in.
    ///
    /// - Throws: `fileAccess`.
    public func dropKept(before position: LogPosition) throws(RedoLogError) {
        guard kept != nil else { return }
        let time = archiveTime(position.createTime)
        for file in try keptFiles() {
            // The time stands in a fixed width behind `redo-`.
            let begun = (file.path.lastComponent?.string ?? "").dropFirst(5).prefix(time.count)
            guard (String(begun), file.sequence) < (time, position.sequence) else { continue }
            guard unlink(file.path.string) == 0 || errno == ENOENT else {
                throw RedoLogError(Errno(rawValue: errno), doing: "dropping a redo log that was read", subject: file.path.string)
            }
        }
    }
}

extension LogFile.FileIdentity {
    /// The file with a name; nil where there is none.
    init?(of path: FilePath) {
        var status = stat()
        guard stat(path.string, &status) == 0 else { return nil }
        self.init(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }
}
