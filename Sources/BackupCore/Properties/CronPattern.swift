#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// When something is to be done again and again: the five fields of a crontab's line, in local time.
///
///     0 4 * * *        daily at four
///     */15 8-18 * * 1-5
///
/// Minute, hour, day of the month, month (1 or jan) and day of the week (0 or sun; 7 is Sunday, too), each `*`, a number, a range, a list
/// or one of these with a step. Where both days are restricted, one of them is enough, as in crontab(5).
public struct CronPattern: Hashable, Sendable {
    /// The text as it was given.
    public let text: String
    private let minutes: Set<Int>
    private let hours: Set<Int>
    private let days: Set<Int>
    private let months: Set<Int>
    private let weekdays: Set<Int>
    private let anyDay: Bool
    private let anyWeekday: Bool

    private static let monthNames = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
    private static let dayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]

    /// Reads a pattern; nil for a text that is none.
    public init?(_ text: String) {
        let fields = text.lowercased().split(whereSeparator: \.isWhitespace).map(String.init)
        guard fields.count == 5, let minutes = Self.values(fields[0], 0...59), let hours = Self.values(fields[1], 0...23),
            let days = Self.values(fields[2], 1...31), let months = Self.values(fields[3], 1...12, names: Self.monthNames, from: 1),
            let weekdays = Self.values(fields[4], 0...7, names: Self.dayNames, from: 0)
        else { return nil }
        self.text = fields.joined(separator: " ")
        (self.minutes, self.hours, self.days, self.months) = (minutes, hours, days, months)
        self.weekdays = Set(weekdays.map { $0 % 7 })
        anyDay = fields[2].hasPrefix("*")
        anyWeekday = fields[4].hasPrefix("*")
    }

    private static func values(_ field: String, _ range: ClosedRange<Int>, names: [String] = [], from first: Int = 0) -> Set<Int>? {
        func value(_ text: Substring) -> Int? {
            guard let number = names.firstIndex(of: String(text)).map({ $0 + first }) ?? Int(text), range.contains(number) else {
                return nil
            }
            return number
        }
        var values: Set<Int> = []
        for part in field.split(separator: ",", omittingEmptySubsequences: false) {
            let pieces = part.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            let bounds = pieces[0].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
            var span: ClosedRange<Int>
            if pieces[0] == "*" {
                span = range
            } else {
                guard let low = value(bounds[0]), let high = bounds.count == 2 ? value(bounds[1]) : low, low <= high else { return nil }
                // `5/15` means from 5 on.
                span = bounds.count == 1 && pieces.count == 2 ? low...range.upperBound : low...high
            }
            guard pieces.count == 2 else {
                values.formUnion(span)
                continue
            }
            guard let step = Int(pieces[1]), step > 0 else { return nil }
            values.formUnion(stride(from: span.lowerBound, through: span.upperBound, by: step))
        }
        return values
    }

    /// Whether the minute that a second lies in is one of the pattern's.
    ///
    /// - Parameter second: seconds since the epoch.
    public func matches(_ second: Int64) -> Bool {
        var time = time_t(second)
        var local = tm()
        guard localtime_r(&time, &local) != nil else { return false }
        guard minutes.contains(Int(local.tm_min)), hours.contains(Int(local.tm_hour)), months.contains(Int(local.tm_mon) + 1) else {
            return false
        }
        let (isDay, isWeekday) = (days.contains(Int(local.tm_mday)), weekdays.contains(Int(local.tm_wday)))
        return anyDay || anyWeekday ? isDay && isWeekday : isDay || isWeekday
    }

    /// Whether one of the minutes after that of `last` and up to that of `now` is the pattern's; of more than a day its last one is
    /// looked at. None where the clock went back.
    public func isDue(after last: Int64, at now: Int64) -> Bool {
        let minutes = max(last / 60, now / 60 - 1440)..<max(last / 60, now / 60)
        return minutes.contains { matches(($0 + 1) * 60) }
    }
}
