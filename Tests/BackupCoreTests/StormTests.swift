import Foundation
import LifeChecks
import Testing

/// `make storms LIVES=1000` does the same with more seeds, optimised.
@Suite("Lives in bad weather")
struct StormTests {
    private static let count = ProcessInfo.processInfo.environment["ZXBACKUP_STORMS"].flatMap(UInt64.init) ?? 6

    @Test("Whatever crashes, fails or is lost on the way: the tables come back, or the account says why not", arguments: 1...count)
    func storm(seed: UInt64) throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let outcome = try StormCheck(seed: seed).run(in: folder.path)
        #expect(outcome.broken == [])
        #expect(outcome.selections > 0 && outcome.crashes > 0)
    }
}
