import BackupStore
import Foundation
import SandboxServer
import Synchronization
import SystemPackage
import Testing

@testable import BackupCore

@Suite("A check in pieces, over many nights")
struct RollingCheckTests {
    private static let day: Int64 = 86_400_000

    /// A backup of some accounts with a mail each.
    private func filled(accounts: Int) throws -> (bench: Bench, ids: [String]) {
        let bench = try Bench()
        var ids = [bench.alice.accountID, bench.bob.accountID]
        for number in 0..<(accounts - 2) {
            let account = try bench.server.createAccount(name: "user\(number)@example.com")
            ids.append(account.id)
            _ = try bench.server.deliver(message("mail \(number)"), to: [account.name])
        }
        try bench.backUp()
        return (bench, ids)
    }

    private func check(_ bench: Bench, days: Int64, at time: Int64, accounts: Set<String>? = nil) -> RollingCheck {
        var check = RollingCheck(
            of: bench.backupPath, stateFolder: bench.folder.path.appending("state"), accounts: accounts, maxAge: days)
        check.clock = { time }
        return check
    }

    @Test("All is checked once, then again when it is due; the pieces count as the whole")
    func rolls() throws {
        let (bench, _) = try filled(accounts: 60)
        defer { bench.remove() }
        let whole = try StoreCheck(of: bench.backupPath).run()
        let first = try check(bench, days: 30, at: 1000 * Self.day).run()
        #expect(first.checked == 61 && first.left == 0 && first.recent == 0)
        #expect(first.report.findings.isEmpty, "\(first.report.findings)")
        #expect(first.report.states == whole.states && first.report.blobs == whole.blobs && first.report.histories == whole.histories)
        #expect(first.report.transactions == whole.transactions)
        let second = try check(bench, days: 30, at: 1029 * Self.day).run()
        #expect(second.checked == 0 && second.recent == 61 && second.report.states == 0)
        #expect(try check(bench, days: 30, at: 1030 * Self.day).run().checked == 61)
        #expect(try check(bench, days: 30, at: 900 * Self.day).run().checked == 61, "a clock that was ahead proves nothing")
        #expect(try check(bench, days: 0, at: 900 * Self.day).run().checked == 61)
    }

    @Test("Stopped, it goes on with what was checked longest ago; nothing is left out for ever", arguments: [1, 2] as [UInt64])
    func resumes(seed: UInt64) throws {
        let (bench, ids) = try filled(accounts: 60)
        defer { bench.remove() }
        var rounds = 0
        var left = ids.count + 1
        while left > 0, rounds < 10 {
            let looks = Mutex(0)
            let most = Int(seed) * 40 * (rounds + 1)
            let outcome = try check(bench, days: 7, at: (1000 + Int64(rounds)) * Self.day).run(stop: {
                looks.withLock { $0 += 1; return $0 > most }
            })
            #expect(outcome.left + outcome.checked + outcome.recent == ids.count + 1)
            #expect(outcome.left < left || outcome.report.isStopped)
            #expect(outcome.report.isStopped == (outcome.left > 0))
            left = outcome.left
            rounds += 1
        }
        #expect(left == 0 && rounds > 1, "\(rounds) rounds")
    }

    @Test("Damage is found in its account's turn, and only there; of other accounts nothing is told")
    func damage() throws {
        let (bench, ids) = try filled(accounts: 4)
        defer { bench.remove() }
        let reader = try StoreReader(opening: bench.backupPath)
        let item = try #require(try reader.items(ids[3], .alive).first { !$0.blobs.isEmpty })
        reader.close()
        let blob = try #require(item.blobs.first).id.description
        try FileManager.default.removeItem(atPath: bench.backupPath.appending("items/\(blob.prefix(2))/\(blob)").string)
        func find(_ accounts: Set<String>?) throws -> [CheckFinding] {
            try check(bench, days: 0, at: 1000 * Self.day, accounts: accounts).run().report.findings
        }
        #expect(try find([ids[0], ids[1], ids[2]]).isEmpty)
        let found = try find([ids[3]])
        #expect(found.map(\.kind) == [.blobMissing] && found[0].account == ids[3], "\(found)")
        #expect(try find(nil) == found)
    }
}
