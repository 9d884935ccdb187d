import BackupCore
import GRDB
import SystemPackage

/// Reads and writes rows of `revision` and `revision_dumpster`.
struct RevisionTable {
    let name: String

    static let revisions = RevisionTable(name: "revision")
    static let dumpster = RevisionTable(name: "revision_dumpster")

    static func revision(_ row: Row) -> RevisionRow {
        var revision = RevisionRow(itemID: row["item_id"], version: row["version"])
        revision.date = row["date"]
        revision.size = row["size"]
        revision.locator = row["locator"]
        revision.blobDigest = row["blob_digest"]
        revision.name = row["name"]
        revision.metadata = row["metadata"]
        revision.modMetadata = row["mod_metadata"]
        revision.changeDate = row["change_date"]
        revision.modContent = row["mod_content"]
        return revision
    }

    func insert(_ revision: RevisionRow, mailbox: Int64, in database: Database) throws {
        try database.cachedStatement(
            sql: """
                INSERT INTO \(name) (mailbox_id, item_id, version, date, size, locator, blob_digest, name, metadata, \
                mod_metadata, change_date, mod_content) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)
                """
        ).execute(arguments: [
            mailbox, revision.itemID, revision.version, revision.date, revision.size, revision.locator, revision.blobDigest,
            revision.name, revision.metadata, revision.modMetadata, revision.changeDate, revision.modContent,
        ])
    }

    func revisions(of item: Int64, mailbox: Int64, in database: Database) throws -> [RevisionRow] {
        let statement = try database.cachedStatement(sql: "SELECT * FROM \(name) WHERE mailbox_id = ? AND item_id = ? ORDER BY version")
        return try Row.fetchAll(statement, arguments: [mailbox, item]).map(Self.revision)
    }

    func delete(of item: Int64, version: Int64? = nil, mailbox: Int64, in database: Database) throws {
        let condition = version.map { " AND version = \($0)" } ?? ""
        try database.execute(sql: "DELETE FROM \(name) WHERE mailbox_id = ? AND item_id = ?\(condition)", arguments: [mailbox, item])
    }
}

/// Reads and writes rows of `appointment` and `appointment_dumpster`.
struct AppointmentTable {
    let name: String

    static let appointments = AppointmentTable(name: "appointment")
    static let dumpster = AppointmentTable(name: "appointment_dumpster")

    /// A row: UID, first start and last end as the server writes them.
    struct Span: Hashable {
        var uid: String
        var start: String
        var end: String?
    }

    func put(_ span: Span, item: Int64, mailbox: Int64, in database: Database) throws {
        try database.execute(
            sql: "INSERT OR REPLACE INTO \(name) (mailbox_id, uid, item_id, start_time, end_time) VALUES (?, ?, ?, ?, ?)",
            arguments: [mailbox, span.uid, item, span.start, span.end])
    }

    func span(of item: Int64, mailbox: Int64, in database: Database) throws -> Span? {
        let sql = "SELECT uid, start_time, end_time FROM \(name) WHERE mailbox_id = ? AND item_id = ?"
        return try Row.fetchOne(database, sql: sql, arguments: [mailbox, item]).map { Span(uid: $0[0], start: $0[1], end: $0[2]) }
    }

    func item(uid: String, mailbox: Int64, in database: Database) throws -> Int64? {
        let sql = "SELECT item_id FROM \(name) WHERE mailbox_id = ? AND uid = ?"
        return try Int64.fetchOne(database, sql: sql, arguments: [mailbox, uid])
    }

    func delete(of item: Int64, mailbox: Int64, in database: Database) throws {
        try database.execute(sql: "DELETE FROM \(name) WHERE mailbox_id = ? AND item_id = ?", arguments: [mailbox, item])
    }
}

extension Change {
    /// What belongs to an item in other tables goes with it: revisions, the span of an appointment, comments.
    func deleteParts(of row: ItemRow, keeps: Bool) throws {
        if row.type == .document {
            for revision in try RevisionTable.revisions.revisions(of: row.id, mailbox: mailbox, in: database) {
                state.size -= revision.size
                if keeps {
                    try RevisionTable.dumpster.insert(revision, mailbox: mailbox, in: database)
                } else if revision.blobDigest != nil {
                    removals.append(try server.path(of: revision, mailbox: mailbox, in: database))
                }
            }
            try RevisionTable.revisions.delete(of: row.id, mailbox: mailbox, in: database)
            for comment in try ItemTable.items.items(mailbox: mailbox, where: "parent_id = ? AND type = 17", [row.id], in: database) {
                try delete(comment)
            }
        }
        if row.type == .appointment || row.type == .task {
            let span = try AppointmentTable.appointments.span(of: row.id, mailbox: mailbox, in: database)
            if keeps, let span { try AppointmentTable.dumpster.put(span, item: row.id, mailbox: mailbox, in: database) }
            try AppointmentTable.appointments.delete(of: row.id, mailbox: mailbox, in: database)
        }
    }

    /// Whether a folder holds an item of a name; case does not matter.
    func hasItem(named name: String, in folder: Int64) throws -> Bool {
        try Bool.fetchOne(
            database,
            sql: "SELECT EXISTS (SELECT 1 FROM mail_item WHERE mailbox_id = ? AND folder_id = ? AND name = ? COLLATE NOCASE)",
            arguments: [mailbox, folder, name]) ?? false
    }
}

extension SandboxServer {
    func path(of revision: RevisionRow, mailbox: Int64, in database: Database) throws -> FilePath {
        try volume(revision.locator, in: database).path(mailbox: mailbox, item: revision.itemID, modContent: revision.modContent)
    }
}
