import BackupStoreTesting
import SystemPackage

@testable import BackupStore

/// A backup path on a simulated disk.
final class StoreOnDisk {
    let folder = TemporaryFolder()
    let path: FilePath
    var disk: SimulatedFileSystem
    var options = StoreOptions()

    init(reliableSyncfs: Bool = true, storeID: String = randomName()) throws {
        path = folder.appending("backup")
        try PosixFileSystem().makeFolder(path)
        try PosixFileSystem().makeFolder(path.appending("index"))
        disk = SimulatedFileSystem(base: path, reliableSyncfs: reliableSyncfs)
        try StoreCreation.create(BackupPath(path), serverID: "server-1", storeID: storeID, disk)
    }

    /// A path with these files, which were kept somewhere: the original, or a copy.
    init(of files: [String: [UInt8]], asCopy: Bool) throws {
        path = folder.appending("backup")
        try PosixFileSystem().makeFolder(path)
        try PosixFileSystem().makeFolder(path.appending("index"))
        disk = SimulatedFileSystem(base: path)
        for name in BackupPath.folders { disk.placeFolder(name) }
        for (name, bytes) in files.sorted(by: { $0.key < $1.key }) where name != "index/index.sqlite" { disk.place(name, bytes) }
        if let bytes = files["index/index.sqlite"] {
            let file = try PosixFileSystem().open(path.appending("index/index.sqlite"), .createNew)
            defer { file.close() }
            try bytes.withUnsafeBytes { try file.write($0, at: 0) }
        }
        // What the file says of device and inode holds where the path was made.
        let isWhole = files["journal/instance"].map { SealedJSON.decode($0) != nil } ?? false
        if asCopy { disk.vanish("journal/instance") } else if isWhole { try StoreInstance.write(disk, BackupPath(path)) }
    }

    func open() throws -> FileStoreWriter<SimulatedFileSystem> {
        try FileStoreWriter(opening: path, serverID: "server-1", options: options, files: disk)
    }

    func reader() throws -> FileStoreReader<SimulatedFileSystem> {
        try FileStoreReader(opening: path, files: disk)
    }

    /// The machine crashes; the next `open` finds what survived.
    func crash(_ writer: FileStoreWriter<SimulatedFileSystem>, _ survival: Survival = .synced) {
        writer.abandon()
        disk = disk.afterCrash(survival)
    }

    func removeIndex() {
        for name in ["index.sqlite", "index.sqlite-wal", "index.sqlite-shm"] {
            try? PosixFileSystem().remove(path.appending("index").appending(name))
        }
    }

    /// Names of files whose path begins so, sorted.
    func files(_ prefix: String) -> [String] { disk.contents().keys.filter { $0.hasPrefix(prefix) }.sorted() }

    /// The journal's segment with the highest number.
    var newestSegment: String { files("journal/segment-").last! }
}

func historyFile(_ id: Int64, account: String = account) -> String {
    BackupPath("/").relativeHistory(.item(account: account, id: id))
}

extension FileStoreWriter {
    /// Removes whole histories; returns the blobs that they named.
    @discardableResult
    func removeHistories(_ keys: [HistoryKey], time: Int64) throws -> [BlobID] {
        try commit()
        let named = try Set(keys.flatMap { try history(of: $0).lines.flatMap(\.blobs).map(\.id) })
        try removeHistories(keys, with: .purge(time))
        return Array(named)
    }
}
