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
        let damaged = { (offset: Int64, reason: String) in
            StoreError(
                .blobDamaged, doing: doing, subject: "\(path.relative(place)) at \(offset): \(reason)",
                remedy: "doCoherencyCheck with fixBackup true takes it from the live server if that still has it")
        }
        let buffers = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 << 17, alignment: 64)
        defer { buffers.deallocate() }
        let input = UnsafeMutableRawBufferPointer(rebasing: buffers[..<(1 << 17)])
        let output = UnsafeMutableRawBufferPointer(rebasing: buffers[(1 << 17)...])
        let decompressor = Decompressor()
        var digest = Digest()
        var offset: Int64 = 0
        var ended = false
        while true {
            let count = try file.read(into: input, at: offset)
            if count == 0 { break }
            if ended { throw damaged(offset, "bytes after the end") }
            let progress = try decompressor.run(UnsafeRawBufferPointer(rebasing: input[..<count]), buffer: output) {
                digest.update($0)
                try body($0)
            }
            guard let progress else { throw damaged(offset, "no valid gzip data") }
            ended = progress == .ended
            offset += Int64(count)
        }
        guard ended else { throw damaged(offset, "the file ends too early") }
        guard digest.finish() == id else { throw damaged(0, "the digest differs") }
    }
}
