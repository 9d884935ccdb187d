/// A segment's number, rising by one, and its salt, both in the file's name.
///
/// The salt stands in every frame: bytes that an older file left on the disk are never taken for this segment's.
struct SegmentName: Hashable, Sendable, CustomStringConvertible {
    var number: UInt64
    var salt: UInt64

    /// `segment-0000000001-9f…`.
    var description: String {
        let digits = String(number)
        let hex = String(salt, radix: 16)
        return "segment-" + String(repeating: "0", count: max(0, 10 - digits.count)) + digits + "-"
            + String(repeating: "0", count: 16 - hex.count) + hex
    }

    init(number: UInt64, salt: UInt64) {
        self.number = number
        self.salt = salt
    }

    init?(_ name: String) {
        let parts = name.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "segment", parts[2].utf8.count == 16, let number = UInt64(parts[1]),
            let salt = UInt64(parts[2], radix: 16)
        else { return nil }
        self.init(number: number, salt: salt)
    }
}

/// The first bytes of a segment: what holds before its first group.
struct SegmentHeader: Sendable, Equatable {
    /// Whose journal it is.
    var storeID: String
    /// The first sequence that the segment's groups may bear.
    var firstSequence: UInt64
    /// Where the segment before it ends: what lies behind was torn or abandoned, whatever it looks like (R6, R10).
    var previousEnd: Int64
    /// The source position before the first group.
    var position: String?
    /// When it was begun, milliseconds since 1970.
    var time: Int64

    private static let magic = Array("zxjrnl01".utf8)

    /// Magic, length, checksum, JSON.
    var bytes: [UInt8] {
        var members: JSONObject = [
            "store": .string(storeID), "first": .int(Int64(firstSequence)), "previousEnd": .int(previousEnd), "time": .int(time),
        ]
        members["position"] = position.map { .string($0) }
        var json: [UInt8] = []
        members.encode(into: &json)
        var bytes = Self.magic
        bytes.append(integer: UInt32(json.count))
        bytes.append(integer: json.withUnsafeBytes { crc32($0) })
        return bytes + json
    }

    /// The header at the start of a segment and where it ends; nil if it is not whole.
    static func read(_ file: some OpenFile) throws -> (SegmentHeader, end: Int64)? {
        let head = try file.readBytes(at: 0, count: 16)
        guard head.count == 16, head.starts(with: magic) else { return nil }
        return try head.withUnsafeBytes { head in
            var cursor = ByteCursor(bytes: head, offset: 8)
            let length = Int(try cursor.integer(UInt32.self))
            let checksum = try cursor.integer(UInt32.self)
            guard length <= 1 << 24 else { return nil }
            let json = try file.readBytes(at: 16, count: length)
            guard json.count == length, json.withUnsafeBytes({ crc32($0) }) == checksum,
                let members = try? JSONObject(json: json), let storeID = members["store"]?.string,
                let first = members["first"]?.int, let previousEnd = members["previousEnd"]?.int,
                let time = members["time"]?.int
            else { return nil }
            let header = SegmentHeader(
                storeID: storeID, firstSequence: UInt64(max(0, first)), previousEnd: previousEnd,
                position: members["position"]?.string, time: time)
            return (header, Int64(16 + length))
        }
    }
}

/// A frame: up to about a megabyte of records of one group.
///
/// Layout, little-endian: salt (8), group (4), frame within the group (4), payload length (4), flags (4), last sequence (8),
/// CRC-32 of all that and the payload (4), payload.
struct FrameHeader: Equatable {
    static let size = 36
    /// The group is complete with this frame.
    static let closes: UInt32 = 1
    /// The group is void: it was rolled back after parts of it had been written.
    static let abandons: UInt32 = 2

    var salt: UInt64
    var group: UInt32
    var frame: UInt32
    var length: UInt32
    var flags: UInt32
    var lastSequence: UInt64
    var checksum: UInt32 = 0

    /// The header's bytes with the checksum over them and the payload.
    func bytes(payload: UnsafeRawBufferPointer) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.size)
        bytes.append(integer: salt)
        bytes.append(integer: group)
        bytes.append(integer: frame)
        bytes.append(integer: length)
        bytes.append(integer: flags)
        bytes.append(integer: lastSequence)
        bytes.append(integer: crc32(payload, continuing: bytes.withUnsafeBytes { crc32($0) }))
        return bytes
    }

    init(salt: UInt64, group: UInt32, frame: UInt32, length: UInt32, flags: UInt32, lastSequence: UInt64) {
        (self.salt, self.group, self.frame) = (salt, group, frame)
        (self.length, self.flags, self.lastSequence) = (length, flags, lastSequence)
    }

    init(_ bytes: UnsafeRawBufferPointer) throws {
        var cursor = ByteCursor(bytes: bytes)
        salt = try cursor.integer(UInt64.self)
        group = try cursor.integer(UInt32.self)
        frame = try cursor.integer(UInt32.self)
        length = try cursor.integer(UInt32.self)
        flags = try cursor.integer(UInt32.self)
        lastSequence = try cursor.integer(UInt64.self)
        checksum = try cursor.integer(UInt32.self)
    }
}
