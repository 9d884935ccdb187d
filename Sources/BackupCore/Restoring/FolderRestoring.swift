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
    /// Folders, parents first: those that the server makes itself are mapped by id, the others made or found again.
    func restoreFolders(_ plan: Plan) throws {
        var target = TargetFolders(try mailbox.folders())
        for state in plan.folders {
            try checkStop()
            switch state.row.type {
            case .folder where WellKnownFolder.isSystem(state): restoreSystemFolder(state, &target)
            case .folder: restoreFolder(state, &target)
            default:
                report.asked += 1
                report.fail(state.row.id, .notYet, "\(state.row.type.name) '\(state.row.name ?? "")'")
            }
        }
        // Of a mailbox that was followed without a scan, only folders that changed are known.
        for id in target.byID.keys where id < 256 && folderMap[id] == nil && !plan.folders.contains(where: { $0.row.id == id }) {
            folderMap[id] = id
        }
    }

    private func restoreSystemFolder(_ state: ItemState, _ target: inout TargetFolders) {
        let id = state.row.id
        // Ids above 17 mean different folders in different servers.
        if let there = target.byID[id], id <= 17 || there.name?.lowercased() == state.row.name?.lowercased() {
            folderMap[id] = id
            let wanted = NewFolder(state, parent: there.folderID ?? WellKnownFolder.userRoot)
            guard !wanted.hasSettings(of: there) else { return }
            report.asked += 1
            do {
                try mailbox.updateFolder(id, with: wanted)
                report.restored += 1
            } catch {
                report.fail(id, .refused, "\(error)")
            }
        } else if state.metadata.integer("a").map({ $0 & 2 == 0 }) ?? true {
            restoreFolder(state, &target)
        }
    }

    private func restoreFolder(_ state: ItemState, _ target: inout TargetFolders) {
        let id = state.row.id
        report.asked += 1
        do {
            if case .restored(let known) = try map.entry(of: id), target.byID[known] != nil {
                folderMap[id] = known
                report.skipped += 1
                return
            }
            guard let parent = folderMap[state.row.folderID ?? WellKnownFolder.userRoot] ?? topLevel(state) else {
                report.fail(id, .refused, "its parent folder \(state.row.folderID ?? 0) could not be restored")
                return
            }
            let wanted = NewFolder(state, parent: parent)
            // By name it is recognised after a crash, too: making it twice is not possible.
            let made = try target.find(named: wanted.name, in: parent) ?? mailbox.createFolder(wanted)
            var row = ItemRow(id: made, type: .folder)
            row.folderID = parent
            row.name = wanted.name
            target.add(row)
            folderMap[id] = made
            map.finish(id, as: made)
            report.restored += 1
        } catch {
            report.fail(id, .refused, "folder '\(state.row.name ?? "")': \(error)")
        }
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
                let made = try there ?? mailbox.createTag(name: tag.name, color: tag.color)
                known[tag.name.lowercased()] = made
                map.finish(tag.id, as: made)
                report.restored += 1
            } catch {
                report.fail(tag.id, .refused, "tag '\(tag.name)': \(error)")
            }
        }
    }

    /// Rights on folders, when everything is in them.
    func restoreGrants(_ plan: Plan) throws {
        for state in plan.folders where state.row.type == .folder {
            guard let target = folderMap[state.row.id] else { continue }
            for grant in Grant.all(of: state) {
                try checkStop()
                do {
                    try mailbox.grant(grant, onFolder: target)
                    report.grants += 1
                } catch {
                    report.refusedGrants += 1
                    report.warn("The grant on folder \(state.row.id) '\(state.row.name ?? "")' to \(grant.grantee ?? "all") was refused: \(error)")
                }
            }
        }
    }
}

extension NewFolder {
    /// The folder of a state, below a folder of the target.
    init(_ state: ItemState, parent: Int64) {
        let metadata = state.metadata
        self.init(
            name: state.row.name ?? "", parentID: parent,
            view: metadata.integer("vt").map { ItemType(rawValue: Int($0)) }, color: metadata.integer("c") ?? 0,
            flags: state.row.flags.subtracting([.noInherit]), url: metadata.string("url") ?? "", date: state.row.date &* 1000)
    }

    /// Whether a folder of the target has the colour, flags and feed already.
    fileprivate func hasSettings(of row: ItemRow) -> Bool {
        let metadata = ItemState(row: row).metadata
        return (metadata.integer("c") ?? 0) == color && (metadata.string("url") ?? "") == url
            && row.flags.subtracting([.noInherit]) == flags
    }
}

extension Grant {
    /// The rights on a folder (formats/zimbra-items.md, section 3.1).
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
