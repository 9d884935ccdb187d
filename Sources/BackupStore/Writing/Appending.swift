extension FileStoreWriter {
    /// Adds a transaction to the group at hand.
    ///
    /// A transaction that the store cannot keep (`invalidInput`, `blobMissing`) is refused before anything changes. Any other
    /// error drops the whole group.
    /// - Returns: the commit sequence it will have.
    @discardableResult
    public func append(_ transaction: StoreTransaction) throws -> UInt64 {
        try working("appending a transaction") {
            for state in transaction.states { _ = try check(state) }
            if transaction.states.count > 1 {
                var keys: Set<HistoryKey> = []
                for state in transaction.states where !keys.insert(state.key).inserted { throw twice(state.key) }
            }
            let sequence = try begin(transaction)
            for state in transaction.states { try add(state) }
            try end()
            return sequence
        }
    }

    /// Begins a transaction too large for memory; its `states` may be empty or a first part.
    @discardableResult
    public func begin(_ transaction: StoreTransaction) throws -> UInt64 {
        try working("appending a transaction") {
            try refuseUnnoticedLoss()
            try makeReady()
            guard group.open == nil else { throw invalid("a transaction is open already") }
            if let account = transaction.account, !isFileName(account) { throw invalid("account id \(account)") }
            guard StoreTransaction.times.contains(transaction.time) else { throw invalid("time \(transaction.time)") }
            for blob in transaction.heldBlobs { try checkBlob(blob, of: "the source position") }
            var header = TransactionHeader(transaction, sequence: group.sequence + 1)
            if !header.marks.isEmpty { header.marks = try newMarks(of: transaction) }
            try droppingOnError {
                try index.begin()
                var written = header
                if BrokenRule.breaks(.r4) { written.position = nil }
                try segment!.append { JournalRecord.append(begin: written, to: &$0) }
                try index.use("appending a transaction") { try $0.apply(header) }
            }
            for blob in transaction.heldBlobs { group.blobs[blob.id, default: 0] += 1 }
            group.open = header
            return header.sequence
        }
    }

    /// Adds a state to the open transaction.
    public func add(_ state: NewState) throws {
        try working("appending a state") {
            guard let header = group.open else { throw invalid("no transaction is open") }
            var state = state
            state.blobs = try check(state)
            let tail = try droppingOnError { try index.use("looking for the last line") { try $0.tail(of: state.key) } }
            guard tail.sequence < header.sequence else { throw twice(state.key) }
            try droppingOnError {
                let start = group.bytes.count
                try index.use("appending a state of \(state.key)") { statements in
                    let next = HistoryCoding.encode(state, header, after: tail, into: &group.bytes)
                    try group.bytes.withUnsafeBytes { bytes in
                        let line = HistoryLine(
                            sequence: header.sequence, ordinal: next.ordinal, time: header.time, change: header.change,
                            generation: header.generation, kind: header.kind, fields: state.fields, blobs: state.blobs)
                        try statements.applyNew(
                            line, checksum: next.checksum, bytes: UnsafeRawBufferPointer(rebasing: bytes[start...]), to: state.key
                        )
                    }
                }
                try segment!.append { records in
                    group.bytes.withUnsafeBytes {
                        JournalRecord.append(line: UnsafeRawBufferPointer(rebasing: $0[start...]), of: state.key, to: &records)
                    }
                }
                for blob in state.blobs { group.blobs[blob.id, default: 0] += 1 }
                if group.isHeld {
                    group.lines.append((state.key, group.bytes.count))
                    if group.bytes.count > Self.heldBytes {
                        group.isHeld = false
                        group.lines = []
                    }
                }
                if !group.isHeld { group.bytes.removeAll(keepingCapacity: true) }
            }
        }
    }

    /// Completes the open transaction.
    public func end() throws {
        try working("appending a transaction") {
            guard let header = group.open else { throw invalid("no transaction is open") }
            try droppingOnError { try segment!.append { JournalRecord.append(end: header.sequence, to: &$0) } }
            group.open = nil
            group.sequence = header.sequence
            group.transactions += 1
            if let position = header.position { group.position = position }
        }
    }

    /// Drops what was appended since the last commit. Blobs stay staged.
    public func rollback() throws {
        try working("dropping what was not committed") {
            hasUnnoticedLoss = false
            // What a failed commit wrote stands behind the last acknowledged group of a segment that is abandoned (R10): a frame
            // after it would prove it.
            guard mustReopen == nil, let segment, index.inTransaction || segment.hasPending else { return }
            index.rollback()
            resetGroup()
            do {
                try segment.rollback()
            } catch {
                self.segment = nil
                mustReopen = mustReopen ?? .materialisation
                throw error
            }
        }
    }

    /// Refuses what cannot be kept. Returns the blobs as they are recorded: one may have been written again since the caller
    /// got its reference.
    private func check(_ state: NewState) throws -> [BlobReference] {
        guard state.key.isStorable else { throw invalid("the name of \(state.key)") }
        for member in state.fields.members where HistoryLine.reservedNames.contains(where: { sameBytes($0, member.name) }) {
            throw invalid("the member \(member.name) of \(state.key) is the store's own")
        }
        return try state.blobs.map { try checkBlob($0, of: state.key.description) }
    }

    /// The marks of a transaction that say more than those that stand already.
    private func newMarks(of transaction: StoreTransaction) throws -> [Mark] {
        guard let account = transaction.account else { return transaction.marks }
        var standing = transaction.clearsMarks ? [] : try index.marks(account)
        return transaction.marks.filter { mark in
            guard !standing.contains(where: { $0.covers(mark) }) else { return false }
            standing.append(mark)
            return true
        }
    }

    /// R1: a state may only name blobs that are staged, or durable as recorded.
    @discardableResult
    private func checkBlob(_ blob: BlobReference, of user: String) throws -> BlobReference {
        if let staged = blobs.stagedReference(blob.id) { return staged }
        if let recorded = try index.use("looking for a blob", { try $0.blob(blob.id) }) { return recorded }
        throw StoreError(
            .blobMissing, doing: "appending a state", subject: "blob \(blob.id) of \(user) is not staged",
            remedy: "After a rollback or a failed commit all blobs of the group must be staged again")
    }

    /// Adds the removal of a history to the open transaction (purge): after the commit its file and its index rows are gone.
    func addRemoval(of key: HistoryKey) throws {
        try lock.locked {
            guard let header = group.open, key.isStorable else { throw invalid("no transaction is open") }
            try droppingOnError {
                try segment!.append { JournalRecord.append(removal: key, to: &$0) }
                try index.use("removing \(key)") { try $0.remove(key, at: header.sequence) }
                group.removals.append(key)
            }
        }
    }

    func droppingOnError<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch {
            hasUnnoticedLoss = group.transactions > 0
            abandonGroup(.materialisation)
            throw error
        }
    }

    /// A group that lost its first transactions must not be committed as if it were whole: the position would skip them.
    func refuseUnnoticedLoss() throws {
        guard hasUnnoticedLoss else { return }
        throw StoreError(
            .groupDropped, doing: "committing", subject: path.root.string,
            remedy: "An earlier error dropped the group. Roll back and read the source again from the writer's position")
    }

    func dropGroup() {
        index.rollback()
        resetGroup()
    }

    func resetGroup() {
        group = Group()
        group.sequence = committed.sequence
        group.position = committed.position
    }

    /// Drops the group and the segment; the next append begins a new one.
    func abandonGroup(_ reason: Reopening) {
        dropGroup()
        if mustReopen != .sync { mustReopen = reason }
    }

    /// A history has at most one line of a transaction: its lines are told apart by the sequence.
    private func twice(_ key: HistoryKey) -> StoreError { invalid("two states of \(key) in one transaction") }

    func invalid(_ what: String) -> StoreError {
        StoreError(.invalidInput, doing: "appending a transaction", subject: what)
    }
}
