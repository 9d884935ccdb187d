#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import BackupCore
import BackupStore

/// Where a command's words go: standard output and error, or a test's buffers.
struct Console: Sendable {
    /// Receives bytes of standard output.
    var output: @Sendable (UnsafeRawBufferPointer) -> Void
    private let writeErrors: @Sendable (String) -> Void

    /// - Parameter errors: receives lines of standard error, with their newline.
    init(output: @escaping @Sendable (UnsafeRawBufferPointer) -> Void, errors: @escaping @Sendable (String) -> Void) {
        self.output = output
        writeErrors = errors
    }

    /// The process's own streams.
    static let standard = Console(
        output: { writeAll(STDOUT_FILENO, $0) },
        errors: { text in
            var text = text
            text.withUTF8 { writeAll(STDERR_FILENO, UnsafeRawBufferPointer($0)) }
        })

    /// Lines of standard error, with their newline. Names in them cannot drive a terminal.
    func errors(_ text: String) { writeErrors(ShownText.lines(text)) }

    /// Lines of standard output. Names in them cannot drive a terminal.
    func write(_ text: String) {
        var text = ShownText.lines(text)
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

/// The wall clock, milliseconds since 1970.
func milliseconds() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
}
