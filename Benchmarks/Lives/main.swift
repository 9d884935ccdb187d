// Seeded lives of a server, each backed up, selected and restored as of random moments, and compared with the tables noted then.
//
//     make lives N=1000      (swift run -c release Lives [lives = 100] [first seed = 1])

import Foundation
import LifeChecks
import SystemPackage

let count = CommandLine.arguments.count > 1 ? UInt64(CommandLine.arguments[1]) ?? 100 : 100
let first = CommandLine.arguments.count > 2 ? UInt64(CommandLine.arguments[2]) ?? 1 : 1

var outcome = LifeCheck.Outcome()
for seed in first..<(first + count) {
    let folder = FileManager.default.temporaryDirectory.appending(path: "zxbackup-life-\(getpid())-\(seed)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }  // A temporary folder.
    do {
        let one = try LifeCheck(seed: seed).run(in: FilePath(folder.path))
        for difference in one.differences { print(difference) }
        outcome += one
    } catch {
        print("seed \(seed): \(error)")
        outcome.differences.append("seed \(seed)")
    }
    if (seed - first + 1) % 50 == 0 { print("\(seed - first + 1) lives, \(outcome.items) items compared") }
}
let differences = outcome.differences.filter { !$0.hasPrefix("    ") }.count
print("lives: \(count) lives, \(outcome.restores) restores, \(differences) differences")
exit(differences == 0 ? 0 : 1)
