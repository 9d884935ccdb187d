/// A setting that an administrator changes while the service runs.
public struct BackupProperty: Sendable, Hashable {
    /// What a value may be.
    public enum Values: Sendable, Hashable {
        case boolean
        case number(ClosedRange<Int64>)
        /// The five fields of a crontab's line.
        case cron
    }

    /// The name as the manual spells it; matched without regard to case.
    public var name: String
    /// One line: what it does.
    public var purpose: String
    /// What a value may be.
    public var values: Values
    /// What holds until another value is set.
    public var defaultValue: String

    /// `ZxBackup_RealTimeScanner`: whether the service follows the redo log.
    public static let realTimeScanner = BackupProperty(
        name: "ZxBackup_RealTimeScanner",
        purpose: "Whether the service follows the redo log; while it does not, it keeps its place.",
        values: .boolean, defaultValue: "true")

    /// `ZxBackup_SpaceThreshold`: MB of free space below which the service stops writing.
    public static let spaceThreshold = BackupProperty(
        name: "ZxBackup_SpaceThreshold", purpose: "MB of free space in the backup path below which the service waits; 0 = never.",
        values: .number(0...(1 << 40)), defaultValue: "100")

    /// `backupCompressionLevel`: how hard blobs are compressed.
    public static let compressionLevel = BackupProperty(
        name: "backupCompressionLevel", purpose: "How hard contents are compressed, from 1 (fast) to 9 (small).",
        values: .number(1...9),
        defaultValue: "2")

    /// `backupNumberThreadsForItems`: how many threads take contents in.
    public static let contentThreads = BackupProperty(
        name: "backupNumberThreadsForItems",
        purpose: "How many threads of a scan read and compress contents; 0 = as many as there are processors, 8 at most.", values: .number(0...64),
        defaultValue: "0")

    /// `backupBloblessMode`: whether new contents are left out.
    public static let bloblessMode = BackupProperty(
        name: "backupBloblessMode",
        purpose: "Whether contents are left out of the backup: what is kept already stays, and later scans take in the rest once it is false.",
        values: .boolean, defaultValue: "false")

    /// `ZxBackup_DoSmartScanOnStartup`: whether the service begins with a smart scan.
    public static let scanOnStartup = BackupProperty(
        name: "ZxBackup_DoSmartScanOnStartup", purpose: "Whether the service begins with a doSmartScan.", values: .boolean,
        defaultValue: "true")

    /// `backupSmartScanScheduler`: when the service does a smart scan.
    public static let smartScanSchedule = BackupProperty(
        name: "backupSmartScanScheduler",
        purpose: "When the service does a doSmartScan: minute, hour, day, month and day of the week, as in a crontab.",
        values: .cron, defaultValue: "0 4 * * *")

    /// `ZxBackup_DataRetentionDays`: how long deleted items are kept.
    public static let itemRetention = BackupProperty(
        name: "ZxBackup_DataRetentionDays", purpose: "Days that deleted items are kept; 0 = forever.", values: .number(0...100_000),
        defaultValue: "30")

    /// `backupAccountsRetentionDays`: how long deleted accounts are kept.
    public static let accountRetention = BackupProperty(
        name: "backupAccountsRetentionDays", purpose: "Days that deleted accounts are kept, with all that was in them; 0 = forever.",
        values: .number(0...100_000), defaultValue: "30")

    /// `backupPurgeScheduler`: when the service purges.
    public static let purgeSchedule = BackupProperty(
        name: "backupPurgeScheduler",
        purpose: "When the service does a doPurge: minute, hour, day, month and day of the week, as in a crontab.",
        values: .cron, defaultValue: "0 4 * * 6")

    /// `backupSmartScanSchedulerEnabled`: whether ``smartScanSchedule`` is obeyed.
    public static let smartScanScheduled = BackupProperty(
        name: "backupSmartScanSchedulerEnabled", purpose: "Whether backupSmartScanScheduler is obeyed.", values: .boolean,
        defaultValue: "true")

    /// `backupPurgeSchedulerEnabled`: whether ``purgeSchedule`` is obeyed.
    public static let purgeScheduled = BackupProperty(
        name: "backupPurgeSchedulerEnabled", purpose: "Whether backupPurgeScheduler is obeyed.", values: .boolean, defaultValue: "true")

    /// `ldapDumpEnabled`: whether smart scans keep the directory.
    public static let directoryDump = BackupProperty(
        name: "ldapDumpEnabled", purpose: "Whether a doSmartScan keeps the whole directory as LDIF, once a day.", values: .boolean,
        defaultValue: "true")

    /// `serverConfiguration`: whether smart scans keep the server's configuration files.
    public static let customizations = BackupProperty(
        name: "serverConfiguration", purpose: "Whether a doSmartScan archives the server's configuration files, once a day.",
        values: .boolean, defaultValue: "true")

    /// `purgeOldConfiguration`: whether purge takes old archives.
    public static let archivePurge = BackupProperty(
        name: "purgeOldConfiguration",
        purpose: "Whether a doPurge removes old archives of the directory and of configuration files; the last one stays.",
        values: .boolean, defaultValue: "true")

    /// `backupCoherencyCheckScheduler`: when the service checks the backup path.
    public static let checkSchedule = BackupProperty(
        name: "backupCoherencyCheckScheduler",
        purpose: "When the service does a doCoherencyCheck: minute, hour, day, month and day of the week, as in a crontab.",
        values: .cron, defaultValue: "0 1 * * 0")

    /// `backupCoherencyCheckSchedulerEnabled`: whether ``checkSchedule`` is obeyed.
    public static let checkScheduled = BackupProperty(
        name: "backupCoherencyCheckSchedulerEnabled", purpose: "Whether backupCoherencyCheckScheduler is obeyed.", values: .boolean,
        defaultValue: "false")

    /// Every property that has an effect.
    public static let all = [
        realTimeScanner, spaceThreshold, compressionLevel, bloblessMode, contentThreads, scanOnStartup, smartScanSchedule, smartScanScheduled, itemRetention,
        accountRetention, purgeSchedule, purgeScheduled, checkSchedule, checkScheduled, directoryDump, customizations, archivePurge,
    ]

    /// Names that administrators know from other programs, and that have no effect here yet: refused by name, never ignored.
    public static let withoutEffect = [
        "ZxBackup_ModuleEnabledAtStartup", "ZxBackup_DestPath", "backupNumberThreadsForAccounts",
        "backupEnabled",
    ]

    /// The property of that name, whatever its case; nil where there is none.
    public static func named(_ name: String) -> BackupProperty? {
        let wanted = name.lowercased()
        return all.first { $0.name.lowercased() == wanted }
    }

    /// The value in its one spelling.
    ///
    /// - Throws: `CoreError` for a value that the property cannot have.
    public func value(_ text: String) throws -> String {
        let text = text.lowercased()
        switch values {
        case .boolean:
            if text == "true" || text == "false" { return text }
            throw refusal(text, "true or false is expected")
        case .number(let range):
            guard let number = Int64(text) else { throw refusal(text, "a whole number is expected") }
            guard range.contains(number) else {
                throw refusal(text, "a number from \(range.lowerBound) to \(range.upperBound) is expected")
            }
            return String(number)
        case .cron:
            guard let pattern = CronPattern(text) else { throw refusal(text, "five fields as in a crontab are expected") }
            return pattern.text
        }
    }

    private func refusal(_ text: String, _ reason: String) -> CoreError {
        CoreError(
            CoreError.Code("property"), doing: "setting a property", subject: "\(name) '\(text)'", reason: reason,
            remedy: "Its default is \(defaultValue)")
    }
}

/// The values of the properties, as the engine works by them.
public struct BackupSettings: Sendable, Hashable {
    /// Whether the log is followed.
    public var followsLog = true
    /// Bytes of free space below which nothing is written.
    public var spaceThreshold: Int64 = 100 << 20
    /// 1 to 9.
    public var compressionLevel = 2
    /// Whether contents are taken into the backup.
    public var keepsContents = true
    /// Threads of a scan that take contents in; 0 = as many as there are processors, 8 at most.
    public var contentThreads = 0
    /// Whether the service begins with a smart scan.
    public var scansOnStartup = true
    /// When it does one; nil = never by itself.
    public var smartScanSchedule = CronPattern(BackupProperty.smartScanSchedule.defaultValue)

    /// Days that deleted items are kept; 0 = forever.
    public var itemRetention: Int64 = 30
    /// Days that deleted accounts are kept; 0 = forever.
    public var accountRetention: Int64 = 30
    /// When the service purges; nil = never by itself.
    public var purgeSchedule = CronPattern(BackupProperty.purgeSchedule.defaultValue)

    /// When the service checks the backup path; nil = only where something looks damaged.
    public var checkSchedule: CronPattern?
    /// Whether smart scans keep the directory as LDIF.
    public var dumpsDirectory = true
    /// Whether smart scans archive the server's configuration files.
    public var archivesCustomizations = true
    /// Whether purge takes old ones of both.
    public var purgesArchives = true

    /// The defaults.
    public init() {}

    /// Takes over what was set. A value that no version of this program wrote counts as not set.
    init(_ values: [String: String]) {
        func number(_ property: BackupProperty) -> Int64? {
            values[property.name].flatMap { try? property.value($0) }.flatMap { Int64($0) }
        }
        if let text = values[BackupProperty.realTimeScanner.name] { followsLog = text != "false" }
        if let megabytes = number(.spaceThreshold) { spaceThreshold = megabytes << 20 }
        if let text = values[BackupProperty.scanOnStartup.name] { scansOnStartup = text != "false" }
        if let pattern = values[BackupProperty.smartScanSchedule.name].flatMap(CronPattern.init) { smartScanSchedule = pattern }
        if let days = number(.itemRetention) { itemRetention = days }
        if let days = number(.accountRetention) { accountRetention = days }
        if let pattern = values[BackupProperty.purgeSchedule.name].flatMap(CronPattern.init) { purgeSchedule = pattern }
        if values[BackupProperty.smartScanScheduled.name] == "false" { smartScanSchedule = nil }
        if values[BackupProperty.purgeScheduled.name] == "false" { purgeSchedule = nil }
        if values[BackupProperty.checkScheduled.name] == "true" {
            checkSchedule = CronPattern(values[BackupProperty.checkSchedule.name] ?? BackupProperty.checkSchedule.defaultValue)
        }
        if let text = values[BackupProperty.directoryDump.name] { dumpsDirectory = text != "false" }
        if let text = values[BackupProperty.customizations.name] { archivesCustomizations = text != "false" }
        if let text = values[BackupProperty.archivePurge.name] { purgesArchives = text != "false" }
        if let text = values[BackupProperty.bloblessMode.name] { keepsContents = text != "true" }
        if let threads = number(.contentThreads) { contentThreads = Int(threads) }
        if let level = number(.compressionLevel) { compressionLevel = Int(level) }
    }
}
