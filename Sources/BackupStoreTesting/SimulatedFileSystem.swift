import BackupStore
import SystemPackage

/// A disk in memory that does what disks do: it forgets what was not synced, tears, fails, fills up and rots.
///
///     let disk = SimulatedFileSystem(base: folder)
///     try FileStoreWriter.create(folder, serverID: "s", files: disk)
///     disk.faults = [SimulatedFault(call: disk.calls + 40, error: nil)]  // The power fails at the 40th call from now.
///     …
///     let next = disk.afterCrash(.random(seed: 7))
///     let writer = try FileStoreWriter(opening: folder, serverID: "s", files: next)
///
/// Only the index, which SQLite writes itself, lies on the machine's own file system: below `index` in the base folder.
/// Everything that happens follows from the seeds given, so that a failure can be had again.
public final class SimulatedFileSystem: FileSystem, @unchecked Sendable {
    // Unchecked: `lock` guards everything.

    /// The folder that paths are meant below; only its `index` exists on the machine.
    public let base: FilePath
    /// Whether one syncfs makes everything durable.
    public let reliableSyncfs: Bool
    /// The device's number.
    public let device: UInt64
    /// The clock that gives files their times.
    public let clock: SimulatedClock

    let lock = Lock()
    private let root: SimulatedNode
    private let baseText: String
    private let posix = PosixFileSystem()
    private var nextInode: UInt64
    private var held: Set<UInt64> = []

    /// How many calls there were.
    public private(set) var calls = 0
    /// What each call was, such as `write journal/segment-1-…`.
    public private(set) var trace: [String] = []
    /// Whether `trace` is kept; long searches do without.
    public var keepsTrace = true
    /// Whether the power has failed.
    public private(set) var isDead = false

    /// Faults to come, by number of the call.
    public var faults: [SimulatedFault] = []
    /// Fails every call whose trace line says so.
    public var failing: ((String) -> Errno?)?
    /// Changes what a write puts on the disk, silently.
    public var corrupting: ((String, inout [UInt8]) -> Void)?
    /// Room on the disk.
    public var limits = SimulatedLimits()
    /// Reads give fewer bytes than asked for, as the generator says; nil for full reads.
    public var shortReads: SeededGenerator?
    /// Called before each call, with its number: a copy advances here.
    public var beforeCall: ((Int) -> Void)?

    /// An empty disk.
    ///
    /// - Parameters:
    ///   - base: a folder of the machine, which the index lies below.
    ///   - reliableSyncfs: as on ext4, xfs and btrfs; without it each file has to be synced by itself.
    ///   - device: the device's number; a copy lies on another one.
    ///   - clock: gives files their times.
    public convenience init(
        base: FilePath, reliableSyncfs: Bool = true, device: UInt64 = 1, clock: SimulatedClock = SimulatedClock()
    ) {
        self.init(base: base, SimulatedNode(isFolder: true, inode: 1), reliableSyncfs, device, clock, nextInode: 100)
    }

    private init(
        base: FilePath, _ root: SimulatedNode, _ reliableSyncfs: Bool, _ device: UInt64, _ clock: SimulatedClock,
        nextInode: UInt64
    ) {
        self.base = base
        self.root = root
        self.reliableSyncfs = reliableSyncfs
        self.device = device
        self.clock = clock
        self.nextInode = nextInode
        baseText = base.string
    }

    /// The disk as the next process finds it after a crash now; no fault and no limit is taken over.
    public func afterCrash(_ survival: Survival) -> SimulatedFileSystem {
        lock.locked {
            var crash = CrashedDisk(survival)
            return SimulatedFileSystem(
                base: base, crash.copy(of: root), reliableSyncfs, device, clock, nextInode: nextInode)
        }
    }

    // MARK: Looking in

    /// Everything on the disk: paths below the base, and bytes.
    public func contents() -> [String: [UInt8]] {
        lock.locked {
            var found: [String: [UInt8]] = [:]
            func walk(_ node: SimulatedNode, _ prefix: String) {
                for (name, child) in node.entries {
                    if child.isFolder { walk(child, prefix + name + "/") } else { found[prefix + name] = child.content }
                }
            }
            walk(root, "")
            return found
        }
    }

    /// Changes a file behind the store's back.
    public func damage(_ file: String, _ change: (inout [UInt8]) -> Void) {
        lock.locked {
            guard let node = node(Self.names(file)) else { preconditionFailure("no file \(file)") }
            change(&node.content)
            node.durableContent = node.content
        }
    }

    /// Flips one bit of one file; which, follows from the seed.
    /// - Returns: the file, nil where there is none with content.
    @discardableResult
    public func rot(seed: UInt64) -> String? {
        var generator = SeededGenerator(seed: seed)
        let candidates = contents().filter { !$0.value.isEmpty }.keys.sorted()
        guard let file = candidates.randomElement(using: &generator) else { return nil }
        damage(file) { $0[Int.random(in: 0..<$0.count, using: &generator)] ^= 1 << UInt8.random(in: 0..<8, using: &generator) }
        return file
    }

    /// Removes a file behind the store's back.
    public func vanish(_ file: String) {
        lock.locked {
            var names = Self.names(file)
            let name = names.removeLast()
            node(names)?.entries[name] = nil
            node(names)?.durableEntries[name] = nil
        }
    }

    /// Puts a folder on the disk, and those above it.
    public func placeFolder(_ folder: String) { _ = lock.locked { placedFolder(Self.names(folder)) } }

    private func placedFolder(_ names: [String]) -> SimulatedNode {
        var folder = root
        for name in names {
            let child = folder.entries[name] ?? newNode(isFolder: true)
            folder.entries[name] = child
            folder.durableEntries[name] = child
            folder = child
        }
        return folder
    }

    /// Puts a file on the disk, and the folders that it needs.
    public func place(_ file: String, _ bytes: [UInt8], modified: Int64 = 0) {
        lock.locked {
            var names = Self.names(file)
            let name = names.removeLast()
            let folder = placedFolder(names)
            let node = newNode(isFolder: false)
            node.content = bytes
            node.durableContent = bytes
            node.modified = modified
            folder.entries[name] = node
            folder.durableEntries[name] = node
        }
    }

    /// Size, time and, where asked for, the bytes of what is there; no call.
    func look(at file: String) -> (size: Int, modified: Int64, isFolder: Bool, bytes: () -> [UInt8])? {
        lock.locked {
            node(Self.names(file)).map { node in (node.content.count, node.modified, node.isFolder, { node.content }) }
        }
    }

    /// Names in a folder, sorted; no call.
    func names(in folder: String) -> [String] { lock.locked { node(Self.names(folder))?.entries.keys.sorted() ?? [] } }

    // MARK: Calls

    private func node(_ names: [String]) -> SimulatedNode? {
        var node: SimulatedNode? = root
        for name in names { node = node?.entries[name] }
        return node
    }

    private static func names(_ text: String) -> [String] { text.split(separator: "/").map(String.init) }

    private func newNode(isFolder: Bool) -> SimulatedNode {
        nextInode += 1
        let node = SimulatedNode(isFolder: isFolder, inode: nextInode - 1)
        node.modified = clock.now / 1000
        return node
    }

    /// Text, not path components: those cost too much for a disk that is asked this often.
    private func describe(_ path: FilePath) -> String {
        let text = path.string
        guard text.hasPrefix(baseText) else { return "outside" }
        return String(text.dropFirst(baseText.count + 1))
    }

    private func isOnMachine(_ text: String) -> Bool { text.hasPrefix("index/") }

    func call<Result>(
        _ what: @autoclosure () -> String, torn: (Int) -> Void = { _ in }, _ body: () throws -> Result
    ) throws -> Result {
        try lock.locked {
            if isDead { throw PowerFailure() }
            calls += 1
            beforeCall?(calls)
            if keepsTrace { trace.append(what()) }
            if let fault = faults.first(where: { $0.call == calls }) {
                torn(fault.tornBytes)
                guard let error = fault.error else {
                    isDead = true
                    throw PowerFailure()
                }
                throw error
            }
            if let failing, let error = failing(what()) { throw error }
            return try body()
        }
    }

    private func checkInodes() throws {
        guard limits.inodes < Int.max else { return }
        var count = 0
        root.walk { _ in count += 1 }
        if count >= limits.inodes { throw limits.error }
    }

    /// How many of `more` bytes there is room for.
    func room(for more: Int) -> Int {
        guard more > 0, limits.bytes < Int.max else { return more }
        var used = 0
        root.walk { used += $0.content.count }
        return max(0, min(more, limits.bytes - used))
    }

    /// Opens a file of the disk.
    public func open(_ path: FilePath, _ mode: OpenMode) throws -> SimulatedFile {
        let text = describe(path)
        return try call("open \(text)") {
            var names = Self.names(text)
            guard let name = names.popLast(), let folder = node(names), folder.isFolder else { throw Errno.noSuchFileOrDirectory }
            if let found = folder.entries[name] {
                if mode == .createNew { throw Errno.fileExists }
                if found.isFolder { throw Errno.isDirectory }
                return SimulatedFile(self, found, text)
            }
            guard mode == .createNew || mode == .createOrUpdate else { throw Errno.noSuchFileOrDirectory }
            try checkInodes()
            let made = newNode(isFolder: false)
            folder.entries[name] = made
            return SimulatedFile(self, made, text)
        }
    }

    /// Opens a folder of the disk.
    public func openFolder(_ path: FilePath) throws -> SimulatedFile {
        let text = describe(path)
        return try call("open \(text)/") {
            if text == "outside" {
                return SimulatedFile(self, SimulatedNode(isFolder: true, inode: 0), "the folder above/")
            }
            guard let found = node(Self.names(text)), found.isFolder else { throw Errno.noSuchFileOrDirectory }
            return SimulatedFile(self, found, text + "/")
        }
    }

    /// Makes a folder.
    public func makeFolder(_ path: FilePath) throws {
        let text = describe(path)
        try call("mkdir \(text)") {
            var names = Self.names(text)
            guard let name = names.popLast() else { throw Errno.fileExists }
            guard let folder = node(names), folder.isFolder else { throw Errno.noSuchFileOrDirectory }
            if text == "index" { try? posix.makeFolder(path) }  // It may be there from before.
            if folder.entries[name] != nil { throw Errno.fileExists }
            try checkInodes()
            folder.entries[name] = newNode(isFolder: true)
        }
    }

    /// Renames.
    public func rename(_ path: FilePath, to newPath: FilePath) throws {
        let (oldText, newText) = (describe(path), describe(newPath))
        try call("rename \(oldText) \(newText)") {
            var old = Self.names(oldText)
            var new = Self.names(newText)
            let (oldName, newName) = (old.removeLast(), new.removeLast())
            guard let source = node(old), let target = node(new), let moved = source.entries[oldName] else {
                throw Errno.noSuchFileOrDirectory
            }
            source.entries[oldName] = nil
            target.entries[newName] = moved
        }
    }

    /// Removes a file.
    public func remove(_ path: FilePath) throws {
        let text = describe(path)
        try call("remove \(text)") {
            if isOnMachine(text) { return try posix.remove(path) }
            var names = Self.names(text)
            let name = names.removeLast()
            guard let folder = node(names), folder.entries[name] != nil else { throw Errno.noSuchFileOrDirectory }
            folder.entries[name] = nil
        }
    }

    /// Removes an empty folder.
    public func removeFolder(_ path: FilePath) throws {
        let text = describe(path)
        try call("rmdir \(text)") {
            var names = Self.names(text)
            guard let name = names.popLast(), let folder = node(names), let removed = folder.entries[name] else {
                throw Errno.noSuchFileOrDirectory
            }
            guard removed.isFolder else { throw Errno.notDirectory }
            guard removed.entries.isEmpty else { throw Errno.directoryNotEmpty }
            folder.entries[name] = nil
        }
    }

    /// Names in a folder.
    public func list(_ path: FilePath) throws -> [FolderEntry] {
        let text = describe(path)
        return try call("list \(text)") {
            if text == "index" { return try posix.list(path) }
            guard let found = node(Self.names(text)) else { throw Errno.noSuchFileOrDirectory }
            guard found.isFolder else { throw Errno.notDirectory }
            return found.entries.map { FolderEntry(name: $0.key, isFolder: $0.value.isFolder) }.sorted { $0.name < $1.name }
        }
    }

    /// What is there.
    public func status(_ path: FilePath) throws -> FileStatus? {
        let text = describe(path)
        return try call("stat \(text)") {
            if isOnMachine(text) { return try posix.status(path) }
            return node(Self.names(text)).map { node in
                FileStatus(
                    isFolder: node.isFolder, size: Int64(node.content.count), device: device, inode: node.inode,
                    modified: node.modified)
            }
        }
    }

    /// As the disk was made.
    public func hasReliableSyncfs(_ path: FilePath) -> Bool { reliableSyncfs }

    func syncEverything() { root.walk { $0.makeDurable() } }
    func forgetEverythingDirty() { root.walk { $0.forgetDirty() } }

    func takeLock(_ inode: UInt64) -> Bool { held.insert(inode).inserted }
    func releaseLock(_ inode: UInt64) { lock.locked { _ = held.remove(inode) } }
    func isLocked(_ inode: UInt64) -> Bool { held.contains(inode) }
}
