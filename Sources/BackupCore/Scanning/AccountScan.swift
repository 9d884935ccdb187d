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
        try scanner.scan(nameOrID, deep: deep, confirmingDeletions: confirmingDeletions) { statistics in
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
        _ nameOrID: String, deep: Bool, confirmingDeletions: Bool, _ look: @escaping (ScanStatistics) throws -> Void
    ) throws -> ScanStatistics {
        func failure(_ code: CoreError.Code, _ reason: String, _ remedy: String) -> CoreError {
            CoreError(code, doing: "scanning an account", subject: nameOrID, reason: reason, remedy: remedy)
        }
        guard source.hasInventory else {
            throw failure(.serverUnreadable, "there is a redo log without its server", "Configure the server itself")
        }
        let wanted = nameOrID.lowercased()
        guard let entry = try source.accounts().first(where: { $0.id.lowercased() == wanted || $0.name.lowercased() == wanted })
        else {
            throw failure(.unknownAccount, "the server has no such account", "getAvailableAccounts lists those of the backup")
        }
        var silence = 0
        for _ in 0..<Self.patience {
            silence += 1
            while try step() {
                silence = 0
                try look(ScanStatistics())
            }
            try record(entry)
            try commit()
            guard let row = try source.mailboxes().first(where: { $0.accountID == entry.id }) else { return ScanStatistics() }
            let isLost = silence > Self.silence
            if let statistics = try compare(row, entry, deep, confirmingDeletions, acceptsAhead: isLost, look) { return statistics }
            try look(ScanStatistics())
            wait(milliseconds: 100)
        }
        throw failure(
            .serverUnreadable, "the server has changes of this mailbox that its redo log does not tell of",
            "Run the scan again when less is going on; if that does not help, look for errors of the redo log in the server's own")
    }

    /// Compares a mailbox; nil where the server is ahead of the log, unless that is accepted.
    private func compare(
        _ row: MailboxRow, _ entry: AccountEntry, _ deep: Bool, _ confirmingDeletions: Bool, acceptsAhead: Bool,
        _ look: @escaping (ScanStatistics) throws -> Void
    ) throws -> ScanStatistics? {
        guard !isUntold(row), let known = mailboxes.known(account: entry.id) else {
            refused.remove(row.id)  // It may be readable now.
            return try firstScan(of: row, account: entry, progress: look)
        }
        if suspects.contains(entry.id), try isBehind(known) {
            _ = try beginAnew(known)
            return ScanStatistics()
        }
        var life = known.life
        life.scannedLog = try LogFile(source.redoLog.log).place()
        var scan = MailboxScan(source: source, store: store, account: entry, time: WallClock.milliseconds)
        scan.isDeep = deep
        scan.confirmsDeletions = confirmingDeletions
        scan.acceptsAhead = acceptsAhead
        scan.progress = look
        switch try scan.run(life: life, position: try position(), appliedChange: known.lastChange) {
        case .done(let scanned, let statistics):
            mailboxes.adopt(scanned, lastChange: max(known.lastChange, acceptsAhead ? scanned.scannedChange ?? 0 : 0))
            tellOfVanished(statistics, account: entry)
            suspects.remove(entry.id)
            unsettled.remove(entry.id)
            return statistics
        case .gone: return ScanStatistics()  // The log will tell.
        case .ahead: return nil
        }
    }
}
