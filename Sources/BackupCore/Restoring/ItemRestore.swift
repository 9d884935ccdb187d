import BackupStore
import SystemPackage

/// Brings one item back into its mailbox, as it was at a moment; folders that it lay in and that are gone come back with it.
public struct ItemRestore: Sendable {
    /// Name or id of the account.
    public var account: String
    /// The item's id.
    public var item: Int64
    /// `.last`: its latest state alive.
    public var moment: RestoreMoment
    /// Path of the folder that it goes into, made where it is missing; nil = its own.
    public var folder: String?

    /// The restore of an item; nothing happens before `run`.
    public init(account: String, item: Int64, moment: RestoreMoment = .last, folder: String? = nil) {
        self.account = account
        self.item = item
        self.moment = moment
        self.folder = folder
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
        let selection = try Selection(account: known.entry.id, at: moment, in: store)
        let limit = moment == .last ? UInt64.max : selection.cut.sequence
        let state = try chosen(selection, limit, store)
        let living = try LivingMailbox(
            of: known, selection: selection, limit: limit, purpose: "item:\(moment)/\(folder ?? "")", from: store, to: target,
            stateFolder: stateFolder, stop: stop, progress: progress)
        living.execution.choice = { $0 == item ? state : nil }
        let place = {
            if let folder { living.execution.folderMap[state.row.folderID ?? 0] = try living.folder(at: folder) }
        }
        return try living.run(prepare: place) {
            try place()
            try living.take(state)
        }
    }

    private func chosen(_ selection: Selection, _ limit: UInt64, _ store: any StoreReading) throws -> ItemState {
        func refusal(_ code: CoreError.Code, _ reason: String, _ remedy: String) -> CoreError {
            CoreError(code, doing: "restoring an item", subject: "item \(item) of \(account) at \(moment.words)", reason: reason, remedy: remedy)
        }
        let latest = try store.item(selection.account, item)
        let history = try store.history(of: .item(account: selection.account, id: item))
        func isOfLife(_ sequence: UInt64, _ generation: Int64) -> Bool {
            sequence <= limit && generation == selection.generation ?? generation
        }
        if let latest, let damage = history.damage.first {
            let isDamaged = if moment == .last {
                ItemLifetime(history, latest, where: isOfLife).isDoubtful(after: 0, upTo: .max)
            } else if case .damaged = history.answer(at: limit, latest: latest.ordinal) { true } else { false }
            guard !isDamaged else {
                throw refusal(.damagedHistory, "\(damage)", "'getItem \(account) \(item) date all' shows what can be read")
            }
        }
        let lines = history.lines.filter { isOfLife($0.sequence, $0.generation) }
        guard let line = moment == .last ? lines.last(where: { $0.fields["deleted"]?.bool != true }) : lines.last,
            line.fields["deleted"]?.bool != true
        else {
            let reason = lines.isEmpty ? "the backup has no such item at that moment" : "it was deleted at that moment"
            throw refusal(CoreError.Code("unknownItem"), reason, "'getItem \(account) \(item) date all' shows its states")
        }
        guard var state = ItemState(id: item, fields: line.fields, blobs: line.blobs) else {
            throw refusal(.damagedHistory, "its state names no type", "doCoherencyCheck tells what else is damaged")
        }
        guard state.row.type != .conversation, state.row.type != .tag else {
            throw refusal(.refused, "a \(state.row.type.name) comes back with its items", "Restore the items that belong to it")
        }
        state.row.flags.remove(.deleted)
        return state
    }
}
