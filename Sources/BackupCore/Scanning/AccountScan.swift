import BackupStore
import RedoLog

extension BackupEngine {
    /// Compares one account and its mailbox whole with the server, and writes what differs; the account's marks are settled.
    ///
    /// The log is followed first: what it tells of is not lost to the scan (Design, section 6). Must not run beside ``follow``,
    /// but may be called from its `between`.
    ///
    /// - Parameters:
    ///   - deep: whether the contents that the backup has are compared with the server's, too, byte by byte: what either side has
    ///     lost or damaged is told of, and taken from the server where the backup has lost it.
    ///   - confirmingDeletions: whether presumed deletions of what the server really has no more become certain (R15).
    ///   - stop: asked between items. What a mailbox never seen before had told until then stays; else nothing of the scan does.
    ///   - progress: called now and then with the figures so far.
    /// - Throws: `unknownAccount` where the server does not have the account, `stopped`.
    @discardableResult
    public func scan(
        account nameOrID: String, deep: Bool = false, confirmingDeletions: Bool = false, stop: @escaping () -> Bool = { false },
        progress: @escaping (ScanStatistics) -> Void = { _ in }
    ) throws -> ScanStatistics {
        let request = MailboxScan.Request(isDeep: deep, confirmsDeletions: confirmingDeletions)
        return try scanner.scan(nameOrID, request) { statistics in
            if stop() {
                throw CoreError(
                    .stopped, doing: "scanning an account", subject: nameOrID, reason: "stopped by request",
                    remedy: "Run the scan again")
            }
            progress(statistics)
        }
    }
}

extension RealTimeScanner {
    /// How often the log is waited for, a tenth of a second each, before a server that is ahead of it is an error.
    private static let patience = 100
    /// After so many of them in which the log told nothing, what the server has more is taken in: the log has lost it.
    private static let silence = 30

    /// Scans an account; `look` is called between transactions and items, and may throw.
    func scan(
        _ nameOrID: String, _ request: MailboxScan.Request, _ look: @escaping (ScanStatistics) throws -> Void
    ) throws -> ScanStatistics {
        try refuseWithoutInventory("scanning account \(nameOrID)")
        let wanted = nameOrID.lowercased()
        guard let entry = try source.accounts().first(where: { $0.id.lowercased() == wanted || $0.name.lowercased() == wanted })
        else {
            throw CoreError(
                .unknownAccount, doing: "scanning an account", subject: nameOrID, reason: "the server has no such account",
                remedy: "getAvailableAccounts lists those of the backup")
        }
        try followToEnd(look)
        try recordDirectory(.allButKnownAccounts)
        try record(entry)
        try commit()
        if try isSwitchedOff(entry) {
            throw CoreError(
                .switchedOff, doing: "scanning an account", subject: entry.name,
                reason: "its backup is switched off, by its COS or by its attribute backupEnabled",
                remedy: "getCOSBackupStatus lists the COS, doEnableDisableCOS switches them")
        }
        guard let row = try source.mailboxes().first(where: { $0.accountID == entry.id }) else { return ScanStatistics() }
        return try compare(row, entry, request, look)
    }

    /// - Throws: `serverUnreadable` for a redo log without its server.
    func refuseWithoutInventory(_ doing: String) throws {
        guard !source.hasInventory else { return }
        throw CoreError(
            .serverUnreadable, doing: doing, subject: source.identity.name, reason: "there is a redo log without its server",
            remedy: "Configure the server itself")
    }

    /// Follows the log to its present end: what it tells of is not lost to a scan.
    func followToEnd(_ look: (ScanStatistics) throws -> Void) throws {
        while try step() { try look(ScanStatistics()) }
    }

    /// Compares a mailbox with its history.
    ///
    /// The picture is taken first, and the log followed until it has told of all that is in it: what differs then is what the log
    /// does not tell.
    func compare(
        _ row: MailboxRow, _ entry: AccountEntry, _ request: MailboxScan.Request, _ look: @escaping (ScanStatistics) throws -> Void
    ) throws -> ScanStatistics {
        guard !isUntold(row), let before = mailboxes.known(account: entry.id) else {
            refused.remove(row.id)  // It may be readable now.
            return try firstScan(of: row, account: entry, progress: look)
        }
        if suspects.contains(entry.id), try isBehind(before) {
            _ = try beginAnew(before)
            return ScanStatistics()
        }
        // What is committed before this place is in the picture.
        let place = try LogFile(source.redoLog.log).place()
        let done = try source.withMailbox(row.id) { picture throws -> ScanStatistics? in
            try follow(upTo: picture.change, of: entry, look)
            guard let known = mailboxes.known(account: entry.id), known.life.generation == before.life.generation, !known.life.ended
            else { return nil }  // The log has told of its end, or of a new beginning.
            try commit()  // The scan may take back what it wrote.
            var life = known.life
            life.scannedLog = place
            var scan = MailboxScan(source: source, intake: intake, account: entry, time: WallClock.milliseconds, isFirst: false)
            scan.request = request
            if intake.keepsContents, life.lacksContents { scan.request.reach = .whole }
            scan.progress = look
            scan.ahead = ahead
            let (scanned, statistics) = try scan.run(picture, life: life, position: try position())
            if request.trial != nil { return statistics }
            mailboxes.adopt(scanned, lastChange: max(known.lastChange, scanned.scannedChange ?? 0))
            tellOfVanished(statistics, account: entry)
            if statistics.damagedFiles > 0 { self.statistics.suspicions += 1 }
            suspects.remove(entry.id)
            unsettled.remove(entry.id)
            return statistics
        }
        return (done ?? nil) ?? ScanStatistics()
    }

    /// Follows the log until it has told of a mailbox's change, or has been silent for so long that it will not tell.
    private func follow(upTo change: Int64, of account: AccountEntry, _ look: (ScanStatistics) throws -> Void) throws {
        func isAhead() -> Bool { mailboxes.known(account: account.id).map { $0.lastChange < change } ?? false }
        var silence = 0
        for _ in 0..<Self.patience {
            while isAhead(), try step() {
                silence = 0
                try look(ScanStatistics())
            }
            if !isAhead() || silence > Self.silence { return }
            silence += 1
            try look(ScanStatistics())
            wait(milliseconds: 100)
        }
        throw CoreError(
            .serverUnreadable, doing: "scanning an account", subject: account.name,
            reason: "the server has changes of this mailbox that its redo log does not tell of",
            remedy: "Run the scan again when less is going on; if that does not help, look for errors of the redo log in the server's own")
    }
}
