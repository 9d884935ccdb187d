import BackupStore
import RedoLog

/// Accounts and mailboxes that the log alone does not tell (Design, section 6: first enabling).
extension RealTimeScanner {
    /// Tells of mailboxes whose accounts the directory does not have: they are backed up like any other.
    private func tellOfOrphans(_ mailboxes: [MailboxRow], _ accounts: [AccountEntry]) {
        let present = Set(accounts.map(\.id))
        for row in mailboxes where !present.contains(row.accountID) {
            note(
                "mailbox \(row.id) belongs to account \(row.accountID) (\(row.comment ?? "no name")), which the directory does not have: "
                    + "it is backed up as a deleted account's. Restore it by that id, or put the account back into the directory")
        }
    }

    /// Whether the account has no life of a mailbox here yet.
    func isNew(_ row: MailboxRow) -> Bool { mailboxes.known(account: row.accountID) == nil }

    /// Whether the account lives in another mailbox than the log has told of, which was read to its end: a new generation (R9).
    func isUntold(_ row: MailboxRow) -> Bool {
        guard let known = mailboxes.known(account: row.accountID) else { return true }
        return known.life.mailboxID != row.id || known.life.ended
    }

    /// Scans a mailbox whole and begins its life here.
    func firstScan(
        of row: MailboxRow, account: AccountEntry, progress: @escaping (ScanStatistics) throws -> Void = { _ in }
    ) throws -> ScanStatistics {
        try commit()
        var life = MailboxLife(
            accountID: row.accountID, mailboxID: row.id,
            generation: (mailboxes.known(account: row.accountID)?.life.generation ?? 0) + 1)
        life.scannedLog = try LogFile(source.redoLog.log).place()
        if try store.accountInfo(account.id) == nil { try record(account) }
        var scan = MailboxScan(source: source, intake: intake, account: account, time: WallClock.milliseconds, isFirst: true)
        scan.progress = progress
        scan.ahead = ahead
        if let ahead, let upcoming, keepsContents, isNew(upcoming) {
            scan.beforeEnd = { [intake, source] in ahead.prime(upcoming.id, intake, from: source) }
        }
        guard var done = try source.withMailbox(row.id, { try scan.run($0, life: life, position: try position()) }) else {
            return ScanStatistics()
        }
        mailboxes.adopt(done.life, lastChange: done.life.scannedChange ?? 0, account: account)
        suspects.remove(row.accountID)
        done.statistics.newAccounts = 1
        return done.statistics
    }

    /// Scans a mailbox that is new here; one that cannot be read or kept is told of and left out until the next start.
    @discardableResult
    func scanOrRefuse(_ row: MailboxRow, account: AccountEntry) throws -> ScanStatistics {
        do {
            return try firstScan(of: row, account: account)
        } catch where error.concernsOneAccount {
            refused.insert(row.id)
            note("mailbox \(row.id) of account \(account.name) could not be scanned: \(error)")
            return ScanStatistics()
        }
    }

    /// What is left to do when the log is read to its end: lives that it did not tell of (once), directory, new mailboxes.
    ///
    /// - Parameter looksAtDirectory: whether the directory is looked at, however short the last look is ago.
    func settle(looksAtDirectory: Bool = false) throws {
        if !hasLookedForUntoldLives {
            hasLookedForUntoldLives = true
            let accounts = try source.accounts()
            let mailboxes = try source.mailboxes()
            tellOfOrphans(mailboxes, accounts)
            try recordDirectory(.allButKnownAccounts)
            for row in mailboxes where isUntold(row) && !refused.contains(row.id) {
                if try isSwitchedOff(row) { continue }
                let account = accounts.first { $0.id == row.accountID }
                    ?? AccountEntry(id: row.accountID, name: row.comment ?? row.accountID)
                try scanOrRefuse(row, account: account)
            }
            try recordDirectory()
            lastDirectoryLook = .now
        } else if looksAtDirectory || ContinuousClock.now - lastDirectoryLook >= directoryInterval {
            try lookAtDirectory()
            lastDirectoryLook = .now
        }
        if !departing.isEmpty {
            let present = Set(try source.accounts().map(\.id))
            for account in departing.sorted() where !present.contains(account) { try recordGone(.accountInfo(account)) }
            departing = []
        }
        try settleSuspects()
        try settleNewMailboxes()
        try commit()
    }

    /// Looks at the mailboxes of a log that was cut or replaced: one that is behind ours begins anew, the others are compared.
    private func settleSuspects() throws {
        for account in suspects.sorted() {
            guard let known = mailboxes.known(account: account), !known.life.ended, source.hasInventory else {
                suspects.remove(account)
                continue
            }
            let isSettled = try lookingAt(known.life) {
                if try isBehind(known) { return try beginAnew(known) }
                var life = known.life
                life.scannedLog = try LogFile(source.redoLog.log).place()
                return try settle(life, lastChange: known.lastChange)
            }
            if isSettled { suspects.remove(account) }
        }
    }

    /// Does what asks the server for one mailbox; where it cannot be read, its account is marked, and it is tried again the next
    /// time.
    private func lookingAt(_ life: MailboxLife, _ body: () throws -> Bool) throws -> Bool {
        do {
            return try body()
        } catch where error.concernsOneAccount {
            suspect(error)
            let reason = "the mailbox could not be compared with the server: \(error)"
            if try mark(account: life, reason) { note("mailbox \(life.mailboxID): \(reason)") }
            return false
        }
    }

    /// Compares a mailbox with the server in its life; false where the server is ahead of the log: the next time, then.
    private func settle(_ life: MailboxLife, lastChange: Int64) throws -> Bool {
        let entry = try store.accountInfo(life.accountID).flatMap { AccountEntry(id: life.accountID, fields: $0.fields) }
            ?? AccountEntry(id: life.accountID, name: life.accountID)
        try commit()  // The scan may take back what it wrote.
        let scan = MailboxScan(source: source, intake: intake, account: entry, time: WallClock.milliseconds, isFirst: false)
        let done = try source.withMailbox(life.mailboxID) { picture in
            // What the log is still to tell is left to it.
            picture.change > lastChange ? nil : try scan.run(picture, life: life, position: try position())
        }
        guard let done else { return true }  // Gone: the log will tell.
        guard let (scanned, statistics) = done else { return false }
        mailboxes.adopt(scanned, lastChange: lastChange)
        tellOfVanished(statistics, account: entry)
        return true
    }

    /// Tells of items that vanished in such a number that nobody should believe it.
    func tellOfVanished(_ statistics: ScanStatistics, account: AccountEntry) {
        guard statistics.presumedDeletions > 0 else { return }
        note(
            "Critical: \(statistics.presumedDeletions) of the items of \(account.name) had vanished at once: their deletions are presumed. "
                + "If they are right: doAccountScan \(account.name) confirm_deletions true")
    }

    /// Completes what a new mailbox's record left open (its system folders' uuids and dates), once the log is read to its end.
    private func settleNewMailboxes() throws {
        guard !unsettled.isEmpty else { return }
        var left: Set<String> = []
        for account in unsettled.sorted() {
            guard let known = mailboxes.known(account: account), !known.life.ended else { continue }
            if try !lookingAt(known.life, { try settle(known.life, lastChange: known.lastChange) }) { left.insert(account) }
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
