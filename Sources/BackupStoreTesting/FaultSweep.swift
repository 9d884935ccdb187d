import BackupStore
import SystemPackage

/// Random work in which one system call fails, each in turn with each error; then what must hold of a backup path.
public struct FaultSweep: Sendable {
    /// What calls fail with.
    public static let errors: [Errno] = [
        .noSpace, Errno(rawValue: 122), .ioError, .permissionDenied, .tooManyOpenFiles, .interrupted, .notSupported,
        .readOnlyFileSystem, .staleNFSFileHandle,
    ]

    /// What a sweep did and found.
    public struct Report: Sendable {
        /// Calls of the run that failed, each once with each error.
        public var calls = 0
        /// Runs of work.
        public var runs = 0
        /// Runs that ended with an error; the others carried on.
        public var ended = 0
        /// Invariants that did not hold, in words, each with what repeats it.
        public var broken: [String] = []
    }

    /// Where indexes are kept.
    public let folder: FilePath
    /// The sweep ends when so many invariants were broken.
    public let limit: Int

    /// A sweep that keeps its indexes below a folder, and ends after `limit` broken invariants.
    public init(folder: FilePath, limit: Int = 10) {
        self.folder = folder
        self.limit = limit
    }

    /// Fails every `stride`-th call of the seeds' runs with every error.
    ///
    /// - Parameter progress: called after each seed's run to the end.
    public func run(seeds: ClosedRange<UInt64>, stride: Int = 1, progress: (Report) -> Void = { _ in }) throws -> Report {
        var report = Report()
        for seed in seeds {
            var run = try FaultRun(seed: seed, folder: folder)
            let calls = try run.work(call: 0, error: nil).calls
            run.remove()
            for call in Swift.stride(from: 1, through: calls, by: stride) {
                report.calls += 1
                for error in Self.errors {
                    guard report.broken.count < limit else { return report }
                    report.runs += 1
                    var run = try FaultRun(seed: seed, folder: folder)
                    defer { run.remove() }
                    do {
                        if try run.work(call: call, error: error).hasEnded { report.ended += 1 }
                    } catch let broken {
                        report.broken.append("seed \(seed), call \(call) (\(run.failed)), \(error): \(broken)")
                    }
                }
            }
            progress(report)
        }
        return report
    }
}

/// One run of work with one fault.
struct FaultRun {
    private let seed: UInt64
    private let place: FilePath
    private let path: FilePath
    private let disk: SimulatedFileSystem
    /// The call that failed.
    private(set) var failed = ""

    init(seed: UInt64, folder: FilePath) throws {
        self.seed = seed
        place = folder.appending("faults-\(seed)")
        path = place.appending("backup")
        for folder in [place, path, path.appending("index")] { try PosixFileSystem().makeFolder(folder) }
        disk = SimulatedFileSystem(base: path, reliableSyncfs: seed % 2 == 1)
    }

    /// Works until the first error that somebody is told of, then as a new process would, without the fault.
    mutating func work(call: Int, error: Errno?) throws -> (calls: Int, hasEnded: Bool) {
        if let error { disk.faults = [SimulatedFault(call: call, error: error, tornBytes: call % 90)] }
        let work = StoreWork(on: disk, seed: seed)
        defer { work.abandon() }
        var hasEnded = false
        do {
            try work.run(steps: Torture.steps, goesOn: false)
        } catch let told where !(told is BrokenInvariant) {
            hasEnded = true
            failed = call > 0 && call <= disk.trace.count ? disk.trace[call - 1] : ""
            // What the administrator reads must say what was being done, and to what.
            guard let told = told as? StoreError, !told.doing.isEmpty, !told.subject.isEmpty else {
                throw BrokenInvariant("the error says too little: \(told)")
            }
        }
        let calls = disk.calls
        work.abandon()
        disk.faults = []

        // The fault is gone; the work completes.
        let next = disk.afterCrash(.everything)
        var model = work.model
        if try next.status(path.appending("zxbackup.json")) != nil {
            let writer = try FileStoreWriter(opening: path, serverID: "server-1", files: next)
            model = try model.agreeing(with: writer)
            writer.abandon()
        } else if model.acknowledged > 0 {
            throw BrokenInvariant("the backup path is gone")
        } else {
            model = StoreModel()
        }
        let last = next.afterCrash(.everything)
        let more = StoreWork(on: last, seed: seed &+ 77, model: model)
        try more.run(steps: 6, goesOn: false)
        let reader = try FileStoreReader(opening: path, files: last)
        defer { reader.close() }
        try more.model.check(reader)
        return (calls, hasEnded)
    }

    mutating func remove() { FolderTree.remove(place) }
}
