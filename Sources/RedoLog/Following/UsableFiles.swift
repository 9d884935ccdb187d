import Glibc
import SystemPackage

/// Files of the series that can be read: with a header, and this server's. The others are told of, each once.
extension LogFollower {
    /// Keeps the current file, where that is asked for; where it cannot be, that is told once.
    func keep(_ file: LogFile, _ header: FileHeader) throws(RedoLogError) {
        do throws(RedoLogError) {
            try location.keep(file, header)
        } catch {
            guard !reportedKeeping else { return }
            reportedKeeping = true
            try enqueue(
                FollowNotice(
                    kind: .notKept, file: location.log.string, sequence: header.sequence, offset: 0, length: 0,
                    reason: "the server deletes its log at each rollover, and it cannot be kept: \(error)", needsScan: false))
        }
    }

    /// The current log; nil while there is none, or none with a header.
    func openLog() throws(RedoLogError) -> (file: LogFile, header: FileHeader)? {
        let file: LogFile
        do {
            file = try LogFile(location.log)
        } catch {
            // Between two steps of a rollover there is no current file.
            if error.cause as? Errno == .noSuchFileOrDirectory { return nil }
            throw error
        }
        guard try file.size() >= Int64(FileHeader.length) else { return nil }
        return try usableHeader(of: file, sequence: 0).map { (file, $0) }
    }

    /// An archived file with its header; nil if the header is unusable, which is reported.
    func openArchived(_ archived: ArchivedFile) throws(RedoLogError) -> (file: LogFile, header: FileHeader)? {
        let file = try LogFile(archived.path)
        return try usableHeader(of: file, sequence: archived.sequence).map { (file, $0) }
    }

    /// A file's header; nil if it cannot be used or is another server's, which is reported.
    private func usableHeader(of file: LogFile, sequence: Int64) throws(RedoLogError) -> FileHeader? {
        do {
            let header = try file.header()
            return try reportForeign(header, of: file) ? nil : header
        } catch {
            guard error.code != .fileAccess else { throw error }
            try reportHeader(.headerDamaged, of: file, sequence: sequence, error.doing)
            return nil
        }
    }

    /// Whether a file is another server's: its mailbox numbers mean other mailboxes. Reports it.
    func reportForeign(_ header: FileHeader, of file: LogFile) throws(RedoLogError) -> Bool {
        guard let serverID, header.isForeign(to: serverID) else { return false }
        try reportHeader(
            .foreign, of: file, sequence: header.sequence,
            "the file is server \(header.serverID)'s, not server \(serverID)'s; nothing of it is read. "
                + "Put this server's own log there")
        return true
    }

    private func reportHeader(
        _ kind: FollowNotice.Kind, of file: LogFile, sequence: Int64, _ reason: String
    ) throws(RedoLogError) {
        guard reportedHeaders.insert(file.identity).inserted else { return }
        try enqueue(
            FollowNotice(
                kind: kind, file: file.path.string, sequence: sequence, offset: 0, length: 0, reason: reason, needsScan: true))
    }
}
