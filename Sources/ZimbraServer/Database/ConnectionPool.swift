import Synchronization

/// The connections to a database: few, since the mail server needs its own (formats/zimbra-datastore.md, section 1).
final class ConnectionPool: Sendable {
    /// What is between two uses. A connection is one thread's at a time, so that it may travel.
    private struct Idle: @unchecked Sendable {
        var connections: [DatabaseConnection] = []
    }

    /// Connections kept open at most.
    private static let kept = 2

    private let settings: DatabaseSettings
    private let idle = Mutex(Idle())
    private let counter = Atomic<Int>(0)

    init(_ settings: DatabaseSettings) { self.settings = settings }

    /// Statements asked so far.
    var statements: Int { counter.load(ordering: .relaxed) }

    private func countStatement() { counter.add(1, ordering: .relaxed) }

    /// Calls with a connection of the thread's own.
    ///
    /// One that the server closed while it was idle is replaced once.
    func withConnection<Result>(_ body: (DatabaseConnection) throws -> Result) throws -> Result {
        let connection: DatabaseConnection
        if let known = idle.withLock({ $0.connections.popLast() }), known.isAlive {
            connection = known
        } else {
            connection = try DatabaseConnection(settings) { [weak self] in self?.countStatement() }
        }
        let result = try body(connection)
        // One that threw may have a transaction open: it is closed.
        if !connection.isBroken {
            idle.withLock { if $0.connections.count < Self.kept { $0.connections.append(connection) } }
        }
        return result
    }
}
