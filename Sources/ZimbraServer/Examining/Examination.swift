import BackupStore
import Glibc
import RedoLog
import SystemPackage

/// A look at a host: whether its mail server can be backed up, what will not work, and what can be done about it.
///
/// Nothing is written. A part that does not answer is a finding, and the others are looked at all the same.
public struct Examination: Sendable {
    /// How bad a finding is.
    public enum Level: String, Sendable, Comparable {
        /// As it should be.
        case fine
        /// It works, but something will be missing one day.
        case warning
        /// It does not work.
        case critical

        /// Fine is the least.
        public static func < (left: Level, right: Level) -> Bool { left.rank < right.rank }

        private var rank: Int {
            switch self {
            case .fine: 0
            case .warning: 1
            case .critical: 2
            }
        }
    }

    /// One thing that was looked at.
    public struct Finding: Hashable, Sendable {
        /// How bad it is.
        public var level: Level
        /// What was looked at: "database", "redo log", …
        public var part: String
        /// What was found.
        public var text: String
        /// What can be done; empty where nothing has to be.
        public var remedy: String
    }

    /// Schema levels of the database that are known here (formats/zimbra-datastore.md).
    private static let knownLevels: ClosedRange<Int64> = 111...118
    /// Files that a backup path may still need on a day: fewer are a warning.
    private static let fewInodes: Int64 = 100_000

    /// What was found, in the order in which it was looked at.
    public private(set) var findings: [Finding] = []

    /// The worst of the findings.
    public var level: Level { findings.map(\.level).max() ?? .fine }

    /// Looks at a host.
    ///
    /// - Parameters:
    ///   - home: the mail server's folder; nil = the one of this machine.
    ///   - backupPath: where its backup is, or is to be.
    public init(home: FilePath? = nil, backupPath: FilePath) {
        var server: ZimbraServer?
        do {
            server = try ZimbraServer(home: home)
        } catch {
            add(.critical, "mail server", "\(error)")
        }
        if let server {
            add(.fine, "mail server", "\(server.identity.name) in \(server.home), id \(server.identity.id)")
            lookAtVersion(of: server)
            lookAtDatabase(of: server)
            lookAtDirectory(of: server)
            lookAtRedoLog(of: server)
            lookAtVolumes(of: server, backupPath)
        }
        lookAt(backupPath)
    }

    private mutating func add(_ level: Level, _ part: String, _ text: String, _ remedy: String = "") {
        findings.append(Finding(level: level, part: part, text: text, remedy: remedy))
    }

    private mutating func lookAtVersion(of server: ZimbraServer) {
        guard let version = server.entry["zimbraServerVersion"] else { return }
        add(.fine, "version", version)
    }

    private mutating func lookAtDatabase(of server: ZimbraServer) {
        do {
            let (level, mailboxes) = (try server.database.configuration()["db.version"] ?? "?", try server.database.mailboxes().count)
            let isKnown = Int64(level).map { Self.knownLevels.contains($0) } ?? false
            add(
                isKnown ? .fine : .warning, "database", "schema level \(level), \(mailboxes) mailboxes",
                isKnown
                    ? ""
                    : "The level is none of \(Self.knownLevels.lowerBound) to \(Self.knownLevels.upperBound): "
                        + "compare a restored mailbox before relying on it")
            if mailboxes == 0 { add(.warning, "database", "no account has a mailbox", "See whether this is the right database") }
        } catch {
            add(.critical, "database", "\(error)")
        }
    }

    private mutating func lookAtDirectory(of server: ZimbraServer) {
        do {
            let accounts = try server.accounts()
            add(accounts.isEmpty ? .warning : .fine, "directory", "\(accounts.count) accounts are homed on \(server.identity.name)")
            let services = server.entry.attributes["zimbraServiceEnabled"] ?? []
            if !services.contains("mailbox"), !services.contains("service") {
                add(
                    .warning, "directory", "\(server.identity.name) has no mailbox service",
                    "Run the backup on the host that holds the mailboxes")
            }
        } catch {
            add(.critical, "directory", "\(error)")
        }
    }

    private mutating func lookAtRedoLog(of server: ZimbraServer) {
        if server.entry["zimbraRedoLogEnabled"] == "FALSE" {
            add(
                .critical, "redo log", "zimbraRedoLogEnabled is FALSE: the server writes no redo log",
                "zmprov modifyServer \(server.identity.name) zimbraRedoLogEnabled TRUE, then restart the mailbox server")
        }
        if let kept = server.redoLog.kept {
            let folder = kept.removingLastComponent()
            let loss =
                access(folder.string, W_OK | X_OK) == 0
                ? "a file that begins and ends while the backup is down is lost"
                : "\(folder) cannot be written, so that not even the current file can be kept by a second name"
            add(
                .warning, "redo log", "zimbraRedoLogDeleteOnRollover is TRUE: \(loss)",
                "zmprov modifyServer \(server.identity.name) zimbraRedoLogDeleteOnRollover FALSE")
        } else if access(server.redoLog.archive.string, R_OK | X_OK) != 0 {
            add(
                .critical, "redo log", "the archive \(server.redoLog.archive) cannot be read: \(Errno(rawValue: errno))",
                "Let the service's user read the folder, or create it")
        }
        do {
            let log = try LogFile(server.redoLog.log)
            let header = try log.header()
            let writer = header.serverID.string
            guard writer == server.identity.id else {
                add(.critical, "redo log", "\(server.redoLog.log) was written by server \(writer)", "See zimbraRedoLogLogPath")
                return
            }
            add(.fine, "redo log", "\(server.redoLog.log), number \(header.sequence), \(header.isOpen ? "open" : "closed")")
        } catch {
            add(.critical, "redo log", "\(error)")
        }
    }

    private mutating func lookAtVolumes(of server: ZimbraServer, _ backupPath: FilePath) {
        do {
            let places = try server.volumePlaces()
            for (volume, root) in places where volume.type != 10 {
                let name = "\(volume.name) (\(volume.id)) in \(root)"
                guard volume.storeType == 1 else {
                    add(
                        .warning, "volume", "\(volume.name) (\(volume.id)) is an external store",
                        "Its contents are taken from the redo log only")
                    continue
                }
                guard access(root.string, R_OK | X_OK) == 0 else {
                    add(
                        .critical, "volume", "\(name) cannot be read: \(Errno(rawValue: errno))",
                        "Mount it, or let the service's user read it (group of the mail server, mode 0750)")
                    continue
                }
                add(.fine, "volume", name + (volume.compressesBlobs ? ", compressed" : ""))
                if let mail = Self.device(of: root), mail == Self.device(of: backupPath) {
                    add(
                        .warning, "backup path", "it is on the file system of volume \(volume.name): one broken disk takes both",
                        "Put the backup path on another disk")
                }
            }
        } catch {
            add(.critical, "volume", "\(error)")
        }
    }

    private mutating func lookAt(_ backupPath: FilePath) {
        guard access(backupPath.string, F_OK) == 0 else {
            add(.warning, "backup path", "\(backupPath) does not exist", "zxbackup init \(backupPath)")
            return
        }
        do {
            let space = try SpaceLeft(on: backupPath)
            add(.fine, "backup path", "\(backupPath), \(space.bytes >> 20) MB free")
            if let inodes = space.inodes, inodes < Self.fewInodes {
                add(
                    .warning, "backup path", "\(inodes) files can still be made",
                    "Use a file system with more inodes: every content is a file")
            }
        } catch {
            add(.critical, "backup path", "\(error)")
        }
        // The same file by another name: names that differ in case only would be one blob.
        if ["zxbackup.json", "ZXBACKUP.JSON"].allSatisfy({ access(backupPath.appending($0).string, F_OK) == 0 }) {
            add(.critical, "backup path", "its file system does not tell upper from lower case", "Use another file system")
        }
    }

    /// The file system of a path, or of the nearest folder above it that is there.
    private static func device(of path: FilePath) -> dev_t? {
        var path = path
        var status = stat()
        while stat(path.string, &status) != 0 {
            guard path.removeLastComponent() else { return nil }
        }
        return status.st_dev
    }
}
