// Seeded lives of a server, each backed up, selected and restored as of random moments, and compared with the tables noted then.
//
//     make lives N=1000          (swift run -c release Lives [lives = 100] [first seed = 1])
//     make storms LIVES=1000     (swift run -c release Lives storms [lives = 100] [first seed = 1]): in bad weather (StormCheck)
//     make purges SCHEDULES=1000 (swift run -c release Lives purges [schedules = 100] [first seed = 1]): with purges (PurgeCheck)
//
// As many lives at a time as there are processors, in memory where there is a file system for that: the power failures of storms
// are a simulated disk's.

import Foundation
import LifeChecks
import Synchronization
import SystemPackage

let kind = CommandLine.arguments.dropFirst().first { ["storms", "purges"].contains($0) }
let numbers = CommandLine.arguments.dropFirst(kind == nil ? 1 : 2).map { UInt64($0) ?? 0 }
guard !numbers.contains(0) else {
    print("usage: Lives [storms|purges] [LIVES [FIRST SEED]]")
    exit(2)
}
let count = numbers.first ?? 100
let first = numbers.dropFirst().first ?? 1

let memory = URL(filePath: "/dev/shm")
let isInMemory = ProcessInfo.processInfo.environment["TMPDIR"] == nil && FileManager.default.isWritableFile(atPath: memory.path)
let home = (isInMemory ? memory : FileManager.default.temporaryDirectory).appending(path: "zxbackup-lives-\(getpid())")
try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)

/// Lives lives, several at a time, and prints now and then what came of them so far.
func live<Outcome: Sendable>(
    _ empty: Outcome, _ one: @Sendable @escaping (UInt64, FilePath) -> Outcome,
    adding: @Sendable @escaping (inout Outcome, Outcome) -> Void, saying: @Sendable @escaping (Outcome) -> String
) -> Outcome {
    let sum = Mutex((outcome: empty, done: 0))
    let next = Atomic<UInt64>(first)
    DispatchQueue.concurrentPerform(iterations: ProcessInfo.processInfo.activeProcessorCount) { _ in
        while true {
            let seed = next.add(1, ordering: .relaxed).oldValue
            guard seed < first + count else { return }
            let folder = home.appending(path: "\(seed)")
            defer { try? FileManager.default.removeItem(at: folder) }  // A temporary folder.
            try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)  // Else the life says so.
            let outcome = one(seed, FilePath(folder.path))
            sum.withLock { sum in
                adding(&sum.outcome, outcome)
                sum.done += 1
                if sum.done % 50 == 0 { print("\(sum.done) lives, \(saying(sum.outcome))") }
            }
        }
    }
    return sum.withLock { $0.outcome }
}

let problems: [String]
if kind == "purges" {
    let outcome = live(PurgeCheck.Outcome()) { seed, folder in
        var outcome = PurgeCheck.Outcome()
        do {
            outcome = try PurgeCheck(seed: seed).run(in: folder)
        } catch {
            outcome.broken = ["seed \(seed): \(error)"]
        }
        outcome.broken.forEach { print($0) }
        return outcome
    } adding: {
        $0 += $1
    } saying: {
        "\($0.purged) items purged"
    }
    problems = outcome.broken.filter { !$0.hasPrefix("    ") }
    print(
        "purges: \(count) schedules, \(outcome.purges) purges, \(outcome.purged) items and \(outcome.accounts) accounts purged, "
            + "\(outcome.crashes) crashes, \(outcome.jumps) jumps of the clock; \(outcome.contents) contents read, "
            + "\(problems.count) invariants broken")
} else if kind == "storms" {
    let outcome = live(StormCheck.Outcome()) { seed, folder in
        var outcome = StormCheck.Outcome()
        do {
            outcome = try StormCheck(seed: seed).run(in: folder)
        } catch {
            outcome.broken = ["seed \(seed): \(error)"]
        }
        outcome.broken.forEach { print($0) }
        return outcome
    } adding: {
        $0 += $1
    } saying: {
        "\($0.crashes) crashes"
    }
    problems = outcome.broken.filter { !$0.hasPrefix("    ") }
    print(
        "storms: \(count) lives, \(outcome.crashes) crashes, \(outcome.errors) errors, \(outcome.serverCrashes) crashes of the "
            + "server, \(outcome.damages) damages of its log; \(outcome.selections) mailboxes compared, \(outcome.marked) of them "
            + "marked for a scan, \(problems.count) invariants broken")
} else {
    let outcome = live(LifeCheck.Outcome()) { seed, folder in
        var outcome = LifeCheck.Outcome()
        do {
            outcome = try LifeCheck(seed: seed).run(in: folder)
        } catch {
            outcome.differences = ["seed \(seed): \(error)"]
        }
        outcome.differences.forEach { print($0) }
        return outcome
    } adding: {
        $0 += $1
    } saying: {
        "\($0.items) items compared"
    }
    problems = outcome.differences.filter { !$0.hasPrefix("    ") }
    print("lives: \(count) lives, \(outcome.restores) restores, \(problems.count) differences")
}
try? FileManager.default.removeItem(at: home)  // A temporary folder.
exit(problems.isEmpty ? 0 : 1)
