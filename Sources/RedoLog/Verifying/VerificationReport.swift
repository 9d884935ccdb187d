import SystemPackage

/// What was found in log files.
public struct VerificationReport: Sendable {
    /// Something that is not as it should be.
    public struct Problem: Sendable, CustomStringConvertible {
        /// Which kind: an open set.
        public struct Kind: Hashable, Sendable, CustomStringConvertible {
            /// The kind's name.
            public let description: String
            /// Bytes that are no record.
            public static let garbage = Kind(description: "garbage")
            /// The file's header cannot be used.
            public static let header = Kind(description: "header")
            /// A body is not what its digest says.
            public static let digest = Kind(description: "digest")
            /// A record is cut by the end of the file; no damage in a log that is in use.
            public static let incompleteTail = Kind(description: "incomplete tail")
            /// An invariant of section 9.2 does not hold.
            public static let invariant = Kind(description: "invariant")
        }

        /// Which kind.
        public let kind: Kind
        /// The file.
        public let file: FilePath
        /// Where in the file.
        public let offset: Int64
        /// In words.
        public let text: String

        /// One line for people.
        public var description: String { "\(kind): \(file) at \(offset): \(text)" }
    }

    /// The number of files.
    public internal(set) var files = 0
    /// The files' bytes.
    public internal(set) var bytes: Int64 = 0
    /// The records that were decoded.
    public internal(set) var records: Int64 = 0
    /// Bodies whose digest was computed and compared.
    public internal(set) var digests: Int64 = 0
    /// Records by operation.
    public internal(set) var counts: [OperationCode: Int64] = [:]
    /// The first problems, at most `problemLimit`.
    public internal(set) var problems: [Problem] = []
    /// The number of problems of each kind.
    public internal(set) var problemCounts: [Problem.Kind: Int64] = [:]
    /// Transactions without end behind the last file: the first ones, at most `problemLimit`.
    public internal(set) var open: [RecordHeader] = []
    /// The number of transactions without end.
    public internal(set) var openCount = 0
    /// End records of transactions that were not open.
    public internal(set) var repeatedEnds: Int64 = 0
    /// How long it took.
    public internal(set) var duration = Duration.zero

    /// Problems and open transactions that are kept.
    public static let problemLimit = 1000

    /// Whether there is garbage, a bad header, a wrong digest or, where it was looked for, a broken invariant.
    public var isDamaged: Bool { problemCounts.contains { $0.key != .incompleteTail && $0.value > 0 } }

    /// Megabytes a second.
    public var throughput: Double {
        let seconds = Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
        return seconds > 0 ? Double(bytes) / 1e6 / seconds : 0
    }

    /// Records a second.
    public var recordThroughput: Double { bytes > 0 ? throughput * 1e6 * Double(records) / Double(bytes) : 0 }

    mutating func note(_ kind: Problem.Kind, _ file: FilePath, _ offset: Int64, _ text: String) {
        problemCounts[kind, default: 0] += 1
        if problems.count < Self.problemLimit {
            problems.append(Problem(kind: kind, file: file, offset: offset, text: text))
        }
    }
}
