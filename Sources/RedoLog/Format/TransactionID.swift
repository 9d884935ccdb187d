/// A transaction's name within one server process: when the process started (seconds), and a counter.
///
/// Ordered by time, then counter. `0.0` is used by checkpoints only.
public struct TransactionID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Seconds since the epoch when the server process started, or when the counter last wrapped.
    public var time: Int32
    /// 1, 2, 3 … in the order in which operations began; not the order of the file.
    public var counter: Int32

    /// The id `time.counter`.
    public init(time: Int32, counter: Int32) {
        self.time = time
        self.counter = counter
    }

    /// The id of checkpoints.
    public static let none = TransactionID(time: 0, counter: 0)

    /// Whether the left one comes first.
    public static func < (left: TransactionID, right: TransactionID) -> Bool {
        (left.time, left.counter) < (right.time, right.counter)
    }

    /// `time.counter`, as in the server's own log output.
    public var description: String { "\(time).\(counter)" }
}
