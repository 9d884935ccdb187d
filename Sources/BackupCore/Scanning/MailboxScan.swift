import BackupStore

/// Compares one mailbox of the server with its history, and writes what differs.
struct MailboxScan {
    /// More than so many items, and more than this share of an account, are not believed to be gone at once (R15).
    private static let (manyItems, largeShare) = (100, 0.2)

    /// How a mailbox is to be scanned.
    struct Request {
        var reach = Reach.whole
        /// Whether contents that the backup has are compared with the server's, too.
        var isDeep = false
        /// Whether presumed deletions of what the server has no more become certain (R15).
        var confirmsDeletions = false
        /// Takes what differs instead of the backup path: nothing is written.
        var trial: ScanTrial?
    }

    /// Which rows are read whole.
    enum Reach {
        /// All.
        case whole
        /// Those that the server or the history says have changed since the last scan, and some of the others in turn.
        case changed
    }

    let source: any MailSource
    let intake: ContentIntake
    /// Where contents are taken in ahead; nil = each when it is needed.
    var ahead: ContentsAhead?
    let account: AccountEntry
    /// When the scan began, milliseconds since the epoch: the time of its states.
    let time: Int64
    /// Whether the life has never been scanned. A later scan finds nothing else uncommitted.
    let isFirst: Bool
    var request = Request()
    /// Called when all states are written, and not yet committed.
    var beforeEnd: () -> Void = {}
    /// Called for each item with the figures so far; what it throws ends the scan.
    var progress: (ScanStatistics) throws -> Void = { _ in }

    private var store: any StoreWriting { intake.store }

    /// Scans a mailbox.
    ///
    /// - Parameters:
    ///   - life: the mailbox's life; the log has told of all that is in the picture and it can tell of.
    ///   - position: the source position that the commits carry.
    /// - Returns: the life with what the scan saw, and what was done.
    func run(
        _ picture: any MailboxPicture, life: MailboxLife, position: String?
    ) throws -> (life: MailboxLife, statistics: ScanStatistics) {
        var statistics = ScanStatistics()
        statistics.accounts = 1
        let hadPresumed = try store.marks(account.id).contains { ScanMark.vanished.matches($0) }
        let tags = try picture.tags()
        let standing = try MailboxStanding(
            of: picture, tags: tags, to: life, in: store, listsPresumed: hadPresumed || request.confirmsDeletions
        ) { try progress(statistics) }
        guard standing.hasRoot else {
            throw CoreError(
                .serverUnreadable, doing: "scanning mailbox \(life.mailboxID)", subject: "account \(account.name)",
                reason: "the server's tables have not even its system folders",
                remedy: "Look at the server's database; nothing was taken for deleted")
        }

        var template = StoreTransaction(account: account.id, generation: life.generation, time: time, kind: "scan")
        template.position = position
        let transaction = try request.trial == nil ? ScanTransaction(template, isFirst: isFirst, in: store) : nil
        defer { transaction?.takeBack() }
        func write(_ state: ItemState) throws {
            statistics.newMetadata += 1
            if let trial = request.trial { return trial.add(state, isKnown: try current(state.row.id) != nil) }
            try transaction?.write(state.newState(account: account.id))
        }

        for state in tags.map(ItemState.init(tag:)) where try differs(state, from: current(state.row.id), life) { try write(state) }
        let wanted = request.reach == .whole ? nil : standing.changed + standing.inTurn
        if request.reach == .changed { statistics.lookedAgain = standing.inTurn.count }
        statistics.checkedItems = wanted.map { standing.count - $0.count } ?? tags.count
        let contents = ContentScan(
            source: source, intake: intake, ahead: ahead, account: account, mailboxID: life.mailboxID, isDeep: request.isDeep, isTrial: request.trial != nil)
        var rows = RowsAhead(store: store)
        defer { rows.drop() }
        func finish(_ one: RowsAhead.One) throws {
            try progress(statistics)
            let found = try state(of: one, contents, &statistics)
            if found.isTakenAgain || differs(found.state, from: one.before, life) { try write(found.state) }
        }
        try picture.items(in: .mailbox, wanted) { row, revisions in
            statistics.checkedItems += 1
            statistics.readRows += 1
            let before = try current(row.id)
            let content = contents.begin(row, known: known(row, before))
            rows.append(.init(row: row, revisions: revisions, before: before, content: content))
            while let one = rows.next(isLast: false) { try finish(one) }
        }
        while let one = rows.next(isLast: true) { try finish(one) }

        let isMuch =
            standing.vanished.count > Self.manyItems && Double(standing.vanished.count) > Double(standing.alive) * Self.largeShare
        let isPresumed = !isFirst && !request.confirmsDeletions && isMuch
        func end(_ state: ItemState, inDumpster: Bool) throws {
            var state = state
            // Confirming a deletion that was only presumed says nothing new of its time.
            if !state.deleted, let known = try store.item(account.id, state.row.id) {
                state.notBefore = TimeText.iso(max(known.time, life.scannedTime ?? known.time))
            }
            if state.deleted { statistics.confirmedDeletions += 1 } else { statistics.deletedItems += 1 }
            state.deleted = true
            state.presumed = isPresumed
            state.inDumpster = inDumpster
            if isPresumed { statistics.presumedDeletions += 1 }
            try write(state)
        }
        let ended = standing.vanished + (request.confirmsDeletions ? standing.presumed : [])
        let dumpster = try ended.isEmpty ? [] : ids(in: .dumpster, of: picture)
        for id in ended where !dumpster.contains(id) {
            if let state = try store.item(account.id, id).flatMap(ItemState.init(indexed:)) { try end(state, inDumpster: false) }
        }
        // The dumpster has an item's last row, which the log may have lost.
        try picture.items(in: .dumpster, ended.filter { dumpster.contains($0) }) { row, _ in
            guard let known = try store.item(account.id, row.id).flatMap(ItemState.init(indexed:)) else { return }
            var last = try state(of: .init(row: row, revisions: [], before: current(row.id)), contents, &statistics).state
            last.revisions = known.revisions
            last.deleted = known.deleted
            try end(last, inDumpster: true)
        }
        // What came and went while the log was not followed is in no other place.
        if !isFirst, request.trial == nil {
            try picture.items(in: .dumpster, unseen(in: picture, since: life)) { row, _ in
                try progress(statistics)
                // What was deleted so long ago went with a purge, or is over all the same.
                if let purged = life.purgedTime, (row.changeDate ?? 0) * 1000 <= purged { return }
                var last = try state(of: .init(row: row, revisions: [], before: current(row.id)), contents, &statistics).state
                last.deleted = true
                last.inDumpster = true
                last.notBefore = life.scannedTime.map(TimeText.iso)
                try write(last)
            }
        }

        if statistics.notReadableHere > 0 {
            statistics.tell(
                "\(statistics.notReadableHere) contents of \(account.name) lie where only the mail server reaches them: "
                    + "the backup has their items without them")
        }

        if statistics.leftOutFiles > 0 {
            statistics.tell("\(statistics.leftOutFiles) contents of \(account.name) were left out: backupBloblessMode is true")
        }

        if let trial = request.trial {
            trial.end(statistics)
            return (life, statistics)
        }
        var life = life
        life.scannedChange = max(life.scannedChange ?? 0, picture.change)
        life.scannedTime = time
        if statistics.leftOutFiles > 0 {
            life.lacksContents = true
        } else if request.reach == .whole, intake.keepsContents {
            life.lacksContents = false
        }
        life.lookedAt = request.reach == .whole ? nil : standing.lookedAt
        life.tracksImap = picture.row.trackingImap
        life.comment = picture.row.comment
        life.version = picture.row.version
        life.sections = Dictionary(try picture.sections().map { ($0.name, $0.text) }, uniquingKeysWith: { $1 })
        beforeEnd()
        var marks: [Mark] = []
        if statistics.skippedItems > 0 { marks.append(ScanMark.unreadable.mark(statistics.skippedItems, time)) }
        let presumed = (isPresumed ? standing.vanished.count : 0) + (request.confirmsDeletions ? 0 : standing.presumed.count)
        if presumed > 0 { marks.append(ScanMark.vanished.mark(presumed, time)) }
        try transaction?.end(NewState(key: .mailbox(account.id), fields: life.fields), marks: marks)
        return (life, statistics)
    }

    /// The state of a row, with its content and those of its former versions; one that cannot be read is told of.
    private func state(
        of one: RowsAhead.One, _ contents: ContentScan, _ statistics: inout ScanStatistics
    ) throws -> (state: ItemState, isTakenAgain: Bool) {
        let (row, revisions, before) = (one.row, one.revisions, one.before?.state)
        var state = ItemState(row: row)
        var isTakenAgain = false

        func content(
            _ row: ItemRow, _ known: BlobReference?, _ ahead: ContentsAhead.Content?, _ what: String, _ doubt: (any Error) -> Void
        ) throws -> BlobReference? {
            do {
                let found = try contents.find(row, known: known, ahead: ahead, what, &statistics)
                if found.isTakenAgain { isTakenAgain = true }
                return found.blob
            } catch let error as CoreError where error.code == .notReadableHere {
                statistics.notReadableHere += 1
                return known
            } catch where !error.concernsMoreThanOneContent {
                statistics.report("\(what) of \(account.name): \(error)")
                doubt(error)
                return known
            }
        }

        var doubts: [String] = []
        state.blob = try content(row, known(row, one.before), one.content, "item \(row.id)") { doubts.append("content: \($0)") }
        for revision in revisions {
            let known = before?.revisions.first { $0.row == revision }
            if let known, !request.isDeep, known.blob != nil || revision.blobDigest == nil {
                state.revisions.append(known)
                continue
            }
            var version = ItemRow(id: row.id, type: .document)
            version.modContent = revision.modContent
            version.locator = revision.locator
            version.size = revision.size
            version.blobDigest = revision.blobDigest
            let blob = try content(version, known?.blob, nil, "version \(revision.version) of document \(row.id)") {
                doubts.append("content of version \(revision.version): \($0)")
            }
            state.revisions.append(.init(row: revision, blob: blob))
        }
        state.doubts = doubts
        return (state, isTakenAgain)
    }

    /// Items of the dumpster that were deleted since the last scan, and that the history has never seen.
    private func unseen(in picture: any MailboxPicture, since life: MailboxLife) throws -> [Int64] {
        var ids: [Int64] = []
        try picture.numbers(in: .dumpster) { id, change in
            guard change > life.scannedChange ?? 0 else { return }
            if try store.item(account.id, id) == nil { ids.append(id) }
        }
        return ids
    }

    /// What the backup has under the row's digest.
    private func known(_ row: ItemRow, _ before: RowsAhead.Before?) -> BlobReference? {
        before?.state.row.blobDigest == row.blobDigest ? before?.state.blob : nil
    }

    private func ids(in part: MailboxPart, of picture: any MailboxPicture) throws -> Set<Int64> {
        var ids: Set<Int64> = []
        try picture.numbers(in: part) { id, _ in ids.insert(id) }
        return ids
    }

    /// The item as the history has it alive.
    private func current(_ id: Int64) throws -> RowsAhead.Before? {
        guard let indexed = try store.item(account.id, id), let state = ItemState(indexed: indexed), !state.deleted else {
            return nil
        }
        return RowsAhead.Before(state: state, generation: indexed.generation)
    }

    /// Whether the server's row says something that the history of this life does not: counters and places that bear no change
    /// number (formats/zimbra-datastore.md, "What changes a row without a new mod_metadata") are no difference.
    private func differs(_ new: ItemState, from old: RowsAhead.Before?, _ life: MailboxLife) -> Bool {
        guard let old, old.generation == life.generation else { return true }
        return new.comparable != old.state.comparable
    }
}

/// What a scan leaves an account marked with: the next one sees to it without reading every row.
enum ScanMark: String, CaseIterable {
    case unreadable = "contents could not be read by the scan"
    case vanished = "items had vanished at once: their deletions are presumed, doAccountScan with confirm_deletions true confirms them"

    func mark(_ count: Int, _ time: Int64) -> Mark { Mark(reason: "\(count) \(rawValue)", time: time) }

    func matches(_ mark: Mark) -> Bool { mark.reason.hasSuffix(rawValue) }
}

extension Mark {
    /// Whether a scan can be expected to settle it; what a scan itself has left is known, and needs an administrator.
    public var asksForScan: Bool { !ScanMark.allCases.contains { $0.matches(self) } }
}

extension Error {
    /// Whether a content could not be had because the backup path failed, or the volume that it lies on is not there: it would be the
    /// same for others, and the scan ends.
    fileprivate var concernsMoreThanOneContent: Bool { self is StoreError || (self as? CoreError)?.code == .volumeMissing }
}
