import BackupStore

/// What a scan of one mailbox writes.
///
/// A first scan commits in batches under one time, and the mailbox's own state comes last: one that was interrupted is done again, and
/// finds most of it already written. A later scan is one transaction, which is taken back where it fails.
final class ScanTransaction {
    private static let batch = 500

    private let store: any StoreWriting
    private let template: StoreTransaction
    private let isFirst: Bool
    private var pending: [NewState] = []
    private var hasEnded = false

    /// Begins. Nothing else may be uncommitted.
    ///
    /// - Parameter template: account, generation, time and the source's position.
    init(_ template: StoreTransaction, isFirst: Bool, in store: any StoreWriting) throws {
        self.store = store
        self.template = template
        self.isFirst = isFirst
        if !isFirst {
            // The position comes with the last part: one that is taken back has none.
            var opening = template
            opening.position = nil
            try store.begin(opening)
        }
    }

    /// Adds a state.
    func write(_ state: NewState) throws {
        guard isFirst else { return try store.add(state) }
        pending.append(state)
        if pending.count >= Self.batch { try append(template) }
    }

    private func append(_ transaction: StoreTransaction) throws {
        var transaction = transaction
        transaction.states = pending + transaction.states
        try store.append(transaction)
        try store.commit()
        pending = []
    }

    /// Ends with the mailbox's own state and its marks.
    func end(_ state: NewState, marks: [Mark]) throws {
        var last = template
        last.states = [state]
        last.clearsMarks = true
        last.marks = marks
        if !isFirst { try store.end() }
        try append(last)
        hasEnded = true
    }

    /// Takes back what was not ended, and lets go of the contents that it alone named.
    func takeBack() {
        guard !hasEnded else { return }
        for state in pending { state.blobs.forEach(store.unstage) }
        // Where that fails too, the writer refuses to go on until it was done.
        if !isFirst { try? store.rollback() }
    }
}
