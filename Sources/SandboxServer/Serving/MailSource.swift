import BackupCore
import GRDB

/// The reading side: what a backup sees of the server.
extension SandboxServer: MailSource {
    /// All accounts of the directory.
    public func accounts() throws -> [AccountEntry] {
        try database.read { database in
            try String.fetchAll(database, sql: "SELECT id FROM directory_account ORDER BY name")
                .compactMap { try Self.account($0, in: database) }
        }
    }

    /// All rows of `mailbox`.
    public func mailboxes() throws -> [MailboxRow] {
        try database.read { try Row.fetchAll($0, sql: "SELECT * FROM mailbox ORDER BY id").map(MailboxState.mailboxRow) }
    }

    /// Calls with a mailbox as one database transaction sees it, while the server works on.
    public func withMailbox<Result>(_ mailboxID: Int64, _ body: (any MailboxPicture) throws -> Result) throws -> Result? {
        // A connection of its own: the pool's readers may be asked meanwhile.
        try database.makeSnapshot().read { database in
            guard let (row, _) = try MailboxState.row(mailboxID, in: database) else { return nil }
            return try body(try TablePicture(row, in: database))
        }
    }

    /// Opens a blob of its volume.
    public func openBlob(_ location: BlobLocation) throws -> ByteReader {
        if let id = location.locator.flatMap({ Int64($0) }), let volume = volumesOfReaders.withLock({ $0[id] }) {
            do {
                return try open(location, in: volume)
            } catch let error as CoreError where error.code == .blobMissing {
                // The volume may lie elsewhere by now.
            }
        }
        let volume = try volume(of: location)
        volumesOfReaders.withLock { $0[volume.id] = volume }
        return try open(location, in: volume)
    }

    /// The volume of a content, as the tables say now. Also called while a mailbox is being read.
    private func volume(of location: BlobLocation) throws -> Volume {
        try database.unsafeReentrantRead { database in
            let locator = try location.locator ?? String.fetchOne(
                database.cachedStatement(sql: "SELECT locator FROM mail_item WHERE mailbox_id = ? AND id = ?"),
                arguments: [location.mailboxID, location.itemID])
            return try Self.readVolume(Int64(locator ?? "") ?? 0, home: path, in: database)
        }
    }

    private func open(_ location: BlobLocation, in volume: Volume) throws -> ByteReader {
        let place = volume.path(mailbox: location.mailboxID, item: location.itemID, modContent: location.modContent)
        return try StoredBlob(location, at: place).open()
    }
}
