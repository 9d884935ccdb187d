import SystemPackage

/// A file of the series that was opened, with its header of that moment.
typealias OpenedLog = (file: LogFile, header: FileHeader)

extension LogLocation {
    /// The current log; nil while a rollover is between unlinking and renaming, and for a file without a whole header yet.
    func openCurrent() throws(RedoLogError) -> OpenedLog? { try open(log) }

    /// Opens the archived file with a number, or the first one after it.
    func openArchived(from sequence: Int64) throws(RedoLogError) -> OpenedLog? {
        for candidate in try archivedFiles() where candidate.sequence >= sequence {
            if let opened = try open(candidate.path) { return opened }
        }
        return nil
    }

    /// Opens every archived file with a number, one after the other, until one is the wanted one.
    func openArchived(
        sequence: Int64, where isWanted: (OpenedLog) throws(RedoLogError) -> Bool
    ) throws(RedoLogError) -> OpenedLog? {
        for candidate in try archivedFiles() where candidate.sequence == sequence {
            if let opened = try open(candidate.path), try isWanted(opened) { return opened }
        }
        return nil
    }

    private func open(_ path: FilePath) throws(RedoLogError) -> OpenedLog? {
        do throws(RedoLogError) {
            let file = try LogFile(path)
            guard try file.size() >= Int64(FileHeader.length) else { return nil }
            return (file, try file.header())
        } catch {
            // Renamed or unlinked between looking and opening: the next look finds what there is.
            if let cause = error.cause as? Errno, cause == .noSuchFileOrDirectory { return nil }
            throw error
        }
    }
}
