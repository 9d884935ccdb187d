import BackupCore
import BackupStore
import Dispatch
import Synchronization

/// The operations that wait for the service or run in it: filled by the socket's thread, emptied by the engine's and the reader's.
///
/// Those that are kept are in the ``OperationFile`` from before their client hears of them until they are done.
final class ServiceQueue: Sendable {
    /// An operation and who waits for it.
    struct Entry: Sendable {
        var operation: QueuedOperation
        var invocation: Invocation
        var lane: OperationLane
        var urgency: OperationUrgency
        /// Whether it survives the service.
        var isKept: Bool
        /// Sends a line to the client, if it is still there.
        var reply: @Sendable (ServiceReply) -> Void
    }

    private struct Running {
        var entry: Entry
        /// When it began, milliseconds since 1970.
        var since: Int64
        var progress: Progress?
        var mustStop = false
    }

    private struct Ended {
        var operation: QueuedOperation
        var status: CommandStatus
        var time: Int64
    }

    private struct State {
        var waiting: [Entry] = []
        /// More than one in a lane where an urgent one overtakes: the last runs.
        var running: [Running] = []
        var ended: [Ended] = []
        var isClosed = false

        mutating func remember(_ operation: QueuedOperation, _ status: CommandStatus) {
            ended.append(Ended(operation: operation, status: status, time: milliseconds()))
            ended.removeFirst(max(0, ended.count - ServiceQueue.remembered))
        }
    }

    /// More operations than this at a time are refused.
    static let limit = 100
    /// How many of those that ended are remembered.
    private static let remembered = 100
    /// An operation that ended the service so many times is not begun again.
    static let attempts = 3

    private let state = Mutex(State())
    private let file: OperationFile?
    private let reading = DispatchSemaphore(value: 0)

    /// - Parameter file: nil where nothing can be kept.
    init(_ file: OperationFile?) { self.file = file }

    // MARK: Filling

    /// Puts an operation at the end, and tells its client how many are before it.
    func add(_ entry: Entry) {
        let refusal: String? = state.withLock { state in
            if state.isClosed { return "the service is ending" }
            if state.waiting.count >= Self.limit { return "\(Self.limit) operations are waiting already" }
            keep(entry)
            let ahead = state.running.count { $0.entry.lane == entry.lane } + state.waiting.count { $0.goesBefore(entry) }
            if ahead > 0 { entry.reply(.waiting(ahead)) }
            state.waiting.append(entry)
            return nil
        }
        if let refusal { return entry.reply(.refused(refusal)) }
        if entry.lane == .reading { reading.signal() }
    }

    /// The same, unless one of the same command waits or runs.
    func addOnce(_ entry: Entry) {
        let isThere = state.withLock { state in
            (state.waiting + state.running.map(\.entry)).contains { $0.operation.command == entry.operation.command }
        }
        if !isThere { add(entry) }
    }

    private func keep(_ entry: Entry) {
        guard entry.isKept, let file else { return }
        do {
            try file.keep(entry.operation)
        } catch {
            entry.reply(.errors("the operation will not survive the end of the service: \(ShownText.line("\(error)"))\n"))
        }
    }

    // MARK: Emptying

    /// The next operation of a lane, which runs from now on; nil where none waits that is more urgent than `threshold`.
    func begin(_ lane: OperationLane, moreUrgentThan threshold: OperationUrgency? = nil) -> Entry? {
        state.withLock { state in
            // Asked between any two transactions: nothing waits nearly always.
            guard !state.isClosed, !state.waiting.isEmpty else { return nil }
            let candidates = state.waiting.indices.filter { index in
                state.waiting[index].lane == lane && threshold.map { state.waiting[index].urgency < $0 } ?? true
            }
            guard let next = candidates.min(by: { (state.waiting[$0].urgency, $0) < (state.waiting[$1].urgency, $1) }) else { return nil }
            var entry = state.waiting.remove(at: next)
            entry.operation.attempts += 1
            keep(entry)
            state.running.append(Running(entry: entry, since: milliseconds()))
            return entry
        }
    }

    /// The same for the reader's thread: waits until there is one; nil when the service ends.
    func nextToRead() -> Entry? {
        while true {
            if let entry = begin(.reading) { return entry }
            if state.withLock({ $0.isClosed }) { return nil }
            reading.wait()
        }
    }

    /// How far a running operation is; its client is told, too.
    func tell(_ progress: Progress, of id: String) {
        let reply = state.withLock { state -> (@Sendable (ServiceReply) -> Void)? in
            guard let index = state.running.firstIndex(where: { $0.entry.operation.id == id }) else { return nil }
            state.running[index].progress = progress
            return state.running[index].entry.reply
        }
        reply?(.progress(progress))
    }

    /// Whether somebody asked for the end of a running operation, or of the service.
    func mustStop(_ id: String) -> Bool {
        StopRequest.isMade || state.withLock { $0.isClosed || $0.running.first { $0.entry.operation.id == id }?.mustStop ?? false }
    }

    /// A running operation is over. One that the end of the service interrupted stays in the file, for the next service.
    func end(_ id: String, _ status: CommandStatus) {
        let ended = state.withLock { state -> (entry: Entry, isInterrupted: Bool)? in
            guard let index = state.running.firstIndex(where: { $0.entry.operation.id == id }) else { return nil }
            let running = state.running.remove(at: index)
            let isInterrupted = status == .stopped && !running.mustStop && running.entry.isKept && file != nil
            state.remember(running.entry.operation, isInterrupted ? .interrupted : status)
            return (running.entry, isInterrupted)
        }
        guard let ended else { return }
        if ended.isInterrupted {
            var kept = ended.entry
            kept.operation.attempts = 0
            keep(kept)
            ended.entry.reply(.errors(Self.laterWords))
            ended.entry.reply(.exit(.interrupted))
        } else {
            forget(ended.entry)
            ended.entry.reply(.exit(status))
        }
    }

    private static let laterWords = "the service is ending: the operation stays in its queue, and is done when it runs again\n"

    private func forget(_ entry: Entry) {
        guard entry.isKept, let file else { return }
        do {
            try file.remove(entry.operation.id)
        } catch {
            entry.reply(.errors("the next service will do the operation again: \(ShownText.line("\(error)"))\n"))
        }
    }

    /// Stops an operation, or takes it off the queue.
    ///
    /// - Parameter id: nil = all of them.
    /// - Returns: those that are told to stop, and those that will not begin.
    func stop(_ id: String?) -> (stopping: [String], removed: [String]) {
        let (stopping, removed) = state.withLock { state in
            var stopping: [String] = []
            for index in state.running.indices where id.map({ state.running[index].entry.operation.id == $0 }) ?? true {
                state.running[index].mustStop = true
                stopping.append(state.running[index].entry.operation.id)
            }
            let removed = state.waiting.filter { entry in id.map { entry.operation.id == $0 } ?? true }
            state.waiting.removeAll { entry in removed.contains { $0.operation.id == entry.operation.id } }
            for entry in removed { state.remember(entry.operation, .removed) }
            return (stopping, removed)
        }
        for entry in removed {
            forget(entry)
            entry.reply(.exit(.removed))
        }
        return (stopping, removed.map(\.operation.id))
    }

    /// Begins nothing more. What waits and is kept waits for the next service; the rest is refused.
    func close() {
        let waiting = state.withLock { state in
            state.isClosed = true
            defer { state.waiting = [] }
            return state.waiting
        }
        reading.signal()
        for entry in waiting {
            guard entry.isKept, file != nil else {
                entry.reply(.refused("the service is ending"))
                continue
            }
            entry.reply(.errors(Self.laterWords))
            entry.reply(.exit(.interrupted))
        }
    }

    // MARK: Telling

    /// The running operations and those that wait, for `status` and getAllOperations.
    var json: JSONValue {
        state.withLock { state in
            var operations = state.running.map { running in
                var members = Self.json(running.entry, running.mustStop ? "stopping" : "running", since: running.since)
                if let progress = running.progress { members["progress"] = .object(progress.json) }
                return JSONValue.object(members)
            }
            operations += state.waiting.map { .object(Self.json($0, "queued", since: $0.operation.time)) }
            return .array(operations)
        }
    }

    /// The last operations that ended, for `monitor`.
    var ended: JSONValue {
        state.withLock { state in
            .array(
                state.ended.map {
                    .object([
                        "id": .string($0.operation.id), "operation": .string($0.operation.command), "ended": .int($0.time),
                        "status": .int(Int64($0.status.rawValue)),
                    ])
                })
        }
    }

    private static func json(_ entry: Entry, _ state: String, since: Int64) -> JSONObject {
        var members = entry.operation.json
        members["state"] = .string(state)
        members["since"] = .int(since)
        members["ordered"] = .int(entry.operation.time)
        return members
    }
}

extension ServiceQueue.Entry {
    /// Whether this one, which waits already, will begin before another that comes now.
    fileprivate func goesBefore(_ other: Self) -> Bool { lane == other.lane && urgency <= other.urgency }
}

/// Which of the service's threads does an operation.
enum OperationLane: Sendable {
    /// The engine's, which writes to the backup path.
    case writing
    /// One that reads it, beside the engine: a restore waits for no scan.
    case reading
}

/// What goes first where several wait: an urgent operation also overtakes a running one, at its next safe point.
enum OperationUrgency: Int, Comparable, Sendable {
    /// A setting: done in no time.
    case immediate
    /// Somebody waits for it, or a restore does.
    case soon
    case whenever

    static func < (one: Self, other: Self) -> Bool { one.rawValue < other.rawValue }
}
