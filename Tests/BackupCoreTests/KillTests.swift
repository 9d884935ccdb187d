import BackupStore
import Foundation
import LifeChecks
import SandboxServer
import Synchronization
import Testing

@testable import BackupCore

/// Random operations on a server, from a thread of their own, until it is stopped.
private final class Load: Sendable {
    private let isStopped = Atomic(false)
    private let failure = Mutex<String?>(nil)
    private let isDone = DispatchSemaphore(value: 0)

    init(on server: SandboxServer, seed: UInt64) {
        let thread = Thread { [self] in
            do {
                var life = try SandboxLife(on: server, seed: seed, accounts: ["alice@example.com", "bob@example.com"])
                life.onlyMail = true  // What is compared below is in the log whole.
                while !isStopped.load(ordering: .relaxed) {
                    _ = try life.step()
                    if life.count % 500 == 0 { try server.rollOver() }
                    usleep(5000)  // Slow enough for a debug build to keep up on a busy machine.
                }
            } catch {
                failure.withLock { $0 = "\(error)" }
            }
            isDone.signal()
        }
        thread.start()
    }

    /// Waits for the operation at work; what made the load fail, nil when nothing did.
    func stop() -> String? {
        isStopped.store(true, ordering: .relaxed)
        isDone.wait()
        return failure.withLock { $0 }
    }
}

@Suite("The service, killed")
struct KillTests {
    private let environment = ProcessInfo.processInfo.environment

    @Test("kill -9 of serve at random moments under load: nothing is missing afterwards, nothing doubled (R1, R3, R4, R5)")
    func kills() throws {
        let kills = environment["ZXBACKUP_KILLS"].flatMap { Int($0) } ?? 4
        let seed = environment["ZXBACKUP_SEED"].flatMap { UInt64($0) } ?? .random(in: 1...1_000_000)
        var generator = SeededGenerator(seed: seed)
        let bench = try Bench()
        defer { bench.remove() }
        let configuration = try configure(bench)
        let load = Load(on: bench.server, seed: seed)
        var sequences: [UInt64] = []
        for number in 0..<kills {
            let service = try start(configuration, "serve")
            // Every other time while it starts, else while it commits.
            if number % 2 == 0 { waitForCommit(bench, service) }
            usleep(.random(in: 20_000...900_000, using: &generator))
            kill(service.processIdentifier, SIGKILL)
            service.waitUntilExit()
            // A reader of a path whose writer was killed makes an index of its own, which takes its time.
            if number % 10 == 0 { sequences.append(try lastSequence(bench)) }
        }
        let failure = load.stop()
        #expect(failure == nil, "seed \(seed)")
        try runToEnd(configuration, "serve", "--once", seed: seed)
        sequences.append(try lastSequence(bench))

        #expect(sequences == sequences.sorted(), "what was durable was lost; seed \(seed)")
        let reader = try expectWhole(bench, seed: seed)
        defer { reader.close() }
        print("killed \(kills) times, seed \(seed): \(sequences.last ?? 0) transactions; on the way \(sequences.dropLast())")
    }

    @Test("Two writers started at once, again and again, also beside one that is suspended: one works, the other is refused (R8)")
    func starts() throws {
        let starts = environment["ZXBACKUP_STARTS"].flatMap { Int($0) } ?? 3
        let bench = try Bench()
        defer { bench.remove() }
        let configuration = try configure(bench)
        var life = try SandboxLife(on: bench.server, seed: 5, accounts: ["alice@example.com", "bob@example.com"])
        life.onlyMail = true
        var refused = 0
        for number in 0..<starts {
            // Every third time another one sleeps meanwhile.
            let sleeper = number % 3 == 2 ? try start(configuration, "serve") : nil
            try life.run(operations: 40)
            if let sleeper {
                let before = journalBytes(bench)
                while sleeper.isRunning, journalBytes(bench) == before {
                    try life.step()
                    usleep(20_000)
                }
                kill(sleeper.processIdentifier, SIGSTOP)
                try life.run(operations: 10)
            }
            let both = try (0..<2).map { _ in try start(configuration, "serve", "--once", listening: true) }
            for one in both {
                let said = try #require(one.standardError as? Pipe).fileHandleForReading.readDataToEndOfFile()
                one.waitUntilExit()
                guard one.terminationStatus != 0 else { continue }
                refused += 1
                #expect(String(decoding: said, as: UTF8.self).contains("Another writer holds the lock"), "start \(number)")
            }
            guard let sleeper else {
                #expect(both.contains { $0.terminationStatus == 0 }, "start \(number): both were refused")
                continue
            }
            #expect(both.allSatisfy { $0.terminationStatus != 0 }, "start \(number): the sleeper's path was written")
            kill(sleeper.processIdentifier, SIGCONT)
            sleeper.terminate()
            sleeper.waitUntilExit()
            #expect(sleeper.terminationStatus == 0, "start \(number)")
        }
        try runToEnd(configuration, "serve", "--once")
        try expectWhole(bench).close()
        print("started two writers \(starts) times: \(refused) refused")
    }

    @Test("kill -9 of doSmartScan at random moments: run again it goes on, until all is there; no account is skipped, no state doubled")
    func scans() throws {
        let kills = environment["ZXBACKUP_SCAN_KILLS"].flatMap { Int($0) } ?? 4
        let seed = environment["ZXBACKUP_SEED"].flatMap { UInt64($0) } ?? .random(in: 1...1_000_000)
        var generator = SeededGenerator(seed: seed)
        let bench = try Bench()
        defer { bench.remove() }
        for number in 0..<10 {
            _ = try bench.server.createAccount(name: "user\(number)@example.com")
            for count in 0..<(30 + 10 * number) { _ = try bench.server.deliver(message("m\(count)"), to: ["user\(number)@example.com"]) }
        }
        try bench.server.rollOver()  // What was before is not in the log that is followed.
        let configuration = try configure(bench)
        var killed = 0
        var runs = 0
        // Something is done in between, so that a scan after one that came through has work.
        while killed < kills {
            let scan = try start(configuration, "doSmartScan")
            usleep(.random(in: 50_000...1_500_000, using: &generator))
            kill(scan.processIdentifier, SIGKILL)
            scan.waitUntilExit()
            if scan.terminationReason == .uncaughtSignal { killed += 1 }
            runs += 1
            let name = "user\(runs % 10)@example.com"
            _ = try bench.server.deliver(message("after \(runs)"), to: [name])
            let mailbox = try bench.server.openMailbox(name)
            try mailbox.markRead(Array(try mailbox.items().filter { $0.type == .message && $0.unread != 0 }.map(\.id).prefix(3)))
            try #require(runs < 50 * kills, "seed \(seed)")
        }
        try runToEnd(configuration, "doSmartScan", seed: seed)
        let reader = try expectWhole(bench, seed: seed)
        defer { reader.close() }
        let accounts = try reader.accounts()
        #expect(accounts.count == 12)
        for account in accounts {
            #expect(try reader.marks(account) == [], "seed \(seed)")
            guard let life = try reader.state(of: .mailbox(account)) else { continue }
            #expect(life.fields["scanned_time"]?.int != nil, "account \(account) was skipped; seed \(seed)")
        }
        print("killed doSmartScan \(killed) times in \(runs) runs, seed \(seed)")
    }

    private func configure(_ bench: Bench) throws -> String {
        let configuration = bench.folder.path.appending("zxbackup.yaml").string
        try Data("server: {kind: sandbox, path: server}\nbackupPath: backup\nstateFolder: state\n".utf8)
            .write(to: URL(fileURLWithPath: configuration))
        return configuration
    }

    private func start(_ configuration: String, _ words: String..., listening: Bool = false) throws -> Process {
        try start(configuration, words, listening: listening)
    }

    private func start(_ configuration: String, _ words: [String], listening: Bool = false) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
            .appendingPathComponent("zxbackup")
        process.arguments = ["--config", configuration] + words
        process.standardOutput = FileHandle.nullDevice
        process.standardError = listening ? Pipe() : FileHandle.nullDevice
        try process.run()
        return process
    }

    private func runToEnd(_ configuration: String, _ words: String..., seed: UInt64? = nil) throws {
        let process = try start(configuration, words)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "seed \(seed.map(String.init) ?? "none")")
    }

    /// The backup is the server's, and no history is damaged or doubled. Returns its reader.
    private func expectWhole(_ bench: Bench, seed: UInt64? = nil) throws -> StoreReader {
        let differences = try bench.differences()
        #expect(differences == [], "seed \(seed.map(String.init) ?? "none")")
        let reader = try StoreReader(opening: bench.backupPath)
        let problems = try HistoryProblems.find(in: reader)
        #expect(problems == [], "seed \(seed.map(String.init) ?? "none")")
        return reader
    }

    /// Waits until the journal has grown by a group of some size.
    private func waitForCommit(_ bench: Bench, _ service: Process) {
        // A start may carry the last group of the newest segment over into a new one: that is no commit.
        let start = journalBytes(bench) + min(journalSizes(bench).reduce(0, max), 100_000)
        while service.isRunning, journalBytes(bench) < start + 20_000 { usleep(5_000) }
    }

    private func journalBytes(_ bench: Bench) -> Int64 { journalSizes(bench).reduce(0, +) }

    private func journalSizes(_ bench: Bench) -> [Int64] {
        let folder = bench.backupPath.appending("journal").string
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.map { name in
            let attributes = try? FileManager.default.attributesOfItem(atPath: folder + "/" + name)
            return (attributes?[.size] as? NSNumber)?.int64Value ?? 0
        }
    }

    private func lastSequence(_ bench: Bench) throws -> UInt64 {
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        return try reader.info().lastSequence
    }

    @Test("A long life, followed in one go, is what the server has")
    func longLife() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp()
        var life = try SandboxLife(
            on: bench.server, seed: environment["ZXBACKUP_SEED"].flatMap { UInt64($0) } ?? 628_366,
            accounts: ["alice@example.com", "bob@example.com"])
        for _ in 0..<(environment["ZXBACKUP_STEPS"].flatMap { Int($0) } ?? 300) { _ = try life.step() }
        try bench.backUp()
        let differences = try bench.differences()
        #expect(differences == [])
    }
}
