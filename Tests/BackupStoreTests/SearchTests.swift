import BackupStoreTesting
import SystemPackage
import Testing

@testable import BackupStore

/// The searches with small numbers; `make torture`, `make faults` and `make flips` have large ones.
@Suite("Searches for crashes and faults that break a rule")
struct SearchTests {
    @Test("A crash at any call of random work breaks no rule", arguments: [1, 101] as [UInt64])
    func torture(seed: UInt64) throws {
        let folder = TemporaryFolder()
        let report = try Torture(folder: folder.path).run(points: 60, seed: seed, stride: 67)
        #expect(report.broken.isEmpty && report.points == 60 && report.runs > report.points)
    }

    @Test("A call that fails once leaves a valid path and says what it was doing; without the fault the work completes")
    func faults() throws {
        let folder = TemporaryFolder()
        let report = try FaultSweep(folder: folder.path).run(seeds: 1...2, stride: 131)
        #expect(report.broken.isEmpty && report.ended > 30 && report.ended < report.runs)
    }

    @Test("Each small damage to a path is found by its check, or has no effect on anything that is read")
    func flips() throws {
        let folder = TemporaryFolder()
        let report = try Flips(folder: folder.path).run(stride: 4999)
        #expect(report.missed.isEmpty, "\(report.missed)")
        #expect(report.values > 60 && report.found > report.values / 2)
        #expect(report.found + report.withoutEffect.values.reduce(0, +) == report.values)
    }

    #if DEBUG
        @Test("A rule that is broken on purpose is found out within 20,000 crash points", arguments: BrokenRule.allCases)
        func broken(rule: BrokenRule) throws {
            let folder = TemporaryFolder()
            // From a seed whose run does what the rule is about: a purge, a long record, a copy, a failed sync.
            let seed: UInt64 = [.r2: 5, .r6: 202, .r7: 3, .r10: 4, .r13: 3][rule] ?? 1
            let report = try BrokenRule.$current.withValue(rule) {
                try Torture(folder: folder.path, limit: 1).run(points: 20_000, seed: seed, stride: rule == .r10 ? 7 : 29)
            }
            print("\(rule) broken: found after \(report.points) crash points from seed \(seed) on")
            #expect(report.broken.count == 1, "\(rule) was not found in \(report.points) points")
        }
    #endif
}
