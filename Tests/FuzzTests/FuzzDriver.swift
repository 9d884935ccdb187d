import Foundation
import Glibc
import Testing

/// `make fuzz`: libFuzzer at work on one target, in a build with sanitizers. It ends the process.
@Suite("Fuzzing")
struct FuzzDriver {
    private typealias RunDriver = @convention(c) (
        UnsafeMutablePointer<Int32>, UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
        @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
    ) -> Int32

    private static var target: FuzzTarget? {
        ProcessInfo.processInfo.environment["ZXBACKUP_FUZZ"].flatMap { FuzzTarget(rawValue: $0) }
    }

    @Test("libFuzzer on one target", .enabled(if: target != nil, "by make fuzz"))
    func run() throws {
        guard let entry = dlsym(dlopen(nil, RTLD_NOW), "LLVMFuzzerRunDriver") else {
            Issue.record("this build has no libFuzzer: use make fuzz")
            return
        }
        let runDriver = unsafeBitCast(entry, to: RunDriver.self)
        let target = try #require(Self.target)
        let corpus = FileManager.default.temporaryDirectory.appendingPathComponent("zxbackup-fuzz-\(getpid())")
        try FileManager.default.createDirectory(at: corpus, withIntermediateDirectories: true)
        for (n, seed) in (try target.seeds() + target.found().map(\.bytes)).enumerated() {
            try Data(seed).write(to: corpus.appendingPathComponent("seed-\(n)"))
        }
        let words = ["fuzz", "-max_len=\(target.longest)"]
            + (ProcessInfo.processInfo.environment["ZXBACKUP_FUZZ_FLAGS"] ?? "").split(separator: " ").map(String.init) + [corpus.path]
        // libFuzzer keeps the words, and a thread of its own has room for deep recursion, as the program's main thread has.
        let thread = Thread {
            var count = Int32(words.count)
            let list = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: words.count + 1)
            for (n, word) in words.enumerated() { list[n] = strdup(word) }
            list[words.count] = nil
            var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = list
            let status = withUnsafeMutablePointer(to: &arguments) { pointer in
                runDriver(&count, pointer) { bytes, size in fuzzOne(bytes, size) }
            }
            try? FileManager.default.removeItem(at: corpus)
            exit(status)
        }
        thread.stackSize = 64 << 20
        thread.start()
        while true { sleep(1) }
    }
}

/// One input.
private func fuzzOne(_ bytes: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    do {
        try fuzzedTarget.run(Array(UnsafeBufferPointer(start: bytes, count: size)))
    } catch let failure as FuzzFailure {
        fatalError("\(failure)")
    } catch {}  // A clear refusal.
    return 0
}

private let fuzzedTarget = ProcessInfo.processInfo.environment["ZXBACKUP_FUZZ"].flatMap { FuzzTarget(rawValue: $0) }!
