import BackupCore
import BackupStore
import BackupStoreTesting
import SandboxServer
import SystemPackage

/// The backup of a server on a simulated disk whose power fails, and whose calls fail, again and again.
///
/// After each failure a new process goes on, as a service manager would start it.
final class StormyBackup {
    private let server: SandboxServer
    private let path: FilePath
    private let calm: Int
    private var generator: BackupStoreTesting.SeededGenerator
    private var disk: SimulatedFileSystem
    private var writer: FileStoreWriter<SimulatedFileSystem>?
    private var engine: BackupEngine?
    private var isOver = false
    private var tells: [String] = []

    /// How often the power failed.
    private(set) var crashes = 0
    /// How often a process ended with an error.
    private(set) var errors = 0

    /// - Parameter calm: a failure comes after at most so many calls.
    init(of server: SandboxServer, at path: FilePath, seed: UInt64, calm: Int) throws {
        self.server = server
        self.path = path
        self.calm = calm
        generator = BackupStoreTesting.SeededGenerator(seed: seed ^ 0xBAD)
        for folder in [path, path.appending("index")] { try PosixFileSystem().makeFolder(folder) }
        disk = SimulatedFileSystem(base: path, reliableSyncfs: seed % 4 != 1)
        disk.keepsTrace = false
        brew(after: 1)
    }

    /// What happened last, for messages.
    var story: String { tells.suffix(12).joined(separator: ", ") }

    /// Follows the log to its end, however often that takes a new process.
    func catchUp() throws {
        try attempt { try $0.catchUp() }
    }

    /// The weather is good from now on: the backup is closed, opened and brought to the log's end.
    func restart() throws {
        isOver = true
        disk.faults = []
        try engine?.close()
        stop()
        try catchUp()
    }

    /// Scans accounts.
    func scan(_ accounts: [String]) throws {
        try attempt { engine in
            for account in accounts { try engine.scan(account: account, confirmingDeletions: true) }
        }
    }

    /// The clocks of the backup's machine.
    var clock: SimulatedClock { disk.clock }

    /// What the check of the path finds.
    func check() throws -> [CheckFinding] { try FileStoreCheck(of: path, files: disk).run().findings }

    /// Files whose path below the backup path begins so.
    func files(_ prefix: String) -> [String] { disk.contents().keys.filter { $0.hasPrefix(prefix) } }

    /// Looks at what is there, while the weather holds its breath.
    func look<Result>(_ body: (FileStoreReader<SimulatedFileSystem>) throws -> Result) throws -> Result {
        let (faults, calls) = (disk.faults, disk.calls)
        disk.faults = []
        defer { disk.faults = faults.map { SimulatedFault(call: $0.call + disk.calls - calls, error: $0.error, tornBytes: $0.tornBytes) } }
        let reader = try reader()
        defer { reader.close() }
        return try body(reader)
    }

    /// A reader of what is there.
    func reader() throws -> FileStoreReader<SimulatedFileSystem> { try FileStoreReader(opening: path, files: disk) }

    /// Lets go of everything; the next work begins another process.
    func close() { stop() }

    /// Does something, however often that takes a new process.
    func attempt(_ body: (BackupEngine) throws -> Void) throws {
        var tries = 1
        while true {
            do {
                try body(try opened())
                guard let fault = disk.faults.first, disk.calls >= fault.call else { return }
                if disk.isDead {  // The work was done, what came after it was not: the path recovers from that, too.
                    stop()
                    crashes += 1
                    try fallOver(at: fault.call)
                }
                brew(after: 1)
                return
            } catch {
                tries += 1
                guard let fault = disk.faults.first, disk.calls >= fault.call, tries < 60 else { throw error }
                stop()
                if disk.isDead {
                    crashes += 1
                    try fallOver(at: fault.call)
                } else {
                    errors += 1
                    tells.append("\(error)")
                    guard error is StoreError || error is CoreError else { throw UntoldError(error: error) }
                }
                brew(after: tries)
            }
        }
    }

    private func opened() throws -> BackupEngine {
        if let engine { return engine }
        if disk.contents()["zxbackup.json"] == nil {
            try FileStoreWriter.create(path, serverID: server.identity.id, files: disk)
        }
        var options = StoreOptions()
        let clock = disk.clock
        (options.now, options.sinceBoot) = ({ clock.now }, { clock.sinceBoot })
        options.checkpointBytes = crashes % 3 == 0 ? 16 << 10 : options.checkpointBytes
        let writer = try FileStoreWriter(opening: path, serverID: server.identity.id, options: options, files: disk)
        self.writer = writer
        let engine = try BackupEngine(source: server, store: writer)
        self.engine = engine
        try engine.begin()
        return engine
    }

    /// Leaves everything as the end of the process does.
    private func stop() {
        writer?.abandon()
        (engine, writer) = (nil, nil)
    }

    private func fallOver(at call: Int) throws {
        let survival: Survival =
            switch Int.random(in: 0..<10, using: &generator) {
            case 0: .everything
            case 1..<5: .synced
            default: .random(seed: generator.next())
            }
        tells.append("crash at call \(call), \(survival)")
        disk = disk.afterCrash(survival)
        disk.keepsTrace = false
        guard generator.once(in: 3) else { return }
        tells.append("no index")
        for name in ["index.sqlite", "index.sqlite-wal", "index.sqlite-shm"] {
            try PosixFileSystem().removeIfThere(path.appending("index").appending(name))
        }
    }

    /// What will fail next, later with every try: in the end the work is done.
    private func brew(after tries: Int) {
        guard !isOver else { return }
        let call = disk.calls + Int.random(in: 1...(calm * tries), using: &generator)
        let error = generator.once(in: 3) ? FaultSweep.errors.randomElement(using: &generator) : nil
        disk.faults = [SimulatedFault(call: call, error: error, tornBytes: Int.random(in: 0..<700, using: &generator))]
    }
}

/// An error that tells the administrator nothing.
struct UntoldError: Error { var error: any Error }
