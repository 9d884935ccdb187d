import BackupCore
import BackupStore
import Glibc
import RedoLog
import Synchronization
import SystemPackage

/// A live Zimbra or Carbonio mailbox server: its database, its directory, its volumes and its redo log, for reading.
///
/// Everything is found from the server's `localconfig.xml`. Nothing is written and no lock is held.
public final class ZimbraServer: MailSource, COSSwitching {
    /// Who the server is: its `zimbraId` and its name in the directory.
    public let identity: MailServerIdentity
    /// Where it writes its redo log.
    public let redoLog: LogLocation
    /// The folder of its software, such as `/opt/zimbra`.
    public let home: FilePath
    /// Its `localconfig.xml`.
    public let localConfig: LocalConfig
    /// Its database.
    public let database: ZimbraDatabase
    /// Its directory.
    public let directory: ZimbraDirectory
    /// Its entry in the directory, with what it inherits from the global configuration.
    public let entry: DirectoryEntry

    private let places: Mutex<BlobPlaces>

    /// Finds a server by its home; nil = the first of `LocalConfig.homes` that is there.
    ///
    /// - Throws: `CoreError`, naming what is not there or does not answer.
    public init(home: FilePath? = nil) throws {
        guard let home = home ?? LocalConfig.homes.first(where: { access($0.appending("conf/localconfig.xml").string, F_OK) == 0 }) else {
            throw CoreError(
                .configuration, doing: "looking for the mail server", subject: LocalConfig.homes.map(\.string).joined(separator: ", "),
                reason: "there is none", remedy: "Name its folder: server: {kind: zimbra, path: FOLDER}")
        }
        localConfig = try LocalConfig(home: home)
        self.home = FilePath(try localConfig.value("zimbra_home") ?? home.string)
        if try localConfig.value("debug_disable_mailbox_group") == "true" {
            throw CoreError(
                .configuration, doing: "reading the mail server's configuration", subject: localConfig.path.string,
                reason: "debug_disable_mailbox_group is true: a database a mailbox is not supported")
        }
        directory = ZimbraDirectory(try DirectorySettings(localConfig))
        database = ZimbraDatabase(try DatabaseSettings(localConfig))
        let name = try localConfig.value("zimbra_server_hostname") ?? ""
        entry = try directory.server(named: name)
        identity = MailServerIdentity(id: entry.id, name: name)
        let log = self.home.pushing(FilePath(entry["zimbraRedoLogLogPath"] ?? "redolog/redo.log"))
        redoLog = LogLocation(
            log: log, archive: self.home.pushing(FilePath(entry["zimbraRedoLogArchiveDir"] ?? "redolog/archive")),
            kept: Self.deletesLog(entry) ? log.removingLastComponent().appending("zxbackup") : nil)
        places = Mutex(try Self.places(database, home: self.home, entry))
    }

    /// Whether the server deletes a finished redo log; absent means TRUE (formats/zimbra-redolog.md, section 1.1).
    static func deletesLog(_ entry: DirectoryEntry) -> Bool { entry["zimbraRedoLogDeleteOnRollover"] != "FALSE" }

    private static func places(_ database: ZimbraDatabase, home: FilePath, _ entry: DirectoryEntry) throws -> BlobPlaces {
        // Absolute roots stay what they are, whatever zimbra_relative_volume_path says.
        let hasServerFolder = entry["zimbraConfiguredServerIDForBlobDirEnabled"] == "TRUE"
        return BlobPlaces(try database.volumes(), home: home, serverFolder: hasServerFolder ? entry.id : nil)
    }

    /// Every account and resource that is homed on this server.
    public func accounts() throws -> [AccountEntry] { try directory.accounts(of: identity.name) }

    /// Every account of this server, and every entry of the directory that is no account's.
    public func directoryVersions() throws -> [HistoryKey: Int] { try directory.versions(of: identity.name) }

    /// Entries of the directory.
    public func readDirectory(_ keys: [HistoryKey], _ body: (DirectoryRecord) throws -> Void) throws { try directory.read(keys, body) }

    /// A server has its directory.
    public var hasDirectoryDump: Bool { true }

    /// Writes the directory as LDIF; as the server's own user sees it, who reads everything but the directory's own configuration.
    public func dumpDirectory(_ write: (UnsafeRawBufferPointer) throws -> Void) throws { try directory.dump(write) }

    /// Whether the server's home has folders of configuration files.
    public var hasCustomizations: Bool { !Customizations(home: home).present.isEmpty }

    /// Archives them.
    public func archiveCustomizations(_ write: (UnsafeRawBufferPointer) throws -> Void) throws -> [String] {
        try Customizations(home: home).archive(write)
    }

    /// Switches the backup of a COS on or off, in the directory.
    public func setBackup(ofCOS name: String, enabled: Bool) throws { try directory.setBackup(ofCOS: name, enabled: enabled) }

    /// Every row of `mailbox`.
    public func mailboxes() throws -> [MailboxRow] { try database.mailboxes() }

    /// Calls with a mailbox as one database transaction sees it.
    public func withMailbox<Result>(_ mailboxID: Int64, _ body: (any MailboxPicture) throws -> Result) throws -> Result? {
        try database.withMailbox(mailboxID, body)
    }

    /// One statement, answered from indexes.
    public func lastChange(of row: MailboxRow) throws -> Int64 { try database.lastChange(of: row) }

    /// Opens a blob of a volume, also one that was moved to another volume meanwhile.
    public func openBlob(_ location: BlobLocation) throws -> ByteReader {
        guard let locator = try location.locator ?? database.locator(mailbox: location.mailboxID, item: location.itemID) else {
            throw CoreError(
                .blobMissing, doing: "reading the content of item \(location.itemID)", subject: "mailbox \(location.mailboxID)",
                reason: "the server's tables name no place for it", remedy: "The backup keeps what it has")
        }
        do {
            return try open(location, at: locator)
        } catch let error as CoreError where error.code == .blobMissing {
            if let now = try database.locator(mailbox: location.mailboxID, item: location.itemID), now != locator {
                return try open(location, at: now)
            }
            // Of a volume that is not mounted nothing can be said.
            guard let root = places.withLock({ $0.absentRoot(ofLocator: locator) }) else { throw error }
            throw CoreError(
                .volumeMissing, doing: error.doing, subject: root.string, reason: "the folder of its volume is not there, or empty",
                remedy: "Mount the volume; nothing is taken for deleted meanwhile")
        }
    }

    private func open(_ location: BlobLocation, at locator: String) throws -> ByteReader {
        let place: FilePath
        do {
            place = try places.withLock { try $0.place(of: location, locator: locator) }
        } catch let error as CoreError where error.code == .configuration {
            // A volume may have come since the program began.
            let known = try Self.places(database, home: home, entry)
            places.withLock { $0 = known }
            place = try known.place(of: location, locator: locator)
        }
        return try StoredBlob(location, at: place).open()
    }

    /// Every volume with its root on this machine.
    ///
    /// - Throws: `CoreError`.
    public func volumePlaces() throws -> [(volume: VolumeRow, root: FilePath)] {
        try Self.places(database, home: home, entry).all
    }
}
