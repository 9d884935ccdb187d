import BackupCore
import GRDB
import RedoLog

/// Attributes of items and of the mailbox (formats/zimbra-redolog.md, sections 7.2 and 7.5).
extension SandboxMailbox {
    /// Sets an item's date, in milliseconds.
    public func setDate(_ date: Int64, of id: Int64) throws {
        try server.change(mailboxID) { change in
            let old = try change.leaf(id)
            var row = change.touched(old)
            row.date = date / 1000
            try change.update(old, to: row)
            var logged = DateItem()
            logged.itemID = Int32(id)
            logged.itemType = Int8(old.type.rawValue)
            logged.date = date
            return ((), Logged(.dateItem(logged)))
        }
    }

    /// Replaces a section of custom data on an item; an empty map removes it.
    public func setCustomData(_ section: String, _ values: [String: String], of id: Int64) throws {
        try server.change(mailboxID) { change in
            let old = try change.leaf(id)
            var map = MetadataDictionary()
            for (key, value) in values { map[key] = .string(value) }
            var metadata = try MetadataDictionary(parsing: old.metadata)
            metadata["xd." + section] = values.isEmpty ? nil : .string(map.text(forColumn: false))
            metadata["p3uid"] = nil  // The real server forgets it when it writes the metadata anew.
            metadata["mdver"] = .integer((metadata.integer("mdver") ?? 1) + 1)
            var row = change.touched(old)
            row.metadata = metadata.text()
            try change.update(old, to: row)
            var logged = SetCustomData()
            logged.itemID = Int32(id)
            logged.itemType = Int8(old.type.rawValue)
            logged.customMetadata = CustomMetadata(section: LogText(section), value: LogText(map.text(forColumn: false)))
            return ((), Logged(.setCustomData(logged)))
        }
    }

    /// Gives a message the id that POP3 clients know it by.
    public func setPop3UID(_ uid: String, of id: Int64) throws {
        try server.change(mailboxID) { change in
            let old = try change.leaf(id)
            var metadata = try MetadataDictionary(parsing: old.metadata)
            metadata["p3uid"] = .string(uid)
            metadata["mdver"] = .integer((metadata.integer("mdver") ?? 1) + 1)
            var row = change.touched(old)
            row.metadata = metadata.text()
            try change.update(old, to: row)
            var logged = SetPop3Uid()
            logged.itemID = Int32(id)
            logged.itemType = Int8(old.type.rawValue)
            logged.uid = LogText(uid)
            return ((), Logged(.setPop3Uid(logged)))
        }
    }

    /// Gives items new IMAP UIDs from the counter of item ids, and returns them.
    @discardableResult
    public func renumber(_ ids: [Int64]) throws -> [Int64] {
        try server.change(mailboxID) { change in
            var logged = SetImapUid()
            for id in ids {
                let old = try change.leaf(id)
                guard old.imapID != nil else { throw change.failure(.refused, "item \(id) is not visible by IMAP") }
                var row = change.touched(old)
                row.imapID = change.nextItemID()
                try change.update(old, to: row)
                let next = change.state.lastItemID + 1
                if let folder = row.folderID { change.state.folders[folder]?.metadata["unxt"] = .integer(next) }
                var uid = ImapUid()
                uid.itemID = Int32(id)
                uid.imapID = Int32(row.imapID ?? 0)
                logged.uids.append(uid)
            }
            return (logged.uids.map { Int64($0.imapID) }, Logged(.setImapUid(logged)))
        }
    }

    /// Replaces a section of the mailbox's settings; an empty map removes it.
    public func setConfig(_ section: String, _ values: [String: String]) throws {
        var map = MetadataDictionary()
        for (key, value) in values { map[key] = .string(value) }
        let text = values.isEmpty ? "" : map.text(forColumn: false)
        try server.change(mailboxID) { change in
            if values.isEmpty {
                try change.database.execute(
                    sql: "DELETE FROM mailbox_metadata WHERE mailbox_id = ? AND section = ?", arguments: [mailboxID, section])
            } else {
                try change.database.execute(
                    sql: "INSERT OR REPLACE INTO mailbox_metadata VALUES (?, ?, ?)", arguments: [mailboxID, section, text])
            }
            var logged = SetConfig()
            logged.section = LogText(section)
            logged.config = LogText(text)
            return ((), Logged(.setConfig(logged)))
        }
    }

    /// Removes the sections whose names begin with a text.
    public func deleteConfig(beginningWith part: String) throws {
        try server.change(mailboxID) { change in
            try change.database.execute(
                sql: "DELETE FROM mailbox_metadata WHERE mailbox_id = ? AND substr(section, 1, length(?)) = ?",
                arguments: [mailboxID, part, part])
            var logged = DeleteConfig()
            logged.section = LogText(part)
            return ((), Logged(.deleteConfig(logged)))
        }
    }

    /// The sections of the mailbox's settings: name → text.
    public func sections() throws -> [String: String] {
        try read { database in
            let rows = try Row.fetchAll(
                database, sql: "SELECT section, metadata FROM mailbox_metadata WHERE mailbox_id = ?", arguments: [mailboxID])
            return Dictionary(uniqueKeysWithValues: rows.map { ($0[0], $0[1]) })
        }
    }
}

extension Change {
    /// An item that is neither folder nor conversation.
    func leaf(_ id: Int64) throws -> ItemRow {
        let row = try item(id)
        guard row.type.countsInFolder else { throw failure(.refused, "item \(id) is a \(row.type.name)") }
        return row
    }
}
