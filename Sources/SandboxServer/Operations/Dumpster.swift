import BackupCore
import GRDB
import RedoLog
import SystemPackage

/// The dumpster (formats/zimbra-redolog.md, section 7.6; formats/zimbra-datastore.md, `mail_item_dumpster`).
extension Change {
    /// Brings an item back under a new id; what the dumpster held of it goes.
    fileprivate func recover(_ old: ItemRow, to target: Int64) throws -> ItemRow {
        if let name = old.name, try hasItem(named: name, in: target) {
            throw failure(.alreadyExists, "\(state.path(of: target)) holds \"\(name)\" already")
        }
        var row = touched(old, content: true)
        row.id = nextItemID()
        row.folderID = target
        row.parentID = nil
        row.prevFolders = previous(old)
        row.imapID = old.imapID == nil ? nil : row.id
        row.indexID = old.indexID == nil ? nil : row.id
        row.recipients = nil
        row.forgetPOP3UID()
        row.flags.remove(.copied)
        row.tags = try resolve(tags: old.tags)
        if old.blobDigest != nil { try link(try server.path(of: old, mailbox: mailbox, in: database), for: &row) }
        if let parent = try conversation(of: old, copiedTo: target) {
            row.parentID = parent
            try join(row, conversation: parent)
        }
        try insert(row)
        for revision in try RevisionTable.dumpster.revisions(of: old.id, mailbox: mailbox, in: database) {
            var kept = revision
            kept.itemID = row.id
            if revision.blobDigest != nil {
                let from = try server.path(of: revision, mailbox: mailbox, in: database)
                let (id, number, mailbox) = (row.id, revision.modContent, mailbox)
                let (path, volume) = try server.withMessageVolume(database) { volume in
                    (try volume.link(from, mailbox: mailbox, item: id, modContent: number), volume.volume.id)
                }
                made.append(path)
                kept.locator = "\(volume)"
            }
            try RevisionTable.revisions.insert(kept, mailbox: mailbox, in: database)
            state.size += revision.size
        }
        if let span = try AppointmentTable.dumpster.span(of: old.id, mailbox: mailbox, in: database) {
            try AppointmentTable.appointments.put(span, item: row.id, mailbox: mailbox, in: database)
        }
        try removeFromDumpster(old)
        return row
    }

    private func link(_ from: FilePath, for row: inout ItemRow) throws {
        let (id, number, mailbox) = (row.id, row.modContent, mailbox)
        let (path, volume) = try server.withMessageVolume(database) { volume in
            (try volume.link(from, mailbox: mailbox, item: id, modContent: number), volume.volume.id)
        }
        made.append(path)
        row.locator = "\(volume)"
    }

    /// Takes an item out of the dumpster, with its blobs.
    func removeFromDumpster(_ row: ItemRow) throws {
        if row.blobDigest != nil { removals.append(try server.path(of: row, mailbox: mailbox, in: database)) }
        for revision in try RevisionTable.dumpster.revisions(of: row.id, mailbox: mailbox, in: database) where revision.blobDigest != nil {
            removals.append(try server.path(of: revision, mailbox: mailbox, in: database))
        }
        try ItemTable.dumpster.delete(row.id, mailbox: mailbox, in: database)
        try RevisionTable.dumpster.delete(of: row.id, mailbox: mailbox, in: database)
        try AppointmentTable.dumpster.delete(of: row.id, mailbox: mailbox, in: database)
    }
}

extension SandboxMailbox {
    /// Recovers items from the dumpster into a folder, and returns their new ids.
    @discardableResult
    public func recover(_ ids: [Int64], to target: Int64) throws -> [Int64] {
        try server.change(mailboxID) { change in
            guard try change.folder(target).row.type == .folder else { throw change.failure(.refused, "item \(target) holds no items") }
            var logged = RecoverItem()
            logged.targetFolderID = Int32(target)
            logged.fromDumpster = true
            for id in ids {
                guard let old = try ItemTable.dumpster.item(id, mailbox: mailboxID, in: change.database) else {
                    throw change.failure(.noSuchItem, "the dumpster holds no item \(id)")
                }
                guard old.type != .comment else { throw change.failure(.refused, "item \(id) is a comment") }
                let row = try change.recover(old, to: target)
                logged.copies.append(CopiedItem(source: id, copy: row.id, uuid: row.uuid))
            }
            return (logged.copies.map { Int64($0.newID) }, Logged(.recoverItem(logged)))
        }
    }

    /// Deletes items from the dumpster for good. Ids that are not there are ignored.
    public func deleteFromDumpster(_ ids: [Int64]) throws {
        try server.change(mailboxID) { change in
            for id in ids {
                if let row = try ItemTable.dumpster.item(id, mailbox: mailboxID, in: change.database) { try change.removeFromDumpster(row) }
            }
            var logged = DeleteItemFromDumpster()
            logged.ids = ids.map { Int32($0) }
            return ((), Logged(.deleteItemFromDumpster(logged)))
        }
    }
}
