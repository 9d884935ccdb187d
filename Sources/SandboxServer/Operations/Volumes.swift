import BackupCore
import GRDB
import RedoLog
import SystemPackage

/// Blob volumes, which belong to no mailbox (formats/zimbra-redolog.md, section 7.10; formats/zimbra-datastore.md, "volume").
extension SandboxServer {
    /// Creates a volume for messages and returns its id; new contents go there once it is the current one.
    ///
    /// - Parameters:
    ///   - root: its folder, absolute or relative to the server's; made where it is missing.
    ///   - compresses: whether contents of more than `threshold` bytes are stored as gzip files.
    @discardableResult
    public func createVolume(
        named name: String, at root: FilePath, compresses: Bool = false, threshold: Int64 = 4096
    ) throws -> Int64 {
        try changeVolumes { database in
            guard !name.isEmpty, !root.isEmpty else { throw refused(name, "it needs a name and a folder") }
            if try Bool.fetchOne(
                database, sql: "SELECT EXISTS (SELECT 1 FROM volume WHERE name = ? OR path = ?)", arguments: [name, root.string]) == true {
                throw SandboxError(.alreadyExists, doing: "creating volume \(name)", reason: "name or folder is another volume's")
            }
            try Files.makeFolders(path.pushing(root).appending("incoming"))
            let id = (try Int64.fetchOne(database, sql: "SELECT MAX(id) FROM volume") ?? 0) + 1
            try database.execute(
                sql: """
                    INSERT INTO volume (id, type, name, path, file_bits, file_group_bits, mailbox_bits, mailbox_group_bits,
                                        compress_blobs, compression_threshold)
                    VALUES (?, 1, ?, ?, 12, 8, 12, 8, ?, ?)
                    """,
                arguments: [id, name, root.string, compresses, threshold])
            var logged = CreateVolume()
            logged.volumeID = Int16(clamping: id)
            logged.name = LogText(name)
            logged.path = LogText(path.pushing(root).string)
            (logged.mboxGroupBits, logged.mboxBits, logged.fileGroupBits, logged.fileBits) = (8, 12, 8, 12)
            logged.compressBlobs = compresses
            return (id, .createVolume(logged))
        }
    }

    /// The volume of this name; nil when there is none.
    public func volumeID(named name: String) throws -> Int64? {
        try database.read { try Int64.fetchOne($0, sql: "SELECT id FROM volume WHERE name = ?", arguments: [name]) }
    }

    /// Gives a volume another name.
    public func renameVolume(_ id: Int64, to name: String) throws {
        try changeVolumes { database in
            let row = try volumeRow(id, in: database)
            try database.execute(sql: "UPDATE volume SET name = ? WHERE id = ?", arguments: [name, id])
            var logged = ModifyVolume()
            logged.volumeID = Int16(clamping: id)
            logged.type = row["type"]
            logged.name = LogText(name)
            logged.path = LogText(path.pushing(FilePath(row["path"] as String)).string)
            (logged.mboxGroupBits, logged.mboxBits) = (row["mailbox_group_bits"], row["mailbox_bits"])
            (logged.fileGroupBits, logged.fileBits) = (row["file_group_bits"], row["file_bits"])
            return ((), .modifyVolume(logged))
        }
    }

    /// Makes new contents go to a volume.
    public func setCurrentVolume(_ id: Int64) throws {
        try changeVolumes { database in
            guard try volumeRow(id, in: database)["type"] == 1 else { throw refused("\(id)", "it holds no messages") }
            try database.execute(sql: "UPDATE current_volumes SET message_volume_id = ?", arguments: [id])
            var logged = SetCurrentVolume()
            logged.type = 1
            logged.volumeID = Int16(clamping: id)
            return ((), .setCurrentVolume(logged))
        }
    }

    /// Deletes a volume that is not in use; its folder stays.
    public func deleteVolume(_ id: Int64) throws {
        try changeVolumes { database in
            _ = try volumeRow(id, in: database)
            let current = try Row.fetchOne(database, sql: "SELECT message_volume_id, index_volume_id FROM current_volumes")
            if current?[0] == id || current?[1] == id { throw refused("\(id)", "it is the current one") }
            for table in ["mail_item", "mail_item_dumpster", "revision", "revision_dumpster"] {
                let isUsed = try Bool.fetchOne(
                    database, sql: "SELECT EXISTS (SELECT 1 FROM \(table) WHERE locator = ?)", arguments: ["\(id)"])
                if isUsed == true { throw refused("\(id)", "it holds contents") }
            }
            try database.execute(sql: "DELETE FROM volume WHERE id = ?", arguments: [id])
            var logged = DeleteVolume()
            logged.volumeID = Int16(clamping: id)
            return ((), .deleteVolume(logged))
        }
    }

    private func refused(_ volume: String, _ reason: String) -> SandboxError {
        SandboxError(.refused, doing: "changing volume \(volume)", reason: reason)
    }

    private func volumeRow(_ id: Int64, in database: Database) throws -> Row {
        guard let row = try Row.fetchOne(database, sql: "SELECT * FROM volume WHERE id = ?", arguments: [id]) else {
            throw SandboxError(.noSuchEntry, doing: "changing volume \(id)", reason: "there is none")
        }
        return row
    }

    /// Runs one change of the volumes as one transaction; it is logged under mailbox 0.
    private func changeVolumes<Result>(_ body: (Database) throws -> (Result, Operation)) throws -> Result {
        try exclusively { database, log in
            var result: Result?
            try database.inTransaction(.immediate) {
                let (value, operation) = try body(database)
                try logAlone(operation, mailbox: 0, body: nil, to: log)
                result = value
                return .commit
            }
            forgetVolumes()
            guard let result else { preconditionFailure("a committed change has a result") }
            return result
        }
    }
}
