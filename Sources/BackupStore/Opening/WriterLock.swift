import Glibc
import SystemPackage

/// The lock of the one writer (R8): an open file description lock, so it goes with the process, however that ends.
final class WriterLock<Files: FileSystem>: Sendable {
    private let file: Files.File

    /// Takes the lock or says who holds it.
    init(_ files: Files, _ path: BackupPath) throws {
        file = try files.open(path.lock, .createOrUpdate)
        guard try file.lock() else {
            let holder = String(decoding: try file.readBytes(at: 0, count: 256), as: UTF8.self)
            file.close()
            throw StoreError(
                .locked, doing: "opening the backup path for writing", subject: path.root.string,
                remedy: "Another writer holds the lock: \(holder.split(separator: "\n").first ?? "unknown")")
        }
        let text = Array("\(Self.processName()) (pid \(getpid()))\n".utf8)
        try file.truncate(to: 0)
        try text.withUnsafeBytes { try file.write($0, at: 0) }
    }

    /// Gives the lock back.
    func release() { file.close() }

    /// Whether some process holds the lock.
    static func isHeld(_ files: Files, _ path: BackupPath) throws -> Bool {
        do {
            let file = try files.open(path.lock, .read)
            defer { file.close() }
            return try file.isLockedByAnother()
        } catch let error as Errno where error == .noSuchFileOrDirectory {
            return false
        }
    }

    private static func processName() -> String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, 255) == 0 else { return "zxbackup" }
        return "zxbackup on " + String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
