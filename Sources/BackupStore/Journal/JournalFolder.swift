import SystemPackage

/// A checkpoint: everything up to its sequence is durable in the histories (R5).
struct Checkpoint: Sendable, Equatable {
    var sequence: UInt64
    /// Number of the first segment that holds what came after it.
    var segment: UInt64
    var position: String?
    var time: Int64
    /// Whole minutes of the store day that has begun (R11).
    var minutes: Int64 = 0

    var bytes: [UInt8] {
        var members: JSONObject = ["seq": .int(Int64(sequence)), "segment": .int(Int64(segment)), "time": .int(time)]
        members["position"] = position.map { .string($0) }
        if minutes > 0 { members["minutes"] = .int(minutes) }
        return SealedJSON.encode(members)
    }

    init(sequence: UInt64, segment: UInt64, position: String?, time: Int64, minutes: Int64 = 0) {
        (self.sequence, self.segment, self.position, self.time, self.minutes) = (sequence, segment, position, time, minutes)
    }

    init?(_ bytes: [UInt8]) {
        guard let members = SealedJSON.decode(bytes), let sequence = members["seq"]?.int, sequence >= 0,
            let segment = members["segment"]?.int, segment >= 0, let time = members["time"]?.int
        else { return nil }
        self.init(
            sequence: UInt64(sequence), segment: UInt64(segment), position: members["position"]?.string, time: time,
            minutes: min(max(members["minutes"]?.int ?? 0, 0), StoreDays.length / 60_000))
    }
}

/// What lies in `journal/`: segments and checkpoints, and how the segments follow each other.
struct JournalFolder<Files: FileSystem> {
    let files: Files
    let path: BackupPath
    /// In the order of their numbers.
    private(set) var segments: [SegmentReader<Files>] = []
    /// Readable checkpoints, oldest first.
    private(set) var checkpoints: [Checkpoint] = []
    /// Checkpoint files that cannot be read, and gaps in the segments' numbers.
    private(set) var damage: [Damage] = []
    /// Segments whose making a crash cut off, and whose removal another one took back: others have their numbers.
    private(set) var leftovers: [SegmentName] = []
    /// What a writer that lives on knows of the segment that it abandoned: where its last acknowledged group ends (R10).
    var abandoned: (name: SegmentName, end: Int64)?

    /// - Parameter storeID: segments of any other store are damage, and nothing of them is read.
    init(_ files: Files, _ path: BackupPath, storeID: String) throws {
        self.files = files
        self.path = path
        var names: [SegmentName] = []
        for entry in try files.list(path.journal) where !entry.isFolder {
            if let name = SegmentName(entry.name) { names.append(name) }
            guard let number = BackupPath.number(entry.name, after: "checkpoint-") else { continue }
            if let bytes = try files.readSmallFile(path.checkpoint(number)), let checkpoint = Checkpoint(bytes) {
                checkpoints.append(checkpoint)
            } else {
                damage.append(Damage(.corrupt, file: "journal/\(entry.name)", offset: 0, reason: "the checkpoint cannot be read"))
            }
        }
        checkpoints.sort { $0.sequence < $1.sequence }
        names.sort { ($0.number, $0.salt) < ($1.number, $1.salt) }
        for name in names {
            do {
                let segment = try SegmentReader(name, files, path)
                if let owner = segment.header?.storeID, !sameBytes(owner, storeID) {
                    damage.append(
                        Damage(.corrupt, file: "journal/\(name)", offset: 0, reason: "the segment belongs to store \(owner)"))
                    continue
                }
                segments.append(segment)
            } catch let error as Errno where error == .noSuchFileOrDirectory {
                continue  // Removed between the listing and now: it was older than journalKeepDays.
            }
        }
        let begun = Set(segments.filter { $0.header != nil }.map(\.name.number))
        leftovers = segments.filter { $0.header == nil && begun.contains($0.name.number) }.map(\.name)
        segments.removeAll { leftovers.contains($0.name) }
        for (before, after) in zip(segments, segments.dropFirst()) where after.name.number > before.name.number + 1 {
            let count = after.name.number - before.name.number - 1
            damage.append(
                Damage(.missing, file: "journal/\(after.name)", offset: 0, reason: "\(count) segment(s) before it are missing"))
        }
    }

    /// Takes the newest segment out, once its file is removed.
    mutating func forget(_ name: SegmentName) { segments.removeAll { $0.name == name } }

    /// Where the segment ends by what is known beyond it; nil for the newest.
    func limit(ofSegmentAt index: Int) -> Int64? {
        if let abandoned, abandoned.name == segments[index].name { return abandoned.end }
        guard index + 1 < segments.count, let header = segments[index + 1].header,
            segments[index + 1].name.number == segments[index].name.number + 1
        else { return nil }
        return header.previousEnd
    }

    /// The first sequence that the segments can hold.
    var firstSequence: UInt64 { segments.first { $0.header != nil }?.header?.firstSequence ?? 1 }

    /// What a scan of the segments found.
    struct Scan {
        var lastSequence: UInt64
        var lastSegment: Int?
        var lastGroup: JournalGroup?
        /// Where the newest segment ends.
        var end: Int64 = 0
        var damage: [Damage] = []
        /// A newest segment whose making a crash cut off.
        var stillborn: SegmentName?
        /// Where the segment before the newest ends, if a crash cut off the making of the newest when the group that it was begun with
        /// was in it already: no header, one group, which the segment before it has lost or never had.
        var endBeforeUnbegun: Int64?
    }

    /// Checks all groups from a segment number on; `floor` is the sequence known to be committed before them.
    func scan(fromSegment number: UInt64, floor: UInt64) throws -> Scan {
        var scan = Scan(lastSequence: floor)
        for (index, segment) in segments.enumerated() where segment.name.number >= number {
            defer { segment.close() }
            guard try isThere(index) else { continue }
            let found = try segment.scan(limit: limit(ofSegmentAt: index))
            if segment.header == nil, index == segments.count - 1, (found.lastGroup?.lastSequence ?? 0) <= scan.lastSequence {
                // Its making was cut off before its header was durable: nothing was ever committed to it.
                scan.stillborn = segment.name
                continue
            }
            if segment.header == nil, index == segments.count - 1, found.groups == 1, index > 0,
                segments[index - 1].name.number >= number, segments[index - 1].name.number + 1 == segment.name.number
            {
                scan.endBeforeUnbegun = scan.end
            }
            scan.end = found.end
            scan.damage += found.damage
            if let group = found.lastGroup, group.lastSequence > scan.lastSequence {
                scan.lastSequence = group.lastSequence
                (scan.lastSegment, scan.lastGroup) = (index, group)
            }
        }
        return scan
    }

    /// Hands out the records of all whole groups from a segment number on, in order.
    func replay(fromSegment number: UInt64, _ body: (JournalRecord) throws -> Void) throws {
        for (index, segment) in segments.enumerated() where segment.name.number >= number {
            defer { segment.close() }
            guard try isThere(index) else { continue }
            _ = try segment.scan(limit: limit(ofSegmentAt: index)) { group in
                do {
                    try segment.records(of: group, body)
                } catch is ByteCursor.OutOfBounds {
                    throw StoreError(
                        .damaged, doing: "replaying the journal", subject: "journal/\(segment.name) at \(group.start)",
                        remedy: "The checksum is right but the records are not; please report this")
                }
            }
        }
    }

    /// Whether a checkpoint has not removed the segment since the folder was listed; the histories hold what such a one held.
    private func isThere(_ index: Int) throws -> Bool {
        do {
            _ = try segments[index].opened()
            return true
        } catch let error as Errno where error == .noSuchFileOrDirectory && index < segments.count - 1 {
            return false
        }
    }
}
