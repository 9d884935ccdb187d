import Synchronization

/// A clock that a test sets; it may jump both ways.
public final class SimulatedClock: Sendable {
    private let milliseconds: Mutex<Int64>

    /// A clock that stands at a time, milliseconds since 1970.
    public init(_ milliseconds: Int64 = 1_764_000_000_000) { self.milliseconds = Mutex(milliseconds) }

    /// The time, milliseconds since 1970.
    public var now: Int64 {
        get { milliseconds.withLock { $0 } }
        set { milliseconds.withLock { $0 = newValue } }
    }
}
