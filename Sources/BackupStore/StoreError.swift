import SystemPackage

/// Why something about a backup path did not work: what was being done, on what, and what an administrator can do.
///
/// A program switches on ``code``; a person reads ``description``. The set of codes is open: new ones may come.
public struct StoreError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        /// The code's name, stable between versions.
        public let description: String
        init(_ description: String) { self.description = description }

        /// A system call failed; ``StoreError/cause`` holds the `Errno`.
        public static let inputOutput = Code("inputOutput")
        /// An error while appending dropped transactions that were appended before it; nothing is committed until
        /// `rollback` says that the caller knows.
        public static let groupDropped = Code("groupDropped")
        /// The device is out of space or inodes.
        public static let noSpace = Code("noSpace")
        /// What was made durable may not be: an fsync or syncfs failed. Nothing of the group was committed (R10).
        public static let syncFailed = Code("syncFailed")
        /// The folder is no backup path.
        public static let notABackupPath = Code("notABackupPath")
        /// `create` was asked to make a backup path in a folder that holds something.
        public static let notEmpty = Code("notEmpty")
        /// The folder holds the data of Zextras Backup.
        public static let foreignBackup = Code("foreignBackup")
        /// The format version or a feature flag is newer than this program.
        public static let unknownFormat = Code("unknownFormat")
        /// The backup path belongs to another server (R8).
        public static let wrongServer = Code("wrongServer")
        /// The path is a copy of a backup path, and the options refuse those (R7).
        public static let isCopy = Code("isCopy")
        /// Another writer holds the lock (R8).
        public static let locked = Code("locked")
        /// The file system does not tell upper case from lower case.
        public static let caseInsensitive = Code("caseInsensitive")
        /// A symbolic link below the backup path stands where a file or folder of its own belongs; it is not followed.
        public static let symbolicLink = Code("symbolicLink")
        /// A blob is not there.
        public static let blobMissing = Code("blobMissing")
        /// A blob's bytes are not those of its name.
        public static let blobDamaged = Code("blobDamaged")
        /// What the compressor wrote did not decompress to the original.
        public static let verificationFailed = Code("verificationFailed")
        /// A file of the store holds what it should not.
        public static let damaged = Code("damaged")
        /// The index cannot be read or written.
        public static let index = Code("index")
        /// The caller passed what the store cannot keep.
        public static let invalidInput = Code("invalidInput")
        /// The writer or reader was closed.
        public static let closed = Code("closed")
        /// The text is no JSON.
        public static let malformedJSON = Code("malformedJSON")
    }

    /// What kind of failure it is.
    public var code: Code
    /// What was being done, in words ("writing a blob").
    public var doing: String
    /// The file and offset, the account and item.
    public var subject: String
    /// What the administrator can do.
    public var remedy: String
    /// The error underneath, mostly an `Errno`.
    public var cause: (any Error)?

    /// An error made of its parts.
    public init(_ code: Code, doing: String, subject: String, remedy: String = "", cause: (any Error)? = nil) {
        self.code = code
        self.doing = doing
        self.subject = subject
        self.remedy = remedy
        self.cause = cause
    }

    /// One paragraph for a person: what, on what, why, and what to do.
    public var description: String {
        var text = "\(doing): \(subject)"
        if let cause { text += ": \(cause)" }
        if !remedy.isEmpty { text += ". \(remedy)" }
        return text
    }
}

extension StoreError {
    /// What a bare error of a system call means, where it was met.
    init(_ error: Errno, doing: String, subject: String) {
        let (code, remedy): (Code, String) =
            switch error {
            case .noSpace, .diskQuotaExceeded:
                (.noSpace, "Make room: the file system, its inodes or a quota are used up. Nothing committed is lost")
            case .permissionDenied, .notPermitted:
                (.inputOutput, "Everything below the backup path must belong to the user that the service runs as")
            case .tooManyOpenFiles, .tooManyOpenFilesInSystem: (.inputOutput, "Raise the limit of open files (ulimit -n)")
            case .readOnlyFileSystem: (.inputOutput, "The file system is mounted for reading only; the kernel's log may say why")
            case .noSuchFileOrDirectory:
                (.inputOutput, "Check that the path and the folders above it exist, and that its file system is mounted")
            case .notDirectory: (.inputOutput, "There is a file where a folder is expected: check the path")
            case .invalidArgument, .notSupported, .noLocks:
                (
                    .inputOutput,
                    "This file system lacks something that a backup path needs, such as fsync of folders or locks; use ext4, xfs "
                        + "or btrfs, or a network file system with locks"
                )
            case .tooManySymbolicLinkLevels:
                (
                    .symbolicLink,
                    "No symbolic link is followed below the backup path; find PATH -type l lists those that are there. Put back "
                        + "what belongs in their place, and find out who made them"
                )
            case .staleNFSFileHandle: (.inputOutput, "The network file system lost the file; mount it again")
            default: (.inputOutput, "Look at the kernel's log for errors of the disk, and try again")
            }
        self.init(code, doing: doing, subject: subject, remedy: remedy, cause: error)
    }
}

/// Runs a call of the store; a bare error of a system call leaves it as what it means.
func describingErrors<Result>(
    _ doing: String, _ subject: @autoclosure () -> String, _ body: () throws -> Result
) throws -> Result {
    do {
        return try body()
    } catch let error as Errno {
        throw StoreError(error, doing: doing, subject: subject())
    }
}

/// The same for a call that calls back: what the caller's own closure throws is handed on as it is.
func describingErrors<Argument, Value, Result>(
    _ doing: String, _ subject: @autoclosure () -> String, but callback: (Argument) throws -> Value,
    _ body: ((Argument) throws -> Value) throws -> Result
) throws -> Result {
    var thrown: (any Error)?
    do {
        return try withoutActuallyEscaping(callback) { callback in
            try body { argument in
                do {
                    return try callback(argument)
                } catch {
                    thrown = error
                    throw error
                }
            }
        }
    } catch {
        if let thrown { throw thrown }
        guard let error = error as? Errno else { throw error }
        throw StoreError(error, doing: doing, subject: subject())
    }
}
