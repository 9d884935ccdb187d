#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import SystemPackage
import Yams

/// Where the program finds the server, the backup path and its own small files.
struct Configuration: Sendable, Equatable {
    var server: Server
    var backupPath: FilePath
    var stateFolder: FilePath
    var notifications = NotificationSettings()

    enum Server: Sendable, Equatable {
        /// A sandbox server's folder.
        case sandbox(FilePath)
        /// A folder with nothing but a series of redo logs.
        case log(FilePath)
        /// A live Zimbra or Carbonio, by its home; nil = the one of this machine.
        case zimbra(FilePath?)
        /// None is configured: enough for reading a backup path.
        case none
    }

    /// Reads `--config`, else `$ZXBACKUP_CONFIG`, else `/etc/zxbackup.yaml`.
    ///
    /// Without any of the three, a backup path of the command line is enough for reading.
    init(_ options: GlobalOptions) throws {
        let file = options.configuration ?? environment("ZXBACKUP_CONFIG")
            ?? (access(Self.standardPath, F_OK) == 0 ? Self.standardPath : nil)
        try self.init(yaml: try file.map(Self.text) ?? "", path: file ?? Self.standardPath)
        if let path = options.backupPath { backupPath = FilePath(path) }
    }

    static let standardPath = "/etc/zxbackup.yaml"
    static let standardBackupPath: FilePath = "/opt/zimbra/backup/ng"
    static let standardStateFolder: FilePath = "/var/lib/zxbackup"

    /// Reads a configuration's text; relative paths in it start from its folder.
    init(yaml text: String, path: String) throws {
        let folder = FilePath(path).removingLastComponent()
        func refuse(_ reason: String) -> ConfigurationError { ConfigurationError(path: path, reason: reason) }
        func file(_ node: Node, _ what: String) throws -> FilePath {
            guard let text = node.string, !text.isEmpty else { throw refuse("\(what) is no path") }
            let path = FilePath(text)
            return path.isAbsolute ? path : folder.appending(path.components)
        }

        server = .none
        backupPath = Self.standardBackupPath
        stateFolder = Self.standardStateFolder
        let root: Node?
        do { root = try compose(yaml: text) } catch { throw refuse("\(error)") }
        guard let root else { return }
        guard let members = root.mapping else { throw refuse("'name: value' lines are expected") }
        for (key, value) in members {
            switch key.string {
            case "server": server = try Self.server(value, refuse, file)
            case "backupPath": backupPath = try file(value, "backupPath")
            case "stateFolder": stateFolder = try file(value, "stateFolder")
            case "notifications": notifications = try Self.notifications(value, refuse)
            default:
                let name = key.string ?? "?"
                let near = nearest(to: name, in: ["server", "backupPath", "stateFolder", "notifications"])
                throw refuse("nothing is called '\(name)' here" + (near.map { "; did you mean \($0)?" } ?? ""))
            }
        }
    }

    private static func server(
        _ node: Node, _ refuse: (String) -> ConfigurationError, _ file: (Node, String) throws -> FilePath
    ) throws -> Server {
        guard let members = node.mapping, let kind = members["kind"]?.string else {
            throw refuse("server: {kind: …} is expected")
        }
        func path() throws -> FilePath {
            guard let path = members["path"] else { throw refuse("server: {kind: \(kind), path: …} is expected") }
            return try file(path, "the server's path")
        }
        switch kind.lowercased() {
        case "sandbox": return .sandbox(try path())
        case "log": return .log(try path())
        case "zimbra", "carbonio": return .zimbra(try members["path"].map { try file($0, "the server's path") })
        default: throw refuse("server kind '\(kind)' is none of zimbra, carbonio, sandbox, log")
        }
    }

    private static func notifications(_ node: Node, _ refuse: (String) -> ConfigurationError) throws -> NotificationSettings {
        guard let members = node.mapping else { throw refuse("notifications: {from: …, to: […], smtp: …} is expected") }
        var settings = NotificationSettings()
        func address(_ node: Node, _ what: String) throws -> String {
            guard let text = node.string, NotificationSettings.isAddress(text) else {
                throw refuse("\(what) of notifications: '\(node.string ?? "?")' is no address")
            }
            return text
        }
        for (key, value) in members {
            switch key.string {
            case "from": settings.sender = try address(value, "from")
            case "to":
                let addresses = value.sequence.map { Array($0) } ?? [value]
                settings.recipients = try addresses.map { try address($0, "to") }
            case "smtp":
                guard let text = value.string, text.lowercased().hasPrefix("smtp://") || text.lowercased().hasPrefix("smtps://") else {
                    throw refuse("smtp of notifications: smtp://host:port or smtps://host:port is expected")
                }
                settings.smtp = text
            default: throw refuse("nothing is called '\(key.string ?? "?")' in notifications: from, to and smtp are expected")
            }
        }
        return settings
    }

    /// The server's kind and place, to compare configurations by.
    var serverName: String {
        switch server {
        case .sandbox(let path): "sandbox \(realPath(path))"
        case .log(let path): "log \(realPath(path))"
        case .zimbra(let home): "zimbra \(home.map { realPath($0) } ?? "")"
        case .none: ""
        }
    }

    private static func text(of path: String) throws -> String {
        do {
            let file = try FileDescriptor.open(FilePath(path), .readOnly)
            return try file.closeAfter {
                var bytes: [UInt8] = []
                var chunk = [UInt8](repeating: 0, count: 65_536)
                while case let count = try chunk.withUnsafeMutableBytes({ try file.read(into: $0) }), count > 0 {
                    bytes += chunk[..<count]
                }
                return String(decoding: bytes, as: UTF8.self)
            }
        } catch let error as Errno {
            throw ConfigurationError(path: path, reason: "\(error)")
        }
    }
}

/// A configuration that cannot be used.
struct ConfigurationError: Error, CustomStringConvertible {
    var path: String
    var reason: String
    var description: String { "configuration \(path): \(reason)" }
}

/// The value of an environment variable; nil when unset or empty.
func environment(_ name: String) -> String? {
    guard let value = getenv(name) else { return nil }
    let text = String(cString: value)
    return text.isEmpty ? nil : text
}

/// This machine's name, in lower case.
func hostName() -> String {
    var bytes = [CChar](repeating: 0, count: 256)
    guard gethostname(&bytes, bytes.count - 1) == 0 else { return "" }
    return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).lowercased()
}

/// Who runs this process: the user's name, or that of the user whom sudo(8) made root.
func userName() -> String {
    if geteuid() == 0, let name = environment("SUDO_USER") { return name }
    guard let entry = getpwuid(geteuid()), let name = entry.pointee.pw_name else { return "user \(geteuid())" }
    return String(cString: name)
}
