/// The streams and buffers that one blob in the making needs; large, so they are kept for the next blob.
final class BlobWorkbench {
    /// Size of the pieces in which blobs are read, compressed and verified.
    static let pieceSize = 1 << 20

    let compressor: Compressor
    let decompressor = Decompressor()
    let wholeDecompressor = WholeDecompressor()
    let input = UnsafeMutableRawBufferPointer.allocate(byteCount: pieceSize, alignment: 64)
    let output = UnsafeMutableRawBufferPointer.allocate(byteCount: pieceSize, alignment: 64)
    /// Compressed bytes of a small blob, or what waits to be written of a large one.
    var compressed: [UInt8] = []

    let level: Int

    init(level: Int) {
        self.level = level
        compressor = Compressor(level: level)
    }

    deinit {
        input.deallocate()
        output.deallocate()
    }
}
