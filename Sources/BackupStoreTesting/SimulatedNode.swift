/// A file or folder of the simulated disk: what was written, apart from what would survive a crash.
final class SimulatedNode {
    let isFolder: Bool
    let inode: UInt64
    var entries: [String: SimulatedNode] = [:]
    var durableEntries: [String: SimulatedNode] = [:]
    var content: [UInt8] = []
    var durableContent: [UInt8] = []
    /// Last modification, whole seconds since 1970.
    var modified: Int64 = 0
    /// What was written since the last sync, oldest first.
    private(set) var dirty: [Change] = []

    enum Change {
        case written(Range<Int>)
        case truncated(Int)
    }

    init(isFolder: Bool, inode: UInt64) {
        self.isFolder = isFolder
        self.inode = inode
    }

    /// The same, without what is in a folder.
    init(twin node: SimulatedNode) {
        (isFolder, inode, modified) = (node.isFolder, node.inode, node.modified)
        (content, durableContent, dirty) = (node.content, node.durableContent, node.dirty)
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
        guard bytes.count > 0 else { return }
        let end = offset + bytes.count
        if content.count < end { content = Self.resized(content, end) }
        content.replaceSubrange(offset..<end, with: bytes)
        dirty.append(.written(offset..<end))
    }

    func truncate(to size: Int) {
        content = Self.resized(content, size)
        dirty.append(.truncated(size))
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

    /// What a failed sync does on Linux: the pages count as clean, so that the next sync reports nothing and saves nothing.
    ///
    /// A truncation is the file system's own matter, and no page.
    func forgetDirty() { dirty.removeAll { if case .written = $0 { true } else { false } } }

    /// Calls `body` with this node and all below it.
    func walk(_ body: (SimulatedNode) -> Void) {
        body(self)
        for child in entries.values { child.walk(body) }
    }

    static func resized(_ bytes: [UInt8], _ size: Int) -> [UInt8] {
        bytes.count >= size ? Array(bytes[..<size]) : bytes + [UInt8](repeating: 0, count: size - bytes.count)
    }
}
