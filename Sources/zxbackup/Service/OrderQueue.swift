import BackupStore
import Synchronization

/// The commands that clients sent, oldest first: filled by the socket's thread, emptied by the engine's.
final class OrderQueue: Sendable {
    /// A command that a client waits for.
    struct Order: Sendable {
        var invocation: Invocation
        /// When it was sent, milliseconds since 1970.
        var since: Int64
        /// Sends a line to the client, if it is still there.
        var reply: @Sendable (ServiceReply) -> Void
    }

    /// More orders than this at a time are refused.
    static let limit = 100

    private struct State {
        var waiting: [Order] = []
        var running: (order: Order, since: Int64, progress: Progress?)?
        var isClosed = false
    }

    private let state = Mutex(State())

    /// Puts an order at the end, and tells its client how many are before it.
    func add(_ order: Order) {
        let refusal: String? = state.withLock { state in
            if state.isClosed { return "the service is ending" }
            if state.waiting.count >= Self.limit { return "\(Self.limit) orders are waiting already" }
            let ahead = state.waiting.count + (state.running == nil ? 0 : 1)
            if ahead > 0 { order.reply(.waiting(ahead)) }
            state.waiting.append(order)
            return nil
        }
        if let refusal { order.reply(.refused(refusal)) }
    }

    /// The same, unless one of the same command waits or runs.
    func addOnce(_ order: Order) {
        let name = order.invocation.command.name
        let isThere = state.withLock { state in
            (state.waiting.map(\.invocation) + (state.running.map { [$0.order.invocation] } ?? [])).contains { $0.command.name == name }
        }
        if !isThere { add(order) }
    }

    /// The next order, which runs from now on.
    func begin() -> Order? {
        state.withLock { state in
            guard !state.waiting.isEmpty else { return nil }
            let order = state.waiting.removeFirst()
            state.running = (order, milliseconds(), nil)
            return order
        }
    }

    /// How far the running order is; its client is told, too.
    func tell(_ progress: Progress) {
        state.withLock { $0.running?.progress = progress }
    }

    /// The running order is over.
    func end(_ status: CommandStatus) {
        let order = state.withLock { state in
            defer { state.running = nil }
            return state.running?.order
        }
        order?.reply(.exit(status))
    }

    /// Takes no more orders, and refuses those that wait.
    func close() {
        let waiting = state.withLock { state in
            state.isClosed = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for order in waiting { order.reply(.refused("the service is ending")) }
    }

    /// The running order and those that wait, for `status`.
    var json: JSONValue {
        state.withLock { state in
            var operations: [JSONValue] = []
            if let running = state.running {
                var members = Self.json(running.order, "running", since: running.since)
                if let progress = running.progress {
                    members["progress"] = .string(progress.what)
                    members["done"] = .int(progress.done)
                    members["total"] = progress.total.map { .int($0) }
                }
                operations.append(.object(members))
            }
            operations += state.waiting.map { .object(Self.json($0, "waiting", since: $0.since)) }
            return .array(operations)
        }
    }

    private static func json(_ order: Order, _ state: String, since: Int64) -> JSONObject {
        [
            "operation": .string(order.invocation.command.name), "state": .string(state), "since": .int(since),
            "parameters": .object(JSONObject(order.invocation.given.map { .init(name: $0.name, value: .string($0.value)) }))
        ]
    }
}
