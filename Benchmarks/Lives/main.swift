// Seeded lives of a server, each backed up, selected and restored as of random moments, and compared with the tables noted then.
//
//     make lives N=1000      (swift run -c release Lives [lives = 100] [first seed = 1])
//
// As many lives at a time as there are processors, in memory where there is a file system for that: a power failure is no part
// of it.

import Foundation
import LifeChecks
import Synchronization
import SystemPackage

let count = CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1]) ?? 100 : 100
let first = CommandLine.arguments.count > 2 ? UInt64(CommandLine.arguments[2]) ?? 1 : 1

let memory = URL(filePath: "/dev/shm")
let isInMemory = ProcessInfo.processInfo.environment["TMPDIR"] == nil && FileManager.default.isWritableFile(atPath: memory.path)
let home = (isInMemory ? memory : FileManager.default.temporaryDirectory).appending(path: "zxbackup-lives-\(getpid())")
try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)

struct Sum {
    var outcome = LifeCheck.Outcome()
    var done = 0
}
let sum = Mutex(Sum())
let next = Atomic<UInt64>(first)
let end = first + UInt64(max(0, count))

DispatchQueue.concurrentPerform(iterations: ProcessInfo.processInfo.activeProcessorCount) { _ in
    while true {
        let seed = next.add(1, ordering: .relaxed).oldValue
        guard seed < end else { return }
        let folder = home.appending(path: "\(seed)")
        defer { try? FileManager.default.removeItem(at: folder) }  // A temporary folder.
        var one = LifeCheck.Outcome()
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            one = try LifeCheck(seed: seed).run(in: FilePath(folder.path))
        } catch {
            one.differences = ["seed \(seed): \(error)"]
        }
        sum.withLock { sum in
            for difference in one.differences { print(difference) }
            sum.outcome += one
            sum.done += 1
            if sum.done % 50 == 0 { print("\(sum.done) lives, \(sum.outcome.items) items compared") }
        }
    }
}
try? FileManager.default.removeItem(at: home)  // A temporary folder.
let outcome = sum.withLock { $0.outcome }
let differences = outcome.differences.filter { !$0.hasPrefix("    ") }.count
print("lives: \(count) lives, \(outcome.restores) restores, \(differences) differences")
exit(differences == 0 ? 0 : 1)
