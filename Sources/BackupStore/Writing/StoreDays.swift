/// The store days of a backup path: what passes while a writer works on it, whatever the wall clock says (R11).
///
/// They are the states of one history, so that they are committed, copied and checked like everything else. State n says that the
/// n-th day is over, and bears the wall time of that moment.
struct StoreDays: Sendable {
    /// Where they are noted.
    static let key = HistoryKey.directory(.records, "store_days")
    /// So long a writer must work for a day to pass, milliseconds: less than a day, since services and machines rest now and then.
    static let length: Int64 = 20 * 3_600_000
    private static let wallDay: Int64 = 86_400_000

    /// The days that are over, oldest first: the commit sequence of the note, and the wall clock's time, milliseconds since 1970.
    private let ended: [(sequence: UInt64, time: Int64)]

    init(_ history: History) { ended = history.lines.map { ($0.sequence, $0.time) } }

    /// How many are over.
    var count: Int64 { Int64(ended.count) }

    /// The commit sequence before which everything is at least so old, by store days and by the wall clock, both; 0 where nothing
    /// is.
    ///
    /// What counts is when something was committed, never a date that a mail server or a message gave it.
    /// - Parameters:
    ///   - days: the age, 1 or more.
    ///   - now: the wall clock's time, milliseconds since 1970.
    func sequence(olderThan days: Int64, now: Int64) -> UInt64 {
        last(before: days, now: now).map { ended[$0].sequence } ?? 0
    }

    /// Whether the day of that number, from 0, is so long over.
    func isOver(_ day: Int64, for days: Int64, now: Int64) -> Bool { last(before: days, now: now).map { Int64($0) >= day } ?? false }

    private func last(before days: Int64, now: Int64) -> Int? {
        let (wall, overflow) = days.multipliedReportingOverflow(by: Self.wallDay)
        guard days > 0, !overflow else { return nil }
        return ended.indices.last { day in
            let (age, overflow) = now.subtractingReportingOverflow(ended[day].time)
            return Int64(ended.count - 1 - day) >= days && !overflow && age >= wall
        }
    }
}

extension FileStoreWriter {
    func storeDays() throws -> StoreDays { StoreDays(try history(of: StoreDays.key)) }

    /// The commit sequence before which everything is at least so many days old, by store days and by the wall clock; 0 where
    /// nothing is.
    public func sequence(olderThan days: Int64) throws -> UInt64 { try storeDays().sequence(olderThan: days, now: options.now()) }

    /// Takes in the time that passed since the last look, and notes the store day that is over.
    ///
    /// A look counts a day at most: where a machine slept, or its clocks were set, nobody knows how long that was. What a machine that
    /// starts anew has not counted yet is lost with it, and makes purge later, never earlier.
    func countStoreDay() throws {
        let now = options.sinceBoot()
        uncounted += min(max(now - lastLook, 0), StoreDays.length)
        lastLook = now
        guard uncounted >= StoreDays.length else { return }
        let (time, before) = (options.now(), uncounted)
        // First: the commit may end in a checkpoint, which notes what is left.
        uncounted = min(uncounted - StoreDays.length, StoreDays.length - 1)
        do {
            try append(
                StoreTransaction(
                    account: nil, time: min(max(time, StoreTransaction.times.lowerBound), StoreTransaction.times.upperBound), kind: "day",
                    states: [NewState(key: StoreDays.key, fields: ["type": "store_day"])]))
            try commit()
        } catch {
            uncounted = before
            throw error
        }
    }

    /// Whether an hour or more has passed that no checkpoint has noted.
    var hasTimeToNote: Bool { uncounted / 60_000 - notedMinutes >= 60 }
}
