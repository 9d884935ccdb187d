import BackupCore
import BackupStore
import Foundation
import SystemPackage

/// A backup path whose history a test writes by hand, one change a second from second 1,000 on.
final class RestoringBench {
    let folder: TemporaryFolder
    let store: StoreWriter
    let account = "aaaaaaaa-0000-4000-8000-00000000000a"
    private(set) var second: Int64 = 1000
    private(set) var change: Int64 = 100
    var generation: Int64 = 1

    var stateFolder: FilePath { folder.path.appending("state") }
    var backupPath: FilePath { folder.path.appending("backup") }

    /// Makes the path and the first scan: the account and the system folders, in second 1,000, up to change 100.
    init(attributes: [String: [String]] = ["displayName": ["Ann"]], serverID: String = "11111111-0000-4000-8000-000000000001") throws {
        folder = try TemporaryFolder()
        try StoreWriter.create(folder.path.appending("backup"), serverID: serverID)
        store = try StoreWriter(opening: folder.path.appending("backup"), serverID: serverID)
        try describe(attributes: attributes)
        try store.append(
            StoreTransaction(
                account: account, time: second * 1000, kind: "scan",
                states: SystemFolders.rows.map { ItemState(row: $0).newState(account: account) } + [life(ended: false)]))
        try store.commit()
    }

    deinit {
        try? store.close()
        folder.remove()
    }

    func describe(
        name: String = "ann@example.com", attributes: [String: [String]], children: [AccountChild] = [], deleted: Bool = false
    ) throws {
        let entry = AccountEntry(id: account, name: name, attributes: attributes, children: children)
        try store.append(
            StoreTransaction(
                account: account, generation: generation, time: second * 1000, kind: "scan",
                states: [NewState(key: .accountInfo(account), fields: entry.fields(deleted: deleted))]))
        try store.commit()
    }

    /// One change, a second after the one before. Returns its second.
    @discardableResult
    func commit(_ states: ItemState..., at moment: Int64? = nil) throws -> Int64 { try commit(states, at: moment) }

    @discardableResult
    func commit(_ states: [ItemState], at moment: Int64? = nil) throws -> Int64 {
        second = moment ?? second + 1
        change += 1
        try store.append(
            StoreTransaction(
                account: account, generation: generation, time: second * 1000 + 500, change: change,
                states: states.map { $0.newState(account: account) }))
        try store.commit()
        return second
    }

    /// A look at the server that saw the changes up to a number.
    func scan(upTo change: Int64, _ states: ItemState...) throws {
        var life = MailboxLife(accountID: account, mailboxID: 3, generation: generation)
        life.scannedChange = change
        try store.append(
            StoreTransaction(
                account: account, generation: generation, time: second * 1000 + 700, kind: "scan",
                states: states.map { $0.newState(account: account) } + [NewState(key: .mailbox(account), fields: life.fields)]))
        try store.commit()
    }

    /// The mailbox is deleted, a second later.
    func endLife() throws {
        second += 1
        try store.append(
            StoreTransaction(account: account, generation: generation, time: second * 1000, states: [life(ended: true)]))
        try store.commit()
    }

    private func life(ended: Bool) -> NewState {
        var life = MailboxLife(accountID: account, mailboxID: 3, generation: generation)
        life.scannedChange = 100
        life.ended = ended
        return NewState(key: .mailbox(account), fields: life.fields)
    }

    // MARK: States

    func message(
        _ id: Int64, in folder: Int64 = 2, _ text: String? = nil, date: Int64 = 500, flags: Flags = [], unread: Bool = false,
        tags: [String] = []
    ) throws -> ItemState {
        try message(id, in: folder, bytes: Array((text ?? "message \(id)").utf8), date: date, flags: flags, unread: unread, tags: tags)
    }

    func message(
        _ id: Int64, in folder: Int64, bytes: [UInt8], date: Int64 = 500, flags: Flags = [], unread: Bool = false, tags: [String] = []
    ) throws -> ItemState {
        let blob = try store.stageBlob(bytes)
        var row = ItemRow(id: id, type: .message)
        row.folderID = folder
        row.date = date
        row.size = blob.size
        row.blobDigest = blob.id.description
        row.flags = flags
        row.unread = unread ? 1 : 0
        row.tags = tags
        return ItemState(row: row, blob: blob)
    }

    func folder(_ id: Int64, _ name: String, in parent: Int64 = 1, metadata: String? = nil) -> ItemState {
        var row = ItemRow(id: id, type: .folder)
        row.folderID = parent
        row.parentID = parent
        row.name = name
        row.metadata = metadata
        return ItemState(row: row)
    }

    func deleted(_ state: ItemState) -> ItemState {
        var state = state
        state.deleted = true
        return state
    }

    func moved(_ state: ItemState, to folder: Int64) -> ItemState {
        var state = state
        state.row.folderID = folder
        return state
    }

    // MARK: Restoring

    static let destination = "ann.restored@example.com"

    func restore(
        _ moment: RestoreMoment = .last, to target: MemoryTarget, source: String = "ann@example.com", stateFolder: FilePath? = nil,
        stop: @escaping () -> Bool = { false }
    ) throws -> RestoreReport {
        let reader = try StoreReader(opening: backupPath)
        defer { reader.close() }
        return try RestoreOnNewAccount(source: source, destination: Self.destination, moment: moment)
            .run(from: reader, to: target, stateFolder: stateFolder ?? self.stateFolder, stop: stop)
    }

    /// Where a blob's file lies.
    func file(of state: ItemState) -> URL {
        let name = state.blob!.id.description
        return URL(fileURLWithPath: backupPath.string).appending(path: "items/\(name.prefix(2))/\(name)")
    }

    /// Where an item's history lies.
    func historyFile(_ id: Int64) -> URL {
        let lastTwo = id % 100
        return URL(fileURLWithPath: backupPath.string)
            .appending(path: "accounts/\(account)/items/\(lastTwo < 10 ? "0" : "")\(lastTwo)/\(id)")
    }
}

extension RestoreReport {
    /// R10: what became of the items adds up to what was asked.
    var addsUp: Bool { restored + skipped + Int64(unrestored.count) == asked }
}

extension MemoryTarget {
    /// The texts of the messages by the path of their folder, sorted.
    var mail: [String: [String]] {
        Dictionary(grouping: state.messages) { path(of: $0.row.folderID ?? 0) }
            .mapValues { $0.map { String(decoding: $0.bytes.prefix(60), as: UTF8.self) }.sorted() }
    }

    private func path(of id: Int64) -> String {
        guard id != 1, let row = state.folders[id] else { return "" }
        return path(of: row.folderID ?? 1) + "/" + (row.name ?? "?")
    }

    /// All folders that are not the server's own, by path.
    var folderPaths: Set<String> { Set(state.folders.keys.filter { $0 >= 256 }.map { path(of: $0) }) }
}
