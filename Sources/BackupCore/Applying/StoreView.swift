import BackupStore

/// A mailbox as the backup path's index knows it.
struct StoreView: MailboxView {
    let store: any StoreReading
    let account: String

    func item(_ id: Int64) throws -> ItemState? {
        try store.item(account, id).flatMap(ItemState.init(indexed:))
    }

    func forEachItem(inFolder id: Int64, _ body: (ItemState) throws -> Void) throws { try visit(.inFolder(id), body) }

    func forEachItem(withParent id: Int64, _ body: (ItemState) throws -> Void) throws { try visit(.withParent(id), body) }

    func forEachItem(_ body: (ItemState) throws -> Void) throws { try visit(.alive, body) }

    private func visit(_ filter: ItemFilter, _ body: (ItemState) throws -> Void) throws {
        try store.items(account, filter) { if let state = ItemState(indexed: $0) { try body(state) } }
    }
}

extension ItemState {
    /// The state that the index holds; nil for an entry that is no item.
    public init?(indexed: IndexedItem) {
        guard case .item(_, let id) = indexed.key else { return nil }
        self.init(id: id, fields: indexed.fields, blobs: indexed.blobs)
    }

    /// The state as a transaction carries it.
    public func newState(account: String) -> NewState {
        NewState(key: .item(account: account, id: row.id), fields: fields, blobs: blobs)
    }
}
