import BackupStore
import SystemPackage

/// Copies of a disk that are made one upon the other while somebody works on it.
final class CopiesWhileWorking {
    private static let count = 3

    private let source: SimulatedFileSystem
    private let target: SimulatedFileSystem
    private let folder: FilePath
    private let order: SimulatedCopy.Order
    private let start: Int
    private let stride: Int
    private let seed: UInt64
    private var current: SimulatedCopy?
    private var acknowledged = 0
    private var done: [(disk: SimulatedFileSystem, acknowledged: Int)] = []

    init(of source: SimulatedFileSystem, below folder: FilePath, seed: UInt64) {
        var generator = SeededGenerator(seed: seed &+ 5)
        self.source = source
        self.seed = seed
        self.folder = folder
        target = SimulatedFileSystem(base: folder.appending("copy"), reliableSyncfs: source.reliableSyncfs, device: 2)
        order = SimulatedCopy.Order.allCases.randomElement(using: &generator)!
        start = Int.random(in: 30...150, using: &generator)
        stride = Int.random(in: 1...4, using: &generator)
    }

    /// Copies a little, or begins the next copy.
    func advance(_ call: Int, acknowledged: Int) {
        if let current, call % stride == 0 {
            current.step()
            if current.isDone { keep() }
        } else if current == nil, call >= start, done.count < Self.count {
            self.acknowledged = acknowledged
            current = SimulatedCopy(of: source, to: target, order: order, seed: seed &+ UInt64(done.count))
        }
    }

    private func keep() {
        done.append((target.afterCrash(.everything), acknowledged))
        current = nil
    }

    /// Finishes, and opens every copy: for reading, and then for writing.
    func check(_ model: StoreModel) throws {
        if let current {
            current.finish()
            keep()
        }
        for (number, (disk, acknowledged)) in done.enumerated() {
            guard acknowledged > 0 else { continue }  // It may have begun before the path was whole.
            var model = model
            model.acknowledged = acknowledged
            do {
                let reader = try FileStoreReader(opening: disk.base, temporaryFolder: folder, files: disk)
                defer { reader.close() }
                guard try reader.info().isCopy else { throw BrokenInvariant("it is not known to be a copy") }
                try model.check(reader, isCopy: true)
                try PosixFileSystem().makeFolderIfMissing(disk.base)
                try PosixFileSystem().makeFolderIfMissing(disk.base.appending("index"))
                let writer = try FileStoreWriter(opening: disk.base, serverID: "server-1", files: disk)
                try model.check(writer, isCopy: true)
                writer.abandon()
                FolderTree.remove(disk.base)
            } catch {
                throw BrokenInvariant("copy \(number + 1), in the order \(order): \(error)")
            }
        }
    }
}
