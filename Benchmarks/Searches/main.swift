import BackupStoreTesting
import Glibc
import SystemPackage

// The searches of BackupStoreTesting with large numbers: make torture, make faults.
//
//     Searches torture POINTS [SEED [CALL]]
//     Searches faults SEEDS [STRIDE]

let words = Array(CommandLine.arguments.dropFirst())
let numbers = words.dropFirst().map { Int($0) ?? 0 }
guard let search = words.first, let amount = numbers.first, !numbers.contains(where: { $0 < 1 }) else {
    print("usage: Searches torture POINTS [SEED [CALL]] | faults SEEDS [STRIDE]")
    exit(2)
}

// Indexes lie in memory where that is possible: they are made anew for each run.
var template = Array(((access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp") + "/zxbackup-search-XXXXXX").utf8CString)
guard mkdtemp(&template) != nil else {
    print("no temporary folder: errno \(errno)")
    exit(1)
}
let folder = FilePath(String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))

let broken: [String]
switch search {
case "torture":
    let torture = Torture(folder: folder)
    let seed = UInt64(numbers.count > 1 ? numbers[1] : 1)
    let report = numbers.count > 2
        ? try torture.repeated(seed: seed, call: numbers[2])
        : try torture.run(points: amount, seed: seed) { report in
            if report.points > 0 { print("\(report.points) of \(amount) crash points") }
        }
    report.broken.forEach { print($0) }
    print("torture: \(report.points) crash points, \(report.runs) runs, \(report.broken.count) invariants broken")
    broken = report.broken
case "faults":
    let sweep = FaultSweep(folder: folder)
    let report = try sweep.run(seeds: 1...UInt64(amount), stride: numbers.count > 1 ? numbers[1] : 1) { report in
        print("\(report.runs) runs")
    }
    report.broken.forEach { print($0) }
    print(
        "faults: \(report.calls) calls, \(report.runs) runs, \(report.ended) ended with an error, "
            + "\(report.broken.count) invariants broken")
    broken = report.broken
default:
    print("usage: Searches torture POINTS [SEED [CALL]] | faults SEEDS [STRIDE]")
    exit(2)
}
_ = folder.withPlatformString { rmdir($0) }
exit(broken.isEmpty ? 0 : 1)
