import BackupStore
import SystemPackage

/// Carries a plan out: folders, tags, items, mountpoints, grants. Each item ends as restored, skipped or unrestored with a reason (R10).
final class RestoreExecution {
    let store: any StoreReading
    let mailbox: any TargetMailbox
    let map: IDMap
    let spool: FilePath
    private let stop: () -> Bool
    private let progress: (RestoreReport) -> Void
    /// Folder of the backup -> folder of the target.
    var folderMap: [Int64: Int64] = [:]
    /// Folders of the target, as they are and as they come.
    var targetFolders = TargetFolders([])
    /// Folders of the backup that the target does not have, and why.
    private var failedFolders: [Int64: RestoreReport.Reason] = [:]
    var report: RestoreReport
    /// Items whose intent becomes durable together.
    private var batch: [(state: ItemState, folder: Int64)] = []
    /// Items that refer to others which had no id in the target yet.
    private var referring: Set<Int64> = []
    /// Chooses an item's state, where it is not the selection's.
    var choice: ((Int64) throws -> ItemState?)?
    /// Whether the target is the mailbox that the items were in: an id that is there means the same item.
    var isOwnMailbox = false

    init(
        store: any StoreReading, mailbox: any TargetMailbox, map: IDMap, spool: FilePath, report: RestoreReport,
        stop: @escaping () -> Bool, progress: @escaping (RestoreReport) -> Void
    ) {
        self.store = store
        self.mailbox = mailbox
        self.map = map
        self.spool = spool
        self.report = report
        self.stop = stop
        self.progress = progress
    }

    /// - Throws: what ends the whole restore. A stop is told by the report.
    func run() throws {
        try reportingStop(restoreAll)
    }

    /// Runs a part of a restore; a stop by request is told by the report.
    func reportingStop(_ body: () throws -> Void) throws {
        do {
            try body()
            progress(report)
        } catch let error as CoreError where error.code == .stopped {
            report.isStopped = true
            // The rest of the batch was looked at and not reached: the next run asks for it.
            report.asked = report.restored + report.skipped + Int64(report.unrestored.count)
        }
    }

    private func restoreAll() throws {
        let plan = try Plan(report.selection, store)
        report.warnings += plan.warnings
        for (id, reason) in plan.broken {
            report.asked += 1
            report.fail(id, .broken, reason)
        }
        try restoreFolders(plan)
        for state in plan.folders where folderMap[state.row.id] == nil { failedFolders[state.row.id] = .invalid }
        for (id, _) in plan.broken { failedFolders[id] = .broken }
        try restoreTags(plan)
        try settleInFlight()
        // What others name as their parent comes before them.
        for stage in [ItemStage.conversations, .items, .comments] { try restoreItems(stage) }
        try restoreMountpoints(plan)
        try restoreReferences()
        try restoreGrants(plan)
    }

    func checkStop() throws {
        guard stop() else { return }
        throw CoreError(
            .stopped, doing: "restoring", subject: report.destination.name, reason: "stopped by request",
            remedy: "Run the same command again: it continues and restores nothing twice")
    }

    /// Looks up the few items that were being written when the restore was interrupted: each is there, or it is not.
    func settleInFlight() throws {
        for id in try map.inFlight() {
            if let state = try selected(id), let folder = folderMap[state.row.folderID ?? 0], let target = try find(state, folder) {
                map.finish(id, as: target)
            } else {
                map.drop(id)
            }
        }
        try map.intend([])
    }

    /// The state of an item at the selection's moment; nil where it is not there, or broken.
    func selected(_ id: Int64) throws -> ItemState? {
        if let choice { return try choice(id) }
        guard let latest = try store.item(report.selection.account, id),
            case .alive(let state) = try report.selection.state(of: latest, store)
        else { return nil }
        return state
    }

    private func restoreItems(_ stage: ItemStage) throws {
        var order = ItemOrder()
        func takeWaiting(before id: Int64) throws {
            while let next = order.next(before: id) { if let state = try selected(next) { try take(state) } }
        }
        try store.items(report.selection.account, .all) { latest in
            // A life of the mailbox before this one may have used the id for something else.
            let isCandidate = latest.generation != report.selection.generation || stage.includes(latest.fields)
            guard isCandidate, case .item(_, let id) = latest.key else { return }
            switch try report.selection.state(of: latest, store) {
            case .absent: break
            case .broken(let reason):
                guard stage.includes(latest.fields) else { return }
                report.asked += 1
                report.fail(id, .broken, reason)
            case .alive(let state):
                guard stage.includes(state.row.type, hasParent: state.row.parentID != nil) else { return }
                try takeWaiting(before: id)
                if !order.keeps(state.row) { try take(state) }
            }
        }
        try takeWaiting(before: .max)
        try writeBatch()
    }

    /// Puts an item into the batch, when it is one that is to be written.
    func take(_ state: ItemState) throws {
        report.asked += 1
        guard let folder = try folder(of: state) else { return }
        if case .restored(let target)? = try map.entry(of: state.row.id), try mailbox.exists(target) {
            report.skipped += 1
            // Whether an earlier run came to complete what it refers to is not known.
            if try refers(state) { referring.insert(state.row.id) }
            if state.row.type == .document { try restoreGrants(of: state, onItem: target) }
            return
        }
        batch.append((state, folder))
        if batch.count == IDMap.maximumInFlight { try writeBatch() }
    }

    /// The target's folder for an item; nil where the item cannot be restored, which the report then says.
    private func folder(of state: ItemState) throws -> Int64? {
        let id = state.row.folderID ?? 0
        if let folder = folderMap[id] { return folder }
        if let reason = failedFolders[id] {
            report.fail(state.row.id, reason, "its folder \(id) could not be restored")
            return nil
        }
        let home = WellKnownFolder.home(of: state.row.type)
        report.warn("Item \(state.row.id) is placed in folder \(home): its folder \(id) is not in the backup.")
        return home
    }

    func writeBatch() throws {
        guard !batch.isEmpty else { return }
        // From here on a crash leaves these, and no others, to be looked up.
        try map.intend(batch.map(\.state.row.id))
        for (state, folder) in batch {
            try checkStop()
            try write(state, folder)
        }
        batch = []
        progress(report)
    }

    /// - Parameter isTamed: whether its name and tags are changed to such as every server takes.
    private func write(_ state: ItemState, _ folder: Int64, isTamed: Bool = false) throws {
        let id = state.row.id
        func fail(_ reason: RestoreReport.Reason, _ detail: String) {
            report.fail(id, reason, detail)
            map.drop(id)
        }
        // One that was recovered from the dumpster without its document has none.
        if state.row.type == .comment, let document = state.row.parentID, try target(of: document) == nil {
            return fail(.invalid, "its document \(document) could not be restored")
        }
        var item: NewItem
        do {
            item = NewItem(row: try translated(state, folder: folder))
            if isTamed { item.row.tameNames(id: id) }
            if let blob = state.blob {
                item.content = try NewItem.Content(CheckedContent(blob, store, folder: spool))
            } else if state.row.type.hasContent || !(state.row.blobDigest ?? "").isEmpty {
                return fail(.readError, ItemState.withoutContent)
            }
        } catch let error as StoreError where error.code == .blobDamaged {
            return fail(.broken, "\(error)")
        } catch {
            return fail(.readError, "\(error)")
        }
        for revision in state.revisions {
            do {
                let content = try revision.blob.map { try NewItem.Content(CheckedContent($0, store, folder: spool)) }
                if content == nil { report.warn("Version \(revision.row.version) of document \(id) comes alone: \(ItemState.withoutContent).") }
                item.revisions.append((revision.row, content))
            } catch {
                report.warn("Version \(revision.row.version) of document \(id) comes without its content: \(error)")
                item.revisions.append((revision.row, nil))
            }
        }
        do {
            try finish(state, as: try mailbox.addItem(item))
        } catch let error as CoreError where error.code == .stopped {
            throw error
        } catch {
            // Refused, or written and then lost on the way back: the target knows.
            do {
                if let target = try find(state, folder) { return try finish(state, as: target) }
                if !isTamed, state.row.canBeTamed {
                    report.warn("Item \(id) has another name or other tags than before, which the server refused: \(error)")
                    return try write(state, folder, isTamed: true)
                }
                fail(.invalid, "\(error)")
            } catch let stopped as CoreError where stopped.code == .stopped {
                throw stopped
            } catch let second {
                // Not to be told now: the intent stays, the next run looks again.
                report.fail(id, .invalid, "\(error); it could not be looked up either: \(second)")
            }
        }
    }

    private func finish(_ state: ItemState, as target: Int64) throws {
        map.finish(state.row.id, as: target)
        report.restored += 1
        report.bytes += state.blobs.reduce(0) { $0 + $1.size }
        if state.row.type == .document { try restoreGrants(of: state, onItem: target) }
    }

    /// An item of the target that is this one, and is not known to be another.
    private func find(_ state: ItemState, _ folder: Int64) throws -> Int64? {
        var row = state.row
        row.folderID = folder
        row.blobDigest = state.blob?.id.description
        return try mailbox.findItems(like: row).first { try !map.isMapped(target: $0) }
    }
}

// MARK: - Ids

extension RestoreExecution {
    /// The target's id of an item; nil while it has none.
    func target(of id: Int64) throws -> Int64? {
        if let folder = folderMap[id] { return folder }
        if case .restored(let target)? = try map.entry(of: id) { return target }
        return try isOwnMailbox && mailbox.exists(id) ? id : nil
    }

    /// The row as it goes into a folder of the target, with the target's ids; grants come later.
    func translated(_ state: ItemState, folder: Int64) throws -> ItemRow {
        var row = state.row
        row.folderID = folder
        row.parentID = row.type.isContainer ? folder : try row.parentID.flatMap { try target(of: $0) }
        row.prevFolders = nil
        row.flags.remove(.copied)
        var references = References(account: report.selection.account) { try self.target(of: $0) }
        row.metadata = try references.translated(row)
        if references.isIncomplete { referring.insert(row.id) }
        if state.metadata["aclm"] != nil { row.updateMetadata { $0["aclm"] = nil } }
        return row
    }

    private func refers(_ state: ItemState) throws -> Bool {
        var references = References(account: report.selection.account) { try self.target(of: $0) }
        _ = try references.translated(state.row)
        return references.isReferring
    }

    /// Completes the metadata of items that refer to others, when all have their ids.
    func restoreReferences() throws {
        for id in referring.sorted() {
            try checkStop()
            guard let state = try selected(id), let target = try target(of: id) else { continue }
            do {
                var row = try translated(state, folder: folderMap[state.row.folderID ?? 0] ?? 0)
                row.id = target
                try mailbox.updateItem(row)
            } catch {
                report.warn("Item \(id) names other items that it could not be told the new ids of: \(error)")
            }
        }
    }
}

extension ItemRow {
    /// Whether its name or a tag may be why a server refuses it: a document's may also be taken.
    fileprivate var canBeTamed: Bool { hasOddName || !tags.allSatisfy(AcceptableName.isPlain) }

    private var hasOddName: Bool {
        name.map { type == .document || type == .wiki || !AcceptableName.isPlain($0) } ?? false
    }

    fileprivate mutating func tameNames(id: Int64) {
        if let name, hasOddName { self.name = AcceptableName.of(name, id: id, keepsExtension: type == .document) }
        tags = tags.map { AcceptableName.isPlain($0) ? $0 : AcceptableName.of($0) }
    }
}

/// What is restored together: items of a later stage name those of an earlier one as their parents.
enum ItemStage {
    case conversations, items, comments

    /// A comment that names no document waits for none: it keeps its place among the items.
    func includes(_ type: ItemType, hasParent: Bool) -> Bool {
        let isLate = type == .comment && hasParent
        return switch self {
        case .conversations: type == .conversation
        case .comments: isLate
        case .items: !type.isContainer && type != .tag && type != .conversation && !isLate
        }
    }

    /// By the type in a history line; what names none is told of with the items.
    func includes(_ fields: JSONObject) -> Bool {
        guard let type = fields["type"]?.string.flatMap({ ItemType(name: $0) }) else { return self == .items }
        return includes(type, hasParent: fields["parent"]?.int != nil)
    }
}

extension NewItem.Content {
    fileprivate init(_ content: CheckedContent) { self.init(size: content.size, reader: content.reader()) }
}

extension ItemType {
    /// Whether items of this type always have a content (formats/zimbra-items.md, section 4). Documents do not: entries of "Files
    /// shared with me" and their copies have none.
    fileprivate var hasContent: Bool { [.message, .chat, .wiki].contains(self) }
}
