import BackupStore

/// What backing up the server's own configuration did.
public struct ArchiveReport: Sendable {
    /// What was kept; nil where the server has nothing of the kind.
    public var archive: ServerArchive?
    /// What could not be read, each in a line: it is not in the archive.
    public var problems: [String] = []

    /// Nothing was kept.
    public init() {}
}

extension BackupEngine {
    /// Keeps the whole directory as LDIF.
    ///
    /// - Throws: the directory's error; nothing is kept then.
    public func archiveDirectory() throws -> ArchiveReport { try scanner.archiveDirectory() }

    /// Keeps the server's configuration files.
    public func archiveCustomizations() throws -> ArchiveReport { try scanner.archiveCustomizations() }

    /// Records every change of accounts, domains, COS, lists, groups, servers and configuration since the last look.
    ///
    /// - Returns: the number of entries whose state is new, and of those that are gone.
    public func recordConfiguration() throws -> (changed: Int, gone: Int) {
        let before = scanner.recordedEntries
        _ = try scanner.followToEnd { _ in }
        try scanner.recordDirectory()
        try scanner.commit()
        return (scanner.recordedEntries.changed - before.changed, scanner.recordedEntries.gone - before.gone)
    }

    /// Archives of the server's own files, oldest first.
    public func archives() throws -> [ServerArchive] { try store.archives() }
}

extension RealTimeScanner {
    func archiveDirectory() throws -> ArchiveReport {
        guard source.hasDirectoryDump else { return ArchiveReport() }
        return try keep(.directory, suffix: ".ldif.gz") { [source] write in
            try source.dumpDirectory(write)
            return []
        }
    }

    func archiveCustomizations() throws -> ArchiveReport {
        guard source.hasCustomizations else { return ArchiveReport() }
        return try keep(.customizations, suffix: ".tar.gz") { [source] in try source.archiveCustomizations($0) }
    }

    /// The archives of the day that are not there yet; what goes wrong is told of, and does not end a scan.
    func archiveDaily(_ options: SmartScanOptions, _ statistics: inout ScanStatistics) throws {
        let today = TimeText.day(WallClock.milliseconds)
        let kept = Set(try store.archives().filter { TimeText.day($0.time) == today }.map(\.kind))
        do {
            if options.dumpsDirectory, !kept.contains(.directory) { statistics.take(try archiveDirectory()) }
            if options.archivesCustomizations, !kept.contains(.customizations) { statistics.take(try archiveCustomizations()) }
        } catch let error as CoreError {
            note("Critical: the server's configuration could not be archived: \(error)")
            statistics.report("\(error)")
        }
    }

    private func keep(
        _ kind: ServerArchive.Kind, suffix: String, _ body: @escaping ((UnsafeRawBufferPointer) throws -> Void) throws -> [String]
    ) throws -> ArchiveReport {
        try commit()
        var report = ArchiveReport()
        var time = WallClock.milliseconds
        let names = Set(try store.archives().map(\.name))
        func name() -> String { "\(kind.name)_\(TimeText.fileName(time))\(suffix)" }
        while names.contains(name()) { time += 1000 }
        report.archive = try store.keepArchive(kind, named: name(), at: time) { report.problems = try body($0) }
        return report
    }
}

extension ScanStatistics {
    fileprivate mutating func take(_ report: ArchiveReport) {
        if report.archive != nil { newArchives += 1 }
        for problem in report.problems { tell(problem) }
    }
}
