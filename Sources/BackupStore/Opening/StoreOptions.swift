import Glibc

/// How a writer works; the defaults are the product's.
public struct StoreOptions: Sendable {
    /// `backupCompressionLevel`: 1 to 3 are ISA-L's, 4 to 9 zlib's.
    public var compressionLevel = 2
    /// A checkpoint is made when the journal's segment is longer than this.
    public var checkpointBytes: Int64 = 64 << 20
    /// A writer that had to replay more transactions than this begins with a checkpoint.
    public var replayLimit = 1000
    /// How long sealed segments stay (R5, R7).
    public var journalKeepDays: Int64 = 7
    /// Whether a copy of a backup path is refused (`isCopy`); opened for writing, it would become an original (R7).
    public var refusesCopies = false
    /// The wall clock, milliseconds since 1970.
    public var now: @Sendable () -> Int64 = {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// Milliseconds since the machine started, sleep included: what store days are counted with (R11).
    public var sinceBoot: @Sendable () -> Int64 = {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// Where salts of segments come from; tests that keep a path as a fixture want the same ones each time.
    package var salt: @Sendable () -> UInt64 = { UInt64.random(in: 1...UInt64.max) }

    /// The defaults.
    public init() {}
}

/// What opening a backup path for writing found and did.
public struct RecoveryReport: Sendable {
    /// Torn tails, damage, and what a copy cut, with their places (R6, R7).
    public var findings: [Damage] = []
    /// Transactions after the last checkpoint that were gone through.
    public var replayed = 0
    /// History lines that had to be written anew.
    public var linesAppended = 0
    /// Histories that were cut at their first bad line.
    public var historiesCut = 0
    /// How many histories of an account are gone whole, where the index was made anew.
    public var vanished: [String: Int64] = [:]
    /// Whether the index was made anew.
    public var indexRebuilt = false
    /// Whether the path was a copy (R7).
    public var wasCopy = false

    /// A report of nothing.
    public init() {}

    /// Whether there was nothing to repair.
    public var isClean: Bool { findings.isEmpty && linesAppended == 0 && historiesCut == 0 && !indexRebuilt && !wasCopy }

    /// Findings beyond this number are counted by ``suppressedFindings`` only (R12).
    static let limit = 10_000
    /// Findings that are not listed.
    public var suppressedFindings = 0

    mutating func add(_ finding: Damage) {
        if findings.count < Self.limit { findings.append(finding) } else { suppressedFindings += 1 }
    }
}
