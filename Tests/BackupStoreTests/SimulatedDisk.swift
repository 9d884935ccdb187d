import SystemPackage

@testable import BackupStore

/// A disk in memory that does what disks do: it forgets what was not synced, fails, tears and runs full.
///
/// What is below `passThrough` (the index, which SQLite writes itself) goes to the machine's own file system.
final class SimulatedDisk: FileSystem, @unchecked Sendable {
    // Unchecked: `lock` guards everything.

    /// What is thrown at the call where the power fails, and at every call after it.
    struct PowerFailure: Error {}

    /// What survives a crash.
    enum Survival {
        /// Only what was synced.
        case synced
        /// Everything: only the process died.
        case everything
        /// Of what was not synced, a random part: names, and prefixes of what was written.
        case random(seed: UInt64)
    }

    /// A fault to come.
    struct Fault {
        /// At which call, counted from 1.
        var call: Int
        /// What it throws; nil is the power failing.
        var error: Errno?
        /// How much of a write reaches the file before it fails.
        var tornBytes = 0
    }

    final class Node {
        var isFolder: Bool
        let inode: UInt64
        var entries: [String: Node] = [:]
        var durableEntries: [String: Node] = [:]
        var content: [UInt8] = []
        var durableContent: [UInt8] = []
        /// Ranges written since the last sync, and truncations (nil upper end).
        var dirty: [Dirty] = []

        enum Dirty {
            case written(Range<Int>)
            case truncated(Int)
        }

        init(isFolder: Bool, inode: UInt64) {
            self.isFolder = isFolder
            self.inode = inode
        }

        /// What a successful sync does.
        func makeDurable() {
            for change in dirty {
                switch change {
                case .truncated(let size): durableContent = Self.resized(durableContent, size)
                case .written(let range):
                    // A later truncation may have taken part of it.
                    let end = min(range.upperBound, content.count)
                    guard range.lowerBound < end else { continue }
                    if durableContent.count < end { durableContent = Self.resized(durableContent, end) }
                    durableContent.replaceSubrange(range.lowerBound..<end, with: content[range.lowerBound..<end])
                }
            }
            dirty = []
            durableEntries = entries
        }

        /// What a failed sync does on Linux: the pages are clean now, the next sync reports nothing and saves nothing.
        func forgetDirty() { dirty = [] }

        static func resized(_ bytes: [UInt8], _ size: Int) -> [UInt8] {
            bytes.count >= size ? Array(bytes[..<size]) : bytes + [UInt8](repeating: 0, count: size - bytes.count)
        }
    }

    private let lock = Lock()
    private let root: Node
    private let base: FilePath
    private let baseText: String
    private let passThrough: FilePath
    private let posix = PosixFileSystem()
    private var nextInode: UInt64 = 100
    private(set) var calls = 0
    private(set) var trace: [String] = []
    /// Whether the power has failed.
    private(set) var isDead = false
    private var held: Set<UInt64> = []
    var faults: [Fault] = []
    /// Fails every call whose trace line says so.
    var failing: ((String) -> Errno?)?
    /// Changes what a write puts on the disk, silently.
    var corrupting: ((String, inout [UInt8]) -> Void)?
    let reliableSyncfs: Bool
    let device: UInt64

    init(base: FilePath, reliableSyncfs: Bool = true, device: UInt64 = 1) {
        self.base = base
        baseText = base.string
        self.reliableSyncfs = reliableSyncfs
        self.device = device
        passThrough = base.appending("index")
        root = Node(isFolder: true, inode: 1)
    }

    private init(base: FilePath, root: Node, reliableSyncfs: Bool, device: UInt64, nextInode: UInt64) {
        self.base = base
        baseText = base.string
        self.root = root
        self.reliableSyncfs = reliableSyncfs
        self.device = device
        self.nextInode = nextInode
        passThrough = base.appending("index")
    }

    // MARK: Crashes

    /// The disk as the next process finds it.
    func afterCrash(_ survival: Survival) -> SimulatedDisk {
        lock.locked {
            var generator = SeededGenerator(seed: { if case .random(let seed) = survival { seed } else { 0 } }())
            let copy = Self.surviving(root, survival, &generator)
            return SimulatedDisk(base: base, root: copy, reliableSyncfs: reliableSyncfs, device: device, nextInode: nextInode)
        }
    }

    private static func surviving(_ node: Node, _ survival: Survival, _ generator: inout SeededGenerator) -> Node {
        let copy = Node(isFolder: node.isFolder, inode: node.inode)
        switch survival {
        case .synced: copy.content = node.durableContent
        case .everything: copy.content = node.content
        case .random:
            let shared = zip(node.durableContent, node.content).prefix { $0 == $1 }.count
            if node.content.count > node.durableContent.count, shared == node.durableContent.count {
                // Appended: some of the tail arrived, and sometimes the length without the bytes.
                let kept = Int.random(in: shared...node.content.count, using: &generator)
                copy.content = Array(node.content[..<kept])
                if Int.random(in: 0..<3, using: &generator) == 0 { copy.content = Node.resized(copy.content, node.content.count) }
            } else {
                copy.content = Bool.random(using: &generator) ? node.content : node.durableContent
            }
        }
        copy.durableContent = copy.content
        for name in Set(node.entries.keys).union(node.durableEntries.keys).sorted() {
            let before = node.durableEntries[name]
            let after = node.entries[name]
            let chosen: Node? =
                switch survival {
                case .synced: before
                case .everything: after
                case .random: before === after ? after : (Bool.random(using: &generator) ? before : after)
                }
            if let chosen { copy.entries[name] = surviving(chosen, survival, &generator) }
        }
        copy.durableEntries = copy.entries
        return copy
    }

    // MARK: Looking in

    /// Everything on the disk: paths below the base and bytes.
    func contents() -> [String: [UInt8]] {
        lock.locked {
            var found: [String: [UInt8]] = [:]
            func walk(_ node: Node, _ prefix: String) {
                for (name, child) in node.entries {
                    if child.isFolder { walk(child, prefix + name + "/") } else { found[prefix + name] = child.content }
                }
            }
            walk(root, "")
            return found
        }
    }

    /// Changes a file behind the store's back.
    func damage(_ file: String, _ change: (inout [UInt8]) -> Void) {
        lock.locked {
            guard let node = node(FilePath(file).components.map(\.string)) else { fatalError("no file \(file)") }
            change(&node.content)
            node.durableContent = node.content
        }
    }

    /// Removes a file behind the store's back.
    func vanish(_ file: String) {
        lock.locked {
            var names = FilePath(file).components.map(\.string)
            let name = names.removeLast()
            node(names)?.entries[name] = nil
            node(names)?.durableEntries[name] = nil
        }
    }

    /// Puts a file on the disk.
    func place(_ file: String, _ bytes: [UInt8]) {
        lock.locked {
            var names = FilePath(file).components.map(\.string)
            let name = names.removeLast()
            let node = Node(isFolder: false, inode: nextInode)
            nextInode += 1
            node.content = bytes
            node.durableContent = bytes
            self.node(names)!.entries[name] = node
            self.node(names)!.durableEntries[name] = node
        }
    }

    private func node(_ names: [String]) -> Node? {
        var node: Node? = root
        for name in names { node = node?.entries[name] }
        return node
    }

    // MARK: Calls

    /// The names below the base. Text, not path components: those cost too much for a disk that is asked this often.
    private func names(_ path: FilePath) -> [String] { describe(path).split(separator: "/").map(String.init) }

    private func describe(_ path: FilePath) -> String {
        let text = path.string
        guard text.hasPrefix(baseText) else { return "outside" }
        return String(text.dropFirst(baseText.count + 1))
    }

    fileprivate func call<Result>(_ what: String, torn: (Int) -> Void = { _ in }, _ body: () throws -> Result) throws -> Result {
        try lock.locked {
            if isDead { throw PowerFailure() }
            calls += 1
            trace.append(what)
            if let fault = faults.first(where: { $0.call == calls }) {
                torn(fault.tornBytes)
                guard let error = fault.error else {
                    isDead = true
                    throw PowerFailure()
                }
                throw error
            }
            if let error = failing?(what) { throw error }
            return try body()
        }
    }

    private func isPassedThrough(_ path: FilePath) -> Bool { describe(path).hasPrefix("index/") }

    func open(_ path: FilePath, _ mode: OpenMode) throws -> SimulatedFile {
        try call("open \(describe(path))") {
            var names = names(path)
            guard let name = names.popLast(), let folder = node(names), folder.isFolder else { throw Errno.noSuchFileOrDirectory }
            if let found = folder.entries[name] {
                if mode == .createNew { throw Errno.fileExists }
                if found.isFolder { throw Errno.isDirectory }
                return SimulatedFile(self, found, describe(path))
            }
            guard mode == .createNew || mode == .createOrUpdate else { throw Errno.noSuchFileOrDirectory }
            let made = Node(isFolder: false, inode: nextInode)
            nextInode += 1
            folder.entries[name] = made
            return SimulatedFile(self, made, describe(path))
        }
    }

    func openFolder(_ path: FilePath) throws -> SimulatedFile {
        try call("open \(describe(path))/") {
            if describe(path) == "outside" { return SimulatedFile(self, Node(isFolder: true, inode: 0), "the folder above/") }
            guard let found = node(names(path)), found.isFolder else { throw Errno.noSuchFileOrDirectory }
            return SimulatedFile(self, found, describe(path) + "/")
        }
    }

    func makeFolder(_ path: FilePath) throws {
        try call("mkdir \(describe(path))") {
            var names = names(path)
            guard let name = names.popLast() else { throw Errno.fileExists }
            guard let folder = node(names), folder.isFolder else { throw Errno.noSuchFileOrDirectory }
            if path == passThrough { try? posix.makeFolder(path) }
            if folder.entries[name] != nil { throw Errno.fileExists }
            folder.entries[name] = Node(isFolder: true, inode: nextInode)
            nextInode += 1
        }
    }

    func rename(_ path: FilePath, to newPath: FilePath) throws {
        try call("rename \(describe(path)) \(describe(newPath))") {
            var old = names(path)
            var new = names(newPath)
            let (oldName, newName) = (old.removeLast(), new.removeLast())
            guard let source = node(old), let target = node(new), let moved = source.entries[oldName] else {
                throw Errno.noSuchFileOrDirectory
            }
            source.entries[oldName] = nil
            target.entries[newName] = moved
        }
    }

    func remove(_ path: FilePath) throws {
        try call("remove \(describe(path))") {
            if isPassedThrough(path) { return try posix.remove(path) }
            var names = names(path)
            let name = names.removeLast()
            guard let folder = node(names), folder.entries[name] != nil else { throw Errno.noSuchFileOrDirectory }
            folder.entries[name] = nil
        }
    }

    func list(_ path: FilePath) throws -> [FolderEntry] {
        try call("list \(describe(path))") {
            if path == passThrough { return try posix.list(path) }
            guard let found = node(names(path)) else { throw Errno.noSuchFileOrDirectory }
            guard found.isFolder else { throw Errno.notDirectory }
            return found.entries.map { FolderEntry(name: $0.key, isFolder: $0.value.isFolder) }
        }
    }

    func status(_ path: FilePath) throws -> FileStatus? {
        try call("stat \(describe(path))") {
            if isPassedThrough(path) { return try posix.status(path) }
            return node(names(path)).map { node in
                FileStatus(
                    isFolder: node.isFolder, size: Int64(node.content.count), device: device, inode: node.inode, modified: 0)
            }
        }
    }

    func hasReliableSyncfs(_ path: FilePath) -> Bool { reliableSyncfs }

    fileprivate func syncEverything() {
        func walk(_ node: Node) {
            node.makeDurable()
            for child in node.entries.values { walk(child) }
        }
        walk(root)
    }

    fileprivate func forgetEverythingDirty() {
        func walk(_ node: Node) {
            node.forgetDirty()
            for child in node.entries.values { walk(child) }
        }
        walk(root)
    }

    fileprivate func takeLock(_ inode: UInt64) -> Bool { held.insert(inode).inserted }
    fileprivate func releaseLock(_ inode: UInt64) { lock.locked { _ = held.remove(inode) } }
    fileprivate func isLocked(_ inode: UInt64) -> Bool { held.contains(inode) }
}

final class SimulatedFile: OpenFile, @unchecked Sendable {
    private let disk: SimulatedDisk
    private let node: SimulatedDisk.Node
    private let name: String
    private var holdsLock = false

    init(_ disk: SimulatedDisk, _ node: SimulatedDisk.Node, _ name: String) {
        self.disk = disk
        self.node = node
        self.name = name
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws -> Int {
        try disk.call("read \(name)") {
            let count = max(0, min(buffer.count, node.content.count - Int(offset)))
            if count > 0 {
                node.content.withUnsafeBytes {
                    buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[Int(offset)..<Int(offset) + count]))
                }
            }
            return count
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws {
        try disk.call(
            "write \(name)",
            torn: { count in put(UnsafeRawBufferPointer(rebasing: bytes[..<min(count, bytes.count)]), Int(offset)) }
        ) {
            guard let corrupting = disk.corrupting else { return put(bytes, Int(offset)) }
            var changed = Array(bytes)
            corrupting(name, &changed)
            changed.withUnsafeBytes { put($0, Int(offset)) }
        }
    }

    private func put(_ bytes: UnsafeRawBufferPointer, _ offset: Int) {
        guard bytes.count > 0 else { return }
        let end = offset + bytes.count
        if node.content.count < end { node.content = SimulatedDisk.Node.resized(node.content, end) }
        node.content.replaceSubrange(offset..<end, with: bytes)
        node.dirty.append(.written(offset..<end))
    }

    func size() throws -> Int64 { try disk.call("size \(name)") { Int64(node.content.count) } }

    func truncate(to size: Int64) throws {
        try disk.call("truncate \(name)") {
            node.content = SimulatedDisk.Node.resized(node.content, Int(size))
            node.dirty.append(.truncated(Int(size)))
        }
    }

    func sync() throws { try synchronise("sync") }
    func syncData() throws { try synchronise("syncdata") }

    private func synchronise(_ what: String) throws {
        do {
            try disk.call("\(what) \(name)") { node.makeDurable() }
        } catch let error as Errno {
            node.forgetDirty()
            throw error
        }
    }

    func syncFileSystem() throws {
        do {
            try disk.call("syncfs") { disk.syncEverything() }
        } catch let error as Errno {
            disk.forgetEverythingDirty()
            throw error
        }
    }

    func lock() throws -> Bool {
        try disk.call("lock \(name)") {
            holdsLock = disk.takeLock(node.inode)
            return holdsLock
        }
    }

    func isLockedByAnother() throws -> Bool { try disk.call("islocked \(name)") { disk.isLocked(node.inode) } }

    func close() {
        if holdsLock { disk.releaseLock(node.inode) }
        holdsLock = false
    }

    deinit { close() }
}
