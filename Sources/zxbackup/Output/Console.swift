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
    /// Receives text of standard error as it is: a progress bar drives the terminal.
    var rawErrors: @Sendable (String) -> Void
    /// Receives how far an operation is; shown by a ``ProgressDisplay``.
    var progress: @Sendable (Progress) -> Void = { _ in }
    /// Whether somebody asked the work to stop at its next safe point.
    var mustStop: @Sendable () -> Bool = { StopRequest.isMade }
    /// Columns of the terminal that standard error is; nil where it is none.
    var terminalColumns: @Sendable () -> Int? = { nil }

    /// - Parameters:
    ///   - output: receives bytes of standard output.
    ///   - errors: receives lines of standard error, with their newline.
    init(
        output: @escaping @Sendable (UnsafeRawBufferPointer) -> Void, errors: @escaping @Sendable (String) -> Void,
        progress: @escaping @Sendable (Progress) -> Void = { _ in }, terminalColumns: @escaping @Sendable () -> Int? = { nil }
    ) {
        self.output = output
        rawErrors = errors
        self.progress = progress
        self.terminalColumns = terminalColumns
    }

    /// The process's own streams.
    static let standard = Console(
        output: { writeAll(STDOUT_FILENO, $0) },
        errors: { text in
            var text = text
            text.withUTF8 { writeAll(STDERR_FILENO, UnsafeRawBufferPointer($0)) }
        },
        terminalColumns: {
            guard isatty(STDERR_FILENO) == 1, environment("TERM") != "dumb" else { return nil }
            var size = winsize()
            // A terminal that does not know its width has the usual one.
            guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
            return Int(size.ws_col)
        })

    /// Lines of standard error, with their newline. Names in them cannot drive a terminal.
    func errors(_ text: String) { rawErrors(ShownText.lines(text)) }

    /// Lines of standard output. Names in them cannot drive a terminal.
    func write(_ text: String) { rawOutput(ShownText.lines(text)) }

    /// A part of a line of standard output in a colour.
    func writeColoured(_ text: String) { rawOutput("\u{1B}[1;34m" + ShownText.line(text) + "\u{1B}[0m") }

    private func rawOutput(_ text: String) {
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

/// The wall clock, milliseconds since 1970.
func milliseconds() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
}
