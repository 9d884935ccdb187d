import BackupStore

/// What a smart scan is asked for.
public struct SmartScanOptions: Hashable, Sendable {
    /// Whether every row is read, and every content that the backup has compared with the server's.
    public var deep = false
    /// The scan ends with an error after so many contents that could not be read; nil = it goes on whatever their number.
    public var readErrorThreshold: Int?
    /// Whether the directory is kept as LDIF, once a day.
    public var dumpsDirectory = true
    /// Whether the server's configuration files are kept, once a day.
    public var archivesCustomizations = true
    /// Whether it reads when nobody else does, and pauses under load.
    public var yields = true

    /// The defaults.
    public init() {}
}

/// How far a smart scan is.
public struct SmartScanProgress: Hashable, Sendable {
    /// Mailboxes done, changed or not.
    public var done = 0
    /// Mailboxes of the server.
    public var total = 0
    /// What was done so far.
    public var statistics = ScanStatistics()
}

extension BackupEngine {
    /// Compares the server with the backup: the directory's accounts, and each mailbox that changed since its last scan.
    ///
    /// Of a mailbox that changed, the numbers of all items are compared, and whole rows read where they differ; of one whose account
    /// is marked, all rows. Between two mailboxes the log is followed. A scan that was interrupted is gone on with by the next one:
    /// what was scanned is durable, mailbox by mailbox. Must not run beside ``follow``, but may be called from its `between`.
    ///
    /// - Parameters:
    ///   - stop: asked between items.
    ///   - progress: called now and then.
    /// - Throws: `stopped`, `tooLittleSpace`, `tooManyReadErrors`; `serverUnreadable`, `databaseUnreachable`, `volumeMissing` and the
    ///   directory's error where the server's answer cannot be believed: nothing is taken for deleted then.
    @discardableResult
    public func smartScan(
        _ options: SmartScanOptions = SmartScanOptions(), stop: @escaping () -> Bool = { false },
        progress: @escaping (SmartScanProgress) -> Void = { _ in }
    ) throws -> ScanStatistics {
        let politeness = options.yields ? Politeness() : nil
        scanner.ahead = ahead(isPolite: options.yields)
        defer {
            politeness?.end()
            scanner.ahead = ahead(isPolite: false)
        }
        do {
            return try scanner.smartScan(options, between: { try atSafePoint(self) }) { [self] done in
                if stop() {
                    throw CoreError(
                        .stopped, doing: "scanning the server", subject: backupPath.string, reason: "stopped by request",
                        remedy: "Run doSmartScan again: it goes on where this one ended")
                }
                try refuseWithTooLittleSpace("scanning the server")
                if let threshold = options.readErrorThreshold, done.statistics.skippedItems > threshold {
                    throw CoreError(
                        .tooManyReadErrors, doing: "scanning the server", subject: backupPath.string,
                        reason: "\(done.statistics.skippedItems) contents could not be read, more than the threshold of \(threshold)",
                        remedy: "Look at the server's volumes. " + (done.statistics.problems.last ?? ""))
                }
                progress(done)
                politeness?.pause()
            }
        } catch let error as CoreError where error.code != .stopped {
            scanner.note("Critical: the scan ended: \(error)")
            throw error
        }
    }
}

extension RealTimeScanner {
    /// How long a mailbox goes without a comparison although nothing says that it changed: deletions may leave no number behind.
    private static let longestTrust: Int64 = 7 * 86_400_000

    /// Scans what changed; `look` is called between items and transactions, and may throw.
    ///
    /// - Parameter between: called between two mailboxes, when everything is committed.
    func smartScan(
        _ options: SmartScanOptions, between: () throws -> Void, _ look: @escaping (SmartScanProgress) throws -> Void
    ) throws -> ScanStatistics {
        try refuseWithoutInventory("scanning the server")
        var progress = SmartScanProgress()
        try followToEnd { _ in try look(progress) }
        let accounts = try source.accounts()
        let rows = try source.mailboxes()
        try refuseEmptyAnswers(accounts, rows)
        progress.statistics.deletedAccounts = try recordDirectory()
        try commit()

        let entries = Dictionary(accounts.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        progress.total = rows.count
        let inTurn = rows.sorted { (lastScan($0), $0.id) < (lastScan($1), $1.id) }
        defer { endAhead() }
        for (place, row) in inTurn.enumerated() {
            try look(progress)
            upcoming = try place + 1 < inTurn.count && !isSwitchedOff(inTurn[place + 1]) ? inTurn[place + 1] : nil
            if try isSwitchedOff(row) {
                progress.statistics.skippedAccounts += 1
                progress.done += 1
                continue
            }
            let before = progress
            progress.statistics += try scan(row, entries[row.accountID], options) { statistics in
                var now = before
                now.statistics += statistics
                try look(now)
            }
            progress.done += 1
            try followToEnd { _ in try look(progress) }
            try commit()
            try between()
        }
        try settleMissingMailboxes(rows)
        try archiveDaily(options, &progress.statistics)
        try commit()
        try look(progress)
        return progress.statistics
    }

    /// Scans a mailbox where it needs that; one that cannot be scanned is told of, and the others go on.
    private func scan(
        _ row: MailboxRow, _ entry: AccountEntry?, _ options: SmartScanOptions, _ look: @escaping (ScanStatistics) throws -> Void
    ) throws -> ScanStatistics {
        let account = entry ?? AccountEntry(id: row.accountID, name: row.comment ?? row.accountID)
        var statistics = ScanStatistics()
        do {
            guard let reach = try reach(of: row, options) else {
                statistics.unchangedAccounts = 1
                return statistics
            }
            return try compare(row, account, MailboxScan.Request(reach: reach, isDeep: options.deep), look)
        } catch where error.concernsOneAccount && !error.endsSmartScan {
            suspect(error)
            let reason = "the mailbox could not be compared with the server: \(error)"
            if let known = mailboxes.known(account: account.id) { try mark(account: known.life, reason) }
            note("Critical: mailbox \(row.id) of account \(account.name) could not be scanned: \(error)")
            statistics.failedAccounts = 1
            statistics.tell("mailbox of \(account.name): \(error)")
            return statistics
        }
    }

    /// Which rows of a mailbox are to be read; nil where nothing says that it needs a scan.
    private func reach(of row: MailboxRow, _ options: SmartScanOptions) throws -> MailboxScan.Reach? {
        let marks = try store.marks(row.accountID)
        guard let life = mailboxes.known(account: row.accountID)?.life, let scanned = life.scannedTime, !options.deep,
            !marks.contains(where: \.asksForScan), !(life.lacksContents && intake.keepsContents)
        else { return .whole }
        // What a clock that was set back says of the last scan is not believed.
        let age = WallClock.milliseconds - scanned
        let isTrusted = try marks.isEmpty && (0..<Self.longestTrust).contains(age) && source.lastChange(of: row) == life.scannedChange
        return isTrusted && !isUntold(row) ? nil : .changed
    }

    /// Lets go of contents that were taken in ahead and not asked for.
    func endAhead() {
        upcoming = nil
        ahead?.letGo(in: store)
    }

    private func lastScan(_ row: MailboxRow) -> Int64 { mailboxes.known(account: row.accountID)?.life.scannedTime ?? 0 }

    /// An answer without a single mailbox or account is one of a server in trouble (R15).
    private func refuseEmptyAnswers(_ accounts: [AccountEntry], _ rows: [MailboxRow]) throws {
        let living = mailboxes.all.count { !$0.life.ended }
        guard living > 0, accounts.isEmpty || rows.isEmpty else { return }
        throw CoreError(
            .serverUnreadable, doing: "scanning the server", subject: source.identity.name,
            reason: "the \(rows.isEmpty ? "database names no mailbox" : "directory names no account") of this server, the backup has \(living)",
            remedy: "Look at the server; nothing was taken for deleted")
    }

    /// Sees to mailboxes that the server's tables lack although no log told of their end: one whose account the directory lacks, too,
    /// has ended; the account of another is marked.
    private func settleMissingMailboxes(_ rows: [MailboxRow]) throws {
        let present = Set(rows.map(\.accountID))
        for known in mailboxes.all where !known.life.ended && !present.contains(known.life.accountID) {
            let life = known.life
            if try store.accountInfo(life.accountID)?.isDeleted == true {
                try end(life, at: WallClock.milliseconds, change: nil, kind: "scan")
                continue
            }
            let reason = "the server's tables do not have mailbox \(life.mailboxID)"
            if try mark(account: life, reason) {
                note("Critical: \(reason) of account \(life.accountID), and the log does not tell of its end: nothing was taken for deleted")
            }
        }
    }
}

extension Error {
    /// Whether the next mailbox would fail as well, or the scan was to end.
    fileprivate var endsSmartScan: Bool {
        guard let code = (self as? CoreError)?.code else { return false }
        return [.stopped, .tooLittleSpace, .tooManyReadErrors, .databaseUnreachable, .volumeMissing].contains(code)
    }
}
