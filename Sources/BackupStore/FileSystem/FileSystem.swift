import SystemPackage

/// What the store asks of a file system: the calls whose failures and crashes the tests replay on a simulated disk.
///
/// All calls block, throw `Errno`, and retry EINTR. Paths are absolute or relative to the process.
public protocol FileSystem: Sendable {
    /// An open file.
    associatedtype File: OpenFile

    /// Opens a file; missing ones are made with mode 0600 where the mode says so.
    func open(_ path: FilePath, _ mode: OpenMode) throws -> File
    /// Opens a folder for ``OpenFile/sync()`` and ``OpenFile/syncFileSystem()``.
    func openFolder(_ path: FilePath) throws -> File
    /// Makes a folder with mode 0700; its parent must exist.
    func makeFolder(_ path: FilePath) throws
    /// Renames atomically, replacing what has the new name.
    func rename(_ path: FilePath, to newPath: FilePath) throws
    /// Removes a file.
    func remove(_ path: FilePath) throws
    /// Removes an empty folder.
    func removeFolder(_ path: FilePath) throws
    /// Names in a folder, without `.` and `..`, in no order.
    func list(_ path: FilePath) throws -> [FolderEntry]
    /// What is there, following symbolic links; nil where nothing is.
    func status(_ path: FilePath) throws -> FileStatus?
    /// Whether one syncfs makes many files durable here: Linux 5.8 or later, on ext4, xfs or btrfs.
    func hasReliableSyncfs(_ path: FilePath) -> Bool
}

/// An open file; reads and writes name their place, so several threads may use it.
public protocol OpenFile: AnyObject, Sendable {
    /// Reads up to the buffer's size; 0 at the end of the file.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws -> Int
    /// Writes all bytes.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws
    /// The file's length.
    func size() throws -> Int64
    /// Cuts the file off.
    func truncate(to size: Int64) throws
    /// fsync(2).
    func sync() throws
    /// fdatasync(2).
    func syncData() throws
    /// syncfs(2) of the file system that the file lies on.
    func syncFileSystem() throws
    /// Takes the writer's lock without waiting; false where another holds it.
    func lock() throws -> Bool
    /// Whether another holds that lock.
    func isLockedByAnother() throws -> Bool
    /// Closes the descriptor; the file may not be used afterwards.
    func close()
}

/// How a file is opened.
public enum OpenMode: Sendable {
    /// Reading only.
    case read
    /// Reading and writing; must exist.
    case update
    /// Reading and writing; made where it does not exist.
    case createOrUpdate
    /// Reading and writing; must not exist.
    case createNew
}

/// What a name in a folder stands for.
public struct FolderEntry: Sendable, Hashable {
    /// The name.
    public var name: String
    /// Whether it is a folder.
    public var isFolder: Bool

    /// An entry made of its parts.
    public init(name: String, isFolder: Bool) {
        self.name = name
        self.isFolder = isFolder
    }
}

/// What `stat` says.
public struct FileStatus: Sendable, Hashable {
    /// Whether it is a folder.
    public var isFolder: Bool
    /// Length in bytes.
    public var size: Int64
    /// Device number.
    public var device: UInt64
    /// Inode number.
    public var inode: UInt64
    /// Last modification, whole seconds since 1970.
    public var modified: Int64

    /// A status made of its parts.
    public init(isFolder: Bool, size: Int64, device: UInt64, inode: UInt64, modified: Int64) {
        self.isFolder = isFolder
        self.size = size
        self.device = device
        self.inode = inode
        self.modified = modified
    }
}
