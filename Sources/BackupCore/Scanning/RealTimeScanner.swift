import BackupStore
import Logging
import RedoLog

/// Follows the server's redo log and commits what each transaction does to the mailboxes (Design, section 6).
///
/// Owned by one thread. Each committed transaction of the log becomes one transaction of the backup path, in the log's order (R9),
/// with the log's position inside it (R4); a group of them is made durable after at most 100 ms or 1,000 transactions (R3).
final class RealTimeScanner {
    /// A group closes after this many transactions …
    static let groupSize = 1000
    /// … or this long after its first one.
    private static let groupTime = Duration.milliseconds(100)

    /// Why an account is marked after the server's own crash recovery.
    static let repeatedReason = "the server recovered from a crash and repeated changes under their old numbers"

    let source: any MailSource
    let store: any StoreWriting
    let logger: Logger
    let follower: LogFollower
    var shared: SharedBodies
    /// Whether contents are kept.
    var keepsContents = true
    /// Where scans take contents in ahead; nil = each when it is needed.
    var ahead: ContentsAhead?
    /// The mailbox whose scan is the next.
    var upcoming: MailboxRow?
    var mailboxes: KnownMailboxes
    /// Accounts whose mailbox was created in the log and waits for a look at the server.
    var unsettled: Set<String> = []
    /// Accounts of a log that was cut or replaced: the server may have gone back to an older snapshot (R9).
    var suspects: Set<String> = []
    /// Accounts whose mailbox was deleted: the directory may have lost them too.
    var departing: Set<String> = []
    /// Accounts whose server was seen not to be behind, since the log was last read to its end.
    var upToDate: Set<String> = []
    var hasLookedForUntoldLives = false
    /// The directory is looked at again this long after the last look, when the log is read to its end.
    let directoryInterval: Duration
    var lastDirectoryLook = ContinuousClock.now
    /// What ``MailSource/directoryVersions()`` said of each entry that is recorded as it is.
    var directoryVersions: [HistoryKey: Int] = [:]
    /// The entries of the directory that are alive in the backup; nil before the first look.
    var livingEntries: Set<HistoryKey>?
    /// States of entries of the directory that were recorded since the beginning.
    var recordedEntries = (changed: 0, gone: 0)
    /// Which accounts are not backed up; nil = to be read.
    var switches: BackupSwitches?
    /// Whether the last look at the directory failed, which was told of.
    var directoryIsSilent = false
    /// Whether it was told that the directory names no account.
    var directoryIsEmpty = false
    /// Mailboxes that cannot be kept, each of which was told of once.
    var refused: Set<Int64> = []
    /// The log's position in the last transaction.
    private var lastPosition: LogPosition?
    /// Files begun before this time were let go of.
    private var droppedBefore: Int64?
    private(set) var pending = 0
    /// When the server committed what the pending group holds.
    private var pendingCommits: [Int64] = []
    private var groupBegan = ContinuousClock.now
    var statistics = FollowStatistics()

    /// - Throws: what opening the log or reading the committed position throws.
    init(source: any MailSource, store: any StoreWriting, logger: Logger, directoryInterval: Duration = .seconds(60)) throws {
        self.directoryInterval = directoryInterval
        self.source = source
        self.store = store
        self.logger = logger
        if let text = try store.info().position {
            let position = try SourcePosition(text: text, store: store)
            follower = try LogFollower(location: source.redoLog, from: position.log, serverID: LogText(source.identity.id))
            shared = position.shared
        } else {
            // Without a server to scan, the oldest file is the beginning; with one, the log matters from the first scan on.
            follower = try LogFollower(
                location: source.redoLog, from: nil, beginning: source.hasInventory ? .currentFile : .oldestFile,
                serverID: LogText(source.identity.id))
            shared = SharedBodies()
        }
        mailboxes = try KnownMailboxes(store: store)
        for known in mailboxes.all where !known.life.ended {
            let account = known.life.accountID
            for mark in try store.marks(account) {
                if mark.reason == MailboxChange.newMailboxReason { unsettled.insert(account) }
                let setsBack = FollowNotice.Kind.setsBack.contains { mark.reason.hasPrefix($0.description) }
                if setsBack { suspects.insert(account) }
            }
        }
    }

    var intake: ContentIntake { ContentIntake(store: store, keepsContents: keepsContents) }

    /// The position after everything handed out so far.
    func position() throws -> String? {
        try follower.position().map { SourcePosition(log: $0, shared: shared).text }
    }

    /// Takes one step: one transaction or one notice.
    ///
    /// - Returns: false when the log has no more at the moment; everything before is durable then.
    func step() throws -> Bool {
        switch try follower.next() {
        case .transaction(let transaction):
            try takeOrMark(transaction)
            statistics.transactions += 1
            if pending > 0 { pendingCommits.append(transaction.commitTimestamp) }
            if pending >= Self.groupSize || pending > 0 && ContinuousClock.now - groupBegan >= Self.groupTime { try commit() }
        case .repeatedEnd(_, mailboxID: let mailbox, committed: _):
            try mark(mailbox: mailbox, Self.repeatedReason)
        case .lostEnd(let open, let sequence):
            try report(lostEndOf: open, sequence: sequence)
        case .notice(let notice):
            try report(notice)
        case .caughtUp:
            try commit()
            upToDate = []
            return false
        }
        return true
    }

    /// Waits until the log may have grown.
    func wait(milliseconds: Int) { follower.wait(milliseconds: milliseconds) }

    /// Makes durable what was taken since the last commit.
    func commit() throws {
        guard pending > 0 else { return }
        try store.commit()
        pending = 0
        dropKept()
        let now = WallClock.milliseconds
        for time in pendingCommits { statistics.lag.add(from: time, to: now) }
        pendingCommits.removeAll(keepingCapacity: true)
    }

    /// Lets go of log files that were read, once that is durable.
    private func dropKept() {
        guard let position = lastPosition, position.createTime != droppedBefore else { return }
        droppedBefore = position.createTime
        do {
            try source.redoLog.dropKept(before: position)
        } catch {
            note("a redo log that was read stays in its folder: \(error)")
        }
    }

    // MARK: One transaction

    /// Takes a transaction in. What concerns its account only marks that account: the others go on.
    private func takeOrMark(_ transaction: CommittedTransaction) throws {
        do {
            try take(transaction)
        } catch {
            suspect(error)
            let known = mailboxes.known(mailbox: transaction.mailboxID)
            // With no account to mark, only what the backup path can never keep may be left out.
            guard known != nil && error.concernsOneAccount || (error as? StoreError)?.code == .invalidInput else { throw error }
            let place = "\(transaction.file.path) at \(transaction.start.offset)"
            let reason = "\(transaction.start.operation.code.name) in \(place) could not be taken in: \(error)"
            note("mailbox \(transaction.mailboxID): \(reason)")
            if let known { try mark(account: known.life, reason) }
        }
    }

    private func take(_ transaction: CommittedTransaction) throws {
        let header = transaction.start.header
        if case .storeIncomingBlob(let stored) = transaction.start.operation { return try takeShared(stored, transaction) }
        guard header.mailboxID > 0 else { return }  // Volume operations touch no mailbox.
        if case .createMailbox(let create) = transaction.start.operation {
            guard try begin(create, transaction) else { return }
        }
        guard let known = try mailboxes.known(mailbox: header.mailboxID) ?? discover(header.mailboxID) else {
            statistics.skipped += 1
            if case .deleteMailbox = transaction.start.operation { return }  // Never seen alive here, and gone.
            logger.warning("transaction of mailbox \(header.mailboxID), which is of no account that is kept here: left out")
            return
        }
        if known.isSwitchedOff, !transaction.start.operation.endsMailbox { return skip(transaction) }
        switch try standing(of: transaction, known) {
        case .new: try apply(transaction, to: known)
        case .known:
            if isScanned(transaction, known.life) { skip(transaction) } else { statistics.skipped += 1 }
        case .wentBack:
            if try beginAnew(known) {
                statistics.skipped += 1  // The scan has seen it.
            } else {
                try apply(transaction, to: known)
            }
        }
    }

    /// Leaves a transaction out. A shared body waits for this recipient no more.
    private func skip(_ transaction: CommittedTransaction) {
        statistics.skipped += 1
        if case .createMessage(let message) = transaction.start.operation, message.body == nil {
            _ = shared.take(path: message.path, digest: message.digest)
        }
    }

    private func apply(_ transaction: CommittedTransaction, to known: KnownMailboxes.Known) throws {
        let header = transaction.start.header
        let account = known.life.accountID
        var change = MailboxChange(
            view: StoreView(store: store, account: account), life: known.life, time: transaction.time,
            change: Int64(header.changeID), constraint: Int64(header.changeConstraint), hasDumpster: known.hasDumpster,
            retention: known.retention)
        let logged = try content(of: transaction)
        try change.apply(transaction.start.operation, content: logged.content)
        if let content = logged.content, content.blob == nil { change.life.lacksContents = true }
        if let problem = logged.problem {
            logger.warning("\(problem)")
            change.mark(problem, candidates: change.states.map(\.row.id))
        }
        if change.life.ended {
            try end(known.life, at: transaction.time, change: header.changeID > 0 ? Int64(header.changeID) : nil)
            return
        }
        if transaction.time != header.timestamp {
            change.mark("a record of change \(header.changeID) has an impossible time, \(header.timestamp) ms since 1970")
        }
        if transaction.isUnproven {
            change.mark("read after damage in the log: the record is unproven")
        }
        for name in change.unapplied { statistics.unapplied[name, default: 0] += 1 }

        var states = change.states.map { $0.newState(account: account) }
        if change.life != known.life { states.append(NewState(key: .mailbox(account), fields: change.life.fields)) }
        try append(
            StoreTransaction(
                account: account, generation: change.life.generation, time: transaction.time,
                change: header.changeID > 0 ? Int64(header.changeID) : nil, kind: "redolog", states: states,
                marks: change.marks))
        mailboxes.adopt(change.life, lastChange: max(known.lastChange, Int64(header.changeID)))
    }

    func append(_ transaction: StoreTransaction) throws {
        try store.append(try positioned(transaction))
        noteLiving(transaction.states)
        count()
    }

    /// A transaction with the log's position (R4).
    func positioned(_ transaction: StoreTransaction) throws -> StoreTransaction {
        var transaction = transaction
        lastPosition = try follower.position()
        transaction.position = try position()
        transaction.heldBlobs = shared.blobs
        return transaction
    }

    /// Counts a transaction of the group.
    func count() {
        if pending == 0 { groupBegan = ContinuousClock.now }
        pending += 1
    }
}

extension Operation {
    fileprivate var endsMailbox: Bool {
        if case .deleteMailbox = self { true } else { false }
    }
}
