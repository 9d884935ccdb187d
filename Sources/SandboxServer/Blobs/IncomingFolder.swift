import BackupCore
import Glibc
import Synchronization
import SystemPackage

/// A message that lies in `incoming`, with what is known about it.
struct IncomingBlob {
    var path: FilePath
    /// Of the content.
    var size: Int64
    /// Of the file, which a volume may compress.
    var storedLength: Int64
    var digest: String
    /// The whole content where it is at most `IncomingFolder.keptInMemory` long, else its beginning.
    var bytes: [UInt8]

    var isWhole: Bool { Int64(bytes.count) == size }
}

/// The folder `incoming` of a volume, where contents wait for the operation that gives them their places.
///
/// Threads and processes write there without waiting for each other.
final class IncomingFolder: Sendable {
    private struct Names {
        var base: Int64
        var counter: Int64 = 0
    }

    private let path: FilePath
    private let volume: Volume
    private let syncs: Bool
    private let names: Mutex<Names>

    static let keptInMemory = 1 << 20

    init(of volume: Volume, syncs: Bool, now: Int64) {
        path = volume.root.appending("incoming")
        self.volume = volume
        self.syncs = syncs
        names = Mutex(Names(base: now))
    }

    /// A new name in `incoming`, as the real server gives them: the time of the start and a counter up to 999.
    private func nextName(_ now: Int64) -> FilePath {
        names.withLock { names in
            if names.counter > 999 {
                names.base = max(names.base + 1, now)
                names.counter = 0
            }
            defer { names.counter += 1 }
            return path.appending("\(names.base)-\(names.counter).msg")
        }
    }

    /// Writes a message that is in memory.
    func receive(_ bytes: [UInt8], now: Int64) throws -> IncomingBlob {
        let digest = ServerDigest()
        bytes.withUnsafeBytes { digest.update($0) }
        let path = try write(now) { descriptor, path in
            try bytes.withUnsafeBytes { try Files.write($0, to: descriptor, path) }
        }
        return try stored(path, size: Int64(bytes.count), digest: digest.text(), bytes: bytes, now)
    }

    /// Writes a message that is read piece by piece.
    func receive(reading next: ByteReader, now: Int64) throws -> IncomingBlob {
        let digest = ServerDigest()
        var size: Int64 = 0
        var kept: [UInt8] = []
        let path = try write(now) { descriptor, path in
            try withUnsafeTemporaryAllocation(byteCount: 65536, alignment: 16) { buffer in
                while true {
                    let count = try next(buffer)
                    guard count > 0 else { break }
                    let piece = UnsafeRawBufferPointer(rebasing: buffer[..<count])
                    digest.update(piece)
                    size += Int64(count)
                    if kept.count < Self.keptInMemory { kept.append(contentsOf: piece.prefix(Self.keptInMemory - kept.count)) }
                    try Files.write(piece, to: descriptor, path)
                }
            }
        }
        return try stored(path, size: size, digest: digest.text(), bytes: kept, now)
    }

    /// The blob of a written file, compressed where the volume wants that.
    private func stored(_ path: FilePath, size: Int64, digest: String, bytes: [UInt8], _ now: Int64) throws -> IncomingBlob {
        var blob = IncomingBlob(path: path, size: size, storedLength: size, digest: digest, bytes: bytes)
        guard volume.compresses, size > volume.compressionThreshold else { return blob }
        let compressed = try write(now) { descriptor, target in try GzipFile.compress(path, to: descriptor, target) }
        let length = try Files.length(of: compressed)
        // One as long as its content would be read as plain.
        guard length != size else {
            unlink(compressed.string)
            return blob
        }
        unlink(path.string)
        (blob.path, blob.storedLength) = (compressed, length)
        return blob
    }

    private func write(_ now: Int64, _ body: (CInt, FilePath) throws -> Void) throws -> FilePath {
        while true {
            let path = nextName(now)
            let descriptor = open(path.string, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            if descriptor < 0, errno == EEXIST { continue }
            guard descriptor >= 0 else { throw Files.failure("writing a blob", path) }
            defer { close(descriptor) }
            do {
                try body(descriptor, path)
                if syncs, fsync(descriptor) != 0 { throw Files.failure("syncing a blob", path) }
                return path
            } catch {
                unlink(path.string)
                throw error
            }
        }
    }
}
