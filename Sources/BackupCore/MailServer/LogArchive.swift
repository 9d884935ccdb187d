import RedoLog
import SystemPackage

/// A redo log series without its server: all that is left of a host, or a copy of its log folder.
///
/// It has no inventory and no directory: accounts are known by the log's CreateMailbox records only.
public struct LogArchive: MailSource {
    /// The server id of the log's header, which serves as its name too.
    public let identity: MailServerIdentity
    /// The series.
    public let redoLog: LogLocation

    /// A series in one folder: `redo.log` and, beside it or in `archive/`, the finished files.
    ///
    /// - Throws: the redo log's error when no file of the series can be read.
    public init(folder: FilePath) throws {
        let archive = folder.appending("archive")
        let hasArchive = (try? FileDescriptor.open(archive, .readOnly, options: [.directory]).close()) != nil
        redoLog = LogLocation(log: folder.appending("redo.log"), archive: hasArchive ? archive : folder)
        let file = try LogFile(redoLog.log)
        let id = try file.header().serverID
        identity = MailServerIdentity(id: id.string, name: id.string)
    }

    /// False.
    public var hasInventory: Bool { false }

    /// No accounts: there is no directory.
    public func accounts() throws -> [AccountEntry] { [] }

    /// No mailboxes: there is no database.
    public func mailboxes() throws -> [MailboxRow] { [] }

    /// Always nil.
    public func withMailbox<Result>(_ mailboxID: Int64, _ body: (any MailboxPicture) throws -> Result) throws -> Result? { nil }

    /// Always throws `blobMissing`: there is no message store.
    public func openBlob(_ location: BlobLocation) throws -> ByteReader {
        throw CoreError(
            .blobMissing, doing: "reading the content of item \(location.itemID) of mailbox \(location.mailboxID)",
            subject: redoLog.log.string, reason: "a redo log without its server has no message store",
            remedy: "Nothing can be done: the server's store is gone.")
    }
}
