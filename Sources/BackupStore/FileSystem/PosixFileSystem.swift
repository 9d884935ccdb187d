import CShims
import Glibc
import SystemPackage

/// The machine's own file system.
public struct PosixFileSystem: FileSystem {
    private let tree: LinkFreeTree?

    /// All of it; symbolic links are followed.
    public init() { tree = nil }

    /// The same, but below a folder no symbolic link is followed: `Errno.tooManySymbolicLinkLevels`.
    public init(below root: FilePath) { tree = LinkFreeTree(root) }

    init(_ tree: LinkFreeTree) { self.tree = tree }

    /// open(2), close-on-exec.
    public func open(_ path: FilePath, _ mode: OpenMode) throws -> PosixFile {
        let flags: Int32 =
            switch mode {
            case .read: O_RDONLY
            case .update: O_RDWR
            case .createOrUpdate: O_RDWR | O_CREAT
            case .createNew: O_RDWR | O_CREAT | O_EXCL
            }
        // What is no file (a pipe that somebody put there) must not make the caller wait.
        return PosixFile(try descriptor(path, flags | O_NONBLOCK))
    }

    /// open(2) with O_DIRECTORY.
    public func openFolder(_ path: FilePath) throws -> PosixFile { PosixFile(try descriptor(path, O_RDONLY | O_DIRECTORY)) }

    private func descriptor(_ path: FilePath, _ flags: Int32) throws -> Int32 {
        if let descriptor = try tree?.open(path, flags) { return descriptor }
        return try check { path.withPlatformString { Glibc.open($0, flags | O_CLOEXEC, 0o600) } }
    }

    /// Calls `body` with what an `…at` call needs to mean a name in a folder.
    private func inFolder<Result>(
        of path: FilePath, _ body: (_ folder: Int32, _ name: UnsafePointer<CChar>) throws -> Result
    ) throws -> Result {
        guard let tree, let name = path.lastComponent,
            let folder = try tree.open(path.removingLastComponent(), zx_o_path | O_DIRECTORY)
        else { return try path.withPlatformString { try body(AT_FDCWD, $0) } }
        defer { Glibc.close(folder) }
        return try name.withPlatformString { try body(folder, $0) }
    }

    /// mkdirat(2).
    public func makeFolder(_ path: FilePath) throws {
        try inFolder(of: path) { folder, name in _ = try check { mkdirat(folder, name, 0o700) } }
    }

    /// renameat(2).
    public func rename(_ path: FilePath, to newPath: FilePath) throws {
        try inFolder(of: path) { folder, name in
            try inFolder(of: newPath) { newFolder, newName in
                _ = try check { renameat(folder, name, newFolder, newName) }
            }
        }
    }

    /// unlinkat(2): a link goes, what it leads to stays.
    public func remove(_ path: FilePath) throws {
        try inFolder(of: path) { folder, name in _ = try check { unlinkat(folder, name, 0) } }
    }

    /// unlinkat(2) with AT_REMOVEDIR.
    public func removeFolder(_ path: FilePath) throws {
        try inFolder(of: path) { folder, name in _ = try check { unlinkat(folder, name, AT_REMOVEDIR) } }
    }

    /// readdir(3). Names that are no UTF-8 are none of the store's and left out. A link is what it leads to, here only.
    public func list(_ path: FilePath) throws -> [FolderEntry] {
        let descriptor = try descriptor(path, O_RDONLY | O_DIRECTORY)
        guard let folder = fdopendir(descriptor) else {
            let error = Errno(rawValue: errno)
            Glibc.close(descriptor)
            throw error
        }
        defer { closedir(folder) }
        var entries: [FolderEntry] = []
        while true {
            errno = 0
            guard let entry = readdir(folder) else {
                if errno != 0 { throw Errno(rawValue: errno) }
                return entries
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: 256) { String(validatingCString: $0) }
            }
            guard let name, name != ".", name != ".." else { continue }
            var isFolder = entry.pointee.d_type == UInt8(DT_DIR)
            if entry.pointee.d_type == UInt8(DT_UNKNOWN) || entry.pointee.d_type == UInt8(DT_LNK) {
                var status = stat()
                isFolder = fstatat(descriptor, name, &status, 0) == 0 && status.st_mode & S_IFMT == S_IFDIR
            }
            entries.append(FolderEntry(name: name, isFolder: isFolder))
        }
    }

    /// stat(2).
    public func status(_ path: FilePath) throws -> FileStatus? {
        var status = stat()
        do {
            if let tree, let descriptor = try tree.open(path, zx_o_path) {
                defer { Glibc.close(descriptor) }
                try check { fstat(descriptor, &status) }
            } else {
                try check { path.withPlatformString { stat($0, &status) } }
            }
        } catch let error as Errno where error == .noSuchFileOrDirectory || error == .notDirectory {
            return nil
        }
        return FileStatus(
            isFolder: status.st_mode & S_IFMT == S_IFDIR, size: Int64(status.st_size), device: UInt64(status.st_dev),
            inode: UInt64(status.st_ino), modified: Int64(status.st_mtim.tv_sec))
    }

    /// uname(2) and statfs(2).
    public func hasReliableSyncfs(_ path: FilePath) -> Bool {
        var system = utsname()
        guard uname(&system) == 0 else { return false }
        let release = withUnsafePointer(to: &system.release) { tuple in
            tuple.withMemoryRebound(to: CChar.self, capacity: 65) { String(cString: $0) }
        }
        let numbers = release.split(whereSeparator: { !$0.isNumber }).prefix(2).compactMap { Int($0) }
        // Before 5.8 syncfs did not report write errors.
        guard numbers.count == 2, (numbers[0], numbers[1]) >= (5, 8) else { return false }
        let magic = path.withPlatformString { zx_file_system_magic($0) }
        return [0xEF53, 0x5846_5342, 0x9123_683E].contains(magic)  // ext4, xfs, btrfs
    }
}

/// An open descriptor; closed with the last reference at the latest.
public final class PosixFile: OpenFile {
    // Atomic only in that `close` belongs to one owner; reads and writes name their place.
    private nonisolated(unsafe) var descriptor: Int32

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close() }

    /// pread(2).
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws -> Int {
        try check { pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset)) }
    }

    /// pwrite(2) until all is written.
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws {
        var written = 0
        while written < bytes.count {
            written += try check {
                pwrite(descriptor, bytes.baseAddress! + written, bytes.count - written, off_t(offset) + off_t(written))
            }
        }
    }

    /// fstat(2).
    public func size() throws -> Int64 {
        var status = stat()
        try check { fstat(descriptor, &status) }
        return Int64(status.st_size)
    }

    /// ftruncate(2).
    public func truncate(to size: Int64) throws { try check { ftruncate(descriptor, off_t(size)) } }

    /// fsync(2).
    public func sync() throws { try check { fsync(descriptor) } }

    /// fdatasync(2).
    public func syncData() throws { try check { fdatasync(descriptor) } }

    /// syncfs(2).
    public func syncFileSystem() throws { try check { zx_syncfs(descriptor) } }

    /// F_OFD_SETLK.
    public func lock() throws -> Bool {
        do {
            try check { zx_lock(descriptor) }
            return true
        } catch let error as Errno where error == .resourceTemporarilyUnavailable || error == .permissionDenied {
            return false
        }
    }

    /// F_OFD_GETLK.
    public func isLockedByAnother() throws -> Bool { try check { zx_is_locked(descriptor) } == 1 }

    /// close(2).
    public func close() {
        guard descriptor >= 0 else { return }
        _ = Glibc.close(descriptor)
        descriptor = -1
    }
}
