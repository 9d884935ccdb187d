/// The latest state of an item or another entry, as the index knows it.
public struct IndexedState: Sendable {
    /// Whose state it is.
    public var key: HistoryKey
    /// The complete state, as the transaction gave it.
    public var fields: JSONObject
    /// The blobs that the state names.
    public var blobs: [BlobReference]
    /// Commit sequence of the state.
    public var sequence: UInt64
    /// Commit sequence of the history's first state.
    public var firstSequence: UInt64
    /// Ordinal of the state in its history, from 1.
    public var ordinal: Int64
    /// Time of the change, milliseconds since 1970.
    public var time: Int64
    /// The mailbox's change number, where there was one.
    public var change: Int64?
    /// Which life of the mailbox.
    public var generation: Int64
    /// Where the change came from.
    public var kind: String
    /// Whether the item is deleted in this state.
    public var isDeleted: Bool
    /// Whether that was only inferred (R15).
    public var isPresumed: Bool
}

/// An item's latest state.
public typealias IndexedItem = IndexedState

/// One change of an account, as the index lists them in commit order.
public struct AccountChange: Sendable, Hashable {
    /// Commit sequence.
    public var sequence: UInt64
    /// Milliseconds since 1970.
    public var time: Int64
    /// The mailbox's change number, where there was one.
    public var change: Int64?
    /// Which life of the mailbox.
    public var generation: Int64

    /// A change made of its parts.
    public init(sequence: UInt64, time: Int64, change: Int64?, generation: Int64) {
        self.sequence = sequence
        self.time = time
        self.change = change
        self.generation = generation
    }
}

/// What "at T" means for an account: the prefix of its changes up to one of them (R14).
public struct Cut: Sendable, Hashable {
    /// The last change included. States with a larger sequence are left out.
    public var last: AccountChange
    /// The first change left out, nil where the cut is the present.
    public var next: AccountChange?
    /// Whether changes with a later time lie before ``last``: the clock stepped back in between.
    public var clockSteppedBack: Bool

    /// A cut made of its parts.
    public init(last: AccountChange, next: AccountChange?, clockSteppedBack: Bool) {
        self.last = last
        self.next = next
        self.clockSteppedBack = clockSteppedBack
    }

    /// Commit sequence of the last change included.
    public var sequence: UInt64 { last.sequence }
}

/// One state of a history.
public struct HistoryLine: Sendable {
    /// Commit sequence.
    public var sequence: UInt64
    /// Ordinal in the history, from 1.
    public var ordinal: Int64
    /// Milliseconds since 1970.
    public var time: Int64
    /// The mailbox's change number, where there was one.
    public var change: Int64?
    /// Which life of the mailbox.
    public var generation: Int64
    /// Where the change came from.
    public var kind: String
    /// The complete state, as the transaction gave it.
    public var fields: JSONObject
    /// The blobs that the state names.
    public var blobs: [BlobReference]

    /// Names of the store's own members of a line; a state's fields may not use them.
    public static let reservedNames = ["seq", "n", "prev", "start_date", "change", "generation", "kind", "blobs", "crc"]
}

/// A place of a file where the store found something other than it wrote.
public struct Damage: Sendable, Hashable, CustomStringConvertible {
    /// What was found.
    public enum Finding: String, Sendable, Hashable {
        /// The end of a write that never completed; cut off, nothing committed is lost (R6).
        case tornTail
        /// Bytes that are not what was written.
        case corrupt
        /// A line or segment that should be there is not.
        case missing
        /// A state committed after a copy began, whose blob or line did not make it into the copy (R7).
        case cutByCopy
    }

    /// What was found.
    public var finding: Finding
    /// The file, relative to the backup path.
    public var file: String
    /// Where it begins, in bytes.
    public var offset: Int64
    /// How long it is, in bytes; 0 where that has no meaning.
    public var length: Int64
    /// What is wrong, for the administrator.
    public var reason: String

    /// A place made of its parts.
    public init(_ finding: Finding, file: String, offset: Int64, length: Int64 = 0, reason: String) {
        self.finding = finding
        self.file = file
        self.offset = offset
        self.length = length
        self.reason = reason
    }

    /// "items/02/2 at 512 (40 bytes): …".
    public var description: String {
        "\(file) at \(offset)\(length > 0 ? " (\(length) bytes)" : ""): \(finding.rawValue): \(reason)"
    }
}

/// All states of one thing, oldest first, with what could not be read.
public struct History: Sendable {
    /// The states that could be read.
    public var lines: [HistoryLine]
    /// What could not; never a reason to hide the rest (R6).
    public var damage: [Damage]

    /// A history made of its parts.
    public init(lines: [HistoryLine] = [], damage: [Damage] = []) {
        self.lines = lines
        self.damage = damage
    }

    /// The state in force after the transaction of that commit sequence, nil if there was none yet.
    public func state(at sequence: UInt64) -> HistoryLine? { lines.last { $0.sequence <= sequence } }
}

/// What a backup path says of itself.
public struct StoreInfo: Sendable {
    /// Made once, at `create`.
    public var storeID: String
    /// The server whose backup this is.
    public var serverID: String
    /// The layout's version.
    public var formatVersion: Int64
    /// Flags of features in use.
    public var features: [String]
    /// The last committed transaction.
    public var lastSequence: UInt64
    /// The last committed source position (R4).
    public var position: String?
    /// The journal's last checkpoint: everything up to it is in the histories.
    public var checkpointSequence: UInt64
    /// Whether the path is a copy (R7).
    public var isCopy: Bool
}

/// Reading a backup path; a writer also sees what it appended and did not commit yet.
///
/// Blocking; safe to call from any thread. Errors are ``StoreError``.
public protocol StoreReading: AnyObject, Sendable {
    /// What the path says of itself.
    func info() throws -> StoreInfo
    /// Ids of all accounts that ever had a state, in no order.
    func accounts() throws -> [String]
    /// Ids of all entries of that kind that ever had a state.
    func entries(of kind: DirectoryKind) throws -> [String]
    /// The latest state, nil if there never was one.
    func state(of key: HistoryKey) throws -> IndexedState?
    /// Calls `body` for the latest state of each item of the account, in the order of ids, in bounded memory.
    ///
    /// `body` may read from and write to the same store; it sees each item once, as it is when its turn comes.
    func items(_ account: String, _ filter: ItemFilter, _ body: (IndexedItem) throws -> Void) throws
    /// All states that the history holds.
    func history(of key: HistoryKey) throws -> History
    /// The mailbox after the last change of that second or before it; nil where the first change is later.
    func cut(_ account: String, atOrBeforeSecond second: Int64) throws -> Cut?
    /// The mailbox after its last change with that number or a smaller one.
    func cut(_ account: String, change: Int64) throws -> Cut?
    /// The account's first change and its last.
    func changes(of account: String) throws -> (first: AccountChange, last: AccountChange)?
    /// Whether a committed transaction of that account bears this change number (R9: names a change, tells duplicates).
    func hasChange(_ account: String, generation: Int64, change: Int64) throws -> Bool
    /// Why the account needs a scan (R15).
    func marks(_ account: String) throws -> [Mark]
    /// Hands the blob's uncompressed bytes to `body` in chunks; the digest is checked, an error thrown after the last chunk
    /// means that all chunks are worthless.
    func readBlob(_ id: BlobID, _ body: (UnsafeRawBufferPointer) throws -> Void) throws
}

/// Which items ``StoreReading/items(_:_:_:)`` hands out.
public enum ItemFilter: Sendable, Hashable {
    /// All of the account, deleted ones too.
    case all
    /// Those alive.
    case alive
    /// Those alive in the folder.
    case inFolder(Int64)
    /// Those alive whose `parent` is the item (messages of a conversation, comments of a document).
    case withParent(Int64)
}

extension StoreReading {
    /// The latest state of an item, nil if there never was one.
    public func item(_ account: String, _ id: Int64) throws -> IndexedItem? { try state(of: .item(account: account, id: id)) }

    /// The latest state of an account's attributes.
    public func accountInfo(_ account: String) throws -> IndexedState? { try state(of: .accountInfo(account)) }

    /// The items as an array; for folders and tests, not for whole mailboxes (R12).
    public func items(_ account: String, _ filter: ItemFilter) throws -> [IndexedItem] {
        var found: [IndexedItem] = []
        try items(account, filter) { found.append($0) }
        return found
    }

    /// The same, but not beyond the length that was recorded: what somebody put in the blob's place may decompress to a thousand
    /// times its size.
    public func readBlob(_ blob: BlobReference, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        var count: Int64 = 0
        try readBlob(blob.id) { piece in
            count += Int64(piece.count)
            guard count <= blob.size else {
                throw StoreError(
                    .blobDamaged, doing: "reading blob \(blob.id)", subject: "more than the \(blob.size) bytes that were recorded",
                    remedy: "Somebody has changed it: doCoherencyCheck lists what else differs")
            }
            try body(piece)
        }
    }

    /// All bytes of a small blob.
    public func blobBytes(_ id: BlobID) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try readBlob(id) { bytes.append(contentsOf: $0) }
        return bytes
    }

    /// The same, but not beyond the length that was recorded.
    public func blobBytes(_ blob: BlobReference) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try readBlob(blob) { bytes.append(contentsOf: $0) }
        return bytes
    }
}
