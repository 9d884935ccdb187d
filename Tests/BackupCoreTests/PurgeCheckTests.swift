import Foundation
import LifeChecks
import Testing

/// `make purges SCHEDULES=1000` does the same with more seeds, optimised.
@Suite("Schedules of purges, scans, restores, crashes and clocks that jump")
struct PurgeCheckTests {
    private static let count = ProcessInfo.processInfo.environment["ZXBACKUP_PURGES"].flatMap(UInt64.init) ?? 4

    @Test("R2, R11: nothing kept loses its content, nothing goes early, and nothing that is over is left after two purges",
        arguments: 1...count)
    func schedule(seed: UInt64) throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let outcome = try PurgeCheck(seed: seed).run(in: folder.path)
        #expect(outcome.broken == [])
        #expect(outcome.purges > 2 && outcome.contents > 0 && outcome.crashes > 0)
    }
}
