import BackupStore
import Foundation
import LifeChecks
import RedoLog
import SystemPackage
import Testing

@testable import BackupCore

/// The life of a real server, with a scan of its tables in the middle: the log before and after it, whole or with gaps.
@Suite("A scan in the middle of a real server's life")
struct ScanInTheMiddleTests {
    private static let fixtures = FilePath(#filePath).removingLastComponent().appending("Fixtures")

    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// A backup that follows a life, and scans at chosen instants.
    private final class Run {
        let life: RecordedLife
        let path: FilePath
        let server: RecordedServer
        let engine: BackupEngine

        init(_ life: RecordedLife, _ folder: FilePath, scanningAt instants: [RecordedLife.Instant], losing lost: Set<Int> = []) throws {
            self.life = life
            path = folder.appending("backup")
            server = try RecordedServer(life, folder: folder.appending("source"), pausingAt: instants, losing: lost)
            try StoreWriter.create(path, serverID: life.serverID)
            engine = try BackupEngine(source: server, store: try StoreWriter(opening: path, serverID: life.serverID))
            try engine.begin()
        }

        /// Follows the log to its end; calls at each instant, before and after the scan there.
        func follow(before: (RecordedLife.Instant) throws -> Void = { _ in }, after: (RecordedLife.Instant, ScanStatistics) throws -> Void) throws {
            var options = SmartScanOptions()
            options.yields = false
            while try server.advance() {
                try engine.catchUp()
                guard let instant = server.view else { continue }
                try before(instant)
                try after(instant, try engine.smartScan(options))
            }
        }

        func read<Result>(_ body: (StoreReader) throws -> Result) throws -> Result {
            let reader = try StoreReader(opening: path)
            defer { reader.close() }
            return try body(reader)
        }

        /// What is selected as of an instant, by account and item.
        func selected(_ instant: RecordedLife.Instant) throws -> [String: [Int64: ItemState]] {
            try read { store in
                var found: [String: [Int64: ItemState]] = [:]
                for mailbox in instant.mailboxes {
                    found[mailbox.accountID] = try Selection(account: mailbox.accountID, at: .change(mailbox.lastChange), in: store)
                        .unbrokenItems(in: store)
                }
                return found
            }
        }

        /// How what is selected as of an instant differs from the server's rows; `doubts`: what the log alone did not tell is none.
        func differences(at instant: RecordedLife.Instant) throws -> ConformanceReport {
            var report = ConformanceReport(list: life.list)
            try read { store in
                for mailbox in instant.mailboxes {
                    let selection = try Selection(account: mailbox.accountID, at: .change(mailbox.lastChange), in: store)
                    var comparison = Comparison(instant: instant.label, mailbox: mailbox, marks: selection.marks.map(\.reason))
                    comparison.compare(try selection.unbrokenItems(in: store))
                    report.add(comparison)
                }
            }
            return report
        }

        /// Why accounts that live are in doubt.
        func marks() throws -> [String] {
            try read { store in
                try store.accounts().filter { try store.state(of: .mailbox($0))?.isDeleted == false }.flatMap { try store.marks($0) }
                    .map(\.reason)
            }
        }

        /// States of scans that say the same as the one before.
        func doubled() throws -> [String] { try read { try HistoryProblems.repeated(in: $0, byKind: "scan") } }
    }

    @Test(
        "The past stays as it was told, the present is the server's, the future is right, and no state comes twice",
        arguments: [("small", 1), ("small", 4), ("small", 7), ("crash", 0), ("crash", 2), ("small", 8)])
    func cut(name: String, number: Int) throws {
        defer { folder.remove() }
        let life = try RecordedLife(Self.fixtures.appending(name))
        let middle = life.instants[number]
        let run = try Run(life, folder.path, scanningAt: [middle])
        var past: [[String: [Int64: ItemState]]] = []
        try run.follow(
            before: { _ in past = try life.instants[..<number].map { try run.selected($0) } },
            after: { instant, statistics in
                #expect(statistics.failedAccounts == 0 && statistics.problems == [], "\(statistics)")
                let report = try run.differences(at: instant)
                #expect(report.derivable == [] && report.unlogged == [:], "\(report.text)")
                let marks = try run.marks()
                #expect(marks == [])
            })
        for (instant, expected) in zip(life.instants, past) {
            let now = try run.selected(instant)
            // Of a mailbox that had gone no further, the scan tells more of the same change.
            let rested = Set(middle.mailboxes.map { [$0.accountID, "\($0.lastChange)"] })
            for mailbox in instant.mailboxes where !rested.contains([mailbox.accountID, "\(mailbox.lastChange)"]) {
                let (account, items) = (mailbox.accountID, expected[mailbox.accountID] ?? [:])
                let changed = Set(items.keys).union((now[account] ?? [:]).keys).filter { items[$0] != now[account]?[$0] }
                #expect(changed.isEmpty, "\(instant.label): mailbox \(mailbox.id), items \(changed)")
            }
        }
        for instant in life.instants[number...] {
            let report = try run.differences(at: instant)
            #expect(report.derivable == [], "\(report.text)")
        }
        #expect(try run.differences(at: middle).unlogged == [:])
        #expect(try run.doubled() == [])
        try run.engine.close()
    }

    @Test("Where files of the log were lost, the marked accounts are the server's again after the scan", arguments: [("small", [1], 5), ("small", [2, 3], 8), ("crash", [1], 3)] as [(String, Set<Int>, Int)])
    func gaps(name: String, lost: Set<Int>, number: Int) throws {
        defer { folder.remove() }
        let life = try RecordedLife(Self.fixtures.appending(name))
        let run = try Run(life, folder.path, scanningAt: [life.instants[number]], losing: lost)
        var scans = 0
        try run.follow(
            before: { instant in
                let marks = try run.marks()
                #expect(marks.contains { $0.contains("gap") || $0.contains("missing") }, "\(marks)")
            },
            after: { instant, statistics in
                scans += 1
                #expect(statistics.failedAccounts == 0 && statistics.problems == [], "\(statistics)")
                let report = try run.differences(at: instant)
                #expect(report.derivable == [] && report.unlogged == [:], "\(report.text)")
                let marks = try run.marks()
                #expect(marks == [])
            })
        #expect(scans == 1)
        for instant in life.instants[number...] {
            let derivable = try run.differences(at: instant).derivable
            #expect(derivable == [])
        }
        #expect(try run.doubled() == [])
        try run.engine.close()
    }
}
