#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import BackupStore

/// Where a command's words go: standard output and error, or a test's buffers.
struct Console: Sendable {
    /// Receives bytes of standard output.
    var output: @Sendable (UnsafeRawBufferPointer) -> Void
    /// Receives lines of standard error, with their newline.
    var errors: @Sendable (String) -> Void

    /// The process's own streams.
    static let standard = Console(
        output: { writeAll(STDOUT_FILENO, $0) },
        errors: { text in
            var text = text
            text.withUTF8 { writeAll(STDERR_FILENO, UnsafeRawBufferPointer($0)) }
        })

    func write(_ text: String) {
        var text = text
        text.withUTF8 { output(UnsafeRawBufferPointer($0)) }
    }

    func write(_ block: KeyValueBlock) { write(block.text()) }

    /// One JSON document, ended by a newline.
    func write(_ json: JSONValue) { write(json.json + "\n") }
}

private func writeAll(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) {
    var rest = bytes[...]
    while !rest.isEmpty {
        let written = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
        if written < 0, errno == EINTR { continue }
        // A reader that went away (a pager, `head`) has seen what it wanted.
        guard written > 0 else { return }
        rest = rest.dropFirst(written)
    }
}

/// Times as people and programs read them.
enum TimeText {
    /// `dd/MM/yyyy HH:mm:ss` in the server's time zone.
    static func local(_ milliseconds: Int64) -> String {
        var seconds = time_t(floorDivide(milliseconds, 1000))
        var fields = tm()
        localtime_r(&seconds, &fields)
        let date = "\(two(fields.tm_mday))/\(two(fields.tm_mon + 1))/\(four(fields.tm_year + 1900))"
        return "\(date) \(two(fields.tm_hour)):\(two(fields.tm_min)):\(two(fields.tm_sec))"
    }

    /// ISO 8601 in UTC with milliseconds.
    static func iso(_ milliseconds: Int64) -> String {
        var seconds = time_t(floorDivide(milliseconds, 1000))
        var fields = tm()
        gmtime_r(&seconds, &fields)
        let fraction = String(milliseconds - floorDivide(milliseconds, 1000) * 1000)
        let date = "\(four(fields.tm_year + 1900))-\(two(fields.tm_mon + 1))-\(two(fields.tm_mday))"
        let time = "\(two(fields.tm_hour)):\(two(fields.tm_min)):\(two(fields.tm_sec))"
        return "\(date)T\(time).\(String(repeating: "0", count: 3 - fraction.count))\(fraction)Z"
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        value >= 0 ? value / divisor : -((-value + divisor - 1) / divisor)
    }
    private static func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    private static func four(_ number: Int32) -> String { String(repeating: "0", count: max(0, 4 - "\(number)".count)) + "\(number)" }
}

/// The wall clock, milliseconds since 1970.
func milliseconds() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
}
