#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import BackupCore

/// A moment on the command line.
enum DateExpression: Hashable, Sendable {
    /// The whole second, seconds since 1970: the mailbox after the last change of that second (R14).
    case second(Int64)
    /// The mailbox after the change with that number (R14).
    case change(Int64)
    /// `last`, `first`, `all` …, in lower case.
    case word(String)

    /// Reads a date.
    ///
    /// `dd/MM/yyyy HH:mm:ss` and ISO 8601 without an offset are in the server's time zone. Of an hour that occurs twice the
    /// earlier is meant; an offset selects (R14).
    ///
    /// - Parameter words: which words are dates here.
    /// - Throws: ``MalformedDate``, also for a time that the zone skips.
    init(_ text: String, words: [String] = []) throws {
        let folded = text.trimmed().lowercased()
        if words.contains(where: { $0.lowercased() == folded }) {
            self = .word(folded)
            return
        }
        if folded.hasPrefix("change:") {
            guard let number = Int64(folded.dropFirst(7)), number >= 0 else {
                throw MalformedDate(text: text, reason: "a change number is expected after 'change:'")
            }
            self = .change(number)
            return
        }
        var scanner = FieldScanner(folded)
        guard let fields = scanner.zextras() ?? scanner.iso() else {
            let known = (["dd/MM/yyyy HH:mm:ss", "yyyy-MM-ddTHH:mm:ss+hh:mm", "change:N"] + words).joined(separator: ", ")
            throw MalformedDate(text: text, reason: "expected is one of: \(known)")
        }
        self = .second(try fields.readings(text)[0])
    }

    /// What should be said of a date in an hour that occurs twice: which one is taken, and how to name the other (R14).
    ///
    /// nil for all other dates.
    static func ambiguity(of text: String) -> String? {
        var scanner = FieldScanner(text.trimmed().lowercased())
        guard let readings = try? (scanner.zextras() ?? scanner.iso())?.readings(text), readings.count > 1 else { return nil }
        let names = readings.map { TimeText.isoLocal(second: $0) }
        return "'\(text)' occurs twice, because the clock was put back: taken is the earlier one, \(names[0]). "
            + "To mean the later one, give \(names[1])"
    }
}

/// Why a text is no date.
struct MalformedDate: Error, CustomStringConvertible {
    var text: String
    var reason: String
    var description: String { "'\(text)' is no date: \(reason)" }
}

/// The fields of a date, before a time zone makes a moment of them.
private struct DateFields {
    var year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int
    /// Seconds east of Greenwich; nil = the server's time zone.
    var offset: Int?

    /// The moments that the fields can mean, earliest first: two of an hour that the clock runs through twice.
    func readings(_ text: String) throws -> [Int64] {
        if let offset {
            var fields = broken(daylight: 0)
            let moment = timegm(&fields)
            guard matches(fields) else { throw MalformedDate(text: text, reason: "there is no such day or time") }
            return [Int64(moment) - Int64(offset)]
        }
        // In summer time and in normal time; a reading that does not come back as it went in is none.
        let readings = [Int32(1), 0].compactMap { daylight -> Int64? in
            var fields = broken(daylight: daylight)
            var moment = mktime(&fields)
            var back = tm()
            localtime_r(&moment, &back)
            return matches(back) ? Int64(moment) : nil
        }
        guard !readings.isEmpty else {
            throw MalformedDate(text: text, reason: "there is no such day or time in the server's time zone")
        }
        return Set(readings).sorted()
    }

    private func broken(daylight: Int32) -> tm {
        var fields = tm()
        fields.tm_year = Int32(year - 1900)
        fields.tm_mon = Int32(month - 1)
        fields.tm_mday = Int32(day)
        fields.tm_hour = Int32(hour)
        fields.tm_min = Int32(minute)
        fields.tm_sec = Int32(second)
        fields.tm_isdst = daylight
        return fields
    }

    private func matches(_ fields: tm) -> Bool {
        Int(fields.tm_year) == year - 1900 && Int(fields.tm_mon) == month - 1 && Int(fields.tm_mday) == day
            && Int(fields.tm_hour) == hour && Int(fields.tm_min) == minute && Int(fields.tm_sec) == second
    }
}

/// Reads fixed forms of digits and separators; a form that does not fit leaves nothing behind.
private struct FieldScanner {
    private let text: [UInt8]
    private var place = 0

    init(_ text: String) { self.text = Array(text.utf8) }

    /// `dd/MM/yyyy HH:mm:ss`.
    mutating func zextras() -> DateFields? {
        place = 0
        guard let day = number(1...2), skip("/"), let month = number(1...2), skip("/"), let year = number(4...4), skip(" "),
            let time = time(), place == text.count
        else { return nil }
        return DateFields(year: year, month: month, day: day, hour: time.0, minute: time.1, second: time.2, offset: nil)
    }

    /// `yyyy-MM-ddTHH:mm:ss`, with a fraction, and with `Z` or an offset.
    mutating func iso() -> DateFields? {
        place = 0
        guard let year = number(4...4), skip("-"), let month = number(2...2), skip("-"), let day = number(2...2),
            skip("t") || skip(" "), let time = time()
        else { return nil }
        if skip(".") || skip(",") { guard number(1...9) != nil else { return nil } }
        var offset: Int?
        if skip("z") {
            offset = 0
        } else if place < text.count {
            let sign = skip("+") ? 1 : skip("-") ? -1 : 0
            guard sign != 0, let hours = number(2...2), skip(":") || true, let minutes = number(2...2), minutes < 60 else { return nil }
            offset = sign * (hours * 3600 + minutes * 60)
        }
        guard place == text.count else { return nil }
        return DateFields(year: year, month: month, day: day, hour: time.0, minute: time.1, second: time.2, offset: offset)
    }

    private mutating func time() -> (Int, Int, Int)? {
        guard let hour = number(1...2), skip(":"), let minute = number(2...2), skip(":"), let second = number(2...2) else {
            return nil
        }
        return (hour, minute, second)
    }

    private mutating func number(_ digits: ClosedRange<Int>) -> Int? {
        var value = 0
        var count = 0
        while count < digits.upperBound, place < text.count, (48...57).contains(text[place]) {
            value = value * 10 + Int(text[place] - 48)
            place += 1
            count += 1
        }
        return digits.contains(count) ? value : nil
    }

    private mutating func skip(_ character: Character) -> Bool {
        guard place < text.count, text[place] == character.asciiValue else { return false }
        place += 1
        return true
    }
}
