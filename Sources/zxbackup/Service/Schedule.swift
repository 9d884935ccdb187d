import BackupCore

/// What the service begins by itself: smart scans.
struct Schedule {
    private var lastLook: Int64
    private var followedLog: Bool
    private var isFirstLook = true

    /// Begins at a time, milliseconds since 1970.
    init(_ settings: BackupSettings, at time: Int64) {
        lastLook = time / 1000
        followedLog = settings.followsLog
    }

    /// Whether a smart scan is to be done: at the start, when its time has come, and when the log is followed again.
    mutating func smartScanIsDue(_ settings: BackupSettings, at time: Int64) -> Bool {
        let now = time / 1000
        defer { (lastLook, followedLog, isFirstLook) = (now, settings.followsLog, false) }
        return isFirstLook && settings.scansOnStartup || !followedLog && settings.followsLog
            || settings.smartScanSchedule?.isDue(after: lastLook, at: now) ?? false
    }
}
