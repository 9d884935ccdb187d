import BackupStore
import SystemPackage

/// Carries a plan out: folders, tags, items, grants. Each item ends as restored, skipped or unrestored with a reason (R10).
final class RestoreExecution {
    let store: any StoreReading
    let mailbox: any TargetMailbox
    let map: IDMap
    let spool: FilePath
    private let stop: () -> Bool
    private let progress: (RestoreReport) -> Void
    /// Folder of the backup -> folder of the target.
    var folderMap: [Int64: Int64] = [:]
    /// Folders of the backup that the target does not have.
    private var failedFolders: Set<Int64> = []
    var report: RestoreReport
    /// Items whose intent becomes durable together.
    private var batch: [(state: ItemState, folder: Int64)] = []

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
        do {
            try restoreAll()
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
        failedFolders = Set(plan.folders.map(\.row.id)).subtracting(folderMap.keys).union(plan.broken.map(\.id))
        try restoreTags(plan)
        try settleInFlight()
        try restoreItems()
        try restoreGrants(plan)
        progress(report)
    }

    func checkStop() throws {
        guard stop() else { return }
        throw CoreError(
            .stopped, doing: "restoring", subject: report.destination.name, reason: "stopped by request",
            remedy: "Run the same command again: it continues and restores nothing twice")
    }

    /// Looks up the few items that were being written when the restore was interrupted: each is there, or it is not.
    private func settleInFlight() throws {
        for id in try map.inFlight() {
            let latest = try store.item(report.selection.account, id)
            if let latest, case .alive(let state) = try report.selection.state(of: latest, store),
                let folder = folderMap[state.row.folderID ?? 0], let target = try find(state, folder)
            {
                map.finish(id, as: target)
            } else {
                map.drop(id)
            }
        }
        try map.intend([])
    }

    private func restoreItems() throws {
        try store.items(report.selection.account, .all) { latest in
            guard case .item(_, let id) = latest.key else { return }
            switch try report.selection.state(of: latest, store) {
            case .absent: break
            case .broken(let reason):
                // Folders and tags were counted with the plan; conversations the server makes itself.
                let type = latest.fields["type"]?.string.flatMap { ItemType(name: $0) }
                if let type, type.isContainer || type == .tag || type == .conversation { break }
                report.asked += 1
                report.fail(id, .broken, reason)
            case .alive(let state): try take(state)
            }
        }
        try writeBatch()
    }

    /// Puts an item into the batch, when it is one that is to be written.
    private func take(_ state: ItemState) throws {
        let type = state.row.type
        if type.isContainer || type == .tag || type == .conversation { return }
        report.asked += 1
        guard type == .message || type == .chat else {
            report.fail(state.row.id, .notYet, type.name)
            return
        }
        guard let folder = try folder(of: state) else { return }
        switch try map.entry(of: state.row.id) {
        case .restored(let target)? where try mailbox.exists(target):
            report.skipped += 1
            return
        default: break
        }
        batch.append((state, folder))
        if batch.count == IDMap.maximumInFlight { try writeBatch() }
    }

    /// The target's folder for an item; nil where the item cannot be restored, which the report then says.
    private func folder(of state: ItemState) throws -> Int64? {
        let id = state.row.folderID ?? 0
        if let folder = folderMap[id] { return folder }
        if failedFolders.contains(id) {
            report.fail(state.row.id, .refused, "its folder \(id) could not be restored")
            return nil
        }
        report.warn("Item \(state.row.id) is placed in the Inbox: its folder \(id) is not in the backup.")
        return WellKnownFolder.inbox
    }

    private func writeBatch() throws {
        guard !batch.isEmpty else { return }
        // From here on a crash leaves these, and no others, to be looked up.
        try map.intend(batch.map(\.state.row.id))
        for (state, folder) in batch {
            try checkStop()
            write(state, folder)
        }
        batch = []
        progress(report)
    }

    private func write(_ state: ItemState, _ folder: Int64) {
        let id = state.row.id
        guard let blob = state.blob else {
            report.fail(id, .readError, "its content could not be read when it was backed up")
            map.drop(id)
            return
        }
        let content: CheckedContent
        do {
            content = try CheckedContent(blob, store, folder: spool)
        } catch let error as StoreError where error.code == .blobDamaged {
            report.fail(id, .broken, "\(error)")
            map.drop(id)
            return
        } catch {
            report.fail(id, .readError, "\(error)")
            map.drop(id)
            return
        }
        do {
            let target = try mailbox.addMessage(NewMessage(state, folder: folder, size: blob.size), content: content.reader())
            finish(state, blob, as: target)
        } catch {
            // Refused, or written and then lost on the way back: the target knows.
            do {
                if let target = try find(state, folder) {
                    finish(state, blob, as: target)
                    return
                }
                map.drop(id)
                report.fail(id, .refused, "\(error)")
            } catch let second {
                // Not to be told now: the intent stays, the next run looks again.
                report.fail(id, .refused, "\(error); it could not be looked up either: \(second)")
            }
        }
    }

    private func finish(_ state: ItemState, _ blob: BlobReference, as target: Int64) {
        map.finish(state.row.id, as: target)
        report.restored += 1
        report.bytes += blob.size
    }

    /// An item of the target that is this one, and is not known to be another.
    private func find(_ state: ItemState, _ folder: Int64) throws -> Int64? {
        guard let blob = state.blob else { return nil }
        return try mailbox.findMessages(folderID: folder, digest: blob.id.description, date: state.row.date).first {
            try !map.isMapped(target: $0)
        }
    }
}

extension NewMessage {
    init(_ state: ItemState, folder: Int64, size: Int64) {
        var flags = state.row.flags
        if state.row.unread ?? 0 > 0 { flags.insert(.unread) }
        self.init(type: state.row.type, folderID: folder, date: state.row.date, flags: flags, tags: state.row.tags, size: size)
    }
}
