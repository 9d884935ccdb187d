import BackupStoreTesting
import Dispatch
import Glibc
import Synchronization
import SystemPackage

// The searches of BackupStoreTesting with large numbers: make torture, make faults, make flips, make mendings.
//
//     Searches torture POINTS [SEED [CALL]]
//     Searches faults SEEDS [STRIDE]
//     Searches flips STRIDE
//     Searches mendings DAMAGES [SEED]

let usage = "usage: Searches torture POINTS [SEED [CALL]] | faults SEEDS [STRIDE] | flips STRIDE | mendings DAMAGES [SEED]"
let words = Array(CommandLine.arguments.dropFirst())
let numbers = words.dropFirst().map { Int($0) ?? 0 }
guard let search = words.first, let amount = numbers.first, !numbers.contains(where: { $0 < 1 }) else {
    print(usage)
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
case "flips":
    // Two threads, each on a path of its own: damages are independent of each other.
    let threads = 2
    let reports = Mutex([Int: Flips.Report]())
    let failures = Mutex([String]())
    let sum: @Sendable () -> Flips.Report = {
        reports.withLock { $0.values.reduce(into: Flips.Report()) { $0.add($1) } }
    }
    let flips = Flips(folder: folder)
    DispatchQueue.concurrentPerform(iterations: threads) { number in
        do {
            let report = try flips.run(stride: amount, part: (number, threads)) { report in
                alarm(600)  // A trial that hangs ends the program.
                reports.withLock { $0[number] = report }
                if number == 0, report.values % 10_000 == 0 {
                    print("\(sum().values) values")
                    fflush(nil)
                }
            }
            reports.withLock { $0[number] = report }
        } catch {
            failures.withLock { $0.append("\(error)") }
        }
    }
    alarm(0)
    let report = sum()
    for (reason, count) in report.withoutEffect.sorted(by: { $0.key < $1.key }) { print("without effect: \(reason): \(count)") }
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    let megabytes = usage.ru_maxrss / 1024
    print("largest memory: \(megabytes) MB")
    broken = report.missed + failures.withLock { $0 } + (megabytes > 256 ? ["more memory than 256 MB"] : [])
    broken.forEach { print($0) }
    print(
        "flips: \(report.places) places, \(report.values) values, \(report.found) found, "
            + "\(report.withoutEffect.values.reduce(0, +)) without effect, \(broken.count) missed")
case "mendings":
    let report = try Mendings(folder: folder).run(damages: amount, seed: UInt64(numbers.count > 1 ? numbers[1] : 1)) { report in
        if report.damages % 1000 == 0 { print("\(report.damages) of \(amount) damages") }
    }
    broken = report.broken
    broken.forEach { print($0) }
    print(
        "mendings: \(report.damages) damages, \(report.mended) mended, \(report.named) named, \(report.refused) refused, "
            + "\(report.withoutEffect) without effect, \(broken.count) invariants broken")
default:
    print(usage)
    exit(2)
}
_ = folder.withPlatformString { rmdir($0) }
exit(broken.isEmpty ? 0 : 1)
