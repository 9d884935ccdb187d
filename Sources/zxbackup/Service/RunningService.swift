#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import BackupCore
import BackupStore
import Foundation
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

    let queue: ServiceQueue
    let notifier: Notifier
    /// The check of the backup path that runs beside its work.
    let check: BackgroundCheck
    private let invocation: Invocation
    private let configuration: Configuration
    private let path: FilePath
    private let server: String
    private let started = milliseconds()
    private let state = Mutex(State())
    private let reading = DispatchGroup()

    /// - Parameter file: where the operations are kept; nil where they cannot be.
    init(_ invocation: Invocation, _ configuration: Configuration, server: String, _ file: OperationFile?) {
        self.invocation = invocation
        self.configuration = configuration
        self.server = server
        path = invocation.backupPath(configuration)
        queue = ServiceQueue(file)
        let notifier = Notifier(configuration) { Console.standard.errors($0 + "\n") }
        self.notifier = notifier
        check = BackgroundCheck(path) { words in
            Console.standard.errors("doCoherencyCheck: \(ShownText.line(words))\n")
            if words.hasPrefix("Critical") { notifier.tellCritical(words) }
        }
    }

    /// What the socket is to do with orders.
    var handling: ServiceSocket.Handling {
        ServiceSocket.Handling(
            state: { self.json }, run: { self.take($0, $1) },
            stop: { id in
                let (stopping, removed) = self.queue.stop(id)
                return ["stopping": .array(stopping.map { .string($0) }), "removed": .array(removed.map { .string($0) })]
            })
    }

    /// The end of the log is reached.
    func noteCaughtUp() { state.withLock { $0.caughtUp = milliseconds() } }

    func enter(_ phase: Phase) { state.withLock { $0.phase = phase } }

    // MARK: Orders

    private func take(_ run: ServiceOrder.Run, _ reply: @escaping @Sendable (ServiceReply) -> Void) {
        guard run.backupPath == realPath(path) else { return reply(.elsewhere) }
        do {
            let operation = QueuedOperation(
                id: UUID().uuidString.lowercased(), command: run.command, parameters: run.parameters, isJSON: run.json, asker: run.asker,
                time: milliseconds())
            let entry = try entry(of: operation, reply)
            // Another configuration may restore to another server.
            guard entry.lane == .writing || run.server == configuration.serverName else { return reply(.elsewhere) }
            queue.add(entry)
        } catch {
            reply(.refused("\(error)"))
        }
    }

    /// - Throws: ``UsageError``, ``NotAvailable``, ``NoOperation``.
    private func entry(of operation: QueuedOperation, _ reply: @escaping @Sendable (ServiceReply) -> Void) throws -> ServiceQueue.Entry {
        var options = invocation.options
        options.json = operation.isJSON
        let ordered = try Grammar(commands: CommandTable.all).invocation(of: operation.command, operation.parameters, options)
        var operation = operation
        operation.command = ordered.command.name
        guard let type = commandType(operation.command) as? any QueuedCommand.Type else { throw NoOperation(command: operation.command) }
        return ServiceQueue.Entry(
            operation: operation, invocation: ordered, lane: type.lane, urgency: type.urgency, isKept: type.isKept, reply: reply)
    }

    /// Orders a command that nobody waits for, unless it waits already; what it says besides its figures is told on standard error.
    func order(_ command: String) throws {
        let operation = QueuedOperation(
            id: UUID().uuidString.lowercased(), command: command, asker: "the schedule", time: milliseconds())
        queue.addOnce(try entry(of: operation, Self.saying(command)))
    }

    /// Takes up what an earlier service was asked for and did not do; whatever is wrong with it keeps no backup from going on.
    func takeUp(_ operations: [QueuedOperation], _ file: OperationFile) {
        for operation in operations {
            do {
                guard operation.attempts < ServiceQueue.attempts else { throw NoOperation(command: operation.command, attempts: operation.attempts) }
                queue.add(try entry(of: operation, Self.saying(operation.command)))
            } catch {
                notifier.tellCritical("operation \(operation.id) is not begun again: \(error)")
                do { try file.remove(operation.id) } catch { notifier.tellCritical("\(error)") }
            }
        }
    }

    private static func saying(_ command: String) -> @Sendable (ServiceReply) -> Void {
        { if case .errors(let text) = $0 { Console.standard.errors("\(command): \(text)") } }
    }

    /// Carries out the next operation that writes; on the engine's thread.
    ///
    /// - Parameter threshold: only one that is more urgent: at a safe point of another.
    /// - Returns: whether there was one.
    @discardableResult
    func carryOutNext(in engine: BackupEngine, moreUrgentThan threshold: OperationUrgency? = nil) -> Bool {
        guard let entry = queue.begin(.writing, moreUrgentThan: threshold) else { return false }
        carryOut(entry) { console in
            guard let command = commandType(entry.operation.command) as? any ServiceCommand.Type else { return .failed }
            return try command.run(entry.invocation, in: engine, configuration, console)
        }
        update(engine, force: true)
        return true
    }

    /// Begins the thread that carries out restores, until the queue is closed.
    func beginReading() {
        reading.enter()
        let thread = Thread { [self] in
            defer { reading.leave() }
            while let entry = queue.nextToRead() {
                carryOut(entry) { console in
                    guard let command = commandType(entry.operation.command) as? any RestoreCommand.Type else { return .failed }
                    return try command.runAlone(entry.invocation, configuration, console)
                }
            }
        }
        thread.stackSize = 8 << 20
        thread.start()
    }

    /// Takes no more orders, and waits until what runs has come to its next safe point.
    func endOrders() {
        queue.close()
        reading.wait()
        check.end()
        notifier.finish()
    }

    private func carryOut(_ entry: ServiceQueue.Entry, _ body: (Console) throws -> CommandStatus) {
        let id = entry.operation.id
        var console = Console(
            output: { entry.reply(.output(String(decoding: $0, as: UTF8.self))) }, errors: { entry.reply(.errors($0)) },
            progress: { [queue] in queue.tell($0, of: id) })
        console.mustStop = { [queue] in queue.mustStop(id) }
        do {
            let status = entry.isKept ? try notifier.telling(of: entry.operation, console, body) : try body(console)
            queue.end(id, status)
        } catch {
            // A failure of the backup path itself meets the engine again at its next step, and ends the service there.
            entry.reply(.errors(ShownText.line("\(error)") + "\n"))
            queue.end(id, (error as? CoreError)?.code == .stopped ? .stopped : .failed)
        }
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
                "operations": queue.json, "ended_operations": queue.ended
            ]
            members["check"] = check.json.map { .object($0) }
            members["caught_up"] = state.caughtUp.map { .int($0) }
            members["held_because"] = state.heldBecause.map { .string($0) }
            return members
        }
    }
}

/// A command that the service does not do for others.
struct NoOperation: Error, CustomStringConvertible {
    var command: String
    /// How often it ended a service.
    var attempts = 0
    var description: String {
        attempts > 0
            ? "\(attempts) services did not live to end it. Look at their last messages, then order \(command) anew"
            : "\(command) is no command for the service"
    }
}
