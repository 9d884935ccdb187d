/// One line of a file, as bytes.
struct FileLine {
    /// Where it begins.
    var offset: Int64
    /// Its bytes, line feed included where there is one.
    var bytes: UnsafeRawBufferPointer
    /// Whether it ends in a line feed; only a torn last line does not.
    var isTerminated: Bool
    /// Whether it is longer than any line that the store writes; its bytes are not given.
    var isOverlong: Bool

    var end: Int64 { offset + length }
    var length: Int64
}

extension OpenFile {
    /// Hands out the file's lines in order, holding one at a time.
    func forEachLine(limit: Int = 1 << 27, _ body: (FileLine) throws -> Void) throws {
        var buffer: [UInt8] = []
        var bufferOffset: Int64 = 0  // Where buffer[0] lies in the file.
        var skipped: Int64 = 0  // Bytes of an overlong line that are gone from the buffer.
        let pieceSize = 1 << 16
        while true {
            let piece = try readBytes(at: bufferOffset + Int64(buffer.count), count: pieceSize)
            var searched = buffer.count
            buffer.append(contentsOf: piece)
            var start = 0
            try buffer.withUnsafeBytes { bytes in
                while let feed = bytes[searched...].firstIndex(of: 0x0A) {
                    let line = UnsafeRawBufferPointer(rebasing: bytes[start...feed])
                    try body(
                        FileLine(
                            offset: bufferOffset + Int64(start) - skipped, bytes: line, isTerminated: true,
                            isOverlong: skipped > 0, length: Int64(line.count) + skipped))
                    skipped = 0
                    start = feed + 1
                    searched = start
                }
            }
            buffer.removeFirst(start)
            bufferOffset += Int64(start)
            if piece.isEmpty {
                guard !buffer.isEmpty || skipped > 0 else { return }
                try buffer.withUnsafeBytes { bytes in
                    try body(
                        FileLine(
                            offset: bufferOffset - skipped, bytes: bytes, isTerminated: false, isOverlong: skipped > 0,
                            length: Int64(bytes.count) + skipped))
                }
                return
            }
            if buffer.count > limit {
                skipped += Int64(buffer.count)
                bufferOffset += Int64(buffer.count)
                buffer.removeAll()
            }
        }
    }
}
