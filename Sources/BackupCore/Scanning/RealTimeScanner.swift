import BackupStore
import Logging
import RedoLog

/// Follows the server's redo log and commits what each transaction does to the mailboxes (Design, section 6).
///
/// Owned by one thread. Each committed transaction of the log becomes one transaction of the backup path, in the log's order (R9),
/// with the log's position inside it (R4); a group of them is made durable after at most 100 ms or 1,000 transactions (R3).
final class RealTimeScanner {
    /// A group closes after this many transactions …
    private static let groupSize = 1000
    /// … or this long after its first one.
    private static let groupTime = Duration.milliseconds(100)

    let source: any MailSource
    let store: StoreWriter
    private let logger: Logger
    let follower: LogFollower
    private var shared: SharedBodies
    var mailboxes: KnownMailboxes
    /// Accounts whose mailbox was created in the log and waits for a look at the server.
    var unsettled: Set<String> = []
    var hasLookedForUntoldLives = false
    private var pending = 0
    /// When the server committed what the pending group holds.
    private var pendingCommits: [Int64] = []
    private var groupBegan = ContinuousClock.now
    private(set) var statistics = FollowStatistics()

    /// - Throws: what opening the log or reading the committed position throws.
    init(source: any MailSource, store: StoreWriter, logger: Logger) throws {
        self.source = source
        self.store = store
        self.logger = logger
        if let text = try store.info().position {
            let position = try SourcePosition(text: text, store: store)
            follower = try LogFollower(location: source.redoLog, from: position.log)
            shared = position.shared
        } else {
            // Without a server to scan, the oldest file is the beginning; with one, the log matters from the first scan on.
            follower = try LogFollower(
                location: source.redoLog, from: nil, beginning: source is LogArchive ? .oldestFile : .currentFile)
            shared = SharedBodies()
        }
        mailboxes = try KnownMailboxes(store: store)
        for known in mailboxes.all where !known.life.ended {
            let account = known.life.accountID
            if try store.marks(account).contains(where: { $0.reason == MailboxChange.newMailboxReason }) {
                unsettled.insert(account)
            }
        }
    }

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
            try take(transaction)
            statistics.transactions += 1
            if pending > 0 { pendingCommits.append(transaction.commitTimestamp) }
            if pending >= Self.groupSize || pending > 0 && ContinuousClock.now - groupBegan >= Self.groupTime { try commit() }
        case .repeatedEnd(_, mailboxID: let mailbox, committed: _):
            try mark(mailbox: mailbox, "the server recovered from a crash and repeated changes under their old numbers")
        case .notice(let notice):
            try report(notice)
        case .caughtUp:
            try commit()
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
        let now = WallClock.milliseconds
        for time in pendingCommits { statistics.lag.add(milliseconds: now - time) }
        pendingCommits.removeAll(keepingCapacity: true)
    }

    // MARK: One transaction

    private func take(_ transaction: CommittedTransaction) throws {
        let header = transaction.start.header
        if case .storeIncomingBlob(let stored) = transaction.start.operation {
            if let path = stored.path, let body = stored.body {
                let content = try intake(body, size: Int64(stored.size), of: transaction)
                shared.add(content, path: path, digest: stored.digest ?? "", recipients: stored.mailboxIDs?.count ?? 1)
            }
            return
        }
        guard header.mailboxID > 0 else { return }  // Volume operations touch no mailbox.
        if case .createMailbox(let create) = transaction.start.operation {
            guard try begin(create, transaction) else { return }
        }
        guard let known = try mailboxes.known(mailbox: header.mailboxID) ?? discover(header.mailboxID) else {
            statistics.skipped += 1
            if case .deleteMailbox = transaction.start.operation { return }  // Never seen alive here, and gone.
            logger.warning("transaction of mailbox \(header.mailboxID), which belongs to no account: left out")
            return
        }
        if try isKnown(transaction, known) {
            statistics.skipped += 1
            return
        }
        try apply(transaction, to: known)
    }

    /// A mailbox that the log names and nobody has told of: the server knows it, or it is gone.
    private func discover(_ mailbox: Int64) throws -> KnownMailboxes.Known? {
        guard let row = try source.mailboxes().first(where: { $0.id == mailbox }) else { return nil }
        let account = try source.accounts().first { $0.id == row.accountID }
            ?? AccountEntry(id: row.accountID, name: row.comment ?? row.accountID)
        _ = try firstScan(of: row, account: account)
        return mailboxes.known(mailbox: mailbox)
    }

    /// Whether a change is already in the backup path: by the first scan, or from an earlier reading of the log (R4).
    private func isKnown(_ transaction: CommittedTransaction, _ known: KnownMailboxes.Known) throws -> Bool {
        let life = known.life
        let place = MailboxLife.LogPlace(sequence: follower.sequence ?? 0, offset: transaction.end)
        if let scanned = life.scannedLog, place <= scanned { return true }
        let change = Int64(transaction.start.header.changeID)
        guard change > 0 else { return false }
        if let scanned = life.scannedChange, change <= scanned { return true }
        guard change <= known.lastChange else { return false }
        return try store.hasChange(life.accountID, generation: life.generation, change: change)
    }

    private func apply(_ transaction: CommittedTransaction, to known: KnownMailboxes.Known) throws {
        let header = transaction.start.header
        let account = known.life.accountID
        var change = MailboxChange(
            view: StoreView(store: store, account: account), life: known.life, time: header.timestamp,
            change: Int64(header.changeID), constraint: Int64(header.changeConstraint), hasDumpster: known.hasDumpster)
        try change.apply(transaction.start.operation, content: try content(of: transaction))
        if transaction.isUnproven {
            change.mark("read after damage in the log: the record is unproven")
        }
        for name in change.unapplied { statistics.unapplied[name, default: 0] += 1 }

        var states = change.states.map { $0.newState(account: account) }
        if change.life != known.life { states.append(NewState(key: .mailbox(account), fields: change.life.fields)) }
        try append(
            StoreTransaction(
                account: account, generation: change.life.generation, time: header.timestamp,
                change: header.changeID > 0 ? Int64(header.changeID) : nil, kind: "redolog", states: states,
                marks: change.marks))
        mailboxes.adopt(change.life, lastChange: max(known.lastChange, Int64(header.changeID)))
    }

    func append(_ transaction: StoreTransaction) throws {
        var transaction = transaction
        transaction.position = try position()
        transaction.heldBlobs = shared.blobs
        if pending == 0 { groupBegan = ContinuousClock.now }
        try store.append(transaction)
        pending += 1
    }

    /// A new mailbox begins a life of its account; false when the record repeats what is known.
    private func begin(_ create: CreateMailbox, _ transaction: CommittedTransaction) throws -> Bool {
        let header = transaction.start.header
        let account = create.accountID?.string.lowercased() ?? ""
        guard !account.isEmpty else {
            logger.warning("CreateMailbox of mailbox \(header.mailboxID) names no account: left out")
            return false
        }
        if let known = mailboxes.known(account: account), known.life.mailboxID == header.mailboxID,
            try isKnown(transaction, known)
        {
            return false
        }
        let generation = (mailboxes.known(account: account)?.life.generation ?? 0) + 1
        try endPreviousLife(of: account, at: header.timestamp)
        let life = MailboxLife(accountID: account, mailboxID: header.mailboxID, generation: generation)
        var states = [NewState(key: .mailbox(account), fields: life.fields)]
        let entry = try source.accounts().first { $0.id == account } ?? AccountEntry(id: account, name: account)
        if try store.accountInfo(account) == nil {
            states.append(NewState(key: .accountInfo(account), fields: entry.fields(deleted: false)))
        }
        try append(
            StoreTransaction(
                account: account, generation: generation, time: header.timestamp, kind: "redolog", states: states))
        mailboxes.adopt(life, lastChange: 0, hasDumpster: entry["zimbraDumpsterEnabled"] == "TRUE")
        unsettled.insert(account)
        return true
    }

    /// What an earlier life left alive ended before the new one began (R9).
    private func endPreviousLife(of account: String, at time: Int64) throws {
        guard let previous = mailboxes.known(account: account), !previous.life.ended else { return }
        var change = MailboxChange(
            view: StoreView(store: store, account: account), life: previous.life, time: time, change: previous.lastChange)
        try change.apply(.deleteMailbox)
        try append(
            StoreTransaction(
                account: account, generation: previous.life.generation, time: time, kind: "redolog",
                states: change.states.map { $0.newState(account: account) }))
    }

    // MARK: Contents

    private func content(of transaction: CommittedTransaction) throws -> AppliedContent? {
        switch transaction.start.operation {
        case .createMessage(let message): try content(of: message, transaction, summarising: true)
        case .createChat(let chat): try content(of: chat.message, transaction, summarising: true)
        case .saveDraft(let draft): try content(of: draft.message, transaction, summarising: true)
        case .saveChat(let chat): try content(of: chat.message, transaction, summarising: true)
        case .saveDocument(let document): try content(of: document.message, transaction, summarising: false)
        case .saveWiki(let wiki): try content(of: wiki.message, transaction, summarising: false)
        case .addDocumentRevision(let document): try content(of: document.message, transaction, summarising: false)
        case .createContact(let contact):
            try contact.attachmentBlob.map { try intake($0, size: $0.length, of: transaction, summarising: false) }
        case .modifyContact(let contact):
            try contact.attachmentBlob.map { try intake($0, size: $0.length, of: transaction, summarising: false) }
        default: nil
        }
    }

    private func content(
        of message: CreateMessage, _ transaction: CommittedTransaction, summarising: Bool
    ) throws -> AppliedContent? {
        if let body = message.body {
            return try intake(body, size: message.size, of: transaction, summarising: summarising)
        }
        if let content = shared.take(path: message.path, digest: message.digest) { return content }
        // The shared body's record is gone: the server's store may still have the message.
        let location = BlobLocation(
            mailboxID: transaction.start.header.mailboxID, itemID: Int64(message.itemID),
            modContent: Int64(transaction.start.header.changeID), locator: nil, size: message.size,
            digest: message.digest?.string)
        do {
            return try ContentIntake(store: store).take(location, from: source, summarising: summarising)
        } catch let error as StoreError {
            throw error
        } catch {
            logger.warning("item \(message.itemID) of mailbox \(location.mailboxID) has no content in the log or the store: \(error)")
            return nil
        }
    }

    private func intake(
        _ body: Body, size: Int64, of transaction: CommittedTransaction, summarising: Bool = true
    ) throws -> AppliedContent {
        let reader = try transaction.file.openBody(body, uncompressedSize: size)
        return try ContentIntake(store: store).take(summarising: summarising, reader)
    }

    // MARK: What the log itself tells

    private func mark(mailbox: Int64, _ reason: String) throws {
        guard let known = mailboxes.known(mailbox: mailbox) else { return }
        try mark(account: known.life, reason)
    }

    private func mark(account life: MailboxLife, _ reason: String) throws {
        let now = WallClock.milliseconds
        try append(
            StoreTransaction(
                account: life.accountID, generation: life.generation, time: now, kind: "mark",
                marks: [Mark(reason: reason, time: now)]))
    }

    /// A gap or damage is never papered over: every account is marked, and the administrator told.
    private func report(_ notice: FollowNotice) throws {
        statistics.notices.append(notice.description)
        logger.warning("\(notice.description)")
        guard notice.needsScan else { return }
        for known in mailboxes.all where !known.life.ended { try mark(account: known.life, notice.description) }
    }
}

/// What following the log did so far.
public struct FollowStatistics: Hashable, Sendable {
    /// Committed transactions read.
    public var transactions = 0
    /// Of them, left out: known already, or of a mailbox that belongs to no account.
    public var skipped = 0
    /// Operations that are not applied yet, by name.
    public var unapplied: [String: Int] = [:]
    /// From the server's commit to the durable state, of each transaction.
    public var lag = LagHistogram()
    /// What the log told of itself: gaps, damage, truncation.
    public var notices: [String] = []

    /// Nothing was read yet.
    public init() {}
}
