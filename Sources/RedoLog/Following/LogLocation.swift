import SystemPackage

/// Where a mail server writes its redo log (formats/zimbra-redolog.md, section 1.1).
public struct LogLocation: Hashable, Sendable {
    /// The current log, normally `redo.log`.
    public var log: FilePath
    /// The folder that finished files are moved to.
    public var archive: FilePath

    /// A location by the paths of the current log and of the archive folder.
    public init(log: FilePath, archive: FilePath) {
        self.log = log
        self.archive = archive
    }
}
