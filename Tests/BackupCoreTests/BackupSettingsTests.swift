import BackupStore
import Foundation
import SandboxServer
import SystemPackage
import Testing

@testable import BackupCore

@Suite("Properties have effect")
struct BackupSettingsTests {
    private func sizeOfOnlyBlob(_ bench: Bench) throws -> Int {
        let items = bench.backupPath.appending("items").string
        let names = try FileManager.default.subpathsOfDirectory(atPath: items).filter { $0.hasSuffix("=") }
        #expect(names.count == 1)
        return try Data(contentsOf: URL(fileURLWithPath: items + "/" + (try #require(names.first)))).count
    }

    @Test("backupCompressionLevel: the same content becomes smaller from the next one on")
    func compression() throws {
        var sizes: [Int] = []
        let words = (0..<4000).map { "word\($0 * $0 % 1009)" }.joined(separator: " ")
        for level in [1, 9] {
            let bench = try Bench()
            defer { bench.remove() }
            try bench.backUp { engine in
                try engine.begin()
                engine.settings.compressionLevel = level
                _ = try bench.server.deliver(Array("Subject: Words\r\n\r\n\(words)\r\n".utf8), to: ["alice@example.com"])
                try engine.catchUp()
            }
            sizes.append(try sizeOfOnlyBlob(bench))
            #expect(try bench.differences() == [])
        }
        #expect(sizes[1] < sizes[0], "\(sizes)")
    }

    @Test("ZxBackup_RealTimeScanner false: the log keeps its place; true: it is read on from there")
    func paused() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp { engine in
            try engine.begin()
            try engine.catchUp()
            let before = engine.statistics.transactions
            engine.settings.followsLog = false
            _ = try bench.server.deliver(Array("Subject: One\r\n\r\nHello\r\n".utf8), to: ["alice@example.com"])
            var looks = 0
            try engine.follow(until: { looks >= 3 }, idle: { _ in looks += 1 })
            #expect(engine.statistics.transactions == before)
            #expect(engine.heldBecause == "ZxBackup_RealTimeScanner is false")
            #expect(engine.statistics.notices.count { $0.contains("is false") } == 1, "told once")

            try engine.follow(
                until: { engine.statistics.transactions > before }, between: { engine.settings.followsLog = true })
            #expect(engine.heldBecause == nil)
            try engine.catchUp()
        }
        #expect(try bench.differences() == [])
    }

    @Test("ZxBackup_SpaceThreshold: with less room nothing is taken in, with enough the log is read on")
    func tooLittleSpace() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp { engine in
            try engine.begin()
            try engine.catchUp()
            let before = engine.statistics.transactions
            engine.settings.spaceThreshold = .max
            engine.lastSpaceCheck = nil  // Looked at once a second.
            _ = try bench.server.deliver(Array("Subject: One\r\n\r\nHello\r\n".utf8), to: ["alice@example.com"])
            var looks = 0
            try engine.follow(until: { looks >= 3 }, idle: { _ in looks += 1 })
            #expect(engine.statistics.transactions == before)
            #expect(engine.heldBecause?.contains("MB are free") == true)
            #expect(engine.statistics.notices.contains { $0.hasPrefix("Critical: the redo log is not followed") })
            #expect { try engine.catchUp() } throws: { ($0 as? CoreError)?.code == .tooLittleSpace }

            engine.settings.spaceThreshold = 0
            engine.lastSpaceCheck = nil
            try engine.catchUp()
            #expect(engine.statistics.transactions > before)
        }
        #expect(try bench.differences() == [])
    }

    @Test("A value that no version wrote counts as not set")
    func foreignValues() {
        #expect(BackupSettings(["backupCompressionLevel": "ten", "ZxBackup_SpaceThreshold": "-5"]) == BackupSettings())
        #expect(BackupSettings(["backupCompressionLevel": "9", "ZxBackup_RealTimeScanner": "false"]).compressionLevel == 9)
    }
}
