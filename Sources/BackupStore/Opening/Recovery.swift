import GRDB
import SystemPackage

/// Looks on while an index is made of the histories.
struct RecoveryObserver<Files: FileSystem> {
    /// Called for every line of every history.
    var read: (HistoryKey, HistoryFiles<Files>.Reading) throws -> Void
    /// Called for a history that the system does not let read; the rest is read all the same.
    var unreadable: (HistoryKey, Errno) throws -> Void
    /// A folder that the system did not let read, and why.
    var unreadableFolder: (FilePath, Errno) throws -> Void
    /// Called when all histories of an account have been read.
    var ended: (_ account: String) throws -> Void
    /// Called when all histories have been read, and nothing of the journal yet.
    var finished: () throws -> Void
}

/// Brings histories and index up to what the journal says was committed (R5, R6, R7).
struct Recovery<Files: FileSystem> {
    let files: Files
    let path: BackupPath
    let identity: StoreIdentity
    var journal: JournalFolder<Files>
    let isCopy: Bool
    /// After a failed sync, lines behind the checkpoint are written anew (R10).
    let rewrites: Bool
    /// Which histories an index is made of.
    var scope = CheckScope.everything
    /// How many threads read histories while an index is made of them.
    var threads = Files.threads

    private(set) var report = RecoveryReport()
    /// What the newest usable checkpoint proves, nil where there is none or the path is a copy.
    let checkpoint: Checkpoint?
    /// Everything up to here is in the histories.
    let floor: UInt64
    private let firstSegment: UInt64
    private(set) var scan: JournalFolder<Files>.Scan
    /// States of a copy whose blobs did not make it (R7).
    private(set) var cuts: Set<CutState>

    struct CutState: Hashable {
        var key: HistoryKey
        var sequence: UInt64
    }

    init(
        _ files: Files, _ path: BackupPath, _ identity: StoreIdentity, isCopy: Bool, rewrites: Bool = false,
        abandoned: (name: SegmentName, end: Int64)? = nil
    ) throws {
        self.files = files
        self.path = path
        self.identity = identity
        self.isCopy = isCopy
        self.rewrites = rewrites
        var journal = try JournalFolder(files, path, storeID: identity.storeID)
        journal.abandoned = abandoned
        self.journal = journal
        report.wasCopy = isCopy
        for damage in journal.damage where !isCopy || damage.finding != .corrupt { report.add(damage) }
        // A copy's checkpoints speak of files that may have been copied before or after them (R7).
        let candidates = isCopy ? [] : journal.checkpoints
        checkpoint = candidates.last { $0.segment <= (journal.segments.last?.name.number ?? 0) }
        floor = checkpoint?.sequence ?? (journal.firstSequence - 1)
        firstSegment = checkpoint?.segment ?? 0
        scan = try journal.scan(fromSegment: firstSegment, floor: floor)
        for damage in scan.damage { report.add(damage) }
        cuts = try Self.readCuts(files, path)
    }

    /// The last sequence that the journal proves.
    var lastSequence: UInt64 { scan.lastSequence }

    // MARK: Histories

    /// Repairs every history touched since the checkpoint and appends what is missing.
    mutating func recoverHistories() throws {
        let histories = HistoryFiles(files: files, path: path)
        if isCopy { try findCuts() }
        var tails: [HistoryKey: HistoryTail] = [:]
        var repaired: (cut: [Damage], damage: [Damage]) = ([], [])
        var counts = (appended: 0, transactions: 0)
        let (floor, limit, rewrites) = (floor, isCopy ? lastSequence : UInt64(Int64.max), rewrites)
        try journal.replay(fromSegment: firstSegment) { record in
            switch record {
            case .line(let key, let bytes):
                try describingErrors("writing a history", histories.path.history(key).string) {
                    guard let (line, _, next) = HistoryCoding.decode(bytes), line.sequence > floor else { return }
                    var tail: HistoryTail
                    let known = tails[key]
                    if let known {
                        tail = known
                    } else {
                        // R12: what is forgotten here is only looked up again.
                        if tails.count > 100_000 { tails = [:] }
                        let repair = try histories.repair(
                            key, floor: floor, limit: limit, fromFloor: rewrites && line.sequence > floor)
                        tail = repair.tail
                        if let cut = repair.cut { repaired.cut.append(cut) }
                        repaired.damage += repair.damage
                    }
                    if line.sequence > tail.sequence {
                        if line.ordinal > tail.ordinal + 1 {
                            let reason = "\(line.ordinal - tail.ordinal - 1) line(s) before line \(line.ordinal) are missing"
                            repaired.damage.append(
                                Damage(.missing, file: histories.path.relativeHistory(key), offset: 0, reason: reason))
                        }
                        try histories.append(bytes, to: key)
                        counts.appended += 1
                        tail = next
                    }
                    if known == nil { try histories.makeDurable(key) }
                    tails[key] = tail
                }
            case .end: counts.transactions += 1
            case .removal(let key):
                try histories.remove(key)
                tails[key] = HistoryTail()
            case .begin: break
            }
        }
        for cut in repaired.cut { report.add(cut) }
        for damage in repaired.damage { report.add(damage) }
        report.historiesCut = repaired.cut.count
        report.linesAppended = counts.appended
        report.replayed = counts.transactions
    }

    // MARK: Copies

    /// Looks for the blobs of everything in a copy's journal; a state whose blob did not make it is cut (R7).
    mutating func findCuts() throws {
        var known: [BlobID: Bool] = [:]
        var found: [CutState] = []
        try journal.replay(fromSegment: firstSegment) { record in
            guard case .line(let key, let bytes) = record, let (line, _, _) = HistoryCoding.decode(bytes) else { return }
            for blob in line.blobs {
                let there: Bool
                if let answer = known[blob.id] {
                    there = answer
                } else {
                    if known.count > 100_000 { known = [:] }
                    there = try isThere(blob)
                    known[blob.id] = there
                }
                if !there {
                    found.append(CutState(key: key, sequence: line.sequence))
                    return
                }
            }
        }
        for state in found where cuts.insert(state).inserted {
            let reason = "\(state.key): the blob of the state of transaction \(state.sequence) is not in the copy"
            report.add(Damage(.cutByCopy, file: path.relativeHistory(state.key), offset: 0, reason: reason))
        }
    }

    private func isThere(_ blob: BlobReference) throws -> Bool {
        if try files.status(path.blob(blob.id))?.size == blob.stored { return true }
        // Another length: half copied, or written again since with another compression level. The bytes decide.
        do {
            try files.readBlob(blob.id, in: path) { _ in }
            return true
        } catch let error as StoreError where error.code == .blobMissing || error.code == .blobDamaged {
            return false
        }
    }

    /// Cuts that a writer on a copy made durable: states that stay out for good.
    static func readCuts(_ files: Files, _ path: BackupPath) throws -> Set<CutState> {
        var cuts: Set<CutState> = []
        for entry in try files.list(path.journal) {
            guard let number = BackupPath.number(entry.name, after: "cuts-"),
                let bytes = try files.readSmallFile(path.cuts(number), limit: 1 << 30), let members = SealedJSON.decode(bytes)
            else { continue }
            for element in members["cuts"]?.array ?? [] {
                guard let pair = element.array, pair.count == 2, let sequence = pair[0].int, sequence >= 0,
                    let hex = pair[1].string
                else { continue }
                let bytes = stride(from: 0, to: hex.utf8.count - 1, by: 2).compactMap { place -> UInt8? in
                    let utf8 = Array(hex.utf8)
                    guard let high = hexValue(utf8[place]), let low = hexValue(utf8[place + 1]) else { return nil }
                    return high << 4 | low
                }
                let key = bytes.withUnsafeBytes { bytes in
                    var cursor = ByteCursor(bytes: bytes)
                    return try? JournalRecord.key(&cursor)
                }
                if let key { cuts.insert(CutState(key: key, sequence: UInt64(sequence))) }
            }
        }
        return cuts
    }

    /// Makes the cuts durable before the copy becomes an original.
    func writeCuts(number: UInt64) throws {
        guard !cuts.isEmpty else { return }
        let elements = cuts.map { state -> JSONValue in
            var key: [UInt8] = []
            JournalRecord.append(key: state.key, to: &key)
            let hex = key.map { byte in
                String(decoding: [hexDigits[Int(byte >> 4)], hexDigits[Int(byte & 15)]], as: UTF8.self)
            }
            return .array([.int(Int64(state.sequence)), .string(hex.joined())])
        }
        try files.writeDurably(SealedJSON.encode(["cuts": .array(elements)]), to: path.cuts(number))
    }

    // MARK: Index

    /// Applies to the index what it has not applied yet; true if that was possible without making it anew.
    mutating func catchUp(_ index: StoreIndex) throws {
        let applied = try index.sequence()
        guard applied < lastSequence else { return }
        try apply(to: index, after: applied, fromSegment: firstSegment)
    }

    private func apply(to index: StoreIndex, after applied: UInt64, fromSegment: UInt64, overlays: Bool = false) throws {
        try index.begin()
        var transactions = 0
        var current: UInt64 = 0
        do {
            try journal.replay(fromSegment: fromSegment) { record in
                switch record {
                case .begin(let header):
                    current = header.sequence
                    guard header.sequence > applied, header.account.map(scope.contains) ?? true else { return }
                    try index.use("applying the journal") { try $0.apply(header) }
                case .line(let key, let bytes):
                    guard scope.contains(key) else { return }
                    // Of an index that is made anew most lines are from the histories.
                    if applied == 0, let sequence = HistoryCoding.sequence(bytes),
                        try index.use("applying the journal", { try $0.isKnown(sequence, of: key) })
                    {
                        return
                    }
                    guard let (line, _, tail) = HistoryCoding.decode(bytes), line.sequence > applied,
                        !cuts.contains(CutState(key: key, sequence: line.sequence))
                    else { return }
                    try index.use("applying the journal") { statements in
                        if overlays { try statements.overlay(line, bytes: bytes, of: key) }
                        try statements.apply(line, checksum: tail.checksum, bytes: bytes, to: key)
                    }
                case .removal(let key):
                    guard current > applied, scope.contains(key) else { return }
                    try index.use("applying the journal") { try $0.remove(key, at: current) }
                case .end(let sequence):
                    transactions += 1
                    guard sequence > applied else { return }
                    try index.use("applying the journal") { try $0.setMeta("sequence", String(sequence)) }
                    if transactions % 2000 == 0 {
                        try index.commit()
                        try index.begin()
                    }
                }
            }
            try index.commit()
        } catch {
            index.rollback()
            throw error
        }
    }

    /// Fills an empty index from the histories, the accounts' marks and the journal.
    ///
    /// With `overlays`, lines that the journal has and the files have not are kept in the index: the path cannot be written.
    mutating func rebuild(_ index: StoreIndex, overlays: Bool, observer: RecoveryObserver<Files>? = nil) throws {
        let histories = HistoryFiles(files: files, path: path)
        let limit = isCopy || overlays ? lastSequence : UInt64(Int64.max)
        var largest = floor
        var damage: [Damage] = []
        try index.begin()
        do {
            for cut in cuts {
                try index.use("rebuilding the index") { try $0.cut(cut.key, sequence: cut.sequence) }
            }
            var count = 0
            // A check counts by itself.
            var census = isCopy || observer != nil ? nil : try HistoryCensus(files, path)
            try histories.forEachHistory(
                in: scope, threads: threads, unreadable: observer?.unreadableFolder, ended: { try observer?.ended($0) }
            ) { key, ahead in
                var first: HistoryLine?
                var isThere = false
                func take(_ reading: HistoryFiles<Files>.Reading) throws {
                    try observer?.read(key, reading)
                    switch reading {
                    case .bad(let found, _):
                        damage.append(found)
                        isThere = true
                    case .valid(let line, let tail, let bytes, let place):
                        guard line.sequence <= limit else {
                            damage.append(
                                Damage(
                                    .cutByCopy, file: path.relativeHistory(key), offset: place.offset, length: place.length,
                                    reason: "transaction \(line.sequence) is not in the journal"))
                            return
                        }
                        guard !cuts.contains(CutState(key: key, sequence: line.sequence)) else { return }
                        largest = max(largest, line.sequence)
                        (first, isThere) = (first ?? line, true)
                        try index.use("rebuilding the index") {
                            try $0.apply(line, checksum: tail.checksum, bytes: bytes, to: key)
                        }
                    }
                    if damage.count > RecoveryReport.limit { damage.removeLast() }
                }
                do {
                    if let ahead { try ahead.handOut(take) } else { try histories.read(key, take) }
                } catch let error as Errno where observer != nil {
                    try observer?.unreadable(key, error)
                }
                if isThere { census?.count(key, first: first) }
                count += 1
                if count % 5000 == 0 {
                    try index.commit()
                    try index.begin()
                }
            }
            if let missing = try census?.missing(journal) {
                damage += missing.damage
                report.vanished = missing.counts
            }
            try restoreMarks(index, unreadable: observer?.unreadableFolder)
            try index.use("rebuilding the index") { statements in
                let position = journal.segments.last { $0.header != nil && $0.header!.position != nil }?.header?.position
                try statements.setMeta("position", checkpoint?.position ?? position)
            }
            try index.commit()
        } catch {
            index.rollback()
            throw error
        }
        for found in damage { report.add(found) }
        let isWhole = damage.allSatisfy { $0.finding == .cutByCopy }
        try observer?.finished()
        try apply(to: index, after: 0, fromSegment: 0, overlays: overlays)
        try index.begin()
        try index.use("rebuilding the index") { statements in
            try statements.setMeta("sequence", String(max(largest, lastSequence)))
            try statements.setMeta("layout", StoreIndex.layout)
            try statements.setMeta("store", identity.storeID)
            try statements.setMeta("complete", "1")
            // It knows the blobs that states name, not those that lie there.
            try statements.setMeta(Orphans.name, isWhole ? Orphans.possible : Orphans.damagedHistories)
        }
        try index.commit()
        report.indexRebuilt = true
    }

    /// Takes the marks of each account's newest readable `account_stat`; what came after it is in the journal.
    private func restoreMarks(_ index: StoreIndex, unreadable: ((FilePath, Errno) throws -> Void)?) throws {
        guard try files.status(path.accounts) != nil else { return }
        for account in try files.list(path.accounts) where account.isFolder && scope.contains(account.name) {
            var newest: AccountStat?
            do {
                newest = try AccountStat.newest(files, path, account.name)
            } catch let error as Errno where unreadable != nil {
                try unreadable?(path.account(account.name), error)
            }
            guard let stat = newest else { continue }
            try index.use("rebuilding the index") { statements in
                // Numbered within their transaction, as the journal numbers them: replayed, it puts them in the same place.
                var (sequence, n): (UInt64, Int) = (0, 0)
                for mark in stat.marks {
                    (sequence, n) = mark.sequence == sequence ? (sequence, n + 1) : (mark.sequence, 0)
                    try statements.mark(account.name, mark.mark, sequence: sequence, n: n)
                }
            }
        }
    }
}
