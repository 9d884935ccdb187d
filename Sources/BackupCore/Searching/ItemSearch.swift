import BackupStore

/// A search among all items that the backup has of a mailbox, alive or deleted.
///
/// An item is looked at in its latest state; of a deleted one that is what it was before.
public struct ItemSearch: Sendable {
    /// Alive or deleted.
    public enum Filter: String, Sendable {
        case all, deleted
        case notDeleted = "not_deleted"
    }

    /// One item only; nil = any.
    public var id: Int64?
    /// A text that the item shows somewhere, upper and lower case told apart; nil = any.
    public var text: String?
    /// Which types; nil = any.
    public var types: Set<ItemType>?
    /// Alive or deleted.
    public var filter: Filter
    /// Only what changed last (a deleted item: was deleted) at or after this moment; nil = ever.
    public var after: RestoreMoment?
    /// Only what changed last before this moment; nil = ever.
    public var before: RestoreMoment?

    /// A search for items of any type.
    public init(filter: Filter = .all) { self.filter = filter }

    /// An item that was found.
    public struct Match: Sendable {
        /// Its latest state.
        public var state: ItemState
        /// What the backup keeps with it.
        public var indexed: IndexedItem
        /// Path of the folder that it is or was in; nil where the backup does not know one.
        public var folderPath: String?
    }

    /// Hands out the items of an account that match, by their ids.
    public func run(account: String, in store: any StoreReading, _ body: (Match) throws -> Void) throws {
        var paths = FolderPaths(account: account, store: store)
        func look(_ indexed: IndexedItem) throws {
            guard let state = ItemState(indexed: indexed), matches(state, indexed) else { return }
            try body(Match(state: state, indexed: indexed, folderPath: try paths.path(of: state.row.folderID)))
        }
        if let id {
            if let indexed = try store.item(account, id) { try look(indexed) }
        } else {
            try store.items(account, filter == .notDeleted ? .alive : .all, look)
        }
    }

    private func matches(_ state: ItemState, _ indexed: IndexedItem) -> Bool {
        switch filter {
        case .all: break
        case .deleted: guard state.deleted else { return false }
        case .notDeleted: guard !state.deleted else { return false }
        }
        if let types, !types.contains(state.row.type) { return false }
        if let after, Self.isEarlier(indexed, than: after) { return false }
        if let before, !Self.isEarlier(indexed, than: before) { return false }
        guard let text else { return true }
        return state.shownTexts.contains { $0.utf8.firstRange(of: text.utf8) != nil }
    }

    private static func isEarlier(_ indexed: IndexedItem, than moment: RestoreMoment) -> Bool {
        switch moment {
        case .last: true
        case .second(let second): indexed.time < second * 1000
        case .change(let change): indexed.change ?? 0 < change
        }
    }
}

extension ItemState {
    /// The texts that a mail client shows of an item.
    fileprivate var shownTexts: [String] {
        [row.subject, row.name, row.sender, row.recipients].compactMap { $0 } + row.tags + metadata.texts
    }
}

extension MetadataDictionary {
    /// All texts that are values, whatever their depth: fragment, fields of a contact, place of an appointment.
    fileprivate var texts: [String] {
        func texts(_ value: Value) -> [String] {
            switch value {
            case .integer: []
            case .string(let text): [text]
            case .list(let values): values.flatMap(texts)
            case .dictionary(let map): map.texts
            }
        }
        return keys.compactMap { self[$0] }.flatMap(texts)
    }
}

/// Paths of folders in their latest states; each is looked up once.
struct FolderPaths {
    let account: String
    let store: any StoreReading
    private var known: [Int64: String?] = [WellKnownFolder.userRoot: "", WellKnownFolder.root: nil]

    init(account: String, store: any StoreReading) {
        self.account = account
        self.store = store
    }

    /// `/Projects/Contract`; nil for a folder that the backup does not know, or that lies in none of the user's.
    mutating func path(of folder: Int64?) throws -> String? {
        try folder.flatMap { try prefix($0) }.map { $0.isEmpty ? "/" : $0 }
    }

    private mutating func prefix(_ folder: Int64) throws -> String? {
        if let path = known[folder] { return path }
        known[folder] = .some(nil)  // A circle of folders ends here.
        guard let state = try store.item(account, folder).flatMap({ ItemState(indexed: $0) }), state.row.type.isContainer,
            let name = state.row.name, let parent = state.row.folderID, let above = try prefix(parent)
        else { return nil }
        known[folder] = .some("\(above)/\(name)")
        return "\(above)/\(name)"
    }
}
