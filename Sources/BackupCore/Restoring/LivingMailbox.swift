import BackupStore
import SystemPackage

/// Brings items back into a mailbox that is in use: folders that are there serve, missing ones come back.
///
/// Undelete and the restore of single items differ in what they choose and where it goes.
final class LivingMailbox {
    let store: any StoreReading
    let execution: RestoreExecution
    /// Lines after this one are not looked at.
    let limit: UInt64
    /// A folder that the items' own paths are made below; nil = they go where they were.
    var base: Int64?
    private let map: IDMap
    private var visiting: Set<Int64> = []

    var account: String { execution.report.selection.account }

    /// Opens the account's mailbox on the server.
    ///
    /// - Parameter purpose: with which parameters a later run continues this one.
    /// - Throws: `unknownAccount` where the server does not have the account.
    init(
        of account: BackedUpAccount, selection: Selection, limit: UInt64, purpose: String, from store: any StoreReading,
        to target: any MailTarget, stateFolder: FilePath, stop: @escaping () -> Bool, progress: @escaping (RestoreReport) -> Void
    ) throws {
        let info = try store.info()
        guard let entry = try target.findAccount(account.entry.id) ?? target.findAccount(account.entry.name) else {
            throw CoreError(
                .unknownAccount, doing: "restoring into a mailbox", subject: account.entry.name,
                reason: "the server has no such account", remedy: "doRestoreOnNewAccount brings a deleted account back")
        }
        let mailbox = try target.openMailbox(accountID: entry.id)
        map = try IDMap(
            folder: stateFolder, account: entry.id, mailbox: mailbox.mailboxID,
            origin: "\(info.storeID)/\(account.entry.id)/\(selection.generation ?? 0)/\(purpose)")
        self.store = store
        self.limit = limit
        execution = RestoreExecution(
            store: store, mailbox: mailbox, map: map, spool: stateFolder,
            report: RestoreReport(source: account.entry, destination: entry, selection: selection), stop: stop, progress: progress)
        let life = try store.state(of: .mailbox(account.entry.id)).flatMap {
            MailboxLife(accountID: account.entry.id, fields: $0.fields)
        }
        execution.isOwnMailbox = info.serverID == target.identity.id && entry.id == account.entry.id
            && life?.mailboxID == mailbox.mailboxID
        execution.targetFolders = TargetFolders(try mailbox.folders())
    }

    /// Runs a restore to its end, and lets go of the id map.
    ///
    /// - Parameter prepare: makes the folder that items go into, where they do not go where they were.
    func run(prepare: () throws -> Void, _ body: () throws -> Void) throws -> RestoreReport {
        do {
            try execution.reportingStop {
                let inFlight = try map.inFlight()
                if !inFlight.isEmpty { try prepare() }
                // Where they were being written to: there they are looked up.
                for id in inFlight { _ = try execution.selected(id).flatMap { try folder($0.row.folderID ?? 0) } }
                try execution.settleInFlight()
                try body()
                try execution.writeBatch()
                try execution.restoreReferences()
            }
        } catch {
            try? map.close()  // What made the restore end is the error to be told; the intents are durable already.
            throw error
        }
        // A folder goes on holding what it got; a tag is of the run that gives it.
        if !execution.report.isStopped, base == nil { try map.forgetLabel() }
        try map.close()
        return execution.report
    }

    /// `Undelete dd-MM-yyyy HH.mm.ss` of the time when this restore was begun, however often it is run again while that folder is
    /// there.
    func undeleteFolder(_ now: Int64) throws -> String { try map.label(where: isTopFolder) { unusedFolderName(now) } }

    /// `undelete_dd_MM_yy` of the day when this restore was begun, however often it is continued.
    func undeleteTag(_ now: Int64) throws -> String { try map.label(where: { _ in true }) { Self.tagName(now) } }

    /// Tells of an item that is not restored because its history is damaged.
    func fail(_ key: HistoryKey, _ reason: String) {
        guard case .item(_, let id) = key else { return }
        execution.report.asked += 1
        execution.report.fail(id, .broken, reason)
    }

    /// Puts an item where it belongs; a folder comes back by itself.
    func take(_ state: ItemState) throws {
        try execution.checkStop()
        if state.row.type.isContainer {
            _ = try folder(state.row.id, isAsked: true)
            return
        }
        let id = state.row.folderID ?? 0
        if execution.folderMap[id] == nil, try folder(id) == nil {
            let home = WellKnownFolder.home(of: state.row.type)
            execution.report.warn("Item \(state.row.id) is placed in folder \(home): its folder \(id) is not in the backup.")
            execution.folderMap[id] = home
        }
        try execution.take(state)
    }

    /// The target's folder for one of the backup; made again with its parents where it is missing.
    func folder(_ id: Int64, isAsked: Bool = false) throws -> Int64? {
        if let known = execution.folderMap[id] { return known }
        if id == WellKnownFolder.userRoot { return base ?? id }
        let isThere = execution.targetFolders.byID[id] != nil
        // System folders have the same id everywhere, but for those above 17.
        if base == nil, isThere, execution.isOwnMailbox || id <= 17 {
            execution.folderMap[id] = id
            if isAsked {
                execution.report.asked += 1
                execution.report.skipped += 1
            }
            return id
        }
        guard visiting.insert(id).inserted, let state = try lastAlive(id), state.row.type.isContainer else { return nil }
        defer { visiting.remove(id) }
        guard let parent = try folder(state.row.folderID ?? WellKnownFolder.userRoot) else { return nil }
        var row = try execution.translated(state, folder: parent)
        if WellKnownFolder.isSystem(state) { row.updateMetadata { $0["a"] = nil } }
        if let there = execution.targetFolders.find(named: row.name ?? "", in: parent) {
            execution.folderMap[id] = there
            return there
        }
        return try make(row, of: id)
    }

    private func make(_ row: ItemRow, of id: Int64) throws -> Int64? {
        execution.report.asked += 1
        do {
            var made = row
            made.id = try execution.mailbox.addItem(NewItem(row: row))
            execution.targetFolders.add(made)
            execution.folderMap[id] = made.id
            execution.report.restored += 1
            return made.id
        } catch {
            execution.report.fail(id, .invalid, "\(row.type.name) '\(row.name ?? "")': \(error)")
            return nil
        }
    }

    /// A folder of the target at a path, made where it is missing.
    func folder(at path: String) throws -> Int64 {
        var parent = WellKnownFolder.userRoot
        for name in path.pathNames {
            if let there = execution.targetFolders.find(named: name, in: parent) {
                parent = there
                continue
            }
            var row = ItemRow(id: 0, type: .folder)
            row.name = String(name)
            row.subject = String(name)
            row.folderID = parent
            row.parentID = parent
            row.date = WallClock.milliseconds / 1000
            row.id = try execution.mailbox.addItem(NewItem(row: row))
            execution.targetFolders.add(row)
            parent = row.id
        }
        return parent
    }

    /// The latest state alive, up to the limit.
    func lastAlive(_ id: Int64) throws -> ItemState? {
        let history = try store.history(of: .item(account: account, id: id))
        return history.lines.last { isOfLife($0.sequence, $0.generation) && $0.fields["deleted"]?.bool != true }
            .flatMap { ItemState(id: id, fields: $0.fields, blobs: $0.blobs) }
    }

    /// Whether a state is of the mailbox's life in question, and not after the limit.
    func isOfLife(_ sequence: UInt64, _ generation: Int64) -> Bool {
        sequence <= limit && generation == execution.report.selection.generation ?? generation
    }

    static func tagName(_ time: Int64) -> String {
        let date = TimeText.local(time).prefix(10).split(separator: "/")
        return "undelete_\(date[0])_\(date[1])_\(date[2].suffix(2))"
    }

    static func folderName(_ time: Int64) -> String {
        "Undelete " + TimeText.local(time).replacing("/", with: "-").replacing(":", with: ".")
    }

    /// The name with a number where the mailbox has such a folder.
    private func unusedFolderName(_ time: Int64) -> String {
        let name = Self.folderName(time)
        guard isTopFolder(name) else { return name }
        var number = 2
        while isTopFolder("\(name) (\(number))") { number += 1 }
        return "\(name) (\(number))"
    }

    private func isTopFolder(_ name: String) -> Bool {
        execution.targetFolders.find(named: name, in: WellKnownFolder.userRoot) != nil
    }
}
