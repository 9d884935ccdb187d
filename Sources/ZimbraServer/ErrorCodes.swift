/// Why a mail server's own data could not be read.
///
/// An administrator reads `description`; a program switches on `code`. Passwords are in none of its texts.
public struct ZimbraError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure; an open set.
    public struct Code: Hashable, Sendable {
        /// The code's name.
        public let name: String
        /// The code with this name.
        public init(_ name: String) { self.name = name }

        /// The server's configuration is missing, unreadable or says what cannot be.
        public static let configuration = Code("configuration")
        /// The database does not answer, or refuses the user.
        public static let databaseUnreachable = Code("databaseUnreachable")
        /// A statement failed, or the answer broke off.
        public static let databaseFailed = Code("databaseFailed")
        /// The directory does not answer, or refuses the user.
        public static let directoryUnreachable = Code("directoryUnreachable")
        /// A search failed, or its answer is not whole.
        public static let directoryFailed = Code("directoryFailed")
        /// A content lies where only the mail server reaches it; it is neither missing nor damaged.
        public static let notReadableHere = Code("notReadableHere")
    }

    /// What a program switches on.
    public var code: Code
    /// What was being done.
    public var doing: String
    /// To what: a file, a socket or URL, a mailbox.
    public var subject: String
    /// Why it failed.
    public var reason: String
    /// What the administrator can do; empty where that follows from the reason.
    public var remedy: String

    /// An error made of its parts.
    public init(_ code: Code, doing: String, subject: String, reason: String, remedy: String = "") {
        self.code = code
        self.doing = doing
        self.subject = subject
        self.reason = reason
        self.remedy = remedy
    }

    /// One line for a person.
    public var description: String { "\(doing): \(subject): \(reason)" + (remedy.isEmpty ? "" : ". \(remedy)") }
}
