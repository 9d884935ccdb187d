/// Something that a check of a backup path found, with its place and what can be done about it.
public struct CheckFinding: Sendable, Hashable, CustomStringConvertible {
    /// What was found; stable names, of which new ones may come.
    public struct Kind: Hashable, Sendable, CustomStringConvertible {
        /// The kind's name.
        public let description: String
        init(_ description: String) { self.description = description }

        /// A line of a history is not what was written.
        public static let lineDamaged = Kind("lineDamaged")
        /// Lines are missing before one that is there.
        public static let linesMissing = Kind("linesMissing")
        /// The last line of a history is not complete.
        public static let lineTorn = Kind("lineTorn")
        /// A history lacks states at its end that the journal or the index has, or is gone.
        public static let statesMissing = Kind("statesMissing")
        /// A history is there again that was removed.
        public static let historyBack = Kind("historyBack")
        /// Bytes of the journal are not what was written, or a segment is missing.
        public static let journalDamaged = Kind("journalDamaged")
        /// The last group of the journal was not written to its end.
        public static let journalTorn = Kind("journalTorn")
        /// Histories or index know transactions that the journal lacks.
        public static let journalBehind = Kind("journalBehind")
        /// A checkpoint cannot be read, or says what journal and histories do not.
        public static let checkpointDamaged = Kind("checkpointDamaged")
        /// An `account_stat` cannot be read, is missing, or says what the histories do not.
        public static let statDamaged = Kind("statDamaged")
        /// `journal/instance` cannot be read.
        public static let instanceDamaged = Kind("instanceDamaged")
        /// A list of states that a copy cut cannot be read.
        public static let cutsDamaged = Kind("cutsDamaged")
        /// A state or its blob did not make it into a copy (R7).
        public static let cutByCopy = Kind("cutByCopy")
        /// The index says something other than the histories.
        public static let indexDiffers = Kind("indexDiffers")
        /// The index is missing, of another time or store, or cannot be read: it is made anew.
        public static let indexUnusable = Kind("indexUnusable")
        /// A blob that a state names is nowhere.
        public static let blobMissing = Kind("blobMissing")
        /// A blob's bytes are not those of its name, or its length is not the one recorded.
        public static let blobDamaged = Kind("blobDamaged")
        /// A blob was compressed twice: its content is there, under one layer more.
        public static let blobCompressedTwice = Kind("blobCompressedTwice")
        /// A blob that a state names lies in `expired/` only.
        public static let blobExpired = Kind("blobExpired")
        /// No state names the blob.
        public static let blobOrphaned = Kind("blobOrphaned")
        /// An archive in `server/` is not there.
        public static let archiveMissing = Kind("archiveMissing")
        /// An archive in `server/` is not what was kept.
        public static let archiveDamaged = Kind("archiveDamaged")
        /// A file or folder that the store did not make.
        public static let unexpectedFile = Kind("unexpectedFile")
        /// Names in a folder that differ in upper and lower case only.
        public static let caseTwins = Kind("caseTwins")
        /// A file could not be read.
        public static let unreadable = Kind("unreadable")
    }

    /// How much it matters.
    public enum Severity: String, Sendable, Hashable {
        /// Something is lost or in danger.
        case damage
        /// Nothing is lost; worth knowing.
        case note
    }

    /// What was found.
    public var kind: Kind
    /// How much it matters.
    public var severity: Severity
    /// The file, relative to the backup path.
    public var file: String
    /// Where in the file, in bytes.
    public var offset: Int64
    /// How many bytes are meant; 0 where that has no meaning.
    public var length: Int64
    /// The account concerned, nil where it is none alone.
    public var account: String?
    /// The item concerned, nil where it is none.
    public var item: Int64?
    /// What is wrong.
    public var reason: String
    /// What the administrator can do.
    public var remedy: String

    init(
        _ kind: Kind, _ severity: Severity = .damage, file: String, offset: Int64 = 0, length: Int64 = 0,
        of key: HistoryKey? = nil, account: String? = nil, _ reason: String, remedy: String = ""
    ) {
        (self.kind, self.severity, self.file, self.offset, self.length) = (kind, severity, file, offset, length)
        (self.account, self.reason, self.remedy) = (account ?? key?.account, reason, remedy)
        if case .item(_, let id)? = key { item = id }
    }

    /// "accounts/…/items/02/2 at 512 (40 bytes): lineDamaged: … . …".
    public var description: String {
        var text = file
        if offset > 0 || length > 0 { text += " at \(offset)" }
        if length > 0 { text += " (\(length) bytes)" }
        text += ": \(kind): \(reason)"
        return remedy.isEmpty ? text : text + ". " + remedy
    }
}

/// What a check of a backup path looked at and found.
public struct CheckReport: Sendable {
    /// What was found, in the order of the finding; beyond ``limit`` only counted.
    public private(set) var findings: [CheckFinding] = []
    /// How many there are of each kind.
    public private(set) var counts: [CheckFinding.Kind: Int64] = [:]
    /// How many are damage.
    public private(set) var damages: Int64 = 0
    /// The last transaction that was committed when the check began; what came later was not looked at.
    public var lastSequence: UInt64 = 0
    /// Whether the path is a copy (R7).
    public var isCopy = false
    /// Whether the check was stopped before its end.
    public var isStopped = false
    /// Accounts with histories or marks.
    public var accounts: Int64 = 0
    /// Histories, all lines of which were checked.
    public var histories: Int64 = 0
    /// States in them.
    public var states: Int64 = 0
    /// Committed states that the next writer, or the one at work, writes into the histories.
    public var pendingStates: Int64 = 0
    /// Blobs, all bytes of which were checked.
    public var blobs: Int64 = 0
    /// Bytes of blobs, compressed.
    public var blobBytes: Int64 = 0
    /// Transactions that the journal still has.
    public var transactions: Int64 = 0

    /// So many findings are kept (R12).
    public static let limit = 10_000

    /// Whether something is lost or in danger.
    public var isDamaged: Bool { damages > 0 }

    mutating func add(_ finding: CheckFinding) {
        counts[finding.kind, default: 0] += 1
        if finding.severity == .damage { damages += 1 }
        if findings.count < Self.limit { findings.append(finding) }
    }

    /// A check that has done nothing yet.
    public init() {}

    /// Adds what a check of another part of the same path found; the journal, which each of them reads, counts once.
    public static func += (left: inout CheckReport, right: CheckReport) {
        let journal = Set(left.findings.filter { $0.file.hasPrefix("journal/") })
        for finding in right.findings where !journal.contains(finding) { left.add(finding) }
        left.transactions = max(left.transactions, right.transactions)
        left.lastSequence = max(left.lastSequence, right.lastSequence)
        left.isCopy = left.isCopy || right.isCopy
        left.isStopped = left.isStopped || right.isStopped
        left.accounts += right.accounts
        left.histories += right.histories
        left.states += right.states
        left.pendingStates += right.pendingStates
        left.blobs += right.blobs
        left.blobBytes += right.blobBytes
    }
}

/// How far a check is.
public struct CheckProgress: Sendable, Equatable {
    /// What is being checked.
    public enum Phase: String, Sendable {
        /// Histories, line by line.
        case states
        /// Blobs, byte by byte.
        case blobs
    }

    /// What is being checked.
    public var phase: Phase
    /// How many are done.
    public var done: Int64
    /// How many there are; nil where that is not known yet.
    public var total: Int64?
}
