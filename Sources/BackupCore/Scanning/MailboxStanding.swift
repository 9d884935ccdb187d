import BackupStore

/// How a mailbox stands to its history, by the ids of its items and the numbers of their last changes alone
/// (formats/zimbra-datastore.md, section 6, query 4).
///
/// It holds two numbers an item, and no row.
struct MailboxStanding {
    /// Of the rows that nothing is said to have changed, so many at least …
    private static let leastLook = 100
    /// … and this part of all is looked at in turn: what changes a row without a number stays wrong for so many scans at most.
    private static let looksForAll = 30

    /// Items whose rows say what the history may not know.
    private(set) var changed: [Int64] = []
    /// Items that it is the turn of.
    private(set) var inTurn: [Int64] = []
    /// Items that the history has alive and the server does not have.
    private(set) var vanished: [Int64] = []
    /// The same of those that the history has as presumed deletions, where they were asked for.
    private(set) var presumed: [Int64] = []
    /// Items that the history has alive.
    private(set) var alive = 0
    /// Items that the server has.
    let count: Int
    /// Whether the mailbox has its root: one without is no mailbox.
    private(set) var hasRoot = false
    /// Up to where the turn has come; nil = it begins anew.
    let lookedAt: Int64?

    /// Compares.
    ///
    /// - Parameters:
    ///   - listsPresumed: whether `presumed` is filled, which reads deleted items too.
    ///   - look: called for each item, and may throw.
    init(
        of picture: any MailboxPicture, tags: [TagRow], to life: MailboxLife, in store: any StoreReading, listsPresumed: Bool,
        _ look: () throws -> Void
    ) throws {
        var numbers: [(id: Int64, change: Int64)] = tags.map { ($0.id, $0.sequence) }
        try picture.numbers(in: .mailbox) { id, change in
            try look()
            numbers.append((id, change))
        }
        numbers.sort { $0.id < $1.id }
        count = numbers.count
        let turn = Self.turn(numbers.map(\.id), after: life.lookedAt)
        lookedAt = turn.upperBound == numbers.count ? nil : numbers[turn.upperBound - 1].id

        let tagIDs = Set(tags.map(\.id))
        let token = life.scannedChange ?? 0
        var next = 0
        /// Takes the next of the server's items; `isKnown` where the history says the same of it.
        func take(isKnown: Bool) {
            let (id, change) = numbers[next]
            if id == WellKnownFolder.userRoot { hasRoot = true }
            if !tagIDs.contains(id) {
                if !isKnown || change > token { changed.append(id) } else if turn.contains(next) { inTurn.append(id) }
            }
            next += 1
        }
        try store.items(life.accountID, listsPresumed ? .all : .alive) { indexed in
            guard let state = ItemState(indexed: indexed) else { return }
            try look()
            let id = state.row.id
            if !state.deleted { alive += 1 }
            while next < numbers.count, numbers[next].id < id { take(isKnown: false) }
            if next < numbers.count, numbers[next].id == id {
                take(
                    isKnown: !state.deleted && !state.presumed && state.doubts.isEmpty && indexed.generation == life.generation
                        && state.row.modMetadata == numbers[next].change)
            } else if !state.deleted {
                vanished.append(id)
            } else if state.presumed {
                presumed.append(id)
            }
        }
        while next < numbers.count { take(isKnown: false) }
    }

    /// The places of the items that it is the turn of.
    private static func turn(_ ids: [Int64], after last: Int64?) -> Range<Int> {
        let start = last.map { last in ids.firstIndex { $0 > last } ?? 0 } ?? 0
        return start..<min(ids.count, start + max(leastLook, ids.count / looksForAll))
    }
}
