/// What of a simulated disk is there after a crash.
public enum Survival: Sendable, CustomStringConvertible {
    /// Only what was synced: data by fsync, fdatasync or syncfs, names by a sync of their folder.
    case synced
    /// Everything: only the process died. What was not synced still waits for it.
    case everything
    /// Of what was not synced a part that follows from the seed: sectors in any order, lengths without bytes, names that are
    /// there, not yet there, or there again.
    case random(seed: UInt64)

    /// For messages: `random(17)`.
    public var description: String {
        switch self {
        case .synced: "synced"
        case .everything: "everything"
        case .random(let seed): "random(\(seed))"
        }
    }
}

/// Makes the disk that the next process finds.
struct CrashedDisk {
    /// A disk writes sectors whole.
    static let sector = 512

    private let survival: Survival
    private var generator: SeededGenerator
    private var twins: [ObjectIdentifier: SimulatedNode] = [:]

    init(_ survival: Survival) {
        self.survival = survival
        generator = SeededGenerator(seed: { if case .random(let seed) = survival { seed } else { 0 } }())
    }

    mutating func copy(of node: SimulatedNode) -> SimulatedNode {
        if case .everything = survival { return twin(of: node) }
        let copy = SimulatedNode(isFolder: node.isFolder, inode: node.inode)
        copy.modified = node.modified
        copy.content =
            switch survival {
            case .synced: node.durableContent
            default: mixed(node.durableContent, node.content)
            }
        copy.durableContent = copy.content
        for name in Set(node.entries.keys).union(node.durableEntries.keys).sorted() {
            let before = node.durableEntries[name]
            let after = node.entries[name]
            let chosen =
                switch survival {
                case .synced: before
                default: before === after || Bool.random(using: &generator) ? after : before
                }
            if let chosen { copy.entries[name] = self.copy(of: chosen) }
        }
        copy.durableEntries = copy.entries
        return copy
    }

    /// The same file or folder for another process; one that has two names keeps both.
    private mutating func twin(of node: SimulatedNode) -> SimulatedNode {
        if let known = twins[ObjectIdentifier(node)] { return known }
        let twin = SimulatedNode(twin: node)
        twins[ObjectIdentifier(node)] = twin
        for (name, child) in node.entries { twin.entries[name] = self.twin(of: child) }
        for (name, child) in node.durableEntries { twin.durableEntries[name] = self.twin(of: child) }
        return twin
    }

    /// A length between the two, and each sector old or new; where nothing was written yet, zeros.
    private mutating func mixed(_ before: [UInt8], _ after: [UInt8]) -> [UInt8] {
        guard before != after else { return after }
        let lengths = before.count <= after.count ? before.count...after.count : after.count...before.count
        let length =
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: before.count
            case 1: Int.random(in: lengths, using: &generator)
            default: after.count
            }
        // Mostly new, mostly old, or half and half.
        let newOnes = [1, 8, 15, 16][Int.random(in: 0..<4, using: &generator)]
        var result = SimulatedNode.resized(before, length)
        for start in stride(from: 0, to: length, by: Self.sector) where Int.random(in: 0..<16, using: &generator) < newOnes {
            let end = min(start + Self.sector, length, after.count)
            if start < end { result.replaceSubrange(start..<end, with: after[start..<end]) }
        }
        return result
    }
}
