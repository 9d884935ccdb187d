import Glibc

/// Why a record could not be read.
enum ReadFailure: Error {
    /// A byte that is needed lies at or beyond the end of the file.
    case incomplete
    /// The bytes cannot be a record; the offset is that of the impossible value.
    case damage(Int64, StaticString)
    /// The file could not be read.
    case file(RedoLogError)
}

/// Reads numbers and texts from a window on a file, checking every read against the end of the file.
///
/// The window is one buffer that is filled again by `pread` where the reader goes on: no part of a body that lies outside of
/// it is read, and a file that the server truncates meanwhile is only a short read.
struct FieldReader {
    let file: LogFile
    /// The version of the record at hand.
    var version = FormatVersion.current
    /// Nothing at or beyond this offset is read.
    var end: Int64
    /// When false, texts and lists are checked and stepped over, but not kept: nothing is allocated.
    var keepsValues = true

    private let window: UnsafeMutableRawPointer
    private let capacity: Int
    /// The file offset of the window's first byte.
    private var windowOffset: Int64
    /// The number of valid bytes in the window; never reaches beyond `end`.
    private var available = 0
    /// The next byte, as an index in the window.
    private var position = 0
    /// How much is read at once: little behind a jump over a body, where the next body may be near, and more and more after
    /// that.
    private var readAhead: Int
    private static let smallestRead = 4096

    /// The window lends its memory from the owner, who frees it.
    init(file: LogFile, offset: Int64, end: Int64, window: UnsafeMutableRawBufferPointer) {
        self.file = file
        self.end = end
        self.window = window.baseAddress!
        capacity = window.count
        windowOffset = offset
        readAhead = min(Self.smallestRead, window.count)
    }

    /// The file offset of the next byte.
    @inline(__always)
    var offset: Int64 { windowOffset &+ Int64(position) }

    /// The number of bytes up to the end.
    @inline(__always)
    var remaining: Int64 { end - offset }

    /// Goes on at another offset, which is not beyond the end.
    @inline(__always)
    mutating func seek(to target: Int64) {
        let index = target &- windowOffset
        if index >= 0 && index <= Int64(available) {
            position = Int(index)
        } else {
            windowOffset = target
            available = 0
            position = 0
            readAhead = min(Self.smallestRead, capacity)
        }
    }

    /// Forgets the window, for instance because the file may have changed in it.
    mutating func forgetWindow() {
        windowOffset = offset
        available = 0
        position = 0
    }

    /// Makes at least `count` (at most the window's size) bytes available at the position.
    @inline(never)
    private mutating func refill(_ count: Int) throws(ReadFailure) {
        let start = offset
        guard Int64(count) <= end - start else { throw .incomplete }
        let kept = available - position
        if kept > 0 { memmove(window, window + position, kept) }
        windowOffset = start
        position = 0
        available = kept
        let wanted = Int(min(Int64(max(count, readAhead)), end - start)) - kept
        readAhead = min(capacity, readAhead * 4)
        do {
            available += try file.read(
                at: start + Int64(kept), into: UnsafeMutableRawBufferPointer(start: window + kept, count: wanted))
        } catch { throw .file(error) }
        guard available >= count else { throw .incomplete }  // Truncated since the end was looked up.
    }

    @inline(__always)
    private mutating func integer<Integer: FixedWidthInteger>() throws(ReadFailure) -> Integer {
        let size = MemoryLayout<Integer>.size
        if available &- position < size { try refill(size) }
        let value = (window + position).loadUnaligned(as: Integer.self)
        position &+= size
        return Integer(bigEndian: value)
    }

    @inline(__always)
    mutating func int8() throws(ReadFailure) -> Int8 { try integer() }
    @inline(__always)
    mutating func int16() throws(ReadFailure) -> Int16 { try integer() }
    @inline(__always)
    mutating func int32() throws(ReadFailure) -> Int32 { try integer() }
    @inline(__always)
    mutating func int64() throws(ReadFailure) -> Int64 { try integer() }

    /// Steps over bytes without reading them.
    @inline(__always)
    mutating func skip(_ count: Int64) throws(ReadFailure) {
        guard count <= remaining else { throw .incomplete }
        seek(to: offset + count)
    }

    @inline(__always)
    mutating func transaction() throws(ReadFailure) -> TransactionID {
        TransactionID(time: try int32(), counter: try int32())
    }

    /// Whether these bytes come next; steps over them if they do.
    mutating func expect(_ bytes: [UInt8]) throws(ReadFailure) -> Bool {
        if available - position < bytes.count { try refill(bytes.count) }
        guard bytes.withUnsafeBytes({ memcmp(window + position, $0.baseAddress!, bytes.count) }) == 0 else { return false }
        position += bytes.count
        return true
    }

    /// The first offset at or behind `start` where these bytes lie wholly before the end.
    mutating func find(_ bytes: [UInt8], from start: Int64) throws(ReadFailure) -> Int64? {
        guard start <= end else { return nil }
        seek(to: start)
        while remaining >= Int64(bytes.count) {
            if available - position < bytes.count { try refill(min(capacity, Int(remaining))) }
            // The last bytes of the window may be the first of a match: they are looked at with the next window.
            let searched = available - position - (bytes.count - 1)
            guard let first = memchr(window + position, Int32(bytes[0]), searched) else {
                position += searched
                continue
            }
            position = UnsafeRawPointer(first) - UnsafeRawPointer(window)
            if bytes.withUnsafeBytes({ memcmp(first, $0.baseAddress!, bytes.count) }) == 0 { return offset }
            position += 1
        }
        return nil
    }

    static let longestText: Int32 = 32 << 20

    /// A length and that many bytes of UTF-8; −1 is null.
    @inline(__always)
    mutating func text() throws(ReadFailure) -> LogText? {
        let length = try int32()
        let count = Int(length)
        if _fastPath(length >= 0 && count <= available &- position && keepsValues) {
            let text = LogText(copying: UnsafeRawBufferPointer(start: window + position, count: count))
            position &+= count
            return text
        }
        return try unusualText(length)
    }

    @inline(never)
    private mutating func unusualText(_ length: Int32) throws(ReadFailure) -> LogText? {
        if length == -1 { return nil }
        guard length >= 0 && length <= Self.longestText else {
            throw .damage(offset - 4, "the length of a text")
        }
        let count = Int(length)
        guard Int64(count) <= remaining else { throw .incomplete }
        guard keepsValues else {
            try skip(Int64(count))
            return nil
        }
        if count <= capacity {
            try refill(count)
            let text = LogText(copying: UnsafeRawBufferPointer(start: window + position, count: count))
            position += count
            return text
        }
        let bytes: [UInt8]
        do { bytes = try file.read(at: offset, count: count) } catch { throw .file(error) }
        guard bytes.count == count else { throw .incomplete }
        seek(to: offset + Int64(count))
        return LogText(bytes: bytes)
    }

    /// A count of elements of at least `minimum` bytes each, which must lie before the end.
    @inline(__always)
    func check(_ count: Int64, minimum: Int64, _ what: StaticString) throws(ReadFailure) {
        guard count >= 0 else { throw .damage(offset - 4, what) }
        guard count * minimum <= remaining else { throw .incomplete }
    }
}
