import BackupStore

/// Folders of the target by place, as they are and as they come.
struct TargetFolders {
    private(set) var byID: [Int64: ItemRow] = [:]
    private var byPlace: [Place: Int64] = [:]

    private struct Place: Hashable {
        var parent: Int64
        /// In lower case: folder names are unique without regard to case.
        var name: String
    }

    init(_ rows: [ItemRow]) { rows.forEach { add($0) } }

    mutating func add(_ row: ItemRow) {
        byID[row.id] = row
        if let parent = row.folderID, let name = row.name { byPlace[Place(parent: parent, name: name.lowercased())] = row.id }
    }

    func find(named name: String, in parent: Int64) -> Int64? { byPlace[Place(parent: parent, name: name.lowercased())] }
}

extension RestoreExecution {
    /// Folders and search folders, parents first: those that the server makes itself are mapped by id, the others made or found again.
    func restoreFolders(_ plan: Plan) throws {
        targetFolders = TargetFolders(try mailbox.folders())
        for state in plan.folders where state.row.type != .mountpoint {
            try checkStop()
            if WellKnownFolder.isSystem(state) { try restoreSystemFolder(state) } else { try restoreFolder(state) }
        }
        // Of a mailbox that was followed without a scan, only folders that changed are known.
        for id in targetFolders.byID.keys where id < 256 && folderMap[id] == nil && !plan.folders.contains(where: { $0.row.id == id }) {
            folderMap[id] = id
        }
    }

    /// Folders of other mailboxes, when everything else is there.
    func restoreMountpoints(_ plan: Plan) throws {
        for state in plan.folders where state.row.type == .mountpoint {
            try checkStop()
            try restoreFolder(state)
        }
    }

    private func restoreSystemFolder(_ state: ItemState) throws {
        let id = state.row.id
        // Ids above 17 mean different folders in different servers.
        guard let there = targetFolders.byID[id], id <= 17 || there.name?.lowercased() == state.row.name?.lowercased() else {
            if state.metadata.integer("a").map({ $0 & 2 == 0 }) ?? true { try restoreFolder(state) }
            return
        }
        folderMap[id] = id
        var wanted = try translated(state, folder: there.folderID ?? WellKnownFolder.userRoot)
        wanted.id = id
        guard !wanted.hasSettings(of: there) else { return }
        report.asked += 1
        do {
            try mailbox.updateItem(wanted)
            report.restored += 1
        } catch {
            report.fail(id, .invalid, "\(error)")
        }
    }

    private func restoreFolder(_ state: ItemState) throws {
        let id = state.row.id
        report.asked += 1
        do {
            if case .restored(let known) = try map.entry(of: id), targetFolders.byID[known] != nil {
                folderMap[id] = known
                report.skipped += 1
                _ = try translated(state, folder: known)  // Notes what it refers to.
                return
            }
            guard let parent = folderMap[state.row.folderID ?? WellKnownFolder.userRoot] ?? topLevel(state) else {
                report.fail(id, .invalid, "its parent folder \(state.row.folderID ?? 0) could not be restored")
                return
            }
            var row = try translated(state, folder: parent)
            // A folder that only the source's server made itself is an ordinary one here.
            if WellKnownFolder.isSystem(state) { row.updateMetadata { $0["a"] = nil } }
            row.id = try findOrMake(&row, in: parent, of: id)
            targetFolders.add(row)
            folderMap[id] = row.id
            map.finish(id, as: row.id)
            report.restored += 1
        } catch {
            report.fail(id, .invalid, "\(state.row.type.name) '\(state.row.name ?? "")': \(error)")
        }
    }

    /// The target's folder of that name, made where it is missing: by name it is recognised after a crash, too.
    ///
    /// Where the name is another folder's of the backup, or one that the server refuses, the folder gets a name like it.
    private func findOrMake(_ row: inout ItemRow, in parent: Int64, of id: Int64) throws -> Int64 {
        let name = row.name ?? ""
        var refusal: (any Error)?
        if let there = targetFolders.find(named: name, in: parent) {
            guard folderMap.values.contains(there) else { return there }
        } else {
            do { return try mailbox.addItem(NewItem(row: row)) } catch {
                guard !AcceptableName.isPlain(name) else { throw error }
                refusal = error
            }
        }
        let other = AcceptableName.of(name, id: id)
        row.name = other
        let made = try targetFolders.find(named: other, in: parent) ?? mailbox.addItem(NewItem(row: row))
        let reason = refusal.map { "\($0)" } ?? "another folder has its name"
        report.warn("\(row.type.name) \(id) '\(name)' is named '\(other)': \(reason)")
        return made
    }

    /// The root for folders at the top, also where the source's root was never seen.
    private func topLevel(_ state: ItemState) -> Int64? {
        state.row.folderID == nil || state.row.folderID == WellKnownFolder.userRoot ? WellKnownFolder.userRoot : nil
    }

    /// Tags, found again by their name.
    func restoreTags(_ plan: Plan) throws {
        var known = Dictionary(try mailbox.tags().filter(\.listed).map { ($0.name.lowercased(), $0.id) }) { first, _ in first }
        for tag in plan.tags where tag.listed {
            try checkStop()
            report.asked += 1
            do {
                let there = known[tag.name.lowercased()]
                if case .restored(let mapped) = try map.entry(of: tag.id), mapped == there {
                    report.skipped += 1
                    continue
                }
                let made = try there ?? add(tag, &known)
                known[tag.name.lowercased()] = made
                map.finish(tag.id, as: made)
                report.restored += 1
            } catch {
                report.fail(tag.id, .invalid, "tag '\(tag.name)': \(error)")
            }
        }
    }

    /// Adds a tag; under a name like its own where the server refuses that.
    ///
    /// - Parameter known: ids of the target's tags by name in lower case.
    private func add(_ tag: TagRow, _ known: inout [String: Int64]) throws -> Int64 {
        do { return try mailbox.addTag(tag) } catch {
            guard !AcceptableName.isPlain(tag.name) else { throw error }
            var other = tag
            other.name = AcceptableName.of(tag.name)
            let made = try known[other.name.lowercased()] ?? mailbox.addTag(other)
            known[other.name.lowercased()] = made
            report.warn("tag \(tag.id) '\(tag.name)' is named '\(other.name)': \(error)")
            return made
        }
    }

    /// Rights on folders, when everything is in them.
    func restoreGrants(_ plan: Plan) throws {
        for state in plan.folders {
            if let target = folderMap[state.row.id] { try restoreGrants(of: state, onItem: target) }
        }
    }

    /// Rights on a folder or a document. What does not hold in another mailbox is refused there, and named.
    func restoreGrants(of state: ItemState, onItem target: Int64) throws {
        for grant in Grant.all(of: state) {
            try checkStop()
            do {
                try mailbox.grant(grant, onItem: target)
                report.grants += 1
            } catch {
                report.refusedGrants += 1
                report.warn(
                    "The grant on \(state.row.type.name) \(state.row.id) '\(state.row.name ?? "")' to \(grant.grantee ?? "all") was refused: \(error)")
            }
        }
    }
}

extension ItemRow {
    /// Whether a folder of the target has the flags and the metadata already, apart from what the server counts.
    fileprivate func hasSettings(of row: ItemRow) -> Bool {
        func settings(_ row: ItemRow) -> MetadataDictionary {
            var map = ItemState(row: row).metadata
            for key in ["sz", "unxt", "mseq", "i4l", "i4r", "i4d", "i4du", "mdver", "a", "aclm"] { map[key] = nil }
            if map.string("das") == "false" { map["das"] = nil }
            return map
        }
        return settings(self) == settings(row) && flags == row.flags
    }

    /// Changes the metadata map; a text that cannot be decoded is left alone.
    mutating func updateMetadata(_ change: (inout MetadataDictionary) -> Void) {
        var state = ItemState(row: self)
        state.updateMetadata(change)
        metadata = state.row.metadata
    }
}

extension Grant {
    /// The rights on a folder or document (formats/zimbra-items.md, section 3.1).
    static func all(of state: ItemState) -> [Grant] {
        guard let acl = state.metadata.dictionary("aclm"), let list = acl.list("g") else { return [] }
        return list.compactMap { value in
            guard case .dictionary(let entry) = value, let type = entry.integer("t"), let rights = entry.integer("r"), rights != 0
            else { return nil }
            // Guests and key holders share one expiry, the server's own users another.
            let common = acl.integer(type == 7 || type == 8 ? "ge" : "ie") ?? 0
            let own = entry.integer("e") ?? 0
            return Grant(
                granteeType: type, grantee: entry.string("g"), rights: rights, secret: entry.string("a") ?? entry.string("k"),
                expiry: own != 0 ? own : type == 6 ? 0 : common)
        }
    }
}
