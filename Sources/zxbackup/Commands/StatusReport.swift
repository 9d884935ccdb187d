import BackupCore
import BackupStore
import RedoLog
import SystemPackage

/// What `status` finds: of the service, the backup path, the server's log and the file system.
struct StatusReport {
    /// How much it is worth getting up for.
    enum Level: Int32, Comparable {
        case fine = 0
        case warning = 1
        case critical = 2

        static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }

        var name: String {
            switch self {
            case .fine: "fine"
            case .warning: "warning"
            case .critical: "critical"
            }
        }
    }

    /// How far the backup is behind the log's present end.
    struct Behind: Equatable {
        /// Finished files that were not begun yet.
        var files: Int64
        /// Bytes of the current file; all of it while an older one is read.
        var bytes: Int64
    }

    /// A warning is worth while there is still time to do something.
    private static let fewDays = 7

    let path: FilePath
    private(set) var problems: [(level: Level, text: String)] = []
    /// What the running service says of itself; nil where none runs.
    private(set) var service: JSONObject?
    private(set) var info: StoreInfo?
    private(set) var accounts: AccountFigures?
    private(set) var log: FilePath?
    private(set) var behind: Behind?
    private(set) var space: SpaceLeft?
    /// How long space and inodes last.
    private(set) var outlook: (space: SpaceHistory.Outlook, inodes: SpaceHistory.Outlook)?
    /// When the last checkpoint was made.
    private(set) var checkpointTime: Int64?
    private(set) var lastPurge: PurgeRecord?

    var level: Level { problems.map(\.level).max() ?? .fine }

    /// Looks at everything; what cannot be looked at is a problem, and the rest is looked at all the same.
    init(_ invocation: Invocation, _ configuration: Configuration) {
        path = invocation.backupPath(configuration)
        attempt { try $0.lookAtService(configuration) }
        attempt { try $0.lookAtPath() }
        attempt { try $0.lookAtLog(configuration) }
        attempt { try $0.lookAtSpace(configuration) }
    }

    private mutating func attempt(_ look: (inout StatusReport) throws -> Void) {
        do { try look(&self) } catch { problems.append((.critical, "\(error)")) }
    }

    private mutating func lookAtService(_ configuration: Configuration) throws {
        guard let state = try ServiceClient.state(configuration),
            state["backup_path"]?.string.map({ realPath(FilePath($0)) }) == realPath(path)
        else {
            problems.append(
                (.critical, "no service runs: what happens on the server now is not backed up yet. Start it with 'serve'"))
            return
        }
        service = state
        if let damages = state["check"]?.object?["damages"]?.int, damages > 0 {
            problems.append((.critical, "the last coherency check found \(damages) damages: doCoherencyCheck \(path) lists them"))
        }
        if let reason = state["held_because"]?.string { problems.append((.critical, "the redo log is not followed: \(reason)")) }
    }

    private mutating func lookAtPath() throws {
        let store = try StoreReader(opening: path)
        defer { store.close() }
        info = try store.info()
        checkpointTime = store.checkpointTime
        lastPurge = try PurgeRecord.last(in: store)
        let accounts = try AccountFigures(store)
        self.accounts = accounts
        if accounts.alive == 0 { problems.append((.warning, "the backup holds no account")) }
        if !accounts.marked.isEmpty {
            let count = accounts.marked.count
            problems.append((.warning, "\(count) \(count == 1 ? "account needs" : "accounts need") a scan: doAccountScan"))
        }
        for finding in store.recovery.findings.prefix(10) { problems.append((.warning, "\(finding)")) }
    }

    private mutating func lookAtLog(_ configuration: Configuration) throws {
        guard configuration.server != .none else { return }
        let source = try configuration.openSource()
        log = source.redoLog.log
        if let info, info.serverID != source.identity.id {
            problems.append((.critical, "the backup path holds another server's backup, \(info.serverID)"))
        }
        guard let position = info?.position, let read = try? JSONValue(json: position).object?["log"]?.object,
            let sequence = read["sequence"]?.int, let applied = read["applied"]?.int
        else { return }
        // The committed position is behind records that changed nothing; a service at the log's end is behind nothing.
        if let caughtUp = service?["caught_up"]?.int, milliseconds() - caughtUp < 2000 {
            return behind = Behind(files: 0, bytes: 0)
        }
        let file = try LogFile(source.redoLog.log)
        let files = try file.header().sequence - sequence
        behind = Behind(files: max(0, files), bytes: files > 0 ? try file.size() : max(0, try file.size() - applied))
    }

    private mutating func lookAtSpace(_ configuration: Configuration) throws {
        let space = try SpaceLeft(on: path)
        self.space = space
        let threshold = try PropertyFile(stateFolder: configuration.stateFolder).settings().spaceThreshold
        if space.bytes < threshold {
            problems.append(
                (.critical, "\(ByteText.of(space.bytes)) are free, less than \(BackupProperty.spaceThreshold.name) asks for"))
        } else if space.bytes < space.totalBytes / 20 {
            problems.append((.warning, "less than 5 % of the file system is free"))
        }
        if let inodes = space.inodes, inodes < 10_000 { problems.append((.warning, "\(inodes) inodes are free")) }
        let outlook = try SpaceHistory(stateFolder: configuration.stateFolder, of: realPath(path)).outlook(
            space, reserve: threshold, at: milliseconds())
        self.outlook = outlook
        for (what, outlook) in [("free space", outlook.space), ("free inodes", outlook.inodes)] {
            guard case .days(let days) = outlook, days < Self.fewDays else { continue }
            problems.append((.warning, "the \(what) will last for \(days == 1 ? "1 day" : "\(days) days")"))
        }
    }
}
