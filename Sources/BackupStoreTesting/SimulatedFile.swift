import BackupStore
import SystemPackage

/// An open file or folder of a ``SimulatedFileSystem``.
public final class SimulatedFile: OpenFile, @unchecked Sendable {
    // Unchecked: the disk's lock guards the node, and a file belongs to one owner.

    private let disk: SimulatedFileSystem
    private let node: SimulatedNode
    private let name: String
    private var holdsLock = false

    init(_ disk: SimulatedFileSystem, _ node: SimulatedNode, _ name: String) {
        self.disk = disk
        self.node = node
        self.name = name
    }

    deinit { close() }

    /// Reads; fewer bytes than there are where the disk is told to.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws -> Int {
        try disk.call("read \(name)") {
            var count = max(0, min(buffer.count, node.content.count - Int(offset)))
            if count > 1, disk.shortReads != nil { count = Int.random(in: 1...count, using: &disk.shortReads!) }
            if count > 0 {
                node.content.withUnsafeBytes {
                    buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[Int(offset)..<Int(offset) + count]))
                }
            }
            return count
        }
    }

    /// Writes all bytes, or as many as there is room for and throws.
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws {
        func put(_ bytes: UnsafeRawBufferPointer) {
            node.write(bytes, at: Int(offset))
            node.modified = disk.clock.now / 1000
        }
        try disk.call(
            "write \(name)", torn: { count in put(UnsafeRawBufferPointer(rebasing: bytes[..<min(count, bytes.count)])) }
        ) {
            let growth = max(0, Int(offset) + bytes.count - node.content.count)
            let room = disk.room(for: growth)
            if room < growth {
                let kept = max(0, bytes.count - (growth - room))
                put(UnsafeRawBufferPointer(rebasing: bytes[..<kept]))
                throw disk.limits.error
            }
            guard let corrupting = disk.corrupting else { return put(bytes) }
            var changed = Array(bytes)
            corrupting(name, &changed)
            changed.withUnsafeBytes { put($0) }
        }
    }

    /// The length.
    public func size() throws -> Int64 { try disk.call("size \(name)") { Int64(node.content.count) } }

    /// Cuts the file off, or lengthens it by zeros.
    public func truncate(to size: Int64) throws {
        try disk.call("truncate \(name)") {
            node.truncate(to: Int(size))
            node.modified = disk.clock.now / 1000
        }
    }

    /// Makes content, or a folder's names, durable.
    public func sync() throws { try synchronise("sync") }

    /// Makes content durable.
    public func syncData() throws { try synchronise("syncdata") }

    private func synchronise(_ what: String) throws {
        do {
            try disk.call("\(what) \(name)") { node.makeDurable() }
        } catch let error as Errno {
            disk.lock.locked { node.forgetDirty() }
            throw error
        }
    }

    /// Makes everything durable.
    public func syncFileSystem() throws {
        do {
            try disk.call("syncfs") { disk.syncEverything() }
        } catch let error as Errno {
            disk.lock.locked { disk.forgetEverythingDirty() }
            throw error
        }
    }

    /// Takes the lock that one open file of the disk may hold.
    public func lock() throws -> Bool {
        try disk.call("lock \(name)") {
            holdsLock = disk.takeLock(node.inode)
            return holdsLock
        }
    }

    /// Whether some open file holds it.
    public func isLockedByAnother() throws -> Bool { try disk.call("islocked \(name)") { disk.isLocked(node.inode) } }

    /// Gives the lock back.
    public func close() {
        if holdsLock { disk.releaseLock(node.inode) }
        holdsLock = false
    }
}
