import BackupStore
import SystemPackage

/// Carries an export out: folders, then each item as it comes from the index, one line of the manifest each.
final class ExportExecution {
    private let store: any StoreReading
    private let folder: ExportFolder
    private let plan: Plan
    private let folders: ExportFolders
    private let stop: () -> Bool
    private let progress: (ExportReport) -> Void
    private(set) var report: ExportReport

    init(
        store: any StoreReading, folder: ExportFolder, plan: Plan, report: ExportReport, stop: @escaping () -> Bool,
        progress: @escaping (ExportReport) -> Void
    ) {
        self.store = store
        self.folder = folder
        self.plan = plan
        self.report = report
        self.stop = stop
        self.progress = progress
        folders = ExportFolders(plan)
    }

    /// - Throws: what ends the whole export. A stop is told by the report.
    func run() throws {
        // Made first: no folder or item can take its name.
        let manifest = ExportManifest(try folder.makeFile(SafeName("manifest", suffix: ".jsonl"), in: "", id: 0).file, folders)
        let writer = try writer()
        report.warnings += plan.warnings
        for (id, reason) in plan.broken {
            report.asked += 1
            report.fail(id, .broken, reason)
        }
        for state in plan.folders where !ExportFolders.isRoot(state.row.id) {
            let place = try writer.makeFolder(state.row.id)
            if place != nil { report.folders += 1 }
            try manifest.add(state, ExportedItem(place: place))
        }
        for tag in plan.tags { try manifest.add(ItemState(tag: tag), ExportedItem()) }
        do {
            try writeItems(writer, manifest)
        } catch is Stopped {
            report.isStopped = true
        }
        try writer.finish()
        try manifest.close()
        try folder.sync()
        for warning in writer.warnings { report.warn(warning) }
        progress(report)
    }

    private struct Stopped: Error {}

    private func writer() throws -> any ExportWriting {
        let contents = ExportContents(store: store)
        return switch report.format {
        case .eml: FileTreeWriter(folder, folders, contents)
        case .maildir: try MaildirWriter(folder, folders, contents, plan.tags)
        case .mbox: MboxWriter(folder, folders, contents)
        case .tgz: try ArchiveWriter(folder, folders, contents, plan.tags)
        }
    }

    private func writeItems(_ writer: any ExportWriting, _ manifest: ExportManifest) throws {
        try store.items(report.selection.account, .all) { latest in
            guard case .item(_, let id) = latest.key else { return }
            if stop() { throw Stopped() }
            switch try report.selection.state(of: latest, store) {
            case .absent: break
            case .broken(let reason):
                // Folders and tags were counted with the plan; conversations the server makes itself.
                let type = latest.fields["type"]?.string.flatMap { ItemType(name: $0) }
                if let type, type.isContainer || type == .tag || type == .conversation { break }
                report.asked += 1
                report.fail(id, .broken, reason)
            case .alive(let state): try take(state, writer, manifest)
            }
        }
    }

    private func take(_ state: ItemState, _ writer: any ExportWriting, _ manifest: ExportManifest) throws {
        let type = state.row.type
        if type.isContainer || type == .tag || type == .conversation { return }
        if let id = state.row.folderID, !folders.isKnown(id) {
            report.warn("Item \(state.row.id) is placed in '\(folders.name(id))': its folder \(id) is not in the backup.")
        }
        try count(state, manifest, nil) { try writer.write(state) }
        for revision in state.revisions { try count(state, manifest, revision) { try writer.write(revision, of: state) } }
        if report.asked % 100 == 0 { progress(report) }
    }

    /// Writes one thing: it ends as exported, left out or unexported (R10).
    private func count(
        _ state: ItemState, _ manifest: ExportManifest, _ revision: ItemState.Revision?, _ write: () throws -> ExportedItem?
    ) throws {
        report.asked += 1
        do {
            guard let item = try write() else {
                report.leftOut[state.row.type.name, default: 0] += 1
                return
            }
            report.exported += 1
            report.bytes += item.bytes
            try manifest.add(state, item, revision)
        } catch let failure as UnexportedItem {
            let detail = (revision.map { "version \($0.row.version): " } ?? "") + failure.detail
            report.fail(state.row.id, failure.reason, detail)
            try manifest.add(state, ExportedItem(), revision, unexported: "\(failure.reason.rawValue): \(detail)")
        }
    }
}
