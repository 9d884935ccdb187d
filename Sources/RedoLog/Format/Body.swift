/// Where the bytes of a message, document or attachment lie in a log file; never the bytes themselves.
///
/// `LogFile.readBody` streams them.
public struct Body: Hashable, Sendable {
    /// The offset of the first byte in the file.
    public var offset: Int64
    /// The number of bytes in the file, compressed or not.
    public var length: Int64

    /// A body at a place in a file.
    public init(offset: Int64, length: Int64) {
        self.offset = offset
        self.length = length
    }

    /// A body still to be written: the writer learns the place, the caller says the length.
    public init(length: Int64) { self.init(offset: 0, length: length) }

    /// The offset behind the last byte.
    public var end: Int64 { offset + length }
}
