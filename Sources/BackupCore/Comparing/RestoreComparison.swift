import BackupStore
import SystemPackage

extension Comparison {
    /// Part (b): what a restore made of the mailbox, rows through the id map and contents byte by byte.
    ///
    /// - Parameter content: what the server's store held under a digest; nil = nothing.
    mutating func compare(
        _ report: RestoreReport, _ selected: [Int64: ItemState], _ target: any MailTarget & MailSource, _ stateFolder: FilePath,
        content: (String) -> [UInt8]?
    ) throws {
        let mailbox = try target.openMailbox(accountID: report.destination.id).mailboxID
        let restored = try RestoredRows(report, mailbox, target, stateFolder)
        compare(restored, selected)
        try compareContents(restored, content) { location in
            var location = location
            location.mailboxID = mailbox
            return try target.openBlob(location)
        }
    }
}

extension RestoredRows {
    /// Reads what a restore made.
    fileprivate init(
        _ report: RestoreReport, _ mailbox: Int64, _ target: any MailTarget & MailSource, _ stateFolder: FilePath
    ) throws {
        let map = try IDMap(folder: stateFolder, account: report.destination.id, mailbox: mailbox, origin: "")
        targets = try map.targets()
        try map.close()
        (rows, revisions, tags) = ([:], [:], [])
        unrestored = Dictionary(report.unrestored.map { ($0.id, "\($0.reason.rawValue): \($0.detail)") }) { first, _ in first }
        _ = try target.readMailbox(mailbox) { element in
            switch element {
            case .item(let row): rows[row.id] = row
            case .revision(let row): revisions[row.itemID, default: []].append(row)
            case .tag(let row): tags.append(row)
            default: break
            }
        }
        for id in rows.keys where id < 256 && targets[id] == nil { targets[id] = id }
    }
}

extension Selection {
    /// Every item that was alive at the moment and whose history can be read, by id; a mailbox is held in memory.
    func unbrokenItems(in store: any StoreReading) throws -> [Int64: ItemState] {
        var states: [Int64: ItemState] = [:]
        try store.items(account, .all) { latest in
            if case .alive(let state) = try state(of: latest, store) { states[state.row.id] = state }
        }
        return states
    }
}

extension RecordedLife.Mailbox {
    /// How what a backup holds of the account at its end differs from these rows, ids kept and every column compared.
    ///
    /// - Returns: in words, with the reasons for which the account is marked.
    public func differences(heldIn store: any StoreReading) throws -> [String] {
        let selection = try Selection(account: accountID, at: .last, in: store)
        var comparison = Comparison(instant: "end", mailbox: self, marks: [])
        comparison.compare(try selection.unbrokenItems(in: store))
        return selection.marks.map { "mailbox \(id) is marked: \($0.reason)" } + comparison.differences.map { "\($0)" }
    }

    /// How a restored mailbox differs from these rows, but for what its selection from the history differed in already.
    ///
    /// - Parameters:
    ///   - report: what the restore into a new account said.
    ///   - stateFolder: where its id map lies.
    ///   - content: what the server's store held under a digest.
    /// - Returns: in words.
    public func differences(
        restoredBy report: RestoreReport, in store: any StoreReading, on target: any MailTarget & MailSource,
        stateFolder: FilePath, content: (String) -> [UInt8]?
    ) throws -> [String] {
        let selected = try report.selection.unbrokenItems(in: store)
        var comparison = Comparison(instant: "", mailbox: self, marks: [])
        comparison.compare(selected)
        let known = comparison.differences.count
        try comparison.compare(report, selected, target, stateFolder, content: content)
        return comparison.differences.dropFirst(known).filter { $0.class != .computed }
            .map { "\($0.type.name): \($0.column) \($0.text) (\($0.place))" }
    }
}
