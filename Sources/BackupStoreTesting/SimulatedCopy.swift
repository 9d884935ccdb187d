import BackupStore

/// A copy of a simulated disk that is made while the disk is in use, file by file, as rsync makes it.
///
/// Folders are listed when their turn comes; a file is read piece by piece and then put in its place. What is there already with
/// the same size and the same whole second is left as it is; what the source no longer has is removed.
public final class SimulatedCopy {
    /// In which order names are visited.
    public enum Order: CaseIterable, Sendable {
        /// As rsync does.
        case names
        /// The last first.
        case reverse
        /// As the seed says.
        case random
    }

    /// How much is read of a file in one step, bytes.
    private static let piece = 8192

    private enum Task {
        case folder(String)
        case file(String)
        case removals(String, kept: Set<String>)
    }

    private let source: SimulatedFileSystem
    private let target: SimulatedFileSystem
    private let order: Order
    private var generator: SeededGenerator
    private var tasks: [Task] = [.folder("")]
    private var open: (name: String, modified: Int64, bytes: () -> [UInt8], read: [UInt8])?

    /// Begins a copy.
    ///
    /// - Parameters:
    ///   - target: an empty disk, or one with an earlier copy.
    ///   - seed: for the random order.
    public init(of source: SimulatedFileSystem, to target: SimulatedFileSystem, order: Order = .names, seed: UInt64 = 1) {
        self.source = source
        self.target = target
        self.order = order
        generator = SeededGenerator(seed: seed)
    }

    /// Whether all is copied.
    public var isDone: Bool { tasks.isEmpty && open == nil }

    /// Copies one piece, or does one other thing.
    public func step() {
        if let file = open {
            let bytes = file.bytes()
            let end = min(file.read.count + Self.piece, bytes.count)
            if file.read.count < end {
                open!.read += bytes[file.read.count..<end]
            } else {
                target.place(file.name, file.read, modified: file.modified)
                open = nil
            }
            return
        }
        switch tasks.popLast() {
        case .folder(let name): list(name)
        case .file(let name): begin(name)
        case .removals(let folder, let kept):
            for name in target.names(in: folder) where !kept.contains(name) {
                target.vanish(folder.isEmpty ? name : "\(folder)/\(name)")
            }
        case nil: break
        }
    }

    /// Copies all that is left.
    public func finish() { while !isDone { step() } }

    private func list(_ folder: String) {
        // The index is of no worth in a copy, and lies elsewhere.
        let names = source.names(in: folder).filter { !folder.isEmpty || $0 != "index" }
        target.placeFolder(folder)
        tasks.append(.removals(folder, kept: Set(names)))
        var ordered: [String]
        switch order {
        case .names: ordered = names
        case .reverse: ordered = names.reversed()
        case .random: ordered = names.shuffled(using: &generator)
        }
        ordered.reverse()  // The last task is done first.
        for name in ordered {
            let place = folder.isEmpty ? name : "\(folder)/\(name)"
            guard let found = source.look(at: place) else { continue }
            tasks.append(found.isFolder ? .folder(place) : .file(place))
        }
    }

    private func begin(_ name: String) {
        guard let found = source.look(at: name) else { return }  // Gone since the folder was listed.
        if let there = target.look(at: name), there.size == found.size, there.modified == found.modified { return }
        open = (name, found.modified, found.bytes, [])
    }
}
