import BackupStore

extension Selection {
    /// Hands out every item that was alive at the moment, in the order of the index.
    ///
    /// - Throws: `broken` where the history of an item is damaged at the moment; what reading throws.
    public func forEachItem(in store: any StoreReading, _ body: (ItemState) throws -> Void) throws {
        try store.items(account, .all) { latest in
            switch try state(of: latest, store) {
            case .absent: break
            case .alive(let state): try body(state)
            case .broken(let reason):
                throw CoreError(
                    .damagedHistory, doing: "reading the mailbox as it was", subject: "\(latest.key)", reason: reason,
                    remedy: "doCoherencyCheck tells what else is damaged")
            }
        }
    }
}
