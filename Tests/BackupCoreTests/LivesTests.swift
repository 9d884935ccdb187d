import Foundation
import LifeChecks
import SystemPackage
import Testing

/// `make lives N=1000` does the same with more seeds, optimised.
@Suite("Seeded lives of a whole server")
struct LivesTests {
    private static let count = ProcessInfo.processInfo.environment["ZXBACKUP_LIVES"].flatMap(UInt64.init) ?? 6

    @Test("A life comes back as it was at every moment noted", arguments: 1...count)
    func life(seed: UInt64) throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let outcome = try LifeCheck(seed: seed).run(in: folder.path)
        #expect(outcome.differences == [])
        #expect(outcome.restores > 0 && outcome.selections >= outcome.restores)
    }
}
