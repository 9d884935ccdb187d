/// The complete state of one thing from a transaction on.
public struct NewState: Sendable {
    /// Whose state it is.
    public var key: HistoryKey
    /// The complete state, names as `getItem` prints them.
    ///
    /// The index looks at `type` and `name` (strings), `folder` and `parent` (integers), `deleted` and `presumed` (booleans).
    /// Names of the store's own members (``HistoryLine/reservedNames``) are refused.
    public var fields: JSONObject
    /// All blobs that the state needs, revisions too.
    public var blobs: [BlobReference]

    /// A state made of its parts.
    public init(key: HistoryKey, fields: JSONObject, blobs: [BlobReference] = []) {
        self.key = key
        self.fields = fields
        self.blobs = blobs
    }
}

/// Why an account needs a scan or a look-up before its backup can be trusted again (R15).
public struct Mark: Sendable, Hashable {
    /// The reason, for the administrator.
    public var reason: String
    /// Item ids in doubt; empty means the whole account.
    public var candidates: [Int64]
    /// When it was noticed, milliseconds since 1970.
    public var time: Int64

    /// A mark made of its parts.
    public init(reason: String, candidates: [Int64] = [], time: Int64) {
        self.reason = reason
        self.candidates = candidates
        self.time = time
    }

    /// Whether the other one, for the same reason, puts nothing else in doubt.
    func covers(_ other: Mark) -> Bool {
        sameBytes(reason, other.reason)
            && (candidates.isEmpty || !other.candidates.isEmpty && Set(candidates).isSuperset(of: other.candidates))
    }

    var json: JSONValue {
        .object(["reason": .string(reason), "time": .int(time), "candidates": .array(candidates.map { .int($0) })])
    }

    init?(json: JSONValue) {
        guard let members = json.object, let reason = members["reason"]?.string, let time = members["time"]?.int,
            let candidates = members["candidates"]?.array
        else { return nil }
        self.init(reason: reason, candidates: candidates.compactMap(\.int), time: time)
    }
}

/// One redo-log operation or one scanned change: applied wholly or not at all.
public struct StoreTransaction: Sendable {
    /// Times that a history can hold, milliseconds since 1970: the years 1 to 9999.
    public static let times: ClosedRange<Int64> = -62_135_596_800_000...253_402_300_799_999

    /// The account it touches; nil for directory entries and bare positions.
    public var account: String?
    /// Which life of the mailbox (R9).
    public var generation: Int64
    /// Time of the change, milliseconds since 1970, UTC (R14).
    public var time: Int64
    /// The mailbox's own change number, where there is one.
    public var change: Int64?
    /// Where the change came from, a word for people ("redolog", "scan", …).
    public var kind: String
    /// The new states.
    public var states: [NewState]
    /// Reasons for a scan that come with it.
    public var marks: [Mark]
    /// Whether the account's earlier marks are settled by it. Marks in ``marks`` are added afterwards.
    public var clearsMarks: Bool
    /// The source position after it, opaque to the store, committed with it (R4). Nil keeps the one before.
    public var position: String?
    /// Blobs that the position needs and no state names yet (shared bodies of open deliveries, R4).
    public var heldBlobs: [BlobReference]

    /// What a purge commits where there is nothing to say but that histories go.
    package static func purge(_ time: Int64) -> StoreTransaction { StoreTransaction(account: nil, time: time, kind: "purge") }

    /// A transaction made of its parts.
    public init(
        account: String?, generation: Int64 = 1, time: Int64, change: Int64? = nil, kind: String = "redolog",
        states: [NewState] = [], marks: [Mark] = [], clearsMarks: Bool = false, position: String? = nil,
        heldBlobs: [BlobReference] = []
    ) {
        self.account = account
        self.generation = generation
        self.time = time
        self.change = change
        self.kind = kind
        self.states = states
        self.marks = marks
        self.clearsMarks = clearsMarks
        self.position = position
        self.heldBlobs = heldBlobs
    }
}
