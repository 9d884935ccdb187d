import BackupCore
import RedoLog
import Testing

@testable import SandboxServer

@Suite("A random life")
struct LifeTests {
    @Test("Tables, blobs and log of a life agree", arguments: 1...6 as ClosedRange<UInt64>)
    func life(seed: UInt64) throws {
        let test = try TestServer(rolloverSize: seed % 2 == 0 ? 200_000 : nil)
        let names = ["alice@example.com", "bob@example.com", "carla@example.com"]
        for (place, name) in names.enumerated() {
            let mailbox = try test.mailbox(name, dumpster: place == 0)
            if place < 2 { try mailbox.trackSync() }
        }
        var life = try SandboxLife(on: test.server, seed: seed, accounts: names)
        var events: [String] = []
        for _ in 0..<400 {
            events.append(try life.step().description)
            if events.count % 37 == 0 { test.clock.advance(seconds: 1) }
        }
        let derived = try derive(test)
        for name in names {
            let mailbox = try test.server.openMailbox(name)
            try checkConsistency(of: mailbox, "seed \(seed)")
            try compare(try #require(derived[mailbox.mailboxID]), with: mailbox, "seed \(seed)")
        }
    }

    @Test("The same seed makes the same life")
    func repeatable() throws {
        func run() throws -> [String] {
            let test = try TestServer()
            var life = try SandboxLife(on: test.server, seed: 7, accounts: ["a@example.com", "b@example.com"])
            return try (0..<150).map { _ in try life.step().description }
        }
        #expect(try run() == run())
    }
}
