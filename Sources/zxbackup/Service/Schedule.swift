import BackupCore

/// What the service begins by itself: smart scans, purges and checks.
struct Schedule {
    private var lastLook: Int64
    private var followedLog: Bool
    private var isFirstLook = true

    /// Begins at a time, milliseconds since 1970.
    init(_ settings: BackupSettings, at time: Int64) {
        lastLook = time / 1000
        followedLog = settings.followsLog
    }

    /// The commands whose time has come: a smart scan also at the start, and when the log is followed again.
    mutating func due(_ settings: BackupSettings, at time: Int64) -> [String] {
        let now = time / 1000
        defer { (lastLook, followedLog, isFirstLook) = (now, settings.followsLog, false) }
        func isDue(_ pattern: CronPattern?) -> Bool { pattern?.isDue(after: lastLook, at: now) ?? false }
        var commands: [String] = []
        if isFirstLook && settings.scansOnStartup || !followedLog && settings.followsLog || isDue(settings.smartScanSchedule) {
            commands.append("doSmartScan")
        }
        if isDue(settings.purgeSchedule) { commands.append("doPurge") }
        if isDue(settings.checkSchedule) { commands.append("doCoherencyCheck") }
        return commands
    }
}
