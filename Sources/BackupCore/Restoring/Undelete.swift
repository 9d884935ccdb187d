import BackupStore
import SystemPackage

/// Brings back what was deleted between two moments, in its last state alive, into the living mailbox.
///
/// What is alive again is left alone. Run again with the same window it restores nothing twice.
public struct Undelete: Sendable {
    /// Name or id of the account.
    public var account: String
    /// The first moment of the window; nil = the account's first change.
    public var start: RestoreMoment?
    /// The last moment of the window, which includes all of its second.
    public var end: RestoreMoment
    /// Whether items go into the folders they were in, with the tag `undelete_dd_MM_yy`, instead of a folder of that name.
    public var toOriginalFolders = false
    /// Milliseconds since 1970: what the folder and the tag are named by.
    var clock: @Sendable () -> Int64 = { WallClock.milliseconds }

    /// An undelete; nothing happens before `run`.
    public init(account: String, start: RestoreMoment?, end: RestoreMoment) {
        self.account = account
        self.start = start
        self.end = end
    }

    /// Runs the restore.
    ///
    /// - Parameters: as of `RestoreOnNewAccount.run`.
    /// - Throws: `CoreError`, before anything is written, for what cannot be restored at all.
    public func run(
        from store: any StoreReading, to target: any MailTarget, stateFolder: FilePath, stop: @escaping () -> Bool = { false },
        progress: @escaping (RestoreReport) -> Void = { _ in }
    ) throws -> RestoreReport {
        let known = try BackedUpAccount.find(account, in: store)
        var selection = try Selection(account: known.entry.id, at: .last, in: store)
        let window = try Window(self, known.entry.id, store)
        selection.warnings += try Selection.purgeWarning(known.entry.id, after: window.start, in: store)
        let living = try LivingMailbox(
            of: known, selection: selection, limit: window.end,
            purpose: "undelete:\(start?.description ?? "first")..\(end)/\(toOriginalFolders)", from: store, to: target,
            stateFolder: stateFolder, stop: stop, progress: progress)
        living.execution.choice = { id in
            guard let latest = try store.item(known.entry.id, id), case .alive(let state) = try undeleted(latest, window, living)
            else { return nil }
            return state
        }
        var presumed = 0
        let makeBase = {
            if !toOriginalFolders, living.base == nil { living.base = try living.folder(at: try living.undeleteFolder(clock())) }
        }
        return try living.run(prepare: makeBase) {
            // Comments after the documents that they belong to.
            for comments in [false, true] {
                try store.items(known.entry.id, .all) { latest in
                    guard latest.sequence > window.start, latest.firstSequence <= window.end else { return }
                    let isComment = latest.fields["type"]?.string == ItemType.comment.name
                    guard isComment == comments else { return }
                    switch try undeleted(latest, window, living) {
                    case .absent: break
                    case .broken(let reason): living.fail(latest.key, reason)
                    case .alive(let state):
                        if latest.isPresumed { presumed += 1 }
                        try makeBase()
                        try living.take(state)
                    }
                }
            }
            if presumed > 0 { living.execution.report.warn("\(presumed) of the deletions are presumed: the log does not name them.") }
        }
    }

    /// What the window is in commit sequences: after the first, up to the second.
    private struct Window {
        var start: UInt64 = 0
        var end: UInt64 = .max

        init(_ undelete: Undelete, _ account: String, _ store: any StoreReading) throws {
            for case .second(let second)? in [undelete.start, undelete.end] {
                try RestoreMoment.refuseFuture(second, lastChange: try store.changes(of: account)?.last.time)
            }
            switch undelete.start {
            case .second(let second): start = try store.cut(account, atOrBeforeSecond: second - 1)?.sequence ?? 0
            case .change(let change): start = try store.cut(account, change: change - 1)?.sequence ?? 0
            case .last?, nil: break
            }
            switch undelete.end {
            case .second(let second): end = try store.cut(account, atOrBeforeSecond: second)?.sequence ?? 0
            case .change(let change): end = try store.cut(account, change: change)?.sequence ?? 0
            case .last: break
            }
            guard start <= end else {
                throw CoreError(
                    .refused, doing: "choosing what to undelete", subject: undelete.account,
                    reason: "the window ends before it begins", remedy: "Give the earlier date first")
            }
        }
    }

    /// The item as it was before its deletion in the window; absent where there was none, or it is alive again.
    private func undeleted(_ latest: IndexedItem, _ window: Window, _ living: LivingMailbox) throws -> SelectedState {
        guard latest.isDeleted, case .item(_, let id) = latest.key else { return .absent }
        switch latest.fields["type"]?.string.flatMap({ ItemType(name: $0) }) {
        case .conversation?, .tag?: return .absent  // The server makes conversations itself; tags come with the items.
        default: break
        }
        let history = try living.store.history(of: latest.key)
        let life = ItemLifetime(history, latest, where: living.isOfLife)
        if life.isDoubtful(after: window.start, upTo: window.end) {
            return .broken(history.damage.first.map { "\($0)" } ?? "states are missing")
        }
        guard let (line, deletion) = life.beforeDeletion, deletion > window.start else { return .absent }
        guard var state = ItemState(id: id, fields: line.fields, blobs: line.blobs) else {
            return .broken("its state names no type")
        }
        // Before it went, an item was mostly moved to Trash: its own folder is the one before.
        if toOriginalFolders, let folder = life.lastFolder(but: FolderID.trash) { state.row.folderID = folder }
        (state.deleted, state.inDumpster, state.notBefore) = (false, false, nil)
        state.row.flags.remove(.deleted)
        if toOriginalFolders, !state.row.type.isContainer { state.row.tags.append(try living.undeleteTag(clock())) }
        return .alive(state)
    }
}
