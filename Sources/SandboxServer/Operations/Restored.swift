import BackupCore
import GRDB
import Glibc
import RedoLog

/// Items that come from a backup: rows as they were, with ids, numbers and places of this mailbox.
extension SandboxServer {
    /// Writes rows of a mailbox under a change number of their own, without a record in the log.
    func restoring<Result>(_ mailbox: Int64, _ body: (Change) throws -> Result) throws -> Result {
        try exclusively { database, _ in
            let change = Change(
                state: try loadState(mailbox, in: database), time: options.clock(), database: database, server: self)
            var result: Result?
            do {
                try database.inTransaction(.immediate) {
                    result = try body(change)
                    try change.finish()
                    return .commit
                }
            } catch {
                for file in change.made { unlink(file.string) }
                throw error
            }
            remember(change.state)
            guard let result else { preconditionFailure("a committed operation has a result") }
            return result
        }
    }
}

extension Change {
    /// Adds an item with the attributes of a row.
    ///
    /// - Parameter blobs: its content and those of its former versions, as they came.
    /// - Returns: its id, and what makes such an item in the log, where something does (`hasRecord`).
    func restore(_ item: NewItem, _ blobs: [IncomingBlob?]) throws -> (Int64, Logged) {
        guard let folderID = item.row.folderID else { throw failure(.refused, "an item lies in a folder") }
        let home = try folder(folderID)
        if item.row.type.isContainer {
            guard let name = item.row.name, Names.isFolder(name) else {
                throw failure(.invalidName, "\"\(item.row.name ?? "")\" is no folder's name")
            }
            guard home.row.type == .folder, state.child(named: name, of: folderID) == nil else {
                throw failure(.alreadyExists, "\(state.path(of: folderID)) holds \"\(name)\" already")
            }
        }
        // The numbers of the former versions name their files, and come before the item's own.
        let versions = RestoredVersions(of: item)
        let own = versions.map { number + $0.current - 1 } ?? number + Int64(item.revisions.count)
        state.lastChange = own + Int64(versions?.purges.count ?? 0)
        var row = item.row
        row.id = nextItemID()
        row.modMetadata = own
        row.modContent = own
        row.changeDate = seconds
        row.tags = try resolve(tags: row.tags)
        if row.imapID ?? 0 != 0 { row.imapID = row.type == .document && state.row.trackingImap ? 0 : row.id }
        if row.indexID != nil { row.indexID = row.id }
        row.uuid = row.uuid != nil || row.type.isContainer ? UUIDText.random() : nil
        row.locator = nil
        row.blobDigest = nil
        if let blob = blobs.first ?? nil { try place(blob, in: &row) }
        if row.type.isContainer { try beginCounting(&row) }
        try insert(row)
        for (place, revision) in item.revisions.enumerated() {
            let before = versions == nil ? Int64(place) : revision.row.version - 1
            try restore(revision.row, blobs[place + 1], of: row.id, number: number + before)
        }
        if row.type == .message, !row.flags.contains(.draft), !state.folder(folderID, isWithin: FolderID.junk), let blob = blobs.first ?? nil {
            try openHashes(blob.summary, row, conversation: row.parentID ?? row.id)
        }
        if row.type == .appointment || row.type == .task, let span = AppointmentTable.Span(of: row) {
            try AppointmentTable.appointments.put(span, item: row.id, mailbox: mailbox, in: database)
        }
        if let versions { return (row.id, try versions.records(of: row, item.revisions.map(\.row), blobs)) }
        return (row.id, try record(of: row, blobs.first ?? nil))
    }

    /// A new folder's counters.
    private func beginCounting(_ row: inout ItemRow) throws {
        row.parentID = row.folderID
        row.size = 0
        row.unread = 0
        var metadata = try MetadataDictionary(parsing: row.metadata)
        for key in counters { metadata[key] = nil }
        if row.type == .folder {
            metadata["mseq"] = .integer(number)
            metadata["unxt"] = .integer(row.id + 1)
        }
        row.metadata = metadata.text()
    }

    private func restore(_ source: RevisionRow, _ blob: IncomingBlob?, of item: Int64, number: Int64) throws {
        var file = ItemRow(id: item, type: .document)
        file.modContent = number
        if let blob { try place(blob, in: &file) }
        var row = source
        row.itemID = item
        row.locator = file.locator
        row.blobDigest = file.blobDigest
        row.modMetadata = number
        row.modContent = number
        row.changeDate = seconds
        state.size += row.size
        try RevisionTable.revisions.insert(row, mailbox: mailbox, in: database)
    }

    /// Gives an item the flags and metadata of a row; a folder keeps its counters, attributes and grants.
    func update(_ id: Int64, toAttributesOf row: ItemRow) throws {
        let old = try item(id)
        guard old.type.isContainer else {
            var changed = touched(old)
            changed.flags = row.flags
            changed.metadata = row.metadata
            if changed.flags != old.flags || changed.metadata != old.metadata { try update(old, to: changed) }
            return
        }
        let current = try folder(id).metadata
        var wanted = try MetadataDictionary(parsing: row.metadata)
        for key in counters + ["a", "aclm", "mdver"] { wanted[key] = current[key] }
        guard wanted != current || row.flags != old.flags else { return }
        try editFolder(id) { folder in
            folder.row.flags = row.flags
            folder.metadata = wanted
        }
    }
}

/// What the server counts by itself in a folder's metadata (formats/zimbra-items.md, section 3.2).
private let counters = ["sz", "unxt", "mseq", "i4l", "i4r", "i4d", "i4du"]

extension AppointmentTable.Span {
    /// The UID and the span of the whole series, in UTC; nil where the metadata names no UID.
    init?(of row: ItemRow) {
        guard let metadata = try? MetadataDictionary(parsing: row.metadata), let uid = metadata.string("u") else { return nil }
        func text(_ key: String) -> String? {
            metadata.integer(key).flatMap { (1..<253_402_300_800_000).contains($0) ? CalendarText.column($0) : nil }
        }
        self.init(uid: uid, start: text("aps") ?? "1970-01-01 00:00:00.0", end: text("ape"))
    }
}
