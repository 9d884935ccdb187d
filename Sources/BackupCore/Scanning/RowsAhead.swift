import BackupStore

/// Rows whose contents are on their way, in the order in which they were read.
struct RowsAhead {
    /// So many wait at most …
    private static let most = 1000
    /// … or so many bytes of content.
    private static let mostBytes: Int64 = 256 << 20

    /// An item as the history has it alive.
    struct Before {
        var state: ItemState
        var generation: Int64
    }

    /// A row, and what is known of it.
    struct One {
        var row: ItemRow
        var revisions: [RevisionRow]
        var before: Before?
        /// Its content, where it is taken in ahead.
        var content: ContentsAhead.Content?
    }

    let store: any StoreWriting
    private var waiting: [One] = []
    private var first = 0
    private var bytes: Int64 = 0
    /// The one whose turn it is.
    private var inHand: One?

    init(store: any StoreWriting) { self.store = store }

    mutating func append(_ one: One) {
        waiting.append(one)
        if one.content != nil { bytes += max(0, one.row.size) }
    }

    /// The next one whose turn it is; nil where there is none, or none must be waited for yet.
    ///
    /// - Parameter isLast: whether no more will come.
    mutating func next(isLast: Bool) -> One? {
        if first > Self.most {
            waiting.removeFirst(first)
            first = 0
        }
        inHand = nil
        guard first < waiting.count else { return nil }
        // One without a content waits only for those before it.
        guard isLast || waiting.count - first > Self.most || bytes > Self.mostBytes || waiting[first].content == nil else { return nil }
        defer { first += 1 }
        let one = waiting[first]
        if one.content != nil { bytes -= max(0, one.row.size) }
        inHand = one
        return one
    }

    /// Lets go of what a scan that ended early does not need any more.
    mutating func drop() {
        for one in waiting[first...] + (inHand.map { [$0] } ?? []) {
            if case .success(let blob)? = one.content?.wait() { store.unstage(blob) }
        }
        (first, inHand) = (waiting.count, nil)
    }
}
