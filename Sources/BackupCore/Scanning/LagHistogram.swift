/// How long transactions took from the server's commit to the durable state in the backup path.
///
/// Counts milliseconds exactly up to one second and whole seconds beyond it, so that memory is bounded however long it counts.
public struct LagHistogram: Hashable, Sendable {
    private static let exact = 1000
    private static let longestSeconds = 3600

    private var counts = [Int](repeating: 0, count: exact + longestSeconds)
    /// Transactions counted.
    public private(set) var count = 0
    /// The longest time, milliseconds.
    public private(set) var longest: Int64 = 0

    /// Nothing was counted yet.
    public init() {}

    /// Counts a transaction by its times in milliseconds, which may be anything that a log says.
    public mutating func add(from committed: Int64, to durable: Int64) {
        let (time, overflow) = durable.subtractingReportingOverflow(committed)
        add(milliseconds: overflow ? (committed < durable ? .max : 0) : time)
    }

    /// Counts a transaction. A clock that stepped back counts as no time.
    public mutating func add(milliseconds: Int64) {
        let time = max(0, milliseconds)
        let place = time < Self.exact ? Int(time) : Self.exact - 1 + Int(min(time / 1000, Int64(Self.longestSeconds)))
        counts[place] += 1
        count += 1
        longest = max(longest, time)
    }

    /// The time that a share of the transactions did not exceed, milliseconds; 0 when none was counted.
    ///
    /// - Parameter share: from 0 to 1, such as 0.99.
    public func percentile(_ share: Double) -> Int64 {
        guard count > 0 else { return 0 }
        let wanted = max(1, Int((Double(count) * min(max(share, 0), 1)).rounded(.up)))
        var seen = 0
        for (place, number) in counts.enumerated() {
            seen += number
            if seen >= wanted {
                return place < Self.exact ? Int64(place) : min(longest, Int64(place - Self.exact + 2) * 1000)
            }
        }
        return longest
    }
}
