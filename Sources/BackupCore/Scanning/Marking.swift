import BackupStore
import RedoLog

/// What an administrator should know, and which accounts need a look at the server (R15).
extension RealTimeScanner {
    func note(_ notice: String) {
        if statistics.notices.count < 10_000 { statistics.notices.append(notice) }
        logger.warning("\(notice)")
    }

    /// Takes note of an error that says that the backup path is damaged.
    func suspect(_ error: any Error) {
        guard let code = (error as? StoreError)?.code else { return }
        if [.blobMissing, .blobDamaged, .damaged].contains(code) { statistics.suspicions += 1 }
    }

    func mark(mailbox: Int64, _ reason: String) throws {
        guard let known = mailboxes.known(mailbox: mailbox) else { return }
        try mark(account: known.life, reason)
    }

    /// Marks an account; a second mark of the same words would say no more.
    ///
    /// - Returns: whether it was not marked so before.
    @discardableResult
    func mark(account life: MailboxLife, _ reason: String) throws -> Bool {
        guard try !store.marks(life.accountID).contains(where: { $0.reason == reason }) else { return false }
        let now = WallClock.milliseconds
        do {
            try append(
                StoreTransaction(
                    account: life.accountID, generation: life.generation, time: now, kind: "mark",
                    marks: [Mark(reason: reason, time: now)]))
        } catch let error as StoreError where error.code == .invalidInput {
            note("account \(life.accountID) cannot be marked: \(error)")
        }
        return true
    }

    /// At the end of what can be read: tells where there is no log although the server has mailboxes.
    func tellOfMissingLog() throws {
        guard follower.hasNoFile, try !source.mailboxes().isEmpty else { return }
        note(
            "the redo log \(source.redoLog.log) is missing, empty or unusable: nothing new can be followed until the server "
                + "writes one. Check that the server runs and logs there")
    }

    /// Whether an operation took effect whose end was lost is not known: its account is marked.
    func report(lostEndOf open: TransactionAssembler.Open, sequence: Int64) throws {
        let header = open.start.header
        let reason = "the redo log \(sequence) has lost the end of \(header.code.name), change \(header.changeID)"
        note("mailbox \(header.mailboxID): \(reason)")
        try mark(mailbox: header.mailboxID, reason)
    }

    /// A gap or damage is never papered over: every account is marked, and the administrator told.
    func report(_ notice: FollowNotice) throws {
        note(notice.description)
        guard notice.needsScan else { return }
        for known in mailboxes.all where !known.life.ended {
            try mark(account: known.life, notice.description)
            if FollowNotice.Kind.setsBack.contains(notice.kind) { suspects.insert(known.life.accountID) }
        }
    }
}

extension FollowNotice.Kind {
    /// Notices after which the log's position is behind ours (R9).
    static let setsBack: [Self] = [.truncated, .replaced]
}

extension Error {
    /// Whether the error is about one account's data or content, and not about the backup path or the server as a whole.
    var concernsOneAccount: Bool {
        switch self {
        case let error as StoreError:
            [.invalidInput, .blobMissing, .blobDamaged, .verificationFailed].contains(error.code)
        case let error as RedoLogError: error.concernsOneBody
        default: true  // What the server says of a mailbox, or what a history says.
        }
    }
}
