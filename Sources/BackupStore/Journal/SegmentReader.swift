import SystemPackage

/// A whole group of frames in a segment.
struct JournalGroup: Sendable, Equatable {
    /// Where its first frame begins.
    var start: Int64
    /// Where its last frame ends.
    var end: Int64
    /// Its number within the segment.
    var number: UInt32
    /// The last sequence committed by it.
    var lastSequence: UInt64
    /// Whether it was rolled back.
    var isAbandoned: Bool
}

/// What a scan of a segment found.
struct SegmentScan: Sendable {
    /// Whole groups, in order, those rolled back left out.
    var lastGroup: JournalGroup?
    /// How many groups there are, those rolled back left out.
    var groups = 0
    /// Where the last whole group ends: where the segment ends.
    var end: Int64
    /// Torn tail and corruption.
    var damage: [Damage] = []
}

/// Reads a segment without trusting a byte of it.
///
/// The file is open only while it is read: seven days of a busy server are more segments than a process may have descriptors.
final class SegmentReader<Files: FileSystem> {
    let name: SegmentName
    let header: SegmentHeader?
    let start: Int64
    /// The file's length when it was looked at first.
    let size: Int64
    private let files: Files
    private let path: BackupPath
    private var file: Files.File?

    init(_ name: SegmentName, _ files: Files, _ path: BackupPath) throws {
        self.name = name
        self.files = files
        self.path = path
        let file = try files.open(path.segment(name), .read)
        defer { file.close() }
        size = try file.size()
        let found = try SegmentHeader.read(file)
        header = found?.0
        start = found?.end ?? 0
    }

    deinit { close() }

    /// The file, open until ``close()``.
    func opened() throws -> Files.File {
        if let file { return file }
        let opened = try files.open(path.segment(name), .read)
        file = opened
        return opened
    }

    /// Closes the file until it is read again.
    func close() {
        file?.close()
        file = nil
    }

    /// The frame at an offset: its header and payload, nil if it is not whole or not this segment's.
    private func frame(at offset: Int64, before limit: Int64) throws -> (FrameHeader, payload: [UInt8])? {
        guard limit - offset >= Int64(FrameHeader.size) else { return nil }
        let file = try opened()
        let head = try file.readBytes(at: offset, count: FrameHeader.size)
        guard head.count == FrameHeader.size else { return nil }
        let header = try head.withUnsafeBytes { try FrameHeader($0) }
        guard header.salt == name.salt, Int64(header.length) <= limit - offset - Int64(FrameHeader.size) else { return nil }
        let payload = try file.readBytes(at: offset + Int64(FrameHeader.size), count: Int(header.length))
        guard payload.count == Int(header.length) else { return nil }
        let checksum = payload.withUnsafeBytes { payload in
            head.withUnsafeBytes { crc32(payload, continuing: crc32(UnsafeRawBufferPointer(rebasing: $0[..<32]))) }
        }
        return checksum == header.checksum || BrokenRule.breaks(.r6) ? (header, payload) : nil
    }

    /// The whole group that begins at an offset, nil if there is none.
    private func group(at offset: Int64, before limit: Int64) throws -> JournalGroup? {
        var place = offset
        var number: UInt32 = 0
        var expected: UInt32 = 0
        while let (header, _) = try frame(at: place, before: limit) {
            guard header.frame == expected, expected == 0 || header.group == number else { return nil }
            number = header.group
            expected += 1
            place += Int64(FrameHeader.size) + Int64(header.length)
            if header.flags & (FrameHeader.closes | FrameHeader.abandons) != 0 {
                return JournalGroup(
                    start: offset, end: place, number: number, lastSequence: header.lastSequence,
                    isAbandoned: header.flags & FrameHeader.abandons != 0)
            }
        }
        return nil
    }

    /// Goes through all groups up to `limit` (the file's end where nil) and hands them out.
    ///
    /// R6: the first group that fails is the torn tail if no valid later group follows; otherwise it is corruption and
    /// reading goes on behind it. Where `limit` is given, a later segment has proven that all before it was committed.
    func scan(limit: Int64?, _ body: (JournalGroup) throws -> Void = { _ in }) throws -> SegmentScan {
        let end = limit ?? size
        let file = "journal/\(name)"
        var scan = SegmentScan(lastGroup: nil, end: start)
        var offset = start
        if header == nil {
            scan.damage.append(Damage(.corrupt, file: file, offset: 0, reason: "the header cannot be read"))
        }
        while offset < end {
            if let group = try group(at: offset, before: min(end, size)) {
                if !group.isAbandoned {
                    scan.lastGroup = group
                    scan.groups += 1
                    try body(group)
                }
                offset = group.end
                scan.end = offset
                continue
            }
            if let next = try nextGroup(after: offset, before: min(end, size)) {
                if header != nil || offset > 0 {
                    scan.damage.append(
                        Damage(
                            .corrupt, file: file, offset: offset, length: next - offset,
                            reason: "frames are damaged; valid groups follow"))
                }
                offset = next
                continue
            }
            let finding: Damage.Finding = limit == nil && header != nil ? .tornTail : .corrupt
            let reason =
                finding == .tornTail
                ? "the last group was not written to its end; it was never committed" : "committed groups cannot be read"
            scan.damage.append(Damage(finding, file: file, offset: offset, length: end - offset, reason: reason))
            break
        }
        return scan
    }

    /// Where the next whole group begins after bytes that are none: looks for the salt, in pieces.
    private func nextGroup(after offset: Int64, before limit: Int64) throws -> Int64? {
        var pattern: [UInt8] = []
        pattern.append(integer: name.salt)
        let pieceSize = 1 << 20
        let file = try opened()
        var place = offset + 1
        while limit - place >= Int64(FrameHeader.size) {
            let piece = try file.readBytes(at: place, count: Int(min(Int64(pieceSize), limit - place)))
            guard piece.count >= 8 else { return nil }
            for index in 0...(piece.count - 8) where piece[index] == pattern[0] && piece[index..<index + 8].elementsEqual(pattern)
            {
                let candidate = place + Int64(index)
                if try group(at: candidate, before: limit) != nil { return candidate }
            }
            place += Int64(piece.count - 7)
        }
        return nil
    }

    /// Hands out the records of a whole group.
    func records(of group: JournalGroup, _ body: (JournalRecord) throws -> Void) throws {
        try payloads(of: group) { payload in
            try payload.withUnsafeBytes { try JournalRecord.forEach(in: $0, body) }
        }
    }

    /// Hands out the payloads of a whole group, one frame at a time (R12).
    func payloads(of group: JournalGroup, _ body: ([UInt8]) throws -> Void) throws {
        var offset = group.start
        while offset < group.end {
            guard let (header, payload) = try frame(at: offset, before: group.end) else {
                throw StoreError(
                    .damaged, doing: "reading the journal again", subject: "journal/\(name) at \(offset)",
                    remedy: "The file changed while it was read")
            }
            try body(payload)
            offset += Int64(FrameHeader.size) + Int64(header.length)
        }
    }
}
