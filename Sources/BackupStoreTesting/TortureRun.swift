import BackupStore
import SystemPackage

/// One run of work on a simulated disk, and what comes after it.
struct TortureRun {
    private let seed: UInt64
    private let place: FilePath
    private let path: FilePath
    private let disk: SimulatedFileSystem
    private let work: StoreWork
    private var generator: SeededGenerator
    private let files = PosixFileSystem()
    private var tells: [String] = []

    /// - Parameter call: where the crash will come; it changes what survives, not the work.
    init(seed: UInt64, call: Int, folder: FilePath) throws {
        self.seed = seed
        generator = SeededGenerator(seed: seed &* 0x1_0000 &+ UInt64(call))
        place = folder.appending("torture-\(seed)-\(call)")
        path = place.appending("backup")
        for folder in [place, path, path.appending("index")] { try files.makeFolder(folder) }
        disk = SimulatedFileSystem(base: path, reliableSyncfs: seed % 4 != 3)
        disk.keepsTrace = false
        if seed % 5 == 2 { disk.shortReads = SeededGenerator(seed: seed) }
        work = StoreWork(on: disk, seed: seed)
    }

    /// What happened, for messages.
    var story: String { (tells + work.steps.suffix(4) + work.errors.suffix(2).map { "\($0)" }).joined(separator: ", ") }

    /// Every third seed has a disk on which one sync fails: of the journal, where the seed is even.
    private mutating func failOneSync() {
        guard seed % 3 == 1 else { return }
        var chosen = SeededGenerator(seed: seed)
        let kind = seed % 2 == 0 ? "syncdata" : "sync"
        var left = Int.random(in: 1...(seed % 2 == 0 ? 6 : 25), using: &chosen)
        disk.failing = { what in
            guard what.hasPrefix(kind) else { return nil }
            left -= 1
            return left == 0 ? .ioError : nil
        }
    }

    /// Works to the end while copies are made, and checks all of it.
    /// - Returns: the number of calls.
    mutating func toTheEnd() throws -> Int {
        failOneSync()
        // A copy of a disk on which a sync failed may hold what was written and not acknowledged.
        let copies = seed % 3 == 1 ? nil : CopiesWhileWorking(of: disk, below: place, seed: seed)
        disk.beforeCall = { [work] call in copies?.advance(call, acknowledged: work.model.acknowledged) }
        try work.run(steps: Torture.steps, goesOn: true)
        disk.beforeCall = nil
        let calls = disk.calls
        try Self.check(disk, path, work.model)
        try copies?.check(work.model)
        return calls
    }

    /// Crashes at a call, and goes on.
    mutating func crash(at call: Int) throws {
        failOneSync()
        disk.faults = [SimulatedFault(call: call, error: nil, tornBytes: Int.random(in: 0..<700, using: &generator))]
        do {
            try work.run(steps: Torture.steps, goesOn: true)
        } catch where disk.isDead {}
        work.abandon()
        let survival: Survival =
            switch Int.random(in: 0..<10, using: &generator) {
            case 0: .everything
            case 1..<5: .synced
            default: .random(seed: generator.next())
            }
        tells.append("crash at \(call), \(survival)")
        let next = disk.afterCrash(survival)
        if generator.once(in: 2) {
            tells.append("no index")
            for name in ["index.sqlite", "index.sqlite-wal", "index.sqlite-shm"] {
                try files.removeIfThere(path.appending("index").appending(name))
            }
        }
        guard try next.status(path.appending("zxbackup.json")) != nil else {
            guard work.model.acknowledged == 0 else { throw BrokenInvariant("the backup path is gone") }
            return try goOn(next, StoreModel())
        }
        let model = try recovered(next)
        try goOn(next, model)
    }

    /// Recovers, and recovers again: the second time nothing may change.
    private func recovered(_ disk: SimulatedFileSystem) throws -> StoreModel {
        let writer = try FileStoreWriter(opening: path, serverID: "server-1", files: disk)
        let model = try work.model.agreeing(with: writer)
        writer.abandon()
        if let left = disk.contents().keys.first(where: { $0.split(separator: "/").last!.hasPrefix(".tmp-") }) {
            throw BrokenInvariant("the unfinished file \(left) stays")
        }
        func kept(_ disk: SimulatedFileSystem) -> [String: [UInt8]] {
            disk.contents().filter { $0.key.hasPrefix("accounts/") || $0.key.hasPrefix("items/") || $0.key.hasPrefix("domains/") }
        }
        let before = kept(disk)
        let again = disk.afterCrash(.everything)
        let second = try FileStoreWriter(opening: path, serverID: "server-1", files: again)
        defer { second.abandon() }
        // Lines of a history that a later transaction removes are appended and removed each time.
        guard second.recovery.historiesCut == 0 else {
            throw BrokenInvariant("a second recovery cut \(second.recovery.historiesCut) histories")
        }
        let after = kept(again)
        if let changed = Set(before.keys).union(after.keys).sorted().first(where: { before[$0] != after[$0] }) {
            throw BrokenInvariant("a second recovery changed \(changed)")
        }
        try model.check(second)
        return model
    }

    /// Works on after the crash, and checks the end.
    private func goOn(_ disk: SimulatedFileSystem, _ model: StoreModel) throws {
        disk.keepsTrace = false
        let more = StoreWork(on: disk, seed: seed &+ 77, model: model)
        try more.run(steps: 6, goesOn: false)
        try Self.check(disk, path, more.model)
        // The last writer closed the path: a power failure now takes nothing, whatever the process before left unsynced.
        try Self.check(disk.afterCrash(.synced), path, more.model)
    }

    /// By a reader, which needs no lock and changes nothing.
    private static func check(_ disk: SimulatedFileSystem, _ path: FilePath, _ model: StoreModel) throws {
        guard try disk.status(path.appending("zxbackup.json")) != nil else { return }
        let reader = try FileStoreReader(opening: path, files: disk)
        defer { reader.close() }
        try model.check(reader)
    }

    /// Removes what lies on the machine.
    mutating func remove() {
        work.abandon()
        disk.beforeCall = nil
        FolderTree.remove(place)
    }
}
