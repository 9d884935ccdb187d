import BackupStore

extension BackupEngine {
    /// Removes what was deleted longer ago than retention asks for: items with all their states, and whole accounts.
    ///
    /// What counts is when a deletion was committed, by store days and by the wall clock (R11). Presumed deletions (R15), accounts under
    /// legal hold and what is alive stay. A content goes when no state of any account names it, and can be read for some days more
    /// (R2). The work grows with what goes. Must not run beside ``follow``, but may be called from its `between`.
    ///
    /// - Parameters:
    ///   - stop: asked between batches; the next purge goes on.
    ///   - progress: called after each account, with accounts done and to be done.
    @discardableResult
    public func purge(
        _ request: PurgeRequest, stop: @escaping () -> Bool = { false }, progress: (Int, Int) throws -> Void = { _, _ in }
    ) throws -> PurgeReport {
        try scanner.commit()
        return try scanner.purge(request, stop, progress)
    }
}

extension RealTimeScanner {
    /// Histories that go with one transaction.
    private static let batch = 500

    func purge(_ request: PurgeRequest, _ stop: () -> Bool, _ progress: (Int, Int) throws -> Void) throws -> PurgeReport {
        var report = PurgeReport(request)
        let items = try request.itemDays > 0 ? store.sequence(olderThan: request.itemDays) : 0
        let whole = try request.accountDays > 0 ? store.sequence(olderThan: request.accountDays) : 0
        let holds = try LegalHolds(in: store).accounts
        let accounts = try store.accounts().sorted()
        for (number, id) in accounts.enumerated() where !stop() {
            if holds.contains(id) {
                report.held.append(id)
            } else if let account = try purge(id, items: items, whole: whole, request.isTrial, stop) {
                report.accounts.append(account)
            }
            try progress(number + 1, accounts.count)
        }
        if !request.isTrial {
            if request.purgesArchives, items > 0, !stop() { report.archives = try store.removeArchives(before: items) }
            try purgeContents(&report, stop)
            if !stop() { try store.removePurgedAccounts() }
        }
        report.isStopped = stop()
        if !request.isTrial { try note(report) }
        return report
    }

    private func purgeContents(_ report: inout PurgeReport, _ stop: () -> Bool) throws {
        do {
            report.expired = try store.expireReleasedBlobs(stop: stop)
        } catch let error as StoreError where error.code == .damaged {
            report.warnings.append("\(error)")
        }
        report.removed = try store.emptyExpired(stop: stop)
    }

    // MARK: One account

    /// - Returns: nil where nothing of it goes.
    private func purge(
        _ id: String, items: UInt64, whole: UInt64, _ isTrial: Bool, _ stop: () -> Bool
    ) throws -> PurgeReport.Account? {
        let info = try store.accountInfo(id)
        var account = PurgeReport.Account(id: id, name: info?.fields["name"]?.string ?? id)
        if let info, info.isDeleted || info.isSwitchedOff {
            // What was in it is kept as long as the account is.
            let isOver = try info.isSwitchedOff
                ? info.sequence < whole : isOver(info, before: whole) && isOver(store.state(of: .mailbox(id)), before: whole)
            guard isOver else { return nil }
            try removeAccount(id, isTrial, stop, &account)
            return account
        }
        try removeItems(of: id, before: items, isTrial, stop, &account)
        return account.items.isEmpty ? nil : account
    }

    /// Whether a history ended with a certain deletion that is old enough; one that never began holds up nothing.
    private func isOver(_ state: IndexedState?, before sequence: UInt64) throws -> Bool {
        guard let state else { return true }
        return state.isDeleted && !state.isPresumed && state.sequence < sequence
    }

    private func removeItems(
        of id: String, before sequence: UInt64, _ isTrial: Bool, _ stop: () -> Bool, _ account: inout PurgeReport.Account
    ) throws {
        var last: IndexedItem?
        while !stop() {
            let page = try store.deletedItems(id, before: sequence, after: last, limit: Self.batch)
            guard let latest = page.last else { return }
            last = latest
            if !isTrial { try removeItems(page.map(\.key), of: id, until: latest) }
            page.forEach { account.add($0) }
        }
    }

    /// The items go, and the account remembers until when it lacks some (R14).
    private func removeItems(_ keys: [HistoryKey], of id: String, until latest: IndexedItem) throws {
        var transaction = StoreTransaction(account: id, time: WallClock.milliseconds, kind: "purge")
        let known = mailboxes.known(account: id)
        var life = known?.life
        if life != nil {
            life!.purgedSequence = max(life!.purgedSequence ?? 0, latest.sequence)
            life!.purgedTime = max(life!.purgedTime ?? .min, latest.time)
            transaction.generation = life!.generation
            transaction.states = [NewState(key: .mailbox(id), fields: life!.fields)]
        }
        try store.removeHistories(keys, with: transaction)
        if let life, let known { mailboxes.adopt(life, lastChange: known.lastChange) }
    }

    /// The account's items go first and the account itself last: an interrupted purge goes on.
    private func removeAccount(
        _ id: String, _ isTrial: Bool, _ stop: () -> Bool, _ account: inout PurgeReport.Account
    ) throws {
        var batch: [HistoryKey] = []
        func remove() throws {
            defer { batch = [] }
            guard !isTrial else { return }
            try store.removeHistories(batch, with: .purge(WallClock.milliseconds))
        }
        try store.items(id, .all) { item in
            guard !stop() else { return }
            account.add(item)
            batch.append(item.key)
            if batch.count == Self.batch { try remove() }
        }
        guard !stop() else { return try remove() }
        batch += [.mailbox(id), .accountInfo(id)]
        try remove()
        account.isWhole = true
        if !isTrial {
            mailboxes.forget(account: id)
            forgetDirectory(of: id)
        }
    }

    // MARK: What was done

    /// Notes the purge in the backup path.
    private func note(_ report: PurgeReport) throws {
        let state = NewState(
            key: PurgeRecord.key,
            fields: [
                "type": "purge", "items": .int(Int64(report.items)),
                "accounts": .int(Int64(report.accounts.count { $0.isWhole })), "contents": .int(report.expired.count),
                "bytes": .int(report.expired.bytes), "removed_contents": .int(report.removed.count),
                "removed_bytes": .int(report.removed.bytes), "stopped": .bool(report.isStopped),
            ])
        try store.append(StoreTransaction(account: nil, time: WallClock.milliseconds, kind: "purge", states: [state]))
        try store.commit()
    }
}

/// What the backup path says of the purges that it has seen.
public struct PurgeRecord: Sendable {
    static let key = HistoryKey.directory(.records, "purges")

    /// When it was, milliseconds since 1970.
    public var time: Int64
    /// Items that went.
    public var items: Int64
    /// Accounts that went whole.
    public var accounts: Int64
    /// Whether it was stopped by request.
    public var isStopped: Bool

    /// The last one; nil where there never was one.
    public static func last(in store: any StoreReading) throws -> PurgeRecord? {
        guard let state = try store.state(of: key) else { return nil }
        return PurgeRecord(
            time: state.time, items: state.fields["items"]?.int ?? 0, accounts: state.fields["accounts"]?.int ?? 0,
            isStopped: state.fields["stopped"]?.bool ?? false)
    }
}
