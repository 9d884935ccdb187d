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

/// Lives lives, several at a time, and prints what is broken, and now and then what came of them so far.
func live<Outcome: Sendable>(
    _ empty: Outcome, _ broken: WritableKeyPath<Outcome, [String]> & Sendable,
    _ one: @Sendable @escaping (UInt64, FilePath) throws -> Outcome, adding: @Sendable @escaping (inout Outcome, Outcome) -> Void,
    saying: @Sendable @escaping (Outcome) -> String
) -> (outcome: Outcome, problems: [String]) {
    let sum = Mutex((outcome: empty, done: 0))
    let next = Atomic<UInt64>(first)
    DispatchQueue.concurrentPerform(iterations: ProcessInfo.processInfo.activeProcessorCount) { _ in
        while true {
            let seed = next.add(1, ordering: .relaxed).oldValue
            guard seed < first + count else { return }
            let folder = home.appending(path: "\(seed)")
            defer { try? FileManager.default.removeItem(at: folder) }  // A temporary folder.
            try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)  // Else the life says so.
            var outcome = empty
            do {
                outcome = try one(seed, FilePath(folder.path))
            } catch {
                outcome[keyPath: broken] = ["seed \(seed): \(error)"]
            }
            outcome[keyPath: broken].forEach { print($0) }
            sum.withLock { sum in
                adding(&sum.outcome, outcome)
                sum.done += 1
                if sum.done % 50 == 0 { print("\(sum.done) lives, \(saying(sum.outcome))") }
            }
        }
    }
    let outcome = sum.withLock { $0.outcome }
    return (outcome, outcome[keyPath: broken].filter { !$0.hasPrefix("    ") })
}

let problems: [String]
switch kind {
case "purges":
    let (outcome, broken) = live(
        PurgeCheck.Outcome(), \.broken, { try PurgeCheck(seed: $0).run(in: $1) }, adding: { $0 += $1 },
        saying: { "\($0.purged) items purged" })
    problems = broken
    print(
        "purges: \(count) schedules, \(outcome.purges) purges, \(outcome.purged) items and \(outcome.accounts) accounts purged, "
            + "\(outcome.crashes) crashes, \(outcome.jumps) jumps of the clock; \(outcome.contents) contents read, "
            + "\(problems.count) invariants broken")
case "storms":
    let (outcome, broken) = live(
        StormCheck.Outcome(), \.broken, { try StormCheck(seed: $0).run(in: $1) }, adding: { $0 += $1 },
        saying: { "\($0.crashes) crashes" })
    problems = broken
    print(
        "storms: \(count) lives, \(outcome.crashes) crashes, \(outcome.errors) errors, \(outcome.serverCrashes) crashes of the "
            + "server, \(outcome.damages) damages of its log; \(outcome.selections) mailboxes compared, \(outcome.marked) of them "
            + "marked for a scan, \(problems.count) invariants broken")
default:
    let (outcome, broken) = live(
        LifeCheck.Outcome(), \.differences, { try LifeCheck(seed: $0).run(in: $1) }, adding: { $0 += $1 },
        saying: { "\($0.items) items compared" })
    problems = broken
    print("lives: \(count) lives, \(outcome.restores) restores, \(problems.count) differences")
}
try? FileManager.default.removeItem(at: home)  // A temporary folder.
exit(problems.isEmpty ? 0 : 1)
