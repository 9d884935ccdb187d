import SystemPackage

/// What went wrong with a redo log: doing what, to what, what to do, and the cause underneath.
public struct RedoLogError: Error, Sendable, CustomStringConvertible {
    /// What a program switches on. Open: later versions may add codes.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        /// The code's name.
        public let description: String
        /// The file could not be opened, read, written, renamed or removed.
        public static let fileAccess = Code(description: "fileAccess")
        /// The file's header is not one of a redo log.
        public static let headerDamaged = Code(description: "headerDamaged")
        /// The file is of a version that this program does not know.
        public static let versionUnknown = Code(description: "versionUnknown")
        /// The file changed under the reader: it is shorter than it was.
        public static let fileShrank = Code(description: "fileShrank")
        /// A value cannot be written in this format.
        public static let notEncodable = Code(description: "notEncodable")
        /// A saved position cannot be read.
        public static let positionUnreadable = Code(description: "positionUnreadable")
        /// The caller asked for something that makes no sense now, such as committing what was not begun.
        public static let misuse = Code(description: "misuse")
        /// A compressed body cannot be decompressed.
        public static let bodyDamaged = Code(description: "bodyDamaged")
    }

    /// What a program switches on.
    public var code: Code
    /// What was being done, and why it failed.
    public var doing: String
    /// The file and the offset.
    public var subject: String
    /// What an administrator can do.
    public var remedy: String
    /// The error underneath.
    public var cause: (any Error)?

    /// An error.
    public init(_ code: Code, doing: String, subject: String, remedy: String, cause: (any Error)? = nil) {
        self.code = code
        self.doing = doing
        self.subject = subject
        self.remedy = remedy
        self.cause = cause
    }

    /// An error of the system's, with its errno.
    init(_ errno: Errno, doing: String, subject: String) {
        self.init(
            .fileAccess, doing: "\(doing): \(errno)", subject: subject,
            remedy: "Check that the file exists and that this user may access it.", cause: errno)
    }

    /// One line for people.
    public var description: String { "\(doing) [\(subject)]. \(remedy)" }
}
