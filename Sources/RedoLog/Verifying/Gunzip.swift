import CZlib

/// Decompresses one gzip stream (RFC 1952) that arrives in pieces.
///
/// Memory is the decompressor's own and one chunk, whatever the stream claims.
final class Gunzip {
    private var stream = z_stream()
    private let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
    /// Whether the stream's end was reached, with its checksum right.
    private(set) var isComplete = false
    /// Whether bytes came that are not of the stream, or came after its end.
    private(set) var isDamaged = false

    init() {
        // 16 + 15 bits: gzip only, with the largest window.
        precondition(
            inflateInit2_(&stream, 31, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK, "zlib does not start")
    }

    deinit {
        inflateEnd(&stream)
        chunk.deallocate()
    }

    /// Starts a new stream.
    func reset() {
        inflateReset(&stream)
        isComplete = false
        isDamaged = false
    }

    /// Hands what these bytes decompress to over to `sink`.
    func update(_ bytes: UnsafeRawBufferPointer, into sink: (UnsafeRawBufferPointer) throws -> Void) rethrows {
        guard bytes.count > 0 else { return }
        if isComplete { isDamaged = true }
        guard !isDamaged else { return }
        stream.next_in = UnsafeMutablePointer(mutating: bytes.bindMemory(to: UInt8.self).baseAddress)
        stream.avail_in = UInt32(bytes.count)
        repeat {
            stream.next_out = chunk.bindMemory(to: UInt8.self).baseAddress
            stream.avail_out = UInt32(chunk.count)
            let status = inflate(&stream, Z_NO_FLUSH)
            let produced = chunk.count - Int(stream.avail_out)
            if produced > 0 { try sink(UnsafeRawBufferPointer(rebasing: chunk[..<produced])) }
            if status == Z_STREAM_END {
                isComplete = true
                if stream.avail_in > 0 { isDamaged = true }
                return
            }
            guard status == Z_OK || (status == Z_BUF_ERROR && stream.avail_in == 0) else {
                isDamaged = true
                return
            }
        } while stream.avail_in > 0 || stream.avail_out == 0
    }
}
