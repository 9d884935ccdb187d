import BackupCore
import RedoLog

/// Settings of folders (formats/zimbra-redolog.md, section 7.4). One that is as wanted already is logged, and the row left alone.
extension SandboxMailbox {
    /// What a folder shows; nil = anything.
    public func setDefaultView(_ view: ItemType?, ofFolder id: Int64) throws {
        let value = view.map { MetadataDictionary.Value.integer(Int64($0.rawValue)) }
        try set("vt", value, ofFolder: id) { id in
            var logged = SetFolderDefaultView()
            logged.folderID = id
            logged.defaultView = view.map { Int8($0.rawValue) } ?? -1
            return .setFolderDefaultView(logged)
        }
    }

    /// How many days of a folder the offline client keeps.
    public func setOfflineDays(_ days: Int, ofFolder id: Int64) throws {
        try set("wosd", .integer(Int64(days)), ofFolder: id, always: true) { id in
            var logged = SetWebOfflineSyncDays()
            logged.folderID = id
            logged.days = Int32(days)
            return .setWebOfflineSyncDays(logged)
        }
    }

    /// Hides a folder from mobile devices, or shows it.
    public func disableActiveSync(_ disabled: Bool, ofFolder id: Int64) throws {
        try set("das", .string(disabled ? "true" : "false"), ofFolder: id, always: true) { id in
            var logged = SetDisableActiveSync()
            logged.folderID = id
            logged.disabled = disabled
            return .setDisableActiveSync(logged)
        }
    }

    /// Notes how far a feed was read; `date` in milliseconds.
    public func setSubscription(date: Int64, guid: String, ofFolder id: Int64) throws {
        try server.change(mailboxID) { change in
            try change.editFolder(id) { folder in
                folder.metadata["sd"] = .integer(date)
                if !guid.isEmpty { folder.metadata["sg"] = .string(guid) }
            }
            var logged = SetSubscriptionData()
            logged.folderID = Int32(id)
            logged.lastItemDate = date
            logged.lastItemGUID = LogText(guid)
            return ((), Logged(.setSubscriptionData(logged)))
        }
    }

    private func set(
        _ key: String, _ value: MetadataDictionary.Value?, ofFolder id: Int64, always: Bool = false,
        _ operation: (Int32) -> RedoLog.Operation
    ) throws {
        try server.change(mailboxID) { change in
            if try change.folder(id).metadata[key] != value || always { try change.editFolder(id) { $0.metadata[key] = value } }
            return ((), Logged(operation(Int32(id))))
        }
    }

    /// How long items of a folder or tag are kept and when they are purged, in lifetimes such as `30d`.
    public func setRetention(keep: [String], purge: [String], of id: Int64) throws {
        func list(_ lifetimes: [String]) -> MetadataDictionary.Value {
            .list(
                lifetimes.map {
                    var entry = MetadataDictionary()
                    entry["lifetime"] = .string($0)
                    return .dictionary(entry)
                })
        }
        guard (keep + purge).allSatisfy({ Lifetime.seconds($0) != nil }) else {
            throw SandboxError(.refused, doing: "mailbox \(mailboxID)", reason: "a lifetime is a number with d, h, m or s")
        }
        var map = MetadataDictionary()
        map["keep"] = list(keep)
        map["purge"] = list(purge)
        try setRetention(map, of: id)
    }

    /// Sets the policies of a folder or tag as its metadata have them (formats/zimbra-items.md, section 3.2).
    func setRetention(_ map: MetadataDictionary, of id: Int64) throws {
        func policies(_ key: String) -> [RetentionPolicy]? {
            map.list(key)?.compactMap { value in
                guard case .dictionary(let entry) = value else { return nil }
                var policy = RetentionPolicy()
                policy.id = entry.string("id").map { LogText($0) }
                policy.lifetime = entry.string("lifetime").map { LogText($0) }
                return policy
            }
        }
        try server.change(mailboxID) { change in
            var logged = SetRetentionPolicy()
            logged.itemID = Int32(id)
            logged.keep = policies("keep")
            logged.purge = policies("purge") ?? []
            if change.state.folders[id] != nil {
                try change.editFolder(id) { $0.metadata["rp"] = .dictionary(map) }
            } else {
                let key = try change.tag(id).key
                change.state.tags[key]?.row.policy = map.text()
                change.state.tags[key]?.row.sequence = change.number
                change.markTag(key)
                logged.itemType = Int8(ItemType.tag.rawValue)
            }
            return ((), Logged(.setRetentionPolicy(logged)))
        }
    }
}

/// Lifetimes as the directory and policies write them: a number and a unit.
enum Lifetime {
    /// Seconds; 0 = for ever; nil for what is no lifetime.
    static func seconds(_ text: String?) -> Int64? {
        guard let text, let last = text.last else { return nil }
        let units: [Character: Int64] = ["d": 86400, "h": 3600, "m": 60, "s": 1]
        guard let unit = units[last] else { return Int64(text) }
        return Int64(text.dropLast()).flatMap { $0 >= 0 ? $0.multipliedReportingOverflow(by: unit).partialValue : nil }
    }
}
