import BackupCore
import BackupStore
import Synchronization

/// How far an operation is.
struct Progress: Sendable, Equatable {
    /// What is counted: "Restored items".
    var what: String
    var done: Int64
    /// About how many there will be; nil where nobody knows.
    var total: Int64?
    /// More of it, for `monitor`.
    var figures: [Figure] = []

    /// A figure and what it says.
    struct Figure: Sendable, Equatable {
        var name: String
        var value: String
    }

    /// The object that the service sends.
    var json: JSONObject {
        var members: JSONObject = ["progress": .string(what), "done": .int(done), "total": total.map { .int($0) } ?? .null]
        if !figures.isEmpty {
            members["figures"] = .object(JSONObject(figures.map { .init(name: $0.name, value: .string($0.value)) }))
        }
        return members
    }

    init(what: String, done: Int64, total: Int64? = nil, figures: [Figure] = []) {
        self.what = what
        self.done = done
        self.total = total
        self.figures = figures
    }

    /// Reads an object of ``json``; nil for anything else.
    init?(_ json: JSONObject) {
        guard let what = json["progress"]?.string else { return nil }
        let figures = json["figures"]?.object?.members.map { Figure(name: $0.name, value: $0.value.string ?? "") } ?? []
        self.init(what: what, done: json["done"]?.int ?? 0, total: json["total"]?.int, figures: figures)
    }

    /// What `monitor` shows: a line each.
    var lines: [String] {
        figures.isEmpty ? [line] : figures.map { " \(pad($0.name + ":", 34))\($0.value)" }
    }

    /// ` Restored items:                   198 of about 400`.
    var line: String { " \(pad(what + ":", 34))\(done)" + (total.map { " of about \($0)" } ?? "") }

    /// ` Restored items:  [########            ]  40 %  198`, cut to a width.
    func bar(columns: Int) -> String {
        guard let total, total > 0 else { return String(line.prefix(columns)) }
        let share = min(max(Double(done) / Double(total), 0), 1)
        let percent = String(Int(share * 100))
        let ending = "  \(String(repeating: " ", count: 3 - percent.count))\(percent) %  \(done)"
        let beginning = " \(what):  "
        let width = min(columns - beginning.count - ending.count - 2, 40)
        guard width >= 5 else { return String(line.prefix(columns)) }
        let filled = Int(share * Double(width))
        return beginning + "[" + String(repeating: "#", count: filled) + String(repeating: " ", count: width - filled) + "]"
            + ending
    }
}

/// Shows progress on standard error: a bar that is refreshed in place on a terminal, a line now and then elsewhere.
final class ProgressDisplay: Sendable {
    enum Form: Sendable, Equatable {
        case bar(columns: Int)
        case lines
        case none
    }

    private struct State {
        var last: Progress?
        /// When something was shown, or the first figures of a kind came.
        var lastTime: ContinuousClock.Instant?
        var isPending = false
        var isBarThere = false
    }

    private let form: Form
    private let console: Console
    private let now: @Sendable () -> ContinuousClock.Instant
    private let state = Mutex(State())

    init(_ form: Form, _ console: Console, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) {
        self.form = form
        self.console = console
        self.now = now
    }

    /// The console, with progress shown, and the bar out of the way of everything else.
    var wrapped: Console {
        guard form != .none else { return console }
        var wrapped = console
        wrapped.output = { [self] bytes in
            makeWay()
            console.output(bytes)
        }
        wrapped.rawErrors = { [self] text in
            makeWay()
            console.rawErrors(text)
        }
        wrapped.progress = { [self] progress in state.withLock { show(progress, &$0) } }
        return wrapped
    }

    /// Shows the last figures, and leaves the terminal as it was.
    func makeWay() { state.withLock { makeWay(&$0) } }

    private func makeWay(_ state: inout State) {
        if state.isBarThere { console.rawErrors("\r\u{1B}[K") }
        if form == .lines, state.isPending, let last = state.last { console.errors(last.line + "\n") }
        state.isBarThere = false
        state.isPending = false
    }

    private func show(_ progress: Progress, _ state: inout State) {
        let isNew = state.last?.what != progress.what
        if isNew { makeWay(&state) }
        state.last = progress
        state.isPending = true
        let time = now()
        switch form {
        case .bar(let columns):
            if !isNew, let last = state.lastTime, time - last < .milliseconds(100) { return }
            state.isBarThere = true
            console.rawErrors("\r\u{1B}[K" + ShownText.line(progress.bar(columns: columns - 1)))
        case .lines:
            // For a log that somebody reads later: what is over soon gets its last line only.
            if isNew { return state.lastTime = time }
            if let last = state.lastTime, time - last < .seconds(10) { return }
            console.errors(progress.line + "\n")
        case .none: return
        }
        state.lastTime = time
        state.isPending = false
    }
}
