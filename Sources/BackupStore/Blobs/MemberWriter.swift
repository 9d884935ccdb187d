/// Writes one gzip member into a file, piece by piece, and names its content.
struct MemberWriter<File: OpenFile>: ~Copyable {
    private let file: File
    private let bench: BlobWorkbench
    private var digest = Digest()
    private var size: Int64 = 0
    private var stored: Int64 = 0

    /// Begins at the beginning of an empty file.
    init(_ file: File, _ bench: BlobWorkbench) {
        (self.file, self.bench) = (file, bench)
        bench.compressor.reset()
    }

    mutating func add(_ piece: UnsafeRawBufferPointer) throws {
        digest.update(piece)
        size += Int64(piece.count)
        try compress(piece, last: false)
    }

    mutating func end() throws -> BlobReference {
        try compress(UnsafeRawBufferPointer(start: nil, count: 0), last: true)
        return BlobReference(id: digest.finish(), size: size, stored: stored)
    }

    private mutating func compress(_ piece: UnsafeRawBufferPointer, last: Bool) throws {
        let file = file
        var end = stored
        try bench.compressor.run(piece, last: last, buffer: bench.output) {
            try file.write($0, at: end)
            end += Int64($0.count)
        }
        stored = end
    }
}
