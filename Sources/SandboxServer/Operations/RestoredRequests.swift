import BackupCore
import RedoLog

/// What the record of a creation cannot say of an item that comes from a backup: requests that a client sends after it. Each
/// touches the item.
extension SandboxMailbox {
    /// Logs them all; the row is complete already.
    func logRest(of id: Int64) throws {
        guard let row = try item(id) else { return }
        if row.type.isContainer { return try logSettings(of: row) }
        let metadata = row.map
        let type = Int8(row.type.rawValue)
        try logDate(of: row)
        for name in flagsToLog(of: row) {
            var alter = AlterItemTag()
            alter.itemType = type
            alter.tagName = name
            alter.add = true
            alter.ids = [Int32(id)]
            try log(.alterItemTag(alter), touching: id)
        }
        if row.type != .note, let color = metadata.integer("c"), color != 0 {
            var logged = ColorItem()
            logged.ids = [Int32(id)]
            logged.itemType = type
            logged.color = color
            try log(.colorItem(logged), touching: id)
        }
        try logCustomData(of: row, besides: MetadataDictionary())
        if let uid = metadata.string("p3uid") {
            var logged = SetPop3Uid()
            logged.itemID = Int32(id)
            logged.itemType = type
            logged.uid = LogText(uid)
            try log(.setPop3Uid(logged), touching: id)
        }
        if let owner = metadata.string("lo") {
            var logged = LockItem()
            logged.accountID = LogText(owner)
            logged.itemID = Int32(id)
            try log(.lockItem(logged), touching: id)
        }
    }

    /// The date, and that an item has no IMAP id yet: who is born has its own.
    private func logDate(of row: ItemRow) throws {
        let isInRecord = [.document, .message, .chat].contains(row.type)
        if !isInRecord, row.date != row.changeDate {
            var date = DateItem()
            date.itemID = Int32(row.id)
            date.itemType = Int8(row.type.rawValue)
            date.date = row.date * 1000
            try log(.dateItem(date), touching: row.id)
        }
        if row.imapID == 0 {
            var uid = ImapUid()
            uid.itemID = Int32(row.id)
            var logged = SetImapUid()
            logged.uids = [uid]
            try log(.setImapUid(logged), touching: row.id)
        }
    }

    /// Names of flags and tags that the record of a creation does not have.
    private func flagsToLog(of row: ItemRow) -> [LogText] {
        guard [.contact, .note, .comment, .link].contains(row.type) else { return [] }
        let flags: [(Flags, LogText)] = [
            (.flagged, "\\Flagged"), (.priority, "\\Priority"), (.answered, "\\Answered"), (.forwarded, "\\Forwarded"),
            (.deleted, "\\Deleted"), (.notified, "\\Notified"), (.popped, "\\Popped"),
        ]
        let names = flags.filter { row.flags.contains($0.0) }.map(\.1)
        return row.type == .contact ? names : names + row.tags.map { LogText($0) }
    }

    private func logCustomData(of row: ItemRow, besides known: MetadataDictionary) throws {
        let metadata = row.map
        for key in Set(metadata.keys + known.keys).sorted() where key.hasPrefix("xd.") && metadata[key] != known[key] {
            var data = SetCustomData()
            data.itemID = Int32(row.id)
            data.itemType = Int8(row.type.rawValue)
            let section = LogText(String(key.dropFirst(3)))
            data.customMetadata = CustomMetadata(section: section, value: LogText(metadata.string(key) ?? MetadataDictionary().text()))
            try log(.setCustomData(data), touching: row.id)
        }
    }

    /// The settings of a new folder, search folder or mountpoint; a record of its creation says the others.
    private func logSettings(of row: ItemRow) throws {
        var told = row.map
        for key in ["rp", "wosd", "sd", "sg", "das"] + told.keys.filter({ $0.hasPrefix("xd.") }) { told[key] = nil }
        if row.type != .searchFolder { told["das"] = .string(row.type == .mountpoint ? "true" : "false") }
        if row.type != .folder { try logDate(of: row) }
        try setSettings(of: row, besides: told)
    }

    /// Sets, by a request each, what a row has and `known`, the metadata before, has not: colour, feed, flags, view, retention, what
    /// clients and devices keep, custom data, the query of a search.
    func setSettings(of row: ItemRow, besides known: MetadataDictionary) throws {
        let (id, metadata) = (row.id, row.map)
        func differs(_ key: String) -> Bool { metadata[key] != known[key] }
        if (known.integer("c") ?? 0) != metadata.integer("c") ?? 0 { try setColor(metadata.integer("c") ?? 0, of: [id], type: .folder) }
        if differs("url") { try setURL(metadata.string("url") ?? "", ofFolder: id) }
        if row.type == .folder, differs("vt") { try setDefaultView(metadata.integer("vt").map { ItemType(rawValue: Int($0)) }, ofFolder: id) }
        if differs("sd") || differs("sg"), let date = metadata.integer("sd") {
            try setSubscription(date: date, guid: metadata.string("sg") ?? "", ofFolder: id)
        }
        if differs("wosd"), let days = metadata.integer("wosd") { try setOfflineDays(Int(days), ofFolder: id) }
        if differs("das"), let disabled = metadata.string("das") { try disableActiveSync(disabled == "true", ofFolder: id) }
        if differs("rp"), let policy = metadata.dictionary("rp") { try setRetention(policy, of: id) }
        if row.type == .searchFolder, differs("q") || differs("t") || differs("s"), let query = metadata.string("q") {
            try modifySearch(id, query: query, types: metadata.string("t") ?? "", sort: metadata.string("s") ?? "")
        }
        try logCustomData(of: row, besides: known)
    }

    /// Gives a contact other metadata, with these fields; its attachments and its date stay.
    func setContact(_ id: Int64, _ metadata: String?, _ fields: MetadataDictionary) throws {
        try server.change(mailboxID) { ((), try $0.setContact(id, metadata, fields)) }
        if let row = try item(id) { try logDate(of: row) }
    }

    private func log(_ operation: Operation, touching id: Int64) throws {
        try server.change(mailboxID) { change in
            if change.state.folders[id] != nil {
                try change.editFolder(id) { _ in }
            } else {
                let old = try change.item(id)
                try change.update(old, to: change.touched(old))
            }
            return ((), Logged(operation))
        }
    }
}

extension Change {
    fileprivate func setContact(_ id: Int64, _ metadata: String?, _ fields: MetadataDictionary) throws -> Logged {
        let old = try item(id)
        var row = touched(old, content: true)
        if state.row.trackingImap { row.imapID = 0 }
        row.metadata = metadata
        var logged = ModifyContact()
        logged.itemID = Int32(id)
        logged.fields = fields.keys.sorted().map { ContactField(key: LogText($0), value: LogText(fields.string($0) ?? "")) }
        logged.legacyVolume = -1
        var body: LoggedBody?
        if let digest = old.blobDigest {
            let file = try server.path(of: old, mailbox: mailbox, in: database)
            var blob = IncomingBlob(path: file, size: old.size, storedLength: try Files.length(of: file), digest: digest, bytes: [])
            try place(blob, in: &row)
            // The operation's body is read from the new place: the old one goes with the commit.
            blob.path = try server.path(of: row, mailbox: mailbox, in: database)
            body = try blob.plain()
            removals.append(file)
            logged.attachmentBlob = Body(length: blob.size)
        }
        try update(old, to: row)
        return Logged(.modifyContact(logged), body: body)
    }
}
