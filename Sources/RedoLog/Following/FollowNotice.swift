/// Something that the log tells of itself: what happened, in which file, where.
public struct FollowNotice: Hashable, Sendable, CustomStringConvertible {
    /// What kind it is: an open set.
    public struct Kind: Hashable, Sendable, CustomStringConvertible {
        /// The kind's name.
        public let description: String
        /// Files of the series are missing, or the log starts after the committed position.
        public static let gap = Kind(description: "gap")
        /// Bytes that are no record.
        public static let garbage = Kind(description: "garbage")
        /// A finished file ends inside a record.
        public static let cutTail = Kind(description: "cut tail")
        /// The file is shorter than it was.
        public static let truncated = Kind(description: "truncated")
        /// Another file has the log's name, and is not its successor: another machine's, or an older copy.
        public static let replaced = Kind(description: "replaced")
        /// A record of unknown layout was stepped over.
        public static let opaque = Kind(description: "opaque")
        /// A server has opened the file anew, perhaps another version: its header was rewritten in place.
        public static let headerRewritten = Kind(description: "header rewritten")
        /// The file is another server's.
        public static let foreign = Kind(description: "foreign")
        /// The current file cannot be given a second name (``LogLocation/kept``).
        public static let notKept = Kind(description: "not kept")
        /// The file's header cannot be used.
        public static let headerDamaged = Kind(description: "header damaged")
    }

    /// What kind it is.
    public var kind: Kind
    /// The file.
    public var file: String
    /// The file's number in the series, or the first number missing.
    public var sequence: Int64
    /// Where in the file.
    public var offset: Int64
    /// How many bytes are concerned; 0 where that says nothing.
    public var length: Int64
    /// In words.
    public var reason: String
    /// Whether changes may be lost or doubtful: the mailboxes need a comparison with the server.
    public var needsScan: Bool

    /// One line for people.
    public var description: String { "\(kind) in the redo log \(file) at \(offset): \(reason)" }
}
