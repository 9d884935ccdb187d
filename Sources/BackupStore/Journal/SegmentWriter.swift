import SystemPackage

/// Appends groups to one segment. After any error the segment is abandoned, never written again (R10).
final class SegmentWriter<Files: FileSystem> {
    let name: SegmentName
    private let file: Files.File
    private let location: String
    /// Where the last durable group ends.
    private(set) var end: Int64
    /// Where the next frame goes; behind ``end`` while parts of a large group are written already.
    private var offset: Int64
    private var group: UInt32 = 0
    private var frame: UInt32 = 0
    private var pending: [UInt8] = []

    /// More than this is written before the group's end, so that a large transaction is never in memory whole (R3, R12).
    static var spillSize: Int { 1 << 20 }

    /// Makes a segment: durable, with its name, before anything is committed to it.
    ///
    /// Its first group may be one that is carried over from the segment before; then both become durable together.
    init(
        _ name: SegmentName, header: SegmentHeader, _ files: Files, _ path: BackupPath,
        carrying payloads: ((_ body: ([UInt8]) throws -> Void) throws -> Void)? = nil, lastSequence: UInt64 = 0
    ) throws {
        self.name = name
        location = path.segment(name).string
        let file = try files.open(path.segment(name), .createNew)
        self.file = file
        let bytes = header.bytes
        end = Int64(bytes.count)
        offset = end
        if let payloads {
            // The header comes last: without it the segment counts for nothing, and the one before it still has the group.
            try payloads { payload in try append { $0.append(contentsOf: payload) } }
            try writeFrame(flags: FrameHeader.closes, lastSequence: lastSequence)
            (end, group, frame) = (offset, 1, 0)
            try file.sync()
        }
        try bytes.withUnsafeBytes { try file.write($0, at: 0) }
        if BrokenRule.breaks(.r13) { try file.truncate(to: offset + 64 << 10) }
        try file.sync()
        try files.syncFolder(path.journal)
    }

    /// Goes on with a segment that holds no group yet, and whose header is durable.
    init(emptySegment name: SegmentName, start: Int64, _ files: Files, _ path: BackupPath) throws {
        self.name = name
        location = path.segment(name).string
        let file = try files.open(path.segment(name), .update)
        self.file = file
        try files.syncFolder(path.journal)
        end = start
        offset = start
    }

    deinit { file.close() }

    /// Whether the group at hand holds something.
    var hasPending: Bool { !pending.isEmpty || frame > 0 }

    /// Whether parts of the group at hand are in the file already.
    var hasSpilled: Bool { frame > 0 }

    /// Adds records to the group at hand.
    func append(_ records: (inout [UInt8]) -> Void) throws {
        records(&pending)
        if pending.count >= Self.spillSize { try writeFrame(flags: 0, lastSequence: 0) }
    }

    /// R3: the one commit point. When it returns the group is durable.
    func commit(lastSequence: UInt64) throws -> JournalGroup {
        try writeFrame(flags: FrameHeader.closes, lastSequence: lastSequence)
        do {
            if !BrokenRule.breaks(.r3) { try file.syncData() }
        } catch where BrokenRule.breaks(.r10) {
            try file.syncData()
        } catch {
            throw StoreError(
                .syncFailed, doing: "committing to the journal", subject: location,
                remedy: "Look at the kernel's log for errors of the disk. Nothing of the group was committed", cause: error)
        }
        let committed = JournalGroup(start: end, end: offset, number: group, lastSequence: lastSequence, isAbandoned: false)
        end = offset
        group += 1
        frame = 0
        return committed
    }

    /// Drops the group at hand; what was written of it is marked void, not overwritten (R13).
    func rollback() throws {
        pending.removeAll(keepingCapacity: true)
        guard hasSpilled else { return }
        try writeFrame(flags: FrameHeader.abandons, lastSequence: 0)
        end = offset
        group += 1
        frame = 0
    }

    private func writeFrame(flags: UInt32, lastSequence: UInt64) throws {
        let header = FrameHeader(
            salt: name.salt, group: group, frame: frame, length: UInt32(pending.count), flags: flags, lastSequence: lastSequence)
        var bytes = pending.withUnsafeBytes { header.bytes(payload: $0) }
        bytes.append(contentsOf: pending)
        try bytes.withUnsafeBytes { try file.write($0, at: offset) }
        offset += Int64(bytes.count)
        frame += 1
        pending.removeAll(keepingCapacity: true)
    }
}
