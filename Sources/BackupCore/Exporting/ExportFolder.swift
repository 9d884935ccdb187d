#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import BackupStore
import SystemPackage

extension CoreError.Code {
    /// The folder that an export writes to cannot be written.
    public static let destinationUnwritable = CoreError.Code("destinationUnwritable")
}

/// The folder of plain files that an export makes: every name in it is made here, and nothing is ever written over.
///
/// Places are relative to it, with `/` between their parts. Folders are made 0700, files 0600.
final class ExportFolder {
    private let root: FilePath
    /// Open since before the first write, so that the last sync tells of any that failed.
    private let folder: PosixFile

    /// A place longer than this, with the root, would leave no room for a file's name below PATH_MAX.
    private static let longestPlace = 3500

    init(creating path: FilePath) throws {
        guard mkdir(path.string, 0o700) == 0 else {
            let cause = Errno(rawValue: errno)
            guard cause == .fileExists else { throw Self.failure(path, cause) }
            throw CoreError(
                .alreadyExists, doing: "exporting a mailbox", subject: path.string, reason: "the destination exists already",
                remedy: "Name a folder that does not exist yet: an export writes over nothing")
        }
        root = path
        do {
            folder = try PosixFileSystem().openFolder(path)
        } catch {
            throw Self.failure(path, error)
        }
    }

    deinit { folder.close() }

    static func failure(_ path: FilePath, _ cause: any Error) -> CoreError {
        let full = (cause as? Errno).map { [.noSpace, .diskQuotaExceeded].contains($0) } ?? false
        return CoreError(
            .destinationUnwritable, doing: "exporting a mailbox", subject: path.string,
            reason: full ? "the destination is full" : "the destination cannot be written",
            remedy: full
                ? "Make room, remove the unfinished folder, and export again"
                : "Check that its parent folder exists and may be written, and export again into a new folder",
            cause: cause)
    }

    /// Makes a folder under the name, or under one like it that is free.
    ///
    /// - Returns: its place.
    func makeFolder(_ name: SafeName, in parent: String, id: Int64) throws -> String {
        try firstFree(name, in: parent, id: id) { try Self.make($0) ? true : nil }.place
    }

    /// Makes a folder under exactly this name; false where something is there.
    func tryMakeFolder(_ name: SafeName, in parent: String) throws -> Bool {
        try Self.make(root.appending(parent.isEmpty ? name.whole : parent + "/" + name.whole))
    }

    private static func make(_ path: FilePath) throws -> Bool {
        if mkdir(path.string, 0o700) == 0 { return true }
        let cause = Errno(rawValue: errno)
        guard cause == .fileExists else { throw failure(path, cause) }
        return false
    }

    /// Makes an empty file under the name, or under one like it that is free.
    func makeFile(_ name: SafeName, in parent: String, id: Int64) throws -> (file: ExportFile, place: String) {
        let (file, place) = try firstFree(name, in: parent, id: id) { try ExportFile(creating: $0) }
        return (file, place)
    }

    /// Opens a file at its end.
    func append(to place: String) throws -> ExportFile { try ExportFile(appending: root.appending(place)) }

    /// Whether a folder's place leaves room for what is to lie in it.
    func hasRoom(for name: SafeName, in parent: String) -> Bool {
        root.string.utf8.count + parent.utf8.count + name.whole.utf8.count < Self.longestPlace
    }

    /// R10: what is reported as exported is on the disk.
    func sync() throws {
        do { try folder.syncFileSystem() } catch { throw Self.failure(root, error) }
    }

    private func firstFree<Made>(
        _ name: SafeName, in parent: String, id: Int64, _ make: (FilePath) throws -> Made?
    ) throws -> (made: Made, place: String) {
        // The file system itself says which names are taken: nothing is held in memory, and its own idea of case counts.
        for attempt in 0..<10_000 {
            let part = name.candidate(attempt, id: id)
            let place = parent.isEmpty ? part : parent + "/" + part
            if let made = try make(root.appending(place)) { return (made, place) }
        }
        throw Self.failure(root.appending(parent), Errno.fileExists)
    }
}

/// A file that is being written, through a buffer. It is whole after `close`, and as if it had never been after `abandon`.
final class ExportFile {
    private static let bufferBytes = 1 << 16

    private let path: FilePath
    private let descriptor: FileDescriptor
    /// Where this writing began; nil for a file that it made.
    private let start: Int64?
    private var buffer: [UInt8] = []
    private var isOpen = true

    /// nil when something of that name is there.
    init?(creating path: FilePath) throws {
        self.path = path
        start = nil
        do {
            descriptor = try FileDescriptor.open(
                path, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec, .noFollow], permissions: [.ownerReadWrite])
        } catch Errno.fileExists {
            return nil
        } catch {
            throw ExportFolder.failure(path, error)
        }
    }

    init(appending path: FilePath) throws {
        self.path = path
        do {
            descriptor = try FileDescriptor.open(path, .writeOnly, options: [.append, .closeOnExec, .noFollow])
            start = try descriptor.seek(offset: 0, from: .end)
        } catch {
            throw ExportFolder.failure(path, error)
        }
    }

    deinit { try? closeOnce() }  // Left open only by what ended the whole export, and is told.

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        if buffer.count + bytes.count > Self.bufferBytes { try flush() }
        if bytes.count > Self.bufferBytes { try put(bytes) } else { buffer.append(contentsOf: bytes) }
    }

    func write(_ text: String) throws {
        var text = text
        try text.withUTF8 { try write(UnsafeRawBufferPointer($0)) }
    }

    /// - Parameter date: the time that the file shall show, seconds since 1970.
    func close(date: Int64? = nil) throws {
        try flush()
        if let date {
            let time = timespec(tv_sec: Int(clamping: min(max(date, 0), 1 << 33)), tv_nsec: 0)
            guard futimens(descriptor.rawValue, [time, time]) == 0 else { throw failed(Errno(rawValue: errno)) }
        }
        do { try closeOnce() } catch { throw ExportFolder.failure(path, error) }
    }

    private func closeOnce() throws {
        guard isOpen else { return }
        isOpen = false
        try descriptor.close()
    }

    /// Takes back what was written.
    func abandon() throws {
        let result = start.map { ftruncate(descriptor.rawValue, off_t($0)) } ?? unlink(path.string)
        let cause = Errno(rawValue: errno)
        try? closeOnce()  // What was written through it is gone.
        guard result == 0 else { throw ExportFolder.failure(path, cause) }
    }

    private func flush() throws {
        guard !buffer.isEmpty else { return }
        try buffer.withUnsafeBytes { try put($0) }
        buffer.removeAll(keepingCapacity: true)
    }

    private func put(_ bytes: UnsafeRawBufferPointer) throws {
        do { try descriptor.writeAll(bytes) } catch { throw failed(error) }
    }

    private func failed(_ cause: any Error) -> CoreError { ExportFolder.failure(path, cause) }
}
