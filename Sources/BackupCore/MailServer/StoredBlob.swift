import CZlib
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import SystemPackage

/// A blob file of a server's volume, plain or one gzip member: nothing in the database says which
/// (formats/zimbra-items.md, section 4, "Compression" and "Writing and sharing").
package struct StoredBlob {
    /// Whose content it is, with size and digest as the row says.
    let location: BlobLocation
    /// Where the file belongs.
    let place: FilePath

    package init(_ location: BlobLocation, at place: FilePath) {
        self.location = location
        self.place = place
    }

    /// Opens the content for reading, uncompressed.
    ///
    /// A missing file is looked for as the crash recovery of a server leaves it (`.bak`, taken if size and digest agree), and under
    /// the name that very old items have.
    ///
    /// - Throws: `CoreError` with `blobMissing`, `blobDamaged` or `serverUnreadable`; reading throws the same.
    package func open() throws -> ByteReader {
        if let file = try find(place) { return try reader(of: file) }
        if let file = try find(FilePath(place.string + ".bak")), let agreeing = try reading(thatAgrees: file) { return agreeing.reader() }
        let old = place.removingLastComponent().appending("\(location.itemID).msg")
        if let file = try find(old) { return try reader(of: file) }
        throw CoreError(
            .blobMissing, doing: "reading the content of item \(location.itemID) of mailbox \(location.mailboxID)",
            subject: place.string, reason: "there is no such file",
            remedy: "See whether the volume is mounted; the backup keeps what it has")
    }

    /// The file of a name; nil where there is none.
    private func find(_ path: FilePath) throws -> BlobFile? {
        do {
            return try BlobFile(path, location)
        } catch let error as Errno where [.noSuchFileOrDirectory, .notDirectory].contains(error) {
            return nil
        }
    }

    private func reader(of file: BlobFile) throws -> ByteReader {
        guard file.beginsAsGzip else { return file.reader() }
        guard file.length == location.size else { return try file.decompressed().reader() }
        // A stored archive may be as long as the row says and a compressed blob, too: the digest tells.
        return try (reading(thatAgrees: file) ?? BlobFile(file.path, location)).reader()
    }

    /// The file, plain or decompressed, as its size and digest are those of the row; nil where neither is, or the row has none.
    private func reading(thatAgrees file: BlobFile) throws -> BlobFile? {
        guard let digest = location.digest else { return nil }
        if try agrees(file, digest) { return try BlobFile(file.path, location) }
        guard file.beginsAsGzip else { return nil }
        do {
            return try agrees(file.decompressed(), digest) ? file.decompressed() : nil
        } catch let error as CoreError where error.code == .blobDamaged {
            return nil  // It is no gzip file.
        }
    }

    private func agrees(_ file: BlobFile, _ digest: String) throws -> Bool {
        // Rows from before 8.0 have SHA-1: 28 characters.
        let found = ServerDigest(digest.utf8.count == 28 ? .sha1 : .sha256)
        var length: Int64 = 0
        try withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 16) { buffer in
            while case let count = try file.read(into: buffer), count > 0 {
                found.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                length += Int64(count)
            }
        }
        return length == location.size && found.text() == digest
    }
}

/// An open blob file; closed with its last reference.
private final class BlobFile {
    let path: FilePath
    let length: Int64
    let beginsAsGzip: Bool
    private let location: BlobLocation
    private let file: FileDescriptor
    /// Set where the content is what the file decompresses to.
    private let gzip: gzFile?
    private var handedOut: Int64 = 0

    /// Opens a file as it is.
    ///
    /// - Throws: an `Errno` where the name is none of a file; `CoreError` for everything else.
    init(_ path: FilePath, _ location: BlobLocation) throws {
        (self.path, self.location, gzip) = (path, location, nil)
        let file: FileDescriptor
        do {
            // Whatever has the name: a link leads out of the volume, a pipe would wait.
            file = try FileDescriptor.open(path, .readOnly, options: [.noFollow, .nonBlocking, .closeOnExec])
        } catch let error as Errno where ![.noSuchFileOrDirectory, .notDirectory].contains(error) {
            throw Self.failed(location, path, "\(error)", "Let the service's user read the volume", .serverUnreadable)
        }
        self.file = file
        var status = stat()
        let isFile = fstat(file.rawValue, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        length = Int64(status.st_size)
        var start: (UInt8, UInt8) = (0, 0)
        let count = isFile ? try? withUnsafeMutableBytes(of: &start, { try file.read(fromAbsoluteOffset: 0, into: $0) }) : 0
        beginsAsGzip = count == 2 && start == (0x1F, 0x8B)
        guard isFile else { throw Self.failed(location, path, "it is no file", "Look at who put it there", .blobDamaged) }
    }

    /// Opens what the file decompresses to, from its beginning.
    func decompressed() throws -> BlobFile { try BlobFile(decompressing: self) }

    private init(decompressing other: BlobFile) throws {
        (path, location, length, beginsAsGzip) = (other.path, other.location, other.length, other.beginsAsGzip)
        do {
            file = try other.file.duplicate()
        } catch {
            throw Self.failed(other.location, other.path, "\(error)", "", .serverUnreadable)
        }
        // Both share one place in the file, which reading may have moved.
        let isAtStart = (try? file.seek(offset: 0, from: .start)) == 0
        gzip = isAtStart ? gzdopen(file.rawValue, "rb") : nil
        guard gzip != nil else { throw Self.failed(location, path, "no memory is left", "", .serverUnreadable) }
    }

    deinit {
        // The library closes its descriptor; what was only read has nothing to lose.
        if let gzip { gzclose_r(gzip) } else { try? file.close() }
    }

    func reader() -> ByteReader { { try self.read(into: $0) } }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        guard let gzip else {
            do {
                return try file.read(into: buffer)
            } catch {
                throw Self.failed(location, path, "\(error)", "", .serverUnreadable)
            }
        }
        let count = Int(gzread(gzip, buffer.baseAddress, UInt32(min(buffer.count, 1 << 20))))
        handedOut += Int64(max(0, count))
        var code: CInt = Z_OK
        if count <= 0, case let text = gzerror(gzip, &code), code != Z_OK {
            let reason = code == Z_ERRNO ? "\(Errno(rawValue: errno))" : text.map { String(cString: $0) } ?? "no gzip data"
            throw Self.failed(location, path, "its gzip data is damaged: \(reason)", "", .blobDamaged)
        }
        guard handedOut <= location.size else {
            throw Self.failed(location, path, "it holds more than the \(location.size) bytes that its row says", "", .blobDamaged)
        }
        return count
    }

    private static func failed(
        _ location: BlobLocation, _ path: FilePath, _ reason: String, _ remedy: String, _ code: CoreError.Code
    ) -> CoreError {
        CoreError(
            code, doing: "reading the content of item \(location.itemID) of mailbox \(location.mailboxID)", subject: path.string,
            reason: reason, remedy: remedy)
    }
}
