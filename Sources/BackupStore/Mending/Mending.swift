import SystemPackage

extension FileStoreWriter {
    /// Mends what a check of the path found: damaged histories are written anew of what is left of them, damaged or superfluous
    /// files move to `quarantine/`, the index is made anew.
    ///
    /// What is lost for good marks its account, which a look at the server may settle. Everything is durable when this returns; a crash in
    /// the middle leaves what the next check and mending find.
    ///
    /// - Parameter findings: of a check since which nothing but this writer wrote.
    public func mend(_ findings: [CheckFinding]) throws -> MendReport {
        try working("mending the backup path") {
            try commit()
            try makeReady()
            var run = MendRun(files, path, time: options.now())
            try run.sort(findings)
            try run.addVanished(index)
            let mending = try HistoryMending(
                run.histories, histories, JournalFolder(files, path, storeID: identity.storeID), index, last: committed.sequence)
            // All that is committed is in the histories, and the journal's segment is sealed. Old segments may go with that: what they
            // have of damaged histories, and what was purged, has been read.
            try checkpointWithoutIndex()
            for key in run.histories.sorted(by: { $0.description < $1.description }) where !mending.madeUp.contains(key.account ?? "") {
                try run.mend(key, mending)
            }
            for blob in run.blobs { try blobs.unlessPinned(blob.id) { try run.mend(blob) } }
            for file in run.superfluous { try run.move(file.name, file.reason) }
            try run.moveSegments(before: segment?.name.number ?? 0)
            try remakeIndex()
            for name in run.archives where try state(of: ServerArchive.key(name)) != nil {
                try removeHistories([ServerArchive.key(name)], with: .purge(options.now()))
            }
            try mark(run.doubts)
            // The new checkpoint may have the name of a damaged one.
            for file in run.outdated { try run.move(file.name, file.reason) }
            try checkpoint(always: true)
            return run.report
        }
    }

    /// Brings back what a mending moved away.
    ///
    /// - Parameter name: of the folder below `quarantine/`.
    /// - Returns: what came back, and what did not, with the reason.
    /// - Throws: `invalidInput` where there is no such folder.
    public func undoMending(_ name: String) throws -> (back: [String], left: [(file: String, reason: String)]) {
        try working("bringing back what was moved away") {
            try commit()
            try checkpoint(always: true)
            guard isFileName(name), try files.status(path.quarantine.appending(name).appending(Quarantine<Files>.manifest)) != nil else {
                throw invalid("quarantine \(name)")
            }
            let result = try Quarantine(files, path, named: name).undo()
            try remakeIndex()
            return result
        }
    }

    /// Makes a checkpoint; the index is made anew where it is too rotten to say what goes into it.
    private func checkpointWithoutIndex() throws {
        do {
            try checkpoint(always: true)
        } catch let error as StoreError where error.code == .index {
            try makeReady()
            try remakeIndex()
            try checkpoint(always: true)
        }
    }

    private func mark(_ doubts: [String: [Int64]]) throws {
        let now = options.now()
        for (account, items) in doubts.sorted(by: { $0.key < $1.key }) where try !index.accounts().filter({ $0 == account }).isEmpty {
            let reason = "states or contents of it were damaged in the backup path"
            try append(
                StoreTransaction(
                    account: account, generation: try index.changes(of: account)?.last.generation ?? 1, time: now, kind: "mark",
                    marks: [Mark(reason: reason, candidates: items.sorted(), time: now)]))
        }
        try commit()
    }
}

/// One mending under way.
struct MendRun<Files: FileSystem> {
    struct Blob {
        var id: BlobID
        var finding: CheckFinding
    }

    private let files: Files
    private let path: BackupPath
    private let time: Int64
    private var quarantine: Quarantine<Files>?
    private var accounts: Set<String> = []

    /// Histories to be written anew.
    private(set) var histories: Set<HistoryKey> = []
    /// Of these the ones that a purge had removed.
    private var purged: Set<HistoryKey> = []
    private(set) var blobs: [Blob] = []
    /// Files that go, each with the reason.
    private(set) var superfluous: [(name: String, reason: String)] = []
    /// Files that go once there are new ones.
    private(set) var outdated: [(name: String, reason: String)] = []
    /// Archives that are lost.
    private(set) var archives: [String] = []
    private var damagedSegment: UInt64 = 0
    /// Items of accounts that lost something; an empty list is the whole account.
    private(set) var doubts: [String: [Int64]] = [:]
    private(set) var report = MendReport()

    init(_ files: Files, _ path: BackupPath, time: Int64) { (self.files, self.path, self.time) = (files, path, time) }

    /// What is to be done about each finding.
    mutating func sort(_ findings: [CheckFinding]) throws {
        for finding in findings {
            let reason = "\(finding.kind): \(finding.reason)"
            let name = finding.file
            switch finding.kind {
            case .lineDamaged, .linesMissing, .statesMissing, .lineTorn:
                if let key = path.key(ofFile: name) {
                    histories.insert(key)
                } else if let account = finding.account {
                    accounts.insert(account)
                } else {
                    report.unmended.append(finding)
                }
            case .historyBack:
                // What was written after the purge stays.
                if let key = path.key(ofFile: name) {
                    histories.insert(key)
                    purged.insert(key)
                }
            case .unexpectedFile:
                // What lies beside our folders is none of ours.
                if name.contains("/") { superfluous.append((name, reason)) } else { report.unmended.append(finding) }
            case .blobDamaged, .blobCompressedTwice, .blobMissing, .blobExpired, .blobOrphaned:
                // A blob that is whole but of another length than recorded is as good.
                if finding.kind == .blobDamaged, finding.severity == .note { continue }
                guard let id = BlobID(FilePath(name).lastComponent?.string ?? "") else {
                    report.unmended.append(finding)
                    continue
                }
                blobs.append(Blob(id: id, finding: finding))
            case .journalDamaged:
                if let segment = SegmentName(FilePath(name).lastComponent?.string ?? "") { damagedSegment = max(damagedSegment, segment.number) }
            case .statDamaged:
                if let account = finding.account { doubt(account, nil) }
                if FilePath(name).lastComponent?.string.hasPrefix(AccountStat.prefix) == true { outdated.append((name, reason)) }
            case .checkpointDamaged, .cutsDamaged: outdated.append((name, reason))
            case .archiveDamaged, .archiveMissing:
                superfluous.append((name, reason))
                archives.append(FilePath(name).lastComponent?.string ?? "")
            case .indexDiffers, .indexUnusable, .journalTorn, .journalBehind, .instanceDamaged, .cutByCopy:
                continue  // A writer that opened the path, the new index and the new checkpoint see to it.
            default: report.unmended.append(finding)
            }
        }
    }

    /// Histories of accounts that lack states, where the index still knows of later ones than the file has.
    mutating func addVanished(_ index: StoreIndex) throws {
        for account in accounts.sorted() {
            doubt(account, nil)
            var found: [HistoryKey] = []
            let histories = HistoryFiles(files: files, path: path)
            do {
                try index.forEachItem(account, .all) { item in
                    var last: UInt64 = 0
                    try histories.read(item.key) { if case .valid(let line, _, _, _) = $0 { last = line.sequence } }
                    if last < item.sequence { found.append(item.key) }
                }
                for key in [HistoryKey.accountInfo(account), .mailbox(account)] { found.append(key) }
            } catch let error as StoreError where error.code == .index {
                continue  // It is rotten, and made anew.
            }
            self.histories.formUnion(found)
        }
    }

    private mutating func doubt(_ account: String, _ item: Int64?) {
        report.doubted.insert(account)
        if let item, doubts[account]?.isEmpty != true { doubts[account, default: []].append(item) } else { doubts[account] = [] }
    }

    private mutating func withQuarantine<Result>(_ body: (inout Quarantine<Files>) throws -> Result) throws -> Result {
        var open = try quarantine ?? Quarantine(files, path, time: time)
        defer { quarantine = open }
        report.quarantine = "quarantine/" + open.name
        return try body(&open)
    }

    mutating func move(_ file: String, _ reason: String) throws {
        guard try files.status(path.root.pushing(FilePath(file))) != nil else { return }
        if try withQuarantine({ try $0.move(file, because: reason) }) { report.moved.append(file) }
    }

    // MARK: Histories

    mutating func mend(_ key: HistoryKey, _ mending: HistoryMending<Files>) throws {
        let file = path.relativeHistory(key)
        let (bytes, states, lost) = mending.content(of: key)
        let place = path.history(key)
        if try files.readWhole(place) == bytes { return }
        guard !bytes.isEmpty else {
            // Nothing is left that could be read. One that an account lacks may never have been there.
            if let account = key.account, accounts.contains(account), try files.status(place) == nil { return }
            let isPurged = purged.contains(key)
            try move(file, isPurged ? "it was purged" : "no line of it can be read")
            if isPurged { return }
            if let account = key.account { doubt(account, nil) }
            report.histories.append(MendReport.History(key: key, states: 0, lost: 1))
            return
        }
        let isThere = try files.status(place) != nil
        try withQuarantine { try $0.replace(file, by: bytes, because: "damaged; written anew of what is left") }
        if isThere { report.moved.append(file) }
        report.histories.append(MendReport.History(key: key, states: states, lost: lost))
        guard lost > 0, let account = key.account else { return }
        if case .item(_, let id) = key { doubt(account, id) } else { doubt(account, nil) }
    }

    // MARK: Blobs

    mutating func mend(_ blob: Blob) throws {
        let (finding, place) = (blob.finding, path.root.pushing(FilePath(blob.finding.file)))
        switch finding.kind {
        case .blobCompressedTwice:
            let file = try files.open(place, .read)
            defer { file.close() }
            var inner: [UInt8] = []
            try file.decompress { inner.append(contentsOf: $0) }
            try withQuarantine { try $0.replace(finding.file, by: inner, because: "compressed twice") }
            report.moved.append(finding.file)
            report.restored.append(finding.file)
            return
        case .blobExpired:
            let target = path.blob(blob.id)
            try files.makeFolderIfMissing(target.removingLastComponent())
            try files.rename(place, to: target)
            for folder in [target.removingLastComponent(), path.blobs, place.removingLastComponent()] { try files.syncFolder(folder) }
            report.restored.append(path.relative(target))
            return
        case .blobOrphaned: return try move(finding.file, "no state names it")
        case .blobMissing: break
        default: try move(finding.file, "\(finding.kind): \(finding.reason)")
        }
        if let account = finding.account { doubt(account, finding.item) } else { report.unmended.append(finding) }
    }

    // MARK: Journal

    /// Segments up to the last damaged one: the histories have all of them, and a gap must not stay (R6).
    mutating func moveSegments(before current: UInt64) throws {
        guard damagedSegment > 0 else { return }
        let names = try files.list(path.journal).compactMap { SegmentName($0.name) }.sorted { $0.number < $1.number }
        for name in names where name.number <= damagedSegment && name.number < current {
            try move("journal/\(name)", "the journal is damaged up to segment \(damagedSegment); the histories have what is in it")
        }
    }
}

extension FileSystem {
    /// All bytes of a file; nil where there is none.
    fileprivate func readWhole(_ path: FilePath) throws -> [UInt8]? {
        guard let status = try status(path) else { return nil }
        return try readSmallFile(path, limit: Int(status.size))
    }
}
