import Glibc
import SystemPackage

/// A log file that is appended to; only its header is rewritten in place.
final class AppendedFile {
    let path: FilePath
    private let descriptor: FileDescriptor
    private let pieceSize: Int
    private(set) var size: Int64

    /// Opens or creates a file.
    init(_ path: FilePath, pieceSize: Int, isNew: Bool = false) throws(RedoLogError) {
        self.path = path
        self.pieceSize = max(1, pieceSize)
        do {
            descriptor = try FileDescriptor.open(
                path, .readWrite, options: isNew ? [.create, .exclusiveCreate, .closeOnExec] : [.create, .closeOnExec],
                permissions: FilePermissions(rawValue: 0o640))
            size = 0
        } catch {
            throw RedoLogError(error as? Errno ?? .ioError, doing: "opening a redo log for writing", subject: path.string)
        }
        var status = stat()
        guard fstat(descriptor.rawValue, &status) == 0 else { throw failure("looking at a redo log") }
        size = Int64(status.st_size)
    }

    deinit {
        try? descriptor.close()  // Whoever wants durability has synced before.
    }

    private func failure(_ doing: String, _ code: Int32 = errno) -> RedoLogError {
        RedoLogError(Errno(rawValue: code), doing: doing, subject: "\(path), \(size) bytes")
    }

    func modificationTime() throws(RedoLogError) -> Int64 {
        var status = stat()
        guard fstat(descriptor.rawValue, &status) == 0 else { throw failure("looking at a redo log") }
        return Int64(status.st_mtim.tv_sec) * 1000 + Int64(status.st_mtim.tv_nsec) / 1_000_000
    }

    func read(at offset: Int64, count: Int) throws(RedoLogError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = bytes.withUnsafeMutableBytes {
                pread(descriptor.rawValue, $0.baseAddress! + filled, count - filled, off_t(offset) + off_t(filled))
            }
            if got == 0 { break }
            if got > 0 { filled += got } else if errno != EINTR { throw failure("reading a redo log") }
        }
        bytes.removeSubrange(filled...)
        return bytes
    }

    func truncate(to length: Int64) throws(RedoLogError) {
        while ftruncate(descriptor.rawValue, off_t(length)) != 0 {
            guard errno == EINTR else { throw failure("cutting a redo log to \(length) bytes") }
        }
        size = length
    }

    func sync() throws(RedoLogError) {
        while fdatasync(descriptor.rawValue) != 0 {
            guard errno == EINTR else { throw failure("syncing a redo log") }
        }
    }

    /// Rewrites the header in place.
    func write(_ header: FileHeader) throws(RedoLogError) {
        let bytes = header.bytes
        try write(bytes, at: 0)
        size = max(size, Int64(bytes.count))
    }

    /// Writes the header of a file that is complete, and syncs data and metadata.
    func close(_ header: inout FileHeader) throws(RedoLogError) {
        header.openFlag = 0
        header.fileSize = size
        try write(header)
        while fsync(descriptor.rawValue) != 0 {
            guard errno == EINTR else { throw failure("syncing a redo log") }
        }
    }

    /// Appends a record; a record that cannot be written whole is cut off again.
    func append(_ record: EncodedRecord, _ bodies: [BodySource]) throws(RedoLogError) {
        let start = size
        do {
            var written = 0
            for ((index, _), source) in zip(record.bodies, bodies) {
                try record.bytes[written..<index].withUnsafeBytes { try appendPieces($0) }
                written = index
                try source.stream { try appendPieces($0) }
            }
            try record.bytes[written...].withUnsafeBytes { try appendPieces($0) }
        } catch {
            try truncate(to: start)
            throw error as? RedoLogError
                ?? RedoLogError(error as? Errno ?? .ioError, doing: "reading a body to be logged", subject: path.string)
        }
    }

    /// Appends bytes of another log file as they are.
    func append(_ range: Body, of other: AppendedFile) throws(RedoLogError) {
        var offset = range.offset
        while offset < range.end {
            let bytes = try other.read(at: offset, count: Int(min(range.end - offset, 64 << 10)))
            guard !bytes.isEmpty else { throw failure("copying an open start record", EIO) }
            try appendPieces(bytes)
            offset += Int64(bytes.count)
        }
    }

    private func appendPieces(_ bytes: UnsafeRawBufferPointer) throws(RedoLogError) {
        var start = 0
        while start < bytes.count {
            let end = min(start + pieceSize, bytes.count)
            try write(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), at: size)
            size += Int64(end - start)
            start = end
        }
    }

    private func write(_ bytes: [UInt8], at offset: Int64) throws(RedoLogError) {
        var failure: RedoLogError?
        bytes.withUnsafeBytes { raw in
            do throws(RedoLogError) { try write(raw, at: offset) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    private func appendPieces(_ bytes: [UInt8]) throws(RedoLogError) {
        try write(bytes, at: size)
        size += Int64(bytes.count)
    }

    private func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(RedoLogError) {
        var done = 0
        while done < bytes.count {
            let count = pwrite(
                descriptor.rawValue, bytes.baseAddress! + done, bytes.count - done, off_t(offset) + off_t(done))
            if count > 0 {
                done += count
            } else if count == 0 || errno != EINTR {
                throw failure("writing a redo log")
            }
        }
    }
}
