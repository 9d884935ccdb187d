import BackupCore

/// What administrators are told of an operation, in the log and by mail.
struct Notification: Sendable {
    enum Level: String, Sendable {
        case information = "Information"
        case warning = "Warning"
        case error = "Error"
        case critical = "Critical"
    }

    var subject: String
    var level: Level
    /// Milliseconds since 1970.
    var time: Int64
    /// The machine's name.
    var host: String
    var lines: [String]

    /// An operation begins.
    init(beginOf operation: QueuedOperation, at time: Int64, host: String) {
        (subject, level, self.time, self.host) = ("\(operation.command) started", .information, time, host)
        lines = Self.lines(of: operation, host) + ["", "Follow it with: zxbackup monitor \(operation.id)"]
    }

    /// An operation ended.
    ///
    /// - Parameters:
    ///   - began: when it began, milliseconds since 1970.
    ///   - words: what it said: its statistics are told from there on.
    init(
        endOf operation: QueuedOperation, _ status: CommandStatus, began: Int64, at time: Int64, host: String, words: String, errors: String
    ) {
        let (ending, level): (String, Level) =
            switch status {
            case .successful: ("ended", .information)
            case .stopped, .interrupted, .removed: ("was stopped", .warning)
            default: ("failed", .error)
            }
        (subject, self.level, self.time, self.host) = ("\(operation.command) \(ending)", level, time, host)
        lines = Self.lines(of: operation, host)
        lines.append("Started: \(TimeText.local(began))")
        lines.append("Duration: \(Self.duration(time - began))")
        if !errors.isEmpty { lines += ["", "- messages -"] + Self.split(errors) }
        if !words.isEmpty { lines += [""] + Self.split(Self.statistics(words)) }
    }

    /// Something that cannot wait until somebody looks.
    init(critical text: String, at time: Int64, host: String) {
        (subject, level, self.time, self.host) = ("needs attention", .critical, time, host)
        lines = Self.split(text) + ["", "Look with: zxbackup status"]
    }

    /// The log's paragraph: a line, and the others indented.
    var logText: String {
        let shown = lines.map { $0.isEmpty ? "\n" : "\t" + ShownText.line($0) + "\n" }
        return "\(TimeText.local(time)) \(level.rawValue) \(ShownText.line(subject))\n" + shown.joined()
    }

    /// The mail's text.
    var mailText: String {
        let heading = ["Date: \(TimeText.local(time))", "Level: \(level.rawValue)", "Server: \(host)", ""]
        return (heading + lines).map { ShownText.line($0) + "\n" }.joined()
    }

    private static func lines(of operation: QueuedOperation, _ host: String) -> [String] {
        var lines = [
            "Operation: \(operation.command)", "Operation id: \(operation.id)", "Host: \(host)", "Asked for by: \(operation.asker)",
            "Version: zxbackup \(ProgramVersion.text)",
        ]
        lines += operation.parameters.sorted { $0.key < $1.key }.map { "Parameter \($0.key): \($0.value)" }
        return lines
    }

    /// From "- stats -" on; where there are none, everything.
    private static func statistics(_ words: String) -> String {
        words.range(of: "- stats -").map { String(words[$0.lowerBound...]) } ?? words
    }

    private static func split(_ text: String) -> [String] {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        while lines.last == "" { lines.removeLast() }
        return lines
    }

    /// `1 h 2 min 3 s`, or `0.4 s`.
    private static func duration(_ milliseconds: Int64) -> String {
        // A clock that was set back makes nothing negative.
        let seconds = max(milliseconds, 0) / 1000
        if seconds < 10 { return "\(seconds).\(max(milliseconds, 0) % 1000 / 100) s" }
        let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")].drop { $0.0 == 0 }
        return parts.map { "\($0.0) \($0.1)" }.joined(separator: " ")
    }
}
