import Foundation

/// What libFuzzer calls in the build that `make fuzz` makes; nothing calls it elsewhere.
private let fuzzTarget = ProcessInfo.processInfo.environment["ZXBACKUP_FUZZ"].flatMap { FuzzTarget(rawValue: $0) }

/// Writes the target's seeds into the folder that libFuzzer then reads.
@_cdecl("LLVMFuzzerInitialize")
func initializeFuzzing(_: UnsafeMutableRawPointer?, _: UnsafeMutableRawPointer?) -> Int32 {
    guard let fuzzTarget, let corpus = ProcessInfo.processInfo.environment["ZXBACKUP_FUZZ_CORPUS"] else {
        fatalError("ZXBACKUP_FUZZ names one of \(FuzzTarget.allCases), ZXBACKUP_FUZZ_CORPUS a folder")
    }
    do {
        for (n, seed) in (try fuzzTarget.seeds() + fuzzTarget.found().map(\.bytes)).enumerated() {
            try Data(seed).write(to: URL(fileURLWithPath: "\(corpus)/seed-\(n)"))
        }
    } catch { fatalError("writing seeds to \(corpus): \(error)") }
    return 0
}

/// One input.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOne(_ bytes: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    do {
        try fuzzTarget!.run(Array(UnsafeBufferPointer(start: bytes, count: size)))
    } catch {
        fatalError("\(error)")  // libFuzzer takes it for a crash, and keeps the input.
    }
    return 0
}
