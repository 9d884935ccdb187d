import SystemPackage

/// Where a mail server writes its redo log (formats/zimbra-redolog.md, section 1.1).
public struct LogLocation: Hashable, Sendable {
    /// The current log, normally `redo.log`.
    public var log: FilePath
    /// The folder that finished files are moved to.
    public var archive: FilePath
    /// A folder in which the follower gives each current file a second name, on the log's own file system; nil = it does not.
    ///
    /// For servers that delete a finished file instead of archiving it (section 1.8): an open descriptor dies with its process.
    public var kept: FilePath?

    /// A location by the paths of the current log, of the archive folder and of the folder of second names.
    public init(log: FilePath, archive: FilePath, kept: FilePath? = nil) {
        self.log = log
        self.archive = archive
        self.kept = kept
    }
}
