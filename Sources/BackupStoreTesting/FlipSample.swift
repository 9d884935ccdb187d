import BackupStore
import SystemPackage

/// A backup path of less than 100 KB with something of everything: accounts, a domain, states old and new, contents shared and
/// alone, reasons for scans, a purge, checkpoints, sealed segments.
final class FlipSample {
    static let index = "index/index.sqlite"
    let path: FilePath
    let disk: SimulatedFileSystem
    /// What the files held earlier, oldest first.
    private(set) var earlier: [String: [[UInt8]]] = [:]
    /// All files, that of the index too.
    let files: [String: [UInt8]]

    init(_ place: FilePath) throws {
        path = place.appending("backup")
        for folder in [path, path.appending("index")] { try PosixFileSystem().makeFolder(folder) }
        let disk = SimulatedFileSystem(base: path)
        disk.keepsTrace = false
        self.disk = disk
        try FileStoreWriter.create(path, serverID: "server-1", files: disk)
        var snapshots: [[String: [UInt8]]] = []
        for round in 0..<3 {
            try Self.work(round, try Self.open(path, disk))
            snapshots.append(try Self.contents(path, disk))
        }
        files = snapshots.removeLast()
        for snapshot in snapshots {
            for (file, bytes) in snapshot where files[file] != nil && files[file] != bytes && earlier[file]?.last != bytes {
                earlier[file, default: []].append(bytes)
            }
        }
    }

    private static func open(_ path: FilePath, _ disk: SimulatedFileSystem) throws -> FileStoreWriter<SimulatedFileSystem> {
        var options = StoreOptions()
        let clock = disk.clock
        options.now = { clock.now }
        return try FileStoreWriter(opening: path, serverID: "server-1", options: options, files: disk)
    }

    /// One round of a writer's life, from opening to closing.
    private static func work(_ round: Int, _ writer: FileStoreWriter<SimulatedFileSystem>) throws {
        let shared = try writer.stageBlob(Array("Subject: shared\r\n\r\nfor all".utf8))
        for n in 0..<4 {
            let account = StoreWork.accounts[n % 2]
            let number = Int64(round * 4 + n)
            var blobs = [shared]
            if n == 1 { blobs.append(try writer.stageBlob(Array("Subject: \(round)\r\n\r\nalone".utf8))) }
            var transaction = StoreTransaction(
                account: account, time: 1_795_577_000_000 + number * 1000, change: number + 1,
                states: [
                    NewState(
                        key: .item(account: account, id: Int64(257 + n / 2)),
                        fields: [
                            "type": "message", "folder": .int(Int64(2 + round)), "name": "Grüße",
                            "deleted": .bool(round == 2 && n == 3),
                        ],
                        blobs: n == 3 ? [] : blobs)
                ], position: "position \(number)")
            if n == 2 { transaction.marks = [Mark(reason: "a reason", candidates: [257], time: number)] }
            try writer.append(transaction)
            try writer.commit()
        }
        let account = StoreWork.accounts[0]
        try writer.append(
            StoreTransaction(
                account: account, time: 1_795_577_100_000, kind: "scan",
                states: [
                    NewState(
                        key: .accountInfo(account),
                        fields: ["type": "account", "name": "bob@example.com", "round": .int(Int64(round))]),
                    NewState(key: .mailbox(account), fields: ["type": "mailbox", "mailbox_id": .int(Int64(round))]),
                    NewState(key: .item(account: account, id: 300), fields: ["type": "folder", "name": "Gone"], blobs: []),
                ]))
        try writer.append(
            StoreTransaction(
                account: nil, time: 1_795_577_200_000,
                states: [
                    NewState(key: .directory(.domains, "domain-1"), fields: ["type": "domain", "round": .int(Int64(round))])
                ]))
        try writer.commit()
        if round == 1 { _ = try writer.removeHistories([.item(account: account, id: 300)], with: .purge(1_795_577_300_000)) }
        try writer.close()
    }

    private static func contents(_ path: FilePath, _ disk: SimulatedFileSystem) throws -> [String: [UInt8]] {
        var files = disk.contents()
        files[index] = try read(path.appending("index").appending("index.sqlite"))
        return files
    }

    private static func read(_ path: FilePath) throws -> [UInt8] {
        let file = try PosixFileSystem().open(path, .read)
        defer { file.close() }
        let count = Int(try file.size())
        return try [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = try file.read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
        }
    }

    /// Puts the index on the machine; nil removes it.
    func placeIndex(_ bytes: [UInt8]?) throws {
        let posix = PosixFileSystem()
        for suffix in ["", "-wal", "-shm"] {
            let name = path.appending("index").appending("index.sqlite" + suffix)
            if try posix.status(name) != nil { try posix.remove(name) }
        }
        guard let bytes else { return }
        let file = try posix.open(path.appending("index").appending("index.sqlite"), .createNew)
        defer { file.close() }
        try bytes.withUnsafeBytes { try file.write($0, at: 0) }
    }
}
