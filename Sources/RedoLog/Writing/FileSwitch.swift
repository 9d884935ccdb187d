import Glibc
import SystemPackage

/// The change from one file to the next (section 1.5, steps 5 to 9), and what a starting server does with its remains.
struct FileSwitch {
    let location: LogLocation
    /// `YYYYMMDD.HHMMSS.mmm`, in the names.
    let time: String
    let deletes: Bool

    /// Puts the next file in the place of the old one, which is closed already.
    ///
    /// - Parameters:
    ///   - next: the next file's header; has its times and size afterwards.
    ///   - open: start records that are written into the next file again, byte for byte.
    /// - Returns: the next file.
    func perform(
        from file: AppendedFile, old: FileHeader, next: inout FileHeader, open: inout OpenStarts, pieceSize: Int
    ) throws(RedoLogError) -> AppendedFile {
        let temporary = location.directory.appending("~tmp-redo-\(time)-seq\(next.sequence).log")
        let nextFile = try AppendedFile(temporary, pieceSize: pieceSize, isNew: true)
        try nextFile.write(next)
        try nextFile.sync()
        for start in open.inOrder {
            try nextFile.append(Body(offset: start.offset, length: start.length), of: file)
            next.note(start.timestamp, isFirst: nextFile.size == Int64(FileHeader.length) + start.length)
        }
        open.moved(to: Int64(FileHeader.length))
        try nextFile.close(&next)
        if deletes {
            try call("deleting a rolled-over redo log") { unlink(location.log.string) }
        } else {
            try makeArchive()
            let archived = location.archive.appending("redo-\(time)-seq\(old.sequence).log")
            try call("moving a redo log to the archive") { rename(location.log.string, archived.string) }
        }
        try call("renaming the next redo log") { rename(temporary.string, location.log.string) }
        // Opened anew, so that it has its final path.
        return try AppendedFile(location.log, pieceSize: pieceSize)
    }

    private func makeArchive() throws(RedoLogError) {
        var missing: [FilePath] = []
        var directory = location.archive
        while !directory.isEmpty, access(directory.string, F_OK) != 0 {
            missing.append(directory)
            directory.removeLastComponent()
        }
        for directory in missing.reversed() where mkdir(directory.string, 0o750) != 0 && errno != EEXIST {
            throw RedoLogError(Errno(rawValue: errno), doing: "making the archive of redo logs", subject: directory.string)
        }
    }

    private func call(_ doing: String, _ body: () -> Int32) throws(RedoLogError) {
        guard body() == 0 else {
            throw RedoLogError(Errno(rawValue: errno), doing: doing, subject: location.log.string)
        }
    }

    /// What a starting server does first (section 1.6, step 1): a missing log is replaced by the newest temporary file; other
    /// temporary files are set aside.
    static func settleTemporaryFiles(_ location: LogLocation) throws(RedoLogError) {
        var files = try location.temporaryFiles()
        if access(location.log.string, F_OK) != 0, let newest = files.max(by: { modified($0) < modified($1) }) {
            guard rename(newest.string, location.log.string) == 0 else {
                throw RedoLogError(Errno(rawValue: errno), doing: "renaming the next redo log", subject: newest.string)
            }
            files.removeAll { $0 == newest }
        }
        for file in files where rename(file.string, file.string + ".bak") != 0 {
            throw RedoLogError(Errno(rawValue: errno), doing: "setting a temporary redo log aside", subject: file.string)
        }
    }

    private static func modified(_ path: FilePath) -> Int64 {
        var status = stat()
        guard stat(path.string, &status) == 0 else { return .min }
        return Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
    }
}
