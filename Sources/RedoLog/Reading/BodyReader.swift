import CZlib

extension LogFile {
    /// Opens a body for reading in pieces, decompressed where it is a gzip stream (section 4.2).
    ///
    /// - Parameter uncompressedSize: what the record says; a body of another length that begins like gzip is decompressed. nil:
    ///   the body is never compressed.
    /// - Returns: fills a buffer with the next bytes and returns their number, 0 at the end; throws `fileShrank` when the body
    ///   does not lie wholly in the file, and `bodyDamaged` when it cannot be decompressed to the size that the record says.
    public func openBody(
        _ body: Body, uncompressedSize: Int64?
    ) throws(RedoLogError) -> (UnsafeMutableRawBufferPointer) throws -> Int {
        var isGzip = false
        if let uncompressedSize, uncompressedSize != body.length, body.length >= 18 {
            isGzip = try read(at: body.offset, count: 2) == [0x1F, 0x8B]
        }
        let reader = BodyReader(body: body, file: self, size: uncompressedSize, isGzip: isGzip)
        return { try reader.read(into: $0) }
    }
}

/// One body on its way out of a file.
private final class BodyReader {
    private let body: Body
    private let file: LogFile
    private let size: Int64?
    private let isGzip: Bool
    private var offset: Int64
    private var produced: Int64 = 0
    private var stream = z_stream()
    private var input: UnsafeMutableRawBufferPointer
    private var isFinished = false

    init(body: Body, file: LogFile, size: Int64?, isGzip: Bool) {
        self.body = body
        self.file = file
        self.size = size
        self.isGzip = isGzip
        offset = body.offset
        input = .allocate(byteCount: isGzip ? 64 << 10 : 0, alignment: 16)
        if isGzip {
            precondition(
                inflateInit2_(&stream, 31, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK, "zlib does not start")
        }
    }

    deinit {
        if isGzip { inflateEnd(&stream) }
        input.deallocate()
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        guard buffer.count > 0 else { return 0 }
        return isGzip ? try inflate(into: buffer) : try copy(into: buffer)
    }

    private func copy(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let wanted = Int(min(Int64(buffer.count), body.end - offset))
        guard wanted > 0 else { return 0 }
        let count = try file.read(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]))
        guard count > 0 else { throw shrank() }
        offset += Int64(count)
        return count
    }

    private func inflate(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        guard !isFinished else { return 0 }
        stream.next_out = buffer.bindMemory(to: UInt8.self).baseAddress
        stream.avail_out = UInt32(clamping: buffer.count)
        let capacity = Int(stream.avail_out)
        while stream.avail_out > 0 {
            if stream.avail_in == 0, offset < body.end {
                let wanted = Int(min(Int64(input.count), body.end - offset))
                let count = try file.read(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: input[..<wanted]))
                guard count > 0 else { throw shrank() }
                offset += Int64(count)
                stream.next_in = input.bindMemory(to: UInt8.self).baseAddress
                stream.avail_in = UInt32(count)
            }
            let status = CZlib.inflate(&stream, Z_NO_FLUSH)
            if status == Z_STREAM_END {
                isFinished = true
                break
            }
            guard status == Z_OK else { throw damaged("the stream is not gzip, or ends too early") }
        }
        let count = capacity - Int(stream.avail_out)
        produced += Int64(count)
        if let size, produced > size || isFinished && produced != size {
            throw damaged("it decompresses to \(produced) bytes and not to \(size)")
        }
        return count
    }

    private func shrank() -> RedoLogError {
        RedoLogError(
            .fileShrank, doing: "reading a body of \(body.length) bytes at \(body.offset)",
            subject: "\(file.path), offset \(offset)",
            remedy: "The mail server has cut the file; the affected mailbox has to be compared with the server.")
    }

    private func damaged(_ reason: String) -> RedoLogError {
        RedoLogError(
            .bodyDamaged, doing: "decompressing a body of \(body.length) bytes: \(reason)",
            subject: "\(file.path), offset \(body.offset)",
            remedy: "The affected mailbox has to be compared with the server.")
    }
}
