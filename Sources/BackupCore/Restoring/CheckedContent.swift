#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import BackupStore
import SystemPackage

/// A blob that was read whole and whose digest is right, before a target sees its first byte.
///
/// Small ones are kept in memory, larger ones in a nameless temporary file: memory stays bounded (R12).
final class CheckedContent {
    /// Larger blobs go through a file.
    static let heldBytes = 1 << 20

    private var bytes: [UInt8] = []
    private var file: FileDescriptor?
    let size: Int64

    /// Reads and checks the blob.
    ///
    /// - Parameter folder: where a temporary file may lie for a while.
    /// - Throws: the store's error for a blob that is missing or damaged.
    init(_ reference: BlobReference, _ store: any StoreReading, folder: FilePath) throws {
        size = reference.size
        var count: Int64 = 0
        do {
            if reference.size > Self.heldBytes { file = try Self.temporaryFile(in: folder) }
            try store.readBlob(reference) { chunk in
                count += Int64(chunk.count)
                if let file { try file.writeAll(chunk) } else { bytes.append(contentsOf: chunk) }
            }
            guard count == reference.size else {
                throw CoreError(
                    .blobDamaged, doing: "reading a content", subject: "blob \(reference.id)",
                    reason: "it has \(count) bytes instead of \(reference.size)", remedy: "")
            }
        } catch {
            try? file?.close()  // The error that matters is the one above.
            file = nil
            throw error
        }
    }

    deinit { try? file?.close() }  // Nothing was written that anybody needs.

    /// Reads the content from its beginning.
    func reader() -> ByteReader {
        var offset = 0
        return { [self] buffer in
            if let file {
                let count = try file.read(fromAbsoluteOffset: Int64(offset), into: buffer)
                offset += count
                return count
            }
            let count = min(buffer.count, bytes.count - offset)
            bytes.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + count])) }
            offset += count
            return count
        }
    }

    /// A file without a name: a crash leaves nothing behind.
    private static func temporaryFile(in folder: FilePath) throws -> FileDescriptor {
        var template = Array(folder.appending(".tmp-restore-XXXXXX").string.utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw Errno(rawValue: errno) }
        unlink(template)
        return FileDescriptor(rawValue: descriptor)
    }
}
