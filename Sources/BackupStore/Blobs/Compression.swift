import CLibdeflate
import CShims
import CZlib

/// Writes gzip members: ISA-L at levels 1 to 3, zlib at 4 to 9 (Design, section 4).
package final class Compressor {
    private let isal: OpaquePointer?
    private let zlib: UnsafeMutablePointer<z_stream>?

    package init(level: Int) {
        if level <= 3 {
            isal = zx_deflater_new(Int32(max(1, level)))
            precondition(isal != nil, "out of memory")
            zlib = nil
        } else {
            isal = nil
            // zlib keeps a pointer to the stream: it must not move.
            let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
            stream.initialize(to: z_stream())
            // 15 + 16: the largest window, in a gzip member.
            let result = deflateInit2_(
                stream, Int32(min(9, level)), Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
                Int32(MemoryLayout<z_stream>.size))
            precondition(result == Z_OK, "out of memory")
            zlib = stream
        }
    }

    deinit {
        if let isal { zx_deflater_free(isal) }
        if let zlib {
            deflateEnd(zlib)
            zlib.deallocate()
        }
    }

    /// Begins a new member.
    func reset() {
        if let isal { zx_deflater_reset(isal) }
        if let zlib { deflateReset(zlib) }
    }

    /// Compresses all of `input`; hands what comes out to `output` in pieces. `last` ends the member.
    package func run(
        _ input: UnsafeRawBufferPointer, last: Bool, buffer: UnsafeMutableRawBufferPointer,
        _ output: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        if isal != nil { try runISAL(input, last, buffer, output) } else { try runZlib(input, last, buffer, output) }
    }

    private func runISAL(
        _ input: UnsafeRawBufferPointer, _ last: Bool, _ buffer: UnsafeMutableRawBufferPointer,
        _ output: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        var next = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
        var rest = input.count
        var done: Int32 = 0
        repeat {
            let count = zx_deflater_run(
                isal, &next, &rest, last ? 1 : 0, buffer.baseAddress!.assumingMemoryBound(to: UInt8.self), buffer.count, &done)
            guard count >= 0 else { throw failed("ISA-L") }
            if count > 0 { try output(UnsafeRawBufferPointer(rebasing: buffer[..<Int(count)])) }
            if rest == 0, !last, count < buffer.count { return }
        } while rest > 0 || done == 0
    }

    private func runZlib(
        _ input: UnsafeRawBufferPointer, _ last: Bool, _ buffer: UnsafeMutableRawBufferPointer,
        _ output: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let stream = zlib!
        stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(input.count)
        while true {
            stream.pointee.next_out = buffer.baseAddress!.assumingMemoryBound(to: UInt8.self)
            stream.pointee.avail_out = UInt32(buffer.count)
            let result = deflate(stream, last ? Z_FINISH : Z_NO_FLUSH)
            guard result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR else { throw failed("zlib") }
            let count = buffer.count - Int(stream.pointee.avail_out)
            if count > 0 { try output(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
            if last ? result == Z_STREAM_END : stream.pointee.avail_out > 0 { return }
        }
    }

    private func failed(_ library: String) -> StoreError {
        StoreError(.verificationFailed, doing: "compressing a blob", subject: "\(library) reported an error")
    }
}

/// Reads gzip members by zlib, whatever wrote them: the second opinion on what ``Compressor`` wrote.
final class Decompressor {
    /// How far a member has been read.
    enum Progress { case needsInput, ended }

    private let stream: UnsafeMutablePointer<z_stream>

    init() {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let result = inflateInit2_(stream, 31, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(result == Z_OK, "out of memory")
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    /// Begins a new member.
    func reset() { inflateReset(stream) }

    /// Decompresses all of `input`, which must not go on after the member's end.
    /// - Returns: nil where the bytes are no gzip member.
    func run(
        _ input: UnsafeRawBufferPointer, buffer: UnsafeMutableRawBufferPointer,
        _ output: (UnsafeRawBufferPointer) throws -> Void
    ) rethrows -> Progress? {
        stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(input.count)
        while true {
            stream.pointee.next_out = buffer.baseAddress!.assumingMemoryBound(to: UInt8.self)
            stream.pointee.avail_out = UInt32(buffer.count)
            let result = inflate(stream, Z_NO_FLUSH)
            guard result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR else { return nil }
            let count = buffer.count - Int(stream.pointee.avail_out)
            if count > 0 { try output(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
            if result == Z_STREAM_END { return stream.pointee.avail_in == 0 ? .ended : nil }
            if stream.pointee.avail_out > 0 { return .needsInput }
        }
    }
}

/// Reads gzip members that fit into memory, by libdeflate: some three times as fast as zlib, and as strict.
final class WholeDecompressor {
    private let state = libdeflate_alloc_decompressor()!

    deinit { libdeflate_free_decompressor(state) }

    /// Decompresses a member.
    ///
    /// - Returns: how many bytes of `output` it filled; nil where `input` is not one gzip member and nothing else, or `output` is too short.
    func run(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Int? {
        guard let bytes = input.baseAddress else { return nil }
        var (read, written) = (0, 0)
        let result = libdeflate_gzip_decompress_ex(state, bytes, input.count, output.baseAddress, output.count, &read, &written)
        return result == LIBDEFLATE_SUCCESS && read == input.count ? written : nil
    }
}
