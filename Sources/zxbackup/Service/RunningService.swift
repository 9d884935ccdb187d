#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import BackupCore
import BackupStore
import Synchronization
import SystemPackage

/// The service while it runs: what it is doing, for whoever asks, and the orders that it carries out between transactions.
final class RunningService: Sendable {
    /// What it is doing.
    enum Phase: String, Sendable {
        /// Reads mailboxes never seen.
        case scanning
        /// Follows the log.
        case following
        case ending
    }

    private struct State {
        var phase = Phase.scanning
        var heldBecause: String?
        var transactions = 0
        var skipped = 0
        var lag: (typical: Int64, most: Int64, longest: Int64) = (0, 0, 0)
        var notices: [String] = []
        var lastSequence: UInt64 = 0
        var updated: ContinuousClock.Instant?
        /// When the end of the log was reached last, milliseconds since 1970.
        var caughtUp: Int64?
    }

    /// How many of the last notices `status` shows.
    private static let shownNotices = 10

    let queue = OrderQueue()
    /// The check of the backup path that runs beside its work.
    let check: BackgroundCheck
    private let invocation: Invocation
    private let configuration: Configuration
    private let path: FilePath
    private let server: String
    private let started = milliseconds()
    private let state = Mutex(State())

    init(_ invocation: Invocation, _ configuration: Configuration, server: String) {
        self.invocation = invocation
        self.configuration = configuration
        self.server = server
        path = invocation.backupPath(configuration)
        check = BackgroundCheck(path) { Console.standard.errors("doCoherencyCheck: \(ShownText.line($0))\n") }
    }

    /// What the socket is to do with orders.
    var handling: ServiceSocket.Handling {
        ServiceSocket.Handling(state: { self.json }, run: { self.take($0, $1) })
    }

    /// The end of the log is reached.
    func noteCaughtUp() { state.withLock { $0.caughtUp = milliseconds() } }

    func enter(_ phase: Phase) { state.withLock { $0.phase = phase } }

    // MARK: Orders

    private func take(_ run: ServiceOrder.Run, _ reply: @escaping @Sendable (ServiceReply) -> Void) {
        guard run.backupPath == realPath(path) else { return reply(.elsewhere) }
        do {
            var options = invocation.options
            options.json = run.json
            options.progress = run.progress
            let ordered = try Grammar(commands: CommandTable.all).invocation(of: run.command, run.parameters, options)
            guard commandType(ordered.command.name) is any ServiceCommand.Type else {
                return reply(.refused("\(ordered.command.name) is no command for the service"))
            }
            queue.add(OrderQueue.Order(invocation: ordered, since: milliseconds(), reply: reply))
        } catch {
            reply(.refused("\(error)"))
        }
    }

    /// Orders a command that nobody waits for, unless it waits already; what it says besides its figures is told on standard error.
    func order(_ command: String) throws {
        var options = invocation.options
        options.progress = false
        let ordered = try Grammar(commands: CommandTable.all).invocation(of: command, [:], options)
        queue.addOnce(
            OrderQueue.Order(invocation: ordered, since: milliseconds()) { reply in
                if case .errors(let text) = reply { Console.standard.errors("\(command): \(text)") }
            })
    }

    /// Carries out one order that waits; on the engine's thread.
    func carryOutNext(in engine: BackupEngine) {
        guard let order = queue.begin() else { return }
        let name = order.invocation.command.name
        let console = Console(
            output: { order.reply(.output(String(decoding: $0, as: UTF8.self))) }, errors: { order.reply(.errors($0)) },
            progress: { [queue] progress in
                queue.tell(progress)
                order.reply(.progress(progress))
            })
        do {
            guard let command = commandType(name) as? any ServiceCommand.Type else { return queue.end(.failed) }
            queue.end(try command.run(order.invocation, in: engine, configuration, console))
        } catch {
            // A failure of the backup path itself meets the engine again at its next step, and ends the service there.
            order.reply(.errors(ShownText.line("\(error)") + "\n"))
            queue.end((error as? CoreError)?.code == .stopped ? .stopped : .failed)
        }
        update(engine, force: true)
    }

    // MARK: State

    /// Takes over what the engine did; at most twice a second.
    func update(_ engine: BackupEngine, force: Bool = false) {
        let now = ContinuousClock.now
        let isDue = state.withLock { force || $0.updated.map { now - $0 >= .milliseconds(500) } ?? true }
        guard isDue else { return }
        let statistics = engine.statistics
        let sequence = engine.lastSequence
        state.withLock { state in
            state.updated = now
            state.heldBecause = engine.heldBecause
            state.transactions = statistics.transactions
            state.skipped = statistics.skipped
            state.lag = (statistics.lag.percentile(0.5), statistics.lag.percentile(0.99), statistics.lag.longest)
            state.notices = statistics.notices.suffix(Self.shownNotices)
            state.lastSequence = sequence
        }
    }

    private var json: JSONObject {
        state.withLock { state in
            var members: JSONObject = [
                "pid": .int(Int64(getpid())), "since": .int(started), "server": .string(server),
                "backup_path": .string(path.string),
                "phase": .string(state.phase.rawValue), "transactions": .int(Int64(state.transactions)),
                "skipped": .int(Int64(state.skipped)),
                "lag_ms": .object(["p50": .int(state.lag.typical), "p99": .int(state.lag.most), "max": .int(state.lag.longest)]),
                "last_sequence": .int(Int64(state.lastSequence)), "notices": .array(state.notices.map { .string($0) }),
                "operations": queue.json
            ]
            members["check"] = check.json.map { .object($0) }
            members["caught_up"] = state.caughtUp.map { .int($0) }
            members["held_because"] = state.heldBecause.map { .string($0) }
            return members
        }
    }
}
