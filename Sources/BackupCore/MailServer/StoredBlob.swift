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
    /// - Throws: `CoreError` with `blobMissing` or `blobDamaged`, or an `Errno`'s reason with the file; reading throws the same.
    package func open() throws -> ByteReader {
        if let file = try opened(place) { return try reader(of: file) }
        if let file = try opened(FilePath(place.string + ".bak")), let kind = try kindThatAgrees(file) {
            return try BlobFile(file.path, kind, location).reader()
        }
        let old = place.removingLastComponent().appending("\(location.itemID).msg")
        if let file = try opened(old) { return try reader(of: file) }
        throw CoreError(
            .blobMissing, doing: doing, subject: place.string, reason: "there is no such file",
            remedy: "See whether the volume is mounted; the backup keeps what it has")
    }

    private var doing: String { "reading the content of item \(location.itemID) of mailbox \(location.mailboxID)" }

    private struct Found {
        var path: FilePath
        var length: Int64
        var beginsAsGzip: Bool
    }

    /// What a file looks like; nil where there is none.
    private func opened(_ path: FilePath) throws -> Found? {
        let file: BlobFile
        do {
            file = try BlobFile(path, .plain, location)
        } catch let error as Errno where error == .noSuchFileOrDirectory {
            return nil
        }
        var start: [UInt8] = [0, 0]
        let count = try start.withUnsafeMutableBytes { try file.read(into: $0) }
        return Found(path: path, length: file.length, beginsAsGzip: count == 2 && start == [0x1F, 0x8B])
    }

    private func reader(of file: Found) throws -> ByteReader {
        guard file.beginsAsGzip else { return try BlobFile(file.path, .plain, location).reader() }
        let likely: BlobFile.Kind = file.length == location.size ? .plain : .gzip
        // A stored archive may be as long as the row says and a compressed blob, too: the digest tells.
        let kind = likely == .plain && location.digest != nil ? try kindThatAgrees(file) ?? likely : likely
        return try BlobFile(file.path, kind, location).reader()
    }

    /// The reading of a file whose size and digest are those of the row.
    private func kindThatAgrees(_ file: Found) throws -> BlobFile.Kind? {
        guard let digest = location.digest else { return nil }
        for kind in file.beginsAsGzip ? [BlobFile.Kind.plain, .gzip] : [.plain] {
            // Rows from before 8.0 have SHA-1: 28 characters.
            let found = ServerDigest(digest.utf8.count == 28 ? .sha1 : .sha256)
            var length: Int64 = 0
            do {
                try BlobFile(file.path, kind, location).forEach {
                    found.update($0)
                    length += Int64($0.count)
                }
            } catch let error as CoreError where error.code == .blobDamaged {
                continue  // Not readable in this way.
            }
            if length == location.size, found.text() == digest { return kind }
        }
        return nil
    }
}

/// An open blob file; closed with its last reference.
private final class BlobFile {
    enum Kind { case plain, gzip }

    let length: Int64
    private let path: FilePath
    private let kind: Kind
    private let location: BlobLocation
    private let descriptor: CInt
    private let gzip: gzFile?
    private var handedOut: Int64 = 0

    /// - Throws: `Errno.noSuchFileOrDirectory`; a `CoreError` for everything else.
    init(_ path: FilePath, _ kind: Kind, _ location: BlobLocation) throws {
        (self.path, self.kind, self.location) = (path, kind, location)
        // Whatever has the name: a link leads out of the volume, a pipe would wait.
        descriptor = Self.open(path)
        var status = stat()
        guard descriptor >= 0, fstat(descriptor, &status) == 0 else {
            let error = Errno(rawValue: errno)
            gzip = nil
            length = 0
            if error == .noSuchFileOrDirectory || error == .notDirectory { throw Errno.noSuchFileOrDirectory }
            throw Self.failed(location, path, "\(error)", "Let the service's user read the volume", .serverUnreadable)
        }
        length = Int64(status.st_size)
        guard status.st_mode & S_IFMT == S_IFREG else {
            gzip = nil
            throw Self.failed(location, path, "it is no file", "Look at who put it there", .blobDamaged)
        }
        guard kind == .gzip else {
            gzip = nil
            return
        }
        gzip = gzdopen(dup(descriptor), "rb")
        guard gzip != nil else { throw Self.failed(location, path, "no memory or descriptor is left", "", .serverUnreadable) }
    }

    deinit {
        if let gzip { gzclose_r(gzip) }
        if descriptor >= 0 { close(descriptor) }
    }

    private static func open(_ path: FilePath) -> CInt {
        #if canImport(Glibc)
        Glibc.open(path.string, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        #else
        Darwin.open(path.string, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        #endif
    }

    private static func failed(
        _ location: BlobLocation, _ path: FilePath, _ reason: String, _ remedy: String, _ code: CoreError.Code
    ) -> CoreError {
        CoreError(
            code, doing: "reading the content of item \(location.itemID) of mailbox \(location.mailboxID)", subject: path.string,
            reason: reason, remedy: remedy)
    }

    func reader() -> ByteReader { { try self.read(into: $0) } }

    func forEach(_ body: (UnsafeRawBufferPointer) -> Void) throws {
        try withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 16) { buffer in
            while case let count = try read(into: buffer), count > 0 { body(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        guard let gzip else { return try readPlain(into: buffer) }
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

    private func readPlain(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        while true {
            #if canImport(Glibc)
            let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            #else
            let count = Darwin.read(descriptor, buffer.baseAddress, buffer.count)
            #endif
            if count >= 0 { return count }
            guard errno == EINTR else { throw Self.failed(location, path, "\(Errno(rawValue: errno))", "", .serverUnreadable) }
        }
    }
}
