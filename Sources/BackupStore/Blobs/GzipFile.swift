import SystemPackage

/// A file outside of a backup path, read as it is or, where it is a gzip member, decompressed.
package enum GzipFile {
    /// The file begins as a gzip member, and is none.
    package struct Damaged: Error {}

    /// Hands out the content in pieces.
    ///
    /// - Throws: `Errno`, ``Damaged``, what `body` throws.
    package static func read(_ path: FilePath, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        let file = try FileDescriptor.open(path, .readOnly)
        try file.closeAfter {
            let bench = BlobWorkbench(level: 1)
            var isCompressed: Bool?
            var hasEnded = false
            while case let count = try file.read(into: bench.input), count > 0 {
                let piece = UnsafeRawBufferPointer(rebasing: bench.input[..<count])
                if isCompressed == nil { isCompressed = count > 1 && piece[0] == 0x1F && piece[1] == 0x8B }
                guard isCompressed! else {
                    try body(piece)
                    continue
                }
                guard !hasEnded, let progress = try bench.decompressor.run(piece, buffer: bench.output, body) else { throw Damaged() }
                hasEnded = progress == .ended
            }
            if isCompressed == true, !hasEnded { throw Damaged() }
        }
    }
}
