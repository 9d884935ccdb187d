import BackupStoreTesting
import SystemPackage

@testable import BackupStore

/// A backup path on a simulated disk.
final class StoreOnDisk {
    let folder = TemporaryFolder()
    let path: FilePath
    var disk: SimulatedFileSystem
    var options = StoreOptions()

    init(reliableSyncfs: Bool = true) throws {
        path = folder.appending("backup")
        try PosixFileSystem().makeFolder(path)
        try PosixFileSystem().makeFolder(path.appending("index"))
        disk = SimulatedFileSystem(base: path, reliableSyncfs: reliableSyncfs)
        try FileStoreWriter.create(path, serverID: "server-1", files: disk)
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
