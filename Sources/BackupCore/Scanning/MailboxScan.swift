import BackupStore
import RedoLog

/// What a scan did, in the words of the manual's statistics.
public struct ScanStatistics: Hashable, Sendable {
    /// Mailboxes scanned.
    public var accounts = 0
    /// Rows looked at.
    public var checkedItems = 0
    /// States written.
    public var newMetadata = 0
    /// Contents read from the server's store.
    public var newFiles = 0
    /// Items found to be gone.
    public var deletedItems = 0
    /// Of these the ones that are presumed, since too many vanished at once.
    public var presumedDeletions = 0
    /// Presumed deletions that became certain.
    public var confirmedDeletions = 0
    /// Contents of a deep scan that the backup had already, and that were compared.
    public var comparedFiles = 0
    /// Contents that a deep scan found damaged on one side, and whole on the other: each is in `problems`.
    public var damagedFiles = 0
    /// Contents that could not be read: each is in `problems`.
    public var skippedItems = 0
    /// "item 257 of alice@example.com: …", at most the first 1,000.
    public var problems: [String] = []

    /// Nothing was done yet.
    public init() {}

    mutating func report(_ problem: String) {
        skippedItems += 1
        tell(problem)
    }

    mutating func reportDamage(_ problem: String) {
        damagedFiles += 1
        tell(problem)
    }

    private mutating func tell(_ problem: String) {
        if problems.count < 1000 { problems.append(problem) }
    }

    static func += (left: inout Self, right: Self) {
        left.accounts += right.accounts
        left.checkedItems += right.checkedItems
        left.newMetadata += right.newMetadata
        left.newFiles += right.newFiles
        left.deletedItems += right.deletedItems
        left.presumedDeletions += right.presumedDeletions
        left.confirmedDeletions += right.confirmedDeletions
        left.comparedFiles += right.comparedFiles
        left.damagedFiles += right.damagedFiles
        left.skippedItems += right.skippedItems
        left.problems += right.problems.prefix(max(0, 1000 - left.problems.count))
    }
}

/// Reads one mailbox from the server's own stores, and writes what differs from its history.
///
/// The first time that is the whole inventory, which the log does not carry. States are committed in batches under one time; the
/// mailbox's own state comes last, so a scan that was interrupted is done again, and finds most of it already written.
struct MailboxScan {
    private static let batch = 500
    /// More than so many items, and more than this share of an account, are not believed to be gone at once (R15).
    private static let (manyItems, largeShare) = (100, 0.2)

    let source: any MailSource
    let store: any StoreWriting
    let account: AccountEntry
    /// When the scan began, milliseconds since the epoch: the time of its states.
    let time: Int64
    /// Whether presumed deletions of what the server has no more become certain (R15).
    var confirmsDeletions = false
    /// Whether changes that the log has not told of are taken in too: it will not tell of them any more.
    var acceptsAhead = false
    /// Whether contents that the backup has are compared with the server's, too.
    var isDeep = false
    /// Called after each element with the figures so far; what it throws ends the scan.
    var progress: (ScanStatistics) throws -> Void = { _ in }

    /// How a scan ended.
    enum Outcome {
        /// The history is the server's.
        case done(MailboxLife, ScanStatistics)
        /// The server has changes that the log has not told of yet; nothing was written.
        case ahead
        /// The server has no such mailbox; nothing was written.
        case gone
    }

    /// Scans the mailbox.
    ///
    /// - Parameters:
    ///   - life: the mailbox's life; `scannedChange` and the row's columns are filled in.
    ///   - position: the source position that the first commit carries.
    ///   - appliedChange: on a later scan, the mailbox's last change applied from the log; nothing else may be uncommitted then.
    ///     Nil on the first scan of a life.
    func run(life: MailboxLife, position: String?, appliedChange: Int64?) throws -> Outcome {
        var life = life
        var statistics = ScanStatistics()
        statistics.accounts = 1
        // A first scan commits as it goes. A later one may find at its end that the server is ahead, and then takes all back.
        let isOpen = appliedChange != nil
        var pending: [NewState] = []
        var seen = Set<Int64>()
        var dumpster = Set<Int64>()
        let contents = ContentScan(source: source, store: store, account: account, mailboxID: life.mailboxID, isDeep: isDeep)
        var takenAgain = Set<Int64>()
        var revisions: [Int64: [ItemState.Revision]] = [:]
        // Documents that differ, where all is one transaction: their revisions come later, and it may have one state of each.
        var documents: [Int64: ItemState] = [:]
        var sections: [String: String] = [:]

        func flush(_ last: StoreTransaction? = nil) throws {
            var transaction = last ?? self.transaction(life)
            transaction.states = pending + transaction.states
            transaction.position = position
            if last != nil, isOpen { try store.end() }
            try store.append(transaction)
            try store.commit()
            pending = []
        }
        func write(_ state: ItemState) throws {
            statistics.newMetadata += 1
            if isOpen { return try store.add(state.newState(account: account.id)) }
            pending.append(state.newState(account: account.id))
            if pending.count >= Self.batch { try flush() }
        }

        if isOpen { try store.begin(transaction(life)) }
        var isComplete = false
        // Where that fails too, the writer refuses to go on until it was done.
        defer { if isOpen, !isComplete { try? store.rollback() } }
        let snapshot = try source.readMailbox(life.mailboxID) { element in
            try progress(statistics)
            switch element {
            case .tag(let tag):
                seen.insert(tag.id)
                statistics.checkedItems += 1
                let state = ItemState(tag: tag)
                if try differs(state, life) { try write(state) }
            case .item(let row):
                seen.insert(row.id)
                statistics.checkedItems += 1
                let before = try current(row.id)
                let known = before?.row.blobDigest == row.blobDigest ? before?.blob : nil
                var state = ItemState(row: row)
                var isTakenAgain = false
                do {
                    let found = try contents.find(row, known: known, "item \(row.id)", &statistics)
                    (state.blob, isTakenAgain) = (found.blob, found.isTakenAgain)
                } catch where !error.concernsMoreThanOneContent {
                    state.blob = known
                    state.doubts.append("content: \(error)")
                    statistics.report("item \(row.id) of \(account.name): \(error)")
                }
                let isDocument = row.type == .document || row.type == .wiki
                if isDocument { state.revisions = before?.revisions ?? [] }
                guard try isTakenAgain || differs(state, life) else { break }
                if isDocument, isOpen { documents[row.id] = state } else { try write(state) }
            case .revision(let row):
                let known = try current(row.itemID)?.revisions.first { $0.row == row }
                if let known, !isDeep {
                    revisions[row.itemID, default: []].append(known)
                } else {
                    var item = ItemRow(id: row.itemID, type: .document)
                    item.modContent = row.modContent
                    item.locator = row.locator
                    item.size = row.size
                    item.blobDigest = row.blobDigest
                    let what = "version \(row.version) of document \(row.itemID)"
                    var blob = known?.blob
                    do {
                        let found = try contents.find(item, known: blob, what, &statistics)
                        blob = found.blob
                        if found.isTakenAgain { takenAgain.insert(row.itemID) }
                    } catch where !error.concernsMoreThanOneContent {
                        statistics.report("\(what) of \(account.name): \(error)")
                    }
                    revisions[row.itemID, default: []].append(.init(row: row, blob: blob))
                }
            case .dumpster(let row):
                dumpster.insert(row.id)
            case .section(let name, let text):
                sections[name] = text
            }
        }
        guard let snapshot else { return .gone }
        guard acceptsAhead || snapshot.change <= appliedChange ?? .max else { return .ahead }

        guard seen.contains(WellKnownFolder.userRoot) else {
            throw CoreError(
                .serverUnreadable, doing: "scanning mailbox \(life.mailboxID)", subject: "account \(account.name)",
                reason: "the server's tables have not even its system folders",
                remedy: "Look at the server's database; nothing was taken for deleted")
        }
        if !pending.isEmpty { try flush() }
        for (id, list) in revisions {
            // Also those just written.
            guard var state = try documents[id] ?? current(id), state.revisions != list || takenAgain.contains(id) else { continue }
            state.revisions = list
            documents[id] = state
        }
        for state in documents.values { try write(state) }
        // What the server has no more ends, one by one (R12).
        let (vanished, alive) = try vanished(seen)
        let isMuch = vanished.count > Self.manyItems && Double(vanished.count) > Double(alive) * Self.largeShare
        let isPresumed = isOpen && !confirmsDeletions && isMuch
        for id in vanished {
            guard var state = try current(id) else { continue }
            state.deleted = true
            state.presumed = isPresumed
            state.inDumpster = dumpster.contains(state.row.id)
            statistics.deletedItems += 1
            if isPresumed { statistics.presumedDeletions += 1 }
            try write(state)
        }
        if confirmsDeletions {
            try store.items(account.id, .all) { indexed in
                guard var state = ItemState(indexed: indexed), state.deleted, state.presumed, !seen.contains(state.row.id) else {
                    return
                }
                state.presumed = false
                state.inDumpster = dumpster.contains(state.row.id)
                statistics.confirmedDeletions += 1
                try write(state)
            }
        }

        life.scannedChange = max(life.scannedChange ?? 0, snapshot.change)
        life.tracksImap = snapshot.row.trackingImap
        life.comment = snapshot.row.comment
        life.version = snapshot.row.version
        life.sections = sections
        var last = transaction(life)
        last.states = [
            NewState(key: .mailbox(account.id), fields: life.fields),
        ]
        last.clearsMarks = true
        if statistics.skippedItems > 0 {
            last.marks.append(Mark(reason: "\(statistics.skippedItems) contents could not be read by the scan", time: time))
        }
        if isPresumed {
            last.marks.append(
                Mark(
                    reason: "\(statistics.presumedDeletions) items had vanished at once: their deletions are presumed, "
                        + "doAccountScan with confirm_deletions true confirms them",
                    time: time))
        }
        try flush(last)
        isComplete = true
        return .done(life, statistics)
    }

    /// Ids of what the backup has alive and the scan did not see, and how many are alive.
    private func vanished(_ seen: Set<Int64>) throws -> (ids: [Int64], alive: Int) {
        var (ids, alive): ([Int64], Int) = ([], 0)
        try store.items(account.id, .alive) { indexed in
            guard case .item(_, let id) = indexed.key else { return }
            alive += 1
            if !seen.contains(id) { ids.append(id) }
        }
        return (ids, alive)
    }

    private func transaction(_ life: MailboxLife) -> StoreTransaction {
        StoreTransaction(account: account.id, generation: life.generation, time: time, kind: "scan")
    }

    private func indexed(_ id: Int64) throws -> (state: ItemState, generation: Int64)? {
        guard let indexed = try store.item(account.id, id), let state = ItemState(indexed: indexed), !state.deleted else {
            return nil
        }
        return (state, indexed.generation)
    }

    private func current(_ id: Int64) throws -> ItemState? { try indexed(id)?.state }

    /// Whether the server's row says something that the history of this life does not: counters and places that bear no change
    /// number (formats/zimbra-datastore.md, "What changes a row without a new mod_metadata") are no difference.
    private func differs(_ new: ItemState, _ life: MailboxLife) throws -> Bool {
        guard let old = try indexed(new.row.id), old.generation == life.generation else { return true }
        return new.comparable != old.state.comparable
    }
}

extension Error {
    /// Whether a content could not be had because the backup path failed, or the volume that it lies on is not there: it would be the
    /// same for others, and the scan ends.
    fileprivate var concernsMoreThanOneContent: Bool { self is StoreError || (self as? CoreError)?.code == .volumeMissing }
}

extension ItemState {
    /// The state without what changes under an unchanged change number.
    public var comparable: ItemState {
        var state = self
        state.row.locator = nil
        state.row.indexID = nil
        state.row.flags.remove(.copied)
        state.deletionAnnounced = nil
        if row.type == .tag {  // The table `tag` has one number, and no date.
            state.row.modContent = row.modMetadata
            state.row.changeDate = nil
        }
        if row.type.isContainer || row.type == .conversation {
            state.row.size = 0
            state.row.unread = nil
            if row.type == .conversation {
                state.row.metadata = nil
            } else {
                state.updateMetadata { map in
                    for counter in ["sz", "unxt", "mseq", "i4l", "i4r", "i4d", "i4du", "mdver"] { map[counter] = nil }
                }
            }
        }
        return state
    }
}
