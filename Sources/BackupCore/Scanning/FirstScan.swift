import BackupStore
import RedoLog

/// Accounts and mailboxes that the log alone does not tell (Design, section 6: first enabling).
extension RealTimeScanner {
    /// Takes in an account of the directory, when it is new or changed.
    func record(_ account: AccountEntry) throws {
        let fields = account.fields(deleted: false)
        if let known = try store.accountInfo(account.id), known.fields == fields { return }
        try append(
            StoreTransaction(
                account: account.id, generation: mailboxes.known(account: account.id)?.life.generation ?? 1,
                time: WallClock.milliseconds, kind: "scan",
                states: [NewState(key: .accountInfo(account.id), fields: fields)]))
    }

    /// Whether the account has no life of a mailbox here yet.
    func isNew(_ row: MailboxRow) -> Bool { mailboxes.known(account: row.accountID) == nil }

    /// Whether the account lives in another mailbox than the log has told of, which was read to its end: a new generation (R9).
    func isUntold(_ row: MailboxRow) -> Bool {
        guard let known = mailboxes.known(account: row.accountID) else { return true }
        return known.life.mailboxID != row.id || known.life.ended
    }

    /// Scans a mailbox whole and begins its life here.
    func firstScan(of row: MailboxRow, account: AccountEntry) throws -> ScanStatistics {
        try commit()
        var life = MailboxLife(
            accountID: row.accountID, mailboxID: row.id,
            generation: (mailboxes.known(account: row.accountID)?.life.generation ?? 0) + 1)
        life.scannedLog = try LogFile(source.redoLog.log).place()
        if try store.accountInfo(account.id) == nil { try record(account) }
        let scan = MailboxScan(source: source, store: store, account: account, time: WallClock.milliseconds)
        guard let (scanned, statistics) = try scan.run(life: life, position: try position(), appliedChange: nil) else {
            return ScanStatistics()
        }
        mailboxes.adopt(
            scanned, lastChange: scanned.scannedChange ?? 0, hasDumpster: account["zimbraDumpsterEnabled"] == "TRUE")
        return statistics
    }

    /// What is left to do when the log is read to its end: lives that it did not tell of (once), and new mailboxes.
    func settle() throws {
        if !hasLookedForUntoldLives {
            hasLookedForUntoldLives = true
            let accounts = try source.accounts()
            for row in try source.mailboxes() where isUntold(row) {
                let account = accounts.first { $0.id == row.accountID }
                    ?? AccountEntry(id: row.accountID, name: row.comment ?? row.accountID)
                _ = try firstScan(of: row, account: account)
            }
        }
        try settleNewMailboxes()
    }

    /// Completes what a new mailbox's record left open (its system folders' uuids and dates), once the log is read to its end.
    private func settleNewMailboxes() throws {
        guard !unsettled.isEmpty else { return }
        var left: Set<String> = []
        for account in unsettled.sorted() {
            guard let known = mailboxes.known(account: account), !known.life.ended else { continue }
            let entry = try store.accountInfo(account).flatMap { AccountEntry(id: account, fields: $0.fields) }
                ?? AccountEntry(id: account, name: account)
            let scan = MailboxScan(source: source, store: store, account: entry, time: WallClock.milliseconds)
            if let (scanned, _) = try scan.run(life: known.life, position: try position(), appliedChange: known.lastChange) {
                mailboxes.adopt(scanned, lastChange: known.lastChange)
            } else {
                left.insert(account)  // The server is ahead of the log: the next time.
            }
        }
        unsettled = left
    }
}

extension LogFile {
    /// Where the file ends now: what is committed before is in any picture of the server taken later.
    func place() throws -> MailboxLife.LogPlace {
        MailboxLife.LogPlace(sequence: try header().sequence, offset: try size())
    }
}
