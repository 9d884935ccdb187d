import BackupStore
import RedoLog

/// Fills a buffer with the next bytes and returns their number; 0 at the end. Throws the source's error.
public typealias ByteReader = (UnsafeMutableRawBufferPointer) throws -> Int

/// Who a mail server is: a backup path belongs to one (R8).
public struct MailServerIdentity: Hashable, Sendable {
    /// `zimbraId` of the server's entry; the redo log's headers carry it too.
    public var id: String
    /// Host name as administrators know it.
    public var name: String

    /// An identity made of its parts.
    public init(id: String, name: String) {
        self.id = id
        self.name = name
    }
}

/// Where a blob lies: what names the file of an item's or a revision's content.
public struct BlobLocation: Hashable, Sendable {
    /// The mailbox.
    public var mailboxID: Int64
    /// The item.
    public var itemID: Int64
    /// Number of the change that wrote the content.
    public var modContent: Int64
    /// Volume id in decimal, or the key of an external store; nil = not known (the log does not tell).
    public var locator: String?
    /// Uncompressed bytes, as the row says.
    public var size: Int64
    /// As the row says; nil = unknown.
    public var digest: String?

    /// A location made of its parts.
    public init(mailboxID: Int64, itemID: Int64, modContent: Int64, locator: String?, size: Int64, digest: String?) {
        self.mailboxID = mailboxID
        self.itemID = itemID
        self.modContent = modContent
        self.locator = locator
        self.size = size
        self.digest = digest
    }
}

/// A mail server that is backed up: the reading side of an adapter.
///
/// Calls block; the engine calls them from threads of its own. A conforming type may be called from several threads.
public protocol MailSource: Sendable {
    /// Who the server is.
    var identity: MailServerIdentity { get }

    /// Where the server writes its redo log.
    var redoLog: LogLocation { get }

    /// Whether there is a directory and a database to ask; false for a log without its server, which then is all there is.
    var hasInventory: Bool { get }

    /// Every account of the directory that is homed on this server, with its identities, signatures and data sources.
    func accounts() throws -> [AccountEntry]

    /// What the directory has: each account of ``accounts()``, each domain, COS, list, …, and with it a number that is another one
    /// whenever the entry, or one that belongs to it, is another. Good while the program runs.
    func directoryVersions() throws -> [HistoryKey: Int]

    /// Hands out entries of the directory, in no order; one that is not there is left out.
    ///
    /// Of the accounts, those that moved to another server are there.
    func readDirectory(_ keys: [HistoryKey], _ body: (DirectoryRecord) throws -> Void) throws

    /// Whether ``dumpDirectory(_:)`` has something to write.
    var hasDirectoryDump: Bool { get }

    /// Writes the directory whole as LDIF (RFC 2849), entries before what lies below them, with operational attributes.
    func dumpDirectory(_ write: (UnsafeRawBufferPointer) throws -> Void) throws

    /// Whether ``archiveCustomizations(_:)`` has something to write.
    var hasCustomizations: Bool { get }

    /// Writes the server's configuration files as a tar archive.
    ///
    /// - Returns: what could not be read, each in a line.
    func archiveCustomizations(_ write: (UnsafeRawBufferPointer) throws -> Void) throws -> [String]

    /// Every row of `mailbox`. An account without one has an empty mailbox.
    func mailboxes() throws -> [MailboxRow]

    /// Calls with one mailbox as of one moment; may be called again meanwhile, for the same mailbox or another.
    ///
    /// - Returns: what `body` returns; nil when the mailbox is gone.
    func withMailbox<Result>(_ mailboxID: Int64, _ body: (any MailboxPicture) throws -> Result) throws -> Result?

    /// The number of a mailbox's last change, without its rows.
    ///
    /// - Parameter row: the mailbox's row, read just before.
    func lastChange(of row: MailboxRow) throws -> Int64

    /// Opens a blob for reading, uncompressed. Where the location has no locator, the server's own table is asked for it.
    ///
    /// - Throws: an error that says which file is missing or damaged.
    func openBlob(_ location: BlobLocation) throws -> ByteReader
}

extension MailSource {
    /// A server has its inventory.
    public var hasInventory: Bool { true }

    /// Of a server whose directory has nothing but accounts.
    public func directoryVersions() throws -> [HistoryKey: Int] {
        Dictionary(try accounts().map { (.accountInfo($0.id), $0.hashValue) }, uniquingKeysWith: { first, _ in first })
    }

    /// Of a server whose directory has nothing but accounts.
    public func readDirectory(_ keys: [HistoryKey], _ body: (DirectoryRecord) throws -> Void) throws {
        let wanted = Set(keys)
        for account in try accounts() where wanted.contains(.accountInfo(account.id)) { try body(.account(account)) }
    }

    /// Only a live server has one.
    public var hasDirectoryDump: Bool { false }

    /// Nothing.
    public func dumpDirectory(_ write: (UnsafeRawBufferPointer) throws -> Void) throws {}

    /// Only a live server has them.
    public var hasCustomizations: Bool { false }

    /// Nothing.
    public func archiveCustomizations(_ write: (UnsafeRawBufferPointer) throws -> Void) throws -> [String] { [] }

    /// By a picture of the mailbox; of one that is gone what its row said.
    public func lastChange(of row: MailboxRow) throws -> Int64 {
        try withMailbox(row.id) { $0.change } ?? row.changeCheckpoint
    }
}
