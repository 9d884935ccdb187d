import SystemPackage

extension FileSystem {
    /// Streams a blob out, wherever it lies, and checks its digest.
    func readBlob(_ id: BlobID, in path: BackupPath, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        let doing = "reading blob \(id)"
        var place = path.blob(id)
        var file: File
        do {
            file = try open(place, .read)
        } catch let error as Errno where error == .noSuchFileOrDirectory || error == .notDirectory {
            // R2: what purge took stays readable until its grace ends.
            guard let expired = try BlobStore.findExpired(id, self, path) else {
                throw StoreError(
                    .blobMissing, doing: doing, subject: path.relative(place),
                    remedy: "doCoherencyCheck with fixBackup true takes it from the live server if that still has it")
            }
            place = expired
            file = try open(place, .read)
        }
        defer { file.close() }
        do {
            _ = try file.readBlob(id, body)
        } catch let damage as BlobDamage {
            throw StoreError(
                .blobDamaged, doing: doing, subject: "\(path.relative(place)) at \(damage.offset): \(damage.reason)",
                remedy: "doCoherencyCheck with fixBackup true takes it from the live server if that still has it")
        }
    }
}

/// Why a file is not the blob of its name.
struct BlobDamage: Error {
    var offset: Int64
    var reason: String
    /// Whether the bytes are those of the name once they are decompressed a second time.
    var isCompressedTwice = false
}

extension OpenFile {
    /// Streams the blob in this file out and checks its digest.
    ///
    /// - Parameter limit: the length that was recorded; a file that decompresses to more is damaged.
    /// - Returns: the length of the uncompressed bytes.
    /// - Throws: `BlobDamage`; what reading and `body` throw.
    func readBlob(_ id: BlobID, limit: Int64 = .max, _ body: (UnsafeRawBufferPointer) throws -> Void) throws -> Int64 {
        if let small = try readSmallBlob(id, limit: limit) {
            try small.withUnsafeBytes(body)
            return Int64(small.count)
        }
        var digest = Digest()
        var length: Int64 = 0
        try decompress {
            digest.update($0)
            length += Int64($0.count)
            guard length <= limit else {
                throw BlobDamage(offset: 0, reason: "it decompresses to more than the \(limit) bytes recorded")
            }
            try body($0)
        }
        guard digest.finish() == id else { throw BlobDamage(offset: 0, reason: "the digest differs") }
        return length
    }

    /// The content of a blob that fits into memory; nil where it is large, or is not the blob of its name: then it is read piece by
    /// piece, which says what is wrong with it.
    private func readSmallBlob(_ id: BlobID, limit: Int64) throws -> [UInt8]? {
        let stored = try size()
        // A header and a trailer of gzip have 18 bytes; the last four say how long the content is (RFC 1952).
        guard stored > 18, stored <= Int64(BlobWorkbench.pieceSize) else { return nil }
        let input = try [UInt8](unsafeUninitializedCapacity: Int(stored)) { buffer, count in
            count = try readFully(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
        }
        guard input.count == Int(stored) else { return nil }
        let length = input.suffix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
        guard length <= BlobWorkbench.pieceSize, length <= limit else { return nil }
        let decompressor = WholeDecompressor()
        let content = [UInt8](unsafeUninitializedCapacity: max(length, 1)) { buffer, count in
            let whole = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<length])
            count = input.withUnsafeBytes { decompressor.run($0, into: whole) } ?? 0
        }
        guard content.count == length, content.withUnsafeBytes({ BlobID(of: $0) }) == id else { return nil }
        return content
    }

    /// Hands out what the gzip member within the gzip member in this file holds.
    ///
    /// - Parameter limit: more than so many bytes are damage: two layers may make a million bytes of one.
    func decompressTwice(limit: Int64, _ body: (UnsafeRawBufferPointer) -> Void) throws {
        let inner = Decompressor()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 64)
        defer { buffer.deallocate() }
        var length: Int64 = 0
        var ended = false
        try decompress { piece in
            guard !ended else { throw BlobDamage(offset: 0, reason: "bytes after the end of the second layer") }
            let progress = try inner.run(piece, buffer: buffer) {
                length += Int64($0.count)
                guard length <= limit else { throw BlobDamage(offset: 0, reason: "the second layer is too long") }
                body($0)
            }
            guard let progress else { throw BlobDamage(offset: 0, reason: "no second layer") }
            ended = progress == .ended
        }
        guard ended else { throw BlobDamage(offset: 0, reason: "the second layer ends too early") }
    }

    /// Hands out what the one gzip member in this file holds.
    func decompress(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        let buffers = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 << 17, alignment: 64)
        defer { buffers.deallocate() }
        let input = UnsafeMutableRawBufferPointer(rebasing: buffers[..<(1 << 17)])
        let output = UnsafeMutableRawBufferPointer(rebasing: buffers[(1 << 17)...])
        let decompressor = Decompressor()
        var offset: Int64 = 0
        var ended = false
        while true {
            let count = try read(into: input, at: offset)
            if count == 0 { break }
            if ended { throw BlobDamage(offset: offset, reason: "bytes after the end") }
            let progress = try decompressor.run(UnsafeRawBufferPointer(rebasing: input[..<count]), buffer: output, body)
            guard let progress else { throw BlobDamage(offset: offset, reason: "no valid gzip data") }
            ended = progress == .ended
            offset += Int64(count)
        }
        guard ended else { throw BlobDamage(offset: offset, reason: "the file ends too early") }
    }
}
