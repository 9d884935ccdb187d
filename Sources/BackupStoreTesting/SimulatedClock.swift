import Synchronization

/// A clock that a test sets; it may jump both ways. The time since the machine started does not jump.
public final class SimulatedClock: Sendable {
    private let times: Mutex<(wall: Int64, sinceBoot: Int64)>

    /// A clock that stands at a time, milliseconds since 1970.
    public init(_ milliseconds: Int64 = 1_764_000_000_000) { times = Mutex((milliseconds, 0)) }

    /// The time, milliseconds since 1970.
    public var now: Int64 {
        get { times.withLock { $0.wall } }
        set { times.withLock { $0.wall = newValue } }
    }

    /// Milliseconds since the machine started.
    public var sinceBoot: Int64 { times.withLock { $0.sinceBoot } }

    /// Lets time pass.
    public func pass(_ milliseconds: Int64) { times.withLock { $0 = ($0.wall + milliseconds, $0.sinceBoot + milliseconds) } }

    /// The machine starts anew; the wall clock goes on.
    public func reboot() { times.withLock { $0.sinceBoot = 0 } }
}
