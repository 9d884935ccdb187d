import BackupStore
import SystemPackage

/// Random work, and a crash at every system call of it, one after the other; then what must hold of a backup path.
public struct Torture: Sendable {
    /// What a search did and found.
    public struct Report: Sendable {
        /// Crash points gone through.
        public var points = 0
        /// Runs of work, those to the end included.
        public var runs = 0
        /// Invariants that did not hold, in words, each with what repeats it.
        public var broken: [String] = []
    }

    /// How many steps of work a run has.
    static let steps = 24

    /// Where indexes are kept, each search in a folder of its own.
    public let folder: FilePath
    /// The search ends when so many invariants were broken.
    public let limit: Int

    /// A search that keeps its indexes below a folder, and ends after `limit` broken invariants.
    public init(folder: FilePath, limit: Int = 10) {
        self.folder = folder
        self.limit = limit
    }

    /// Goes through so many crash points, from the seed's run on.
    ///
    /// - Parameters:
    ///   - stride: crashes at every call where 1; larger for more runs with fewer points each.
    ///   - progress: called before each run to the end and its crash points.
    public func run(points: Int, seed firstSeed: UInt64 = 1, stride: Int = 1, progress: (Report) -> Void = { _ in }) throws -> Report {
        var report = Report()
        var seed = firstSeed
        while report.points < points, report.broken.count < limit {
            progress(report)
            let calls = try attempt(seed, nil, &report) { try $0.toTheEnd() } ?? 0
            var call = 1 + Int(seed) % stride
            while call <= calls, report.points < points, report.broken.count < limit {
                report.points += 1
                _ = try attempt(seed, call, &report) { try $0.crash(at: call) }
                call += stride
            }
            seed += 1
        }
        return report
    }

    /// Goes through one crash point again: how a failure is repeated.
    public func repeated(seed: UInt64, call: Int) throws -> Report {
        var report = Report()
        report.points = 1
        _ = try attempt(seed, call, &report) { try $0.crash(at: call) }
        return report
    }

    private func attempt<Result>(
        _ seed: UInt64, _ call: Int?, _ report: inout Report, _ body: (inout TortureRun) throws -> Result
    ) throws -> Result? {
        report.runs += 1
        var run = try TortureRun(seed: seed, call: call ?? 0, folder: folder)
        defer { run.remove() }
        do {
            return try body(&run)
        } catch {
            let again = call.map { "make torture SEED=\(seed) CALL=\($0)" } ?? "make torture SEED=\(seed) POINTS=1"
            report.broken.append("\(again): \(error) (\(run.story))")
            return nil
        }
    }
}
