/// Why an operation of the backup engine failed.
///
/// An administrator reads `description`; a program switches on `code`.
public struct CoreError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it is: an open set.
    public struct Code: Hashable, Sendable {
        /// The code's name.
        public let name: String
        /// The code with this name.
        public init(_ name: String) { self.name = name }

        /// No account of that name or id, in the backup or on the server.
        public static let unknownAccount = Code("unknownAccount")
        /// A query of the server's configuration that cannot be meant.
        public static let configurationQuery = Code("configurationQuery")
        /// No COS of that name.
        public static let unknownCOS = Code("unknownCOS")
        /// A time before the account's first scan.
        public static let beforeFirstScan = Code("beforeFirstScan")
        /// The destination exists already.
        public static let alreadyExists = Code("alreadyExists")
        /// A content is not where the server's tables say.
        public static let blobMissing = Code("blobMissing")
        /// A content is not what the server's tables say.
        public static let blobDamaged = Code("blobDamaged")
        /// A content lies where only the mail server reaches it; it is neither missing nor damaged.
        public static let notReadableHere = Code("notReadableHere")
        /// The backup path belongs to another server.
        public static let wrongServer = Code("wrongServer")
        /// A history says what it cannot say.
        public static let damagedHistory = Code("damagedHistory")
        /// The target refused a write.
        public static let refused = Code("refused")
        /// A volume of the server is not where it should be: nothing can be said of what is on it.
        public static let volumeMissing = Code("volumeMissing")
        /// The database of the mail server does not answer, or refuses the user.
        public static let databaseUnreachable = Code("databaseUnreachable")
        /// The mail server could not be read.
        public static let serverUnreadable = Code("serverUnreadable")
        /// The backup path has less room than the threshold asks for.
        public static let tooLittleSpace = Code("tooLittleSpace")
        /// More contents could not be read than were said to be borne.
        public static let tooManyReadErrors = Code("tooManyReadErrors")
        /// The account's backup is switched off.
        public static let switchedOff = Code("switchedOff")
        /// The work was stopped by request.
        public static let stopped = Code("stopped")
    }

    /// What a program switches on.
    public var code: Code
    /// What was being done.
    public var doing: String
    /// To what: a file and offset, an account and item.
    public var subject: String
    /// Why it failed.
    public var reason: String
    /// What the administrator can do.
    public var remedy: String
    /// The error underneath.
    public var cause: (any Error)?

    /// An error made of its parts.
    public init(
        _ code: Code, doing: String, subject: String, reason: String, remedy: String = "", cause: (any Error)? = nil
    ) {
        self.code = code
        self.doing = doing
        self.subject = subject
        self.reason = reason
        self.remedy = remedy
        self.cause = cause
    }

    /// One line for a person.
    public var description: String {
        "\(doing): \(subject): \(reason)" + (cause.map { " (\($0))" } ?? "") + (remedy.isEmpty ? "" : ". \(remedy)")
    }
}
