/// A text of the redo log: its raw UTF-8 bytes, exactly as they are in the file.
///
/// Two texts are equal when their bytes are; nothing is normalised and nothing is repaired before `string` is asked for, so
/// that decoding and encoding a record gives the same bytes. Where null is legal the log's fields are `LogText?`.
/// Up to 15 bytes are kept in place, without an allocation.
public struct LogText: Sendable {
    private enum Storage: Sendable {
        /// Bytes in memory order; the highest byte of the second word is the count.
        case inline(UInt64, UInt64)
        case heap([UInt8])
    }

    private var storage: Storage

    static let inlineCapacity = 15

    /// The text with these bytes.
    public init(bytes: [UInt8]) {
        self = bytes.withUnsafeBytes { LogText(copying: $0) }
    }

    /// The UTF-8 form of a string.
    public init(_ string: String) {
        var string = string
        self = string.withUTF8 { LogText(copying: UnsafeRawBufferPointer($0)) }
    }

    /// Copies the bytes of a buffer.
    @inline(__always)
    init(copying source: UnsafeRawBufferPointer) {
        if source.count <= Self.inlineCapacity {
            var words = (UInt64(0), UInt64(0))
            withUnsafeMutableBytes(of: &words) { target in
                for index in 0..<source.count { target[index] = source[index] }
                target[15] = UInt8(truncatingIfNeeded: source.count)
            }
            storage = .inline(words.0, words.1)
        } else {
            storage = .heap([UInt8](source))
        }
    }

    /// The number of bytes.
    public var count: Int {
        switch storage {
        case .inline(_, let second): Int(UInt64(littleEndian: second) >> 56)
        case .heap(let bytes): bytes.count
        }
    }

    /// Whether there are no bytes.
    public var isEmpty: Bool { count == 0 }

    /// The bytes as an array.
    public var bytes: [UInt8] {
        switch storage {
        case .inline: withBytes { [UInt8]($0) }
        case .heap(let bytes): bytes
        }
    }

    /// Calls `body` with the bytes in place.
    @inline(__always)
    public func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        switch storage {
        case .inline(let first, let second):
            var words = (first, second)
            let count = self.count
            return try withUnsafeBytesOf(&words) { raw throws(Failure) in
                try body(UnsafeRawBufferPointer(rebasing: raw[..<count]))
            }
        case .heap(let bytes):
            return try withUnsafeBytesOf(bytes, body)
        }
    }

    /// The text for people: invalid UTF-8 is shown as U+FFFD.
    public var string: String {
        withBytes { String(decoding: $0, as: UTF8.self) }
    }
}

/// `withUnsafeBytes(of:)` with typed errors.
@inline(__always)
private func withUnsafeBytesOf<Value, Result, Failure: Error>(
    _ value: inout Value, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
) throws(Failure) -> Result {
    let outcome: Swift.Result<Result, Failure> = withUnsafeBytes(of: &value) { raw in
        do throws(Failure) { return .success(try body(raw)) } catch { return .failure(error) }
    }
    return try outcome.get()
}

/// `Array.withUnsafeBytes` with typed errors.
@inline(__always)
private func withUnsafeBytesOf<Result, Failure: Error>(
    _ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
) throws(Failure) -> Result {
    let outcome: Swift.Result<Result, Failure> = bytes.withUnsafeBytes { raw in
        do throws(Failure) { return .success(try body(raw)) } catch { return .failure(error) }
    }
    return try outcome.get()
}

extension LogText: Hashable {
    /// Byte equality.
    public static func == (left: LogText, right: LogText) -> Bool {
        switch (left.storage, right.storage) {
        case (.inline(let a, let b), .inline(let c, let d)): a == c && b == d
        case (.heap(let a), .heap(let b)): a == b
        default: false
        }
    }

    /// Hashes the bytes.
    public func hash(into hasher: inout Hasher) {
        switch storage {
        case .inline(let first, let second):
            hasher.combine(first)
            hasher.combine(second)
        case .heap(let bytes):
            hasher.combine(bytes)
        }
    }
}

extension LogText: ExpressibleByStringInterpolation, CustomStringConvertible {
    /// The UTF-8 form of a literal.
    public init(stringLiteral value: String) { self.init(value) }

    /// The same as `string`.
    public var description: String { string }
}
