extension FileStoreWriter {
    /// What the path says of itself; committed transactions only.
    public func info() throws -> StoreInfo {
        lock.locked {
            StoreInfo(
                storeID: identity.storeID, serverID: identity.serverID, formatVersion: identity.formatVersion,
                features: identity.features, lastSequence: committed.sequence, position: committed.position,
                checkpointSequence: committed.checkpoint, isCopy: false)
        }
    }

    /// Ids of all accounts that ever had a state.
    public func accounts() throws -> [String] { try reading { try $0.accounts() } }

    /// Ids of all entries of that kind that ever had a state.
    public func entries(of kind: DirectoryKind) throws -> [String] { try reading { try $0.entries(of: kind) } }

    /// The latest state, also one not yet committed.
    public func state(of key: HistoryKey) throws -> IndexedState? { try reading { try $0.state(of: key) } }

    /// Calls `body` for the latest state of each item, also those not yet committed.
    public func items(_ account: String, _ filter: ItemFilter, _ body: (IndexedItem) throws -> Void) throws {
        try reading { try $0.forEachItem(account, filter, body) }
    }

    /// Items that are certainly deleted, in the order of their deletions.
    public func deletedItems(
        _ account: String, before sequence: UInt64, after last: IndexedItem?, limit: Int
    ) throws -> [IndexedItem] {
        try reading { try $0.deletedItems(account, before: sequence, after: last, limit: limit) }
    }

    /// The committed states of a history.
    public func history(of key: HistoryKey) throws -> History {
        try reading { index in
            var history = try histories.history(of: key)
            let cuts = try index.use("reading the history of \(key)") { try $0.cuts(of: key) }
            if !cuts.isEmpty { history.leaveOut(cuts, of: path.relativeHistory(key)) }
            return history
        }
    }

    /// The mailbox after the last change of that second or before it.
    public func cut(_ account: String, atOrBeforeSecond second: Int64) throws -> Cut? {
        try reading { try $0.cut(account, atOrBeforeSecond: second) }
    }

    /// The mailbox after its last change with that number or a smaller one.
    public func cut(_ account: String, change: Int64) throws -> Cut? { try reading { try $0.cut(account, change: change) } }

    /// The account's first change and its last.
    public func changes(of account: String) throws -> (first: AccountChange, last: AccountChange)? {
        try reading { try $0.changes(of: account) }
    }

    /// Whether a transaction of that account bears this change number.
    public func hasChange(_ account: String, generation: Int64, change: Int64) throws -> Bool {
        try reading { try $0.hasChange(account, generation: generation, change: change) }
    }

    /// Why the account needs a scan.
    public func marks(_ account: String) throws -> [Mark] { try reading { try $0.marks(account) } }

    /// Hands out a committed blob's bytes.
    public func readBlob(_ id: BlobID, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        try describingErrors("reading blob \(id)", path.blob(id).string, but: body) { try files.readBlob(id, in: path, $0) }
    }

    private func reading<Result>(_ body: (StoreIndex) throws -> Result) throws -> Result {
        try working("reading the backup path") {
            // After an error the index may lag behind what is committed.
            if mustReopen != nil { try makeReady() }
            return try body(index)
        }
    }
}

extension History {
    /// Takes out the states that a copy cut and says so (R7).
    mutating func leaveOut(_ cuts: Set<UInt64>, of file: String) {
        lines.removeAll { cuts.contains($0.sequence) }
        for sequence in cuts.sorted() {
            let reason = "the blob of the state of transaction \(sequence) is not in the copy"
            damage.append(Damage(.cutByCopy, file: file, offset: 0, reason: reason))
        }
    }
}
