/// Why the sandbox server refused or failed an operation.
public struct SandboxError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure; an open set.
    public struct Code: Hashable, Sendable, RawRepresentable {
        /// The code's name.
        public let rawValue: String
        /// The code with this name.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// No account, domain or class of service has the name or id.
        public static let noSuchEntry = Code(rawValue: "noSuchEntry")
        /// The name is taken.
        public static let alreadyExists = Code(rawValue: "alreadyExists")
        /// No item has the id.
        public static let noSuchItem = Code(rawValue: "noSuchItem")
        /// The account has no mailbox, or it was deleted.
        public static let noSuchMailbox = Code(rawValue: "noSuchMailbox")
        /// A system folder or a nonsensical request.
        public static let refused = Code(rawValue: "refused")
        /// A name or address that the server does not accept.
        public static let invalidName = Code(rawValue: "invalidName")
        /// A file could not be read or written.
        public static let fileFailed = Code(rawValue: "fileFailed")
        /// The bytes of a blob are not what the row says.
        public static let blobDamaged = Code(rawValue: "blobDamaged")
        /// Another process writes to the server.
        public static let inUse = Code(rawValue: "inUse")
        /// The folder is no sandbox server.
        public static let notASandbox = Code(rawValue: "notASandbox")
        /// A scenario or its line cannot be understood.
        public static let scenario = Code(rawValue: "scenario")
    }

    /// What a program switches on.
    public var code: Code
    /// What was being done, on what.
    public var doing: String
    /// What is wrong.
    public var reason: String
    /// The error underneath.
    public var cause: (any Error)?

    /// An error made of its parts.
    public init(_ code: Code, doing: String, reason: String, cause: (any Error)? = nil) {
        self.code = code
        self.doing = doing
        self.reason = reason
        self.cause = cause
    }

    /// One line for a person.
    public var description: String { "\(doing): \(reason)" + (cause.map { " (\($0))" } ?? "") }
}
