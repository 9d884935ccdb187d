import BackupStore
import RedoLog

/// What a mailbox holds before a change: the questions that applying an operation asks of its history.
///
/// A deleted item is answered by `item(_:)` only.
public protocol MailboxView {
    /// The latest state of an item, alive or deleted; nil for an id never seen.
    func item(_ id: Int64) throws -> ItemState?
    /// The living items whose folder is `id`.
    func forEachItem(inFolder id: Int64, _ body: (ItemState) throws -> Void) throws
    /// The living items whose parent is `id`.
    func forEachItem(withParent id: Int64, _ body: (ItemState) throws -> Void) throws
    /// All living items.
    func forEachItem(_ body: (ItemState) throws -> Void) throws
}

/// The new states that one committed operation gives a mailbox.
///
/// Filled by `apply(_:content:)`; a value, so that a failed operation leaves nothing behind.
public struct MailboxChange {
    /// When the operation began, milliseconds since the epoch (R14).
    public let time: Int64
    /// The mailbox's change number.
    public let change: Int64
    /// Rejected changes after this one: the record's constraint (formats/zimbra-redolog.md, 4.1).
    public let constraint: Int64
    /// Whether the account keeps deleted items in the dumpster.
    public let hasDumpster: Bool
    /// How long the account keeps its mail; nil = not known.
    public let retention: Retention?
    /// The mailbox itself, as the change leaves it.
    public var life: MailboxLife
    /// Why the account needs a look at the server afterwards.
    public internal(set) var marks: [Mark] = []
    /// Names of operations that have no effect here yet.
    public internal(set) var unapplied: [String] = []

    let view: any MailboxView
    private var order: [Int64] = []
    private var changed: [Int64: ItemState] = [:]

    /// A change that has done nothing yet.
    public init(
        view: any MailboxView, life: MailboxLife, time: Int64, change: Int64, constraint: Int64 = 0, hasDumpster: Bool = false,
        retention: Retention? = nil
    ) {
        self.view = view
        self.life = life
        self.time = time
        self.change = change
        self.constraint = constraint
        self.hasDumpster = hasDumpster
        self.retention = retention
    }

    /// The new states, in the order in which they first changed.
    public var states: [ItemState] { order.compactMap { changed[$0] } }

    /// Seconds since the epoch, as `change_date` holds them.
    var seconds: Int64 { time / 1000 }

    /// The state of an item with this change's effects so far, alive or deleted.
    func item(_ id: Int64) throws -> ItemState? {
        if let state = changed[id] { return state }
        return try view.item(id)
    }

    /// The state of a living item.
    func living(_ id: Int64) throws -> ItemState? {
        guard let state = try item(id), !state.deleted else { return nil }
        return state
    }

    func ids(inFolder folder: Int64) throws -> [Int64] {
        try ids({ try view.forEachItem(inFolder: folder, $0) }) { $0.row.folderID == folder && $0.row.id != folder }
    }

    func ids(withParent parent: Int64) throws -> [Int64] {
        try ids({ try view.forEachItem(withParent: parent, $0) }) { $0.row.parentID == parent && $0.row.id != parent }
    }

    func ids(where condition: (ItemState) -> Bool) throws -> [Int64] { try ids({ try view.forEachItem($0) }, condition) }

    /// Ids of the living items that satisfy a condition with this change's effects so far: no more is held (R12).
    private func ids(
        _ visit: ((ItemState) throws -> Void) throws -> Void, _ condition: (ItemState) -> Bool
    ) throws -> [Int64] {
        var ids: [Int64] = []
        try withoutActuallyEscaping(condition) { condition in
            try visit { if changed[$0.row.id] == nil, condition($0) { ids.append($0.row.id) } }
        }
        return ids + order.filter { id in changed[id].map { !$0.deleted && condition($0) } ?? false }
    }

    /// Records a state.
    mutating func put(_ state: ItemState) {
        if changed.updateValue(state, forKey: state.row.id) == nil { order.append(state.row.id) }
    }

    /// Records a new item or a changed one under this change's number and date.
    mutating func put(touching state: ItemState, content: Bool = false) {
        var state = state
        state.row.modMetadata = change
        state.row.changeDate = seconds
        if content { state.row.modContent = change }
        put(state)
    }

    /// Edits a living item and touches it. An unknown or deleted id is left alone.
    ///
    /// - Parameters:
    ///   - content: the operation changes the item's content, whose number then rises too.
    ///   - always: the server touches the item even when nothing changes. For other operations (setting a colour, flags, a view,
    ///     permissions) it leaves the number alone then (formats/zimbra-redolog.md, 9.1 number 23).
    mutating func edit(
        _ id: Int64, content: Bool = false, always: Bool = false, _ edit: (inout ItemState) throws -> Void
    ) throws {
        guard let before = try living(id) else { return }
        var after = before
        try edit(&after)
        guard after != before || content || always else { return }
        put(touching: after, content: content)
    }

    /// Records that the account must be compared with the server.
    mutating func mark(_ reason: String, candidates: [Int64] = []) {
        marks.append(Mark(reason: reason, candidates: candidates, time: time))
    }

    /// Whether a folder is `ancestor` or lies below it.
    func isFolder(_ folder: Int64?, within ancestor: Int64) throws -> Bool {
        var current = folder
        var steps = 0
        while let id = current, steps < 1000 {
            if id == ancestor { return true }
            guard id != FolderID.root, let state = try item(id) else { return false }
            current = state.row.parentID
            steps += 1
        }
        return false
    }
}

/// Ids that are the same in every mailbox (formats/zimbra-items.md, section 1).
enum FolderID {
    static let userRoot: Int64 = 1
    static let inbox: Int64 = 2
    static let trash: Int64 = 3
    static let junk: Int64 = 4
    static let sent: Int64 = 5
    static let drafts: Int64 = 6
    static let tags: Int64 = 8
    static let conversations: Int64 = 9
    static let root: Int64 = 11
    static let comments: Int64 = 17
}
