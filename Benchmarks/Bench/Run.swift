import Foundation
import Glibc

/// What a run of a program took.
struct Run {
    var seconds: Double
    /// Of the processors, in the program and in the kernel for it.
    var processorSeconds: Double
    /// The most memory that it held at once, bytes.
    var peakMemory: Int

    /// Several programs one after the other.
    static func + (one: Run, other: Run) -> Run {
        Run(
            seconds: one.seconds + other.seconds, processorSeconds: one.processorSeconds + other.processorSeconds,
            peakMemory: max(one.peakMemory, other.peakMemory))
    }
}

/// A program that failed is no measurement.
struct Failed: Error, CustomStringConvertible {
    var description: String
}

/// Runs programs, and measures them from start to end.
struct Runner {
    /// Where what they say goes.
    let log: String
    /// Where time(1) notes the memory.
    var memory: String { log + ".memory" }
    var environment: [String: String] = [:]

    /// - Parameter output: a file for standard output; nil = the log.
    @discardableResult
    func run(_ words: [String], output: String? = nil, allowed: Set<Int32> = [0]) throws -> Run {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output ?? log, O_WRONLY | O_CREAT | (output == nil ? O_APPEND : O_TRUNC), 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        // What the kernel says of a child's memory counts that of the process which it was made by: time(1) is small.
        let measured = ["time", "--quiet", "--format", "%M", "--output", memory] + words
        var arguments: [UnsafeMutablePointer<CChar>?] = measured.map { strdup($0) } + [nil]
        var values: [UnsafeMutablePointer<CChar>?] = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in arguments + values { free(pointer) } }
        var pid: pid_t = 0
        let began = ContinuousClock.now
        let code = posix_spawnp(&pid, measured[0], &actions, nil, &arguments, &values)
        guard code == 0 else { throw Failed(description: "\(measured[0]): \(String(cString: strerror(code)))") }
        var status: Int32 = 0
        var usage = rusage()
        while wait4(pid, &status, 0, &usage) < 0 {
            guard errno == EINTR else { throw Failed(description: "waiting for \(words[0])") }
        }
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        guard status & 0x7F == 0, allowed.contains(status >> 8 & 0xFF) else {
            throw Failed(description: "\(words.joined(separator: " ")) ended with status \(status): see \(log)")
        }
        guard let kilobytes = Int((try String(contentsOfFile: memory, encoding: .utf8)).filter(\.isNumber)) else {
            throw Failed(description: "\(memory) names no memory")
        }
        func time(_ value: timeval) -> Double { Double(value.tv_sec) + Double(value.tv_usec) / 1e6 }
        return Run(
            seconds: seconds, processorSeconds: time(usage.ru_utime) + time(usage.ru_stime), peakMemory: kilobytes * 1024)
    }

    /// Lets go of everything that the kernel remembers of files; false where that is not allowed.
    static func dropCaches() -> Bool {
        sync()
        guard let file = fopen("/proc/sys/vm/drop_caches", "w") else { return false }
        defer { fclose(file) }
        return fputs("3\n", file) >= 0
    }

    /// Bytes on disk and inodes below a folder.
    static func usage(of folder: String) -> (bytes: Int, inodes: Int) {
        var bytes = 0, inodes = 0
        guard let names = FileManager.default.enumerator(atPath: folder) else { return (0, 0) }
        for case let name as String in names {
            var status = stat()
            guard lstat(folder + "/" + name, &status) == 0 else { continue }
            inodes += 1
            if status.st_mode & S_IFMT == S_IFREG { bytes += Int(status.st_size) }
        }
        return (bytes, inodes)
    }
}
