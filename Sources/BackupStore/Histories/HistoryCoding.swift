/// Where a history stands: what the next line continues.
struct HistoryTail: Sendable, Equatable {
    /// Sequence of the last line, 0 for none.
    var sequence: UInt64 = 0
    /// Ordinal of the last line, 0 for none.
    var ordinal: Int64 = 0
    /// Checksum of the last line, 0 for none.
    var checksum: UInt32 = 0
}

/// A line of a history file, as bytes.
///
/// `{"seq":7,"n":2,"prev":"89abcdef","start_date":"2026-11-25T03:40:00.123Z",…,"crc":"01234567"}`: `prev` is the `crc` of the
/// line before it (zeros in the first), `crc` the CRC-32 of the line's bytes before `,"crc"`.
enum HistoryCoding {
    private static let checksumStart = Array(#","crc":""#.utf8)
    private static let checksumLength = checksumStart.count + 10

    /// The line that continues `tail`, line feed included, and where the history stands then.
    static func encode(
        _ state: NewState, _ header: TransactionHeader, after tail: HistoryTail, into bytes: inout [UInt8]
    ) -> HistoryTail {
        let start = bytes.count
        bytes.append(contentsOf: #"{"seq":"#.utf8)
        appendDecimal(Int64(header.sequence), to: &bytes)
        bytes.append(contentsOf: #","n":"#.utf8)
        appendDecimal(tail.ordinal + 1, to: &bytes)
        bytes.append(contentsOf: #","prev":""#.utf8)
        appendHex(tail.checksum, to: &bytes)
        bytes.append(contentsOf: #"","start_date":""#.utf8)
        appendTimestamp(header.time, to: &bytes)
        bytes.append(contentsOf: #"","generation":"#.utf8)
        appendDecimal(header.generation, to: &bytes)
        if let change = header.change {
            bytes.append(contentsOf: #","change":"#.utf8)
            appendDecimal(change, to: &bytes)
        }
        bytes.append(contentsOf: #","kind":"#.utf8)
        appendJSONString(header.kind, to: &bytes)
        if !state.blobs.isEmpty {
            bytes.append(contentsOf: #","blobs":"#.utf8)
            JSONValue.array(state.blobs.map(\.json)).encode(into: &bytes)
        }
        if !state.fields.isEmpty {
            bytes.append(UInt8(ascii: ","))
            state.fields.encodeMembers(into: &bytes)
        }
        let checksum = bytes.withUnsafeBytes { crc32(UnsafeRawBufferPointer(rebasing: $0[start...])) }
        bytes.append(contentsOf: #","crc":""#.utf8)
        appendHex(checksum, to: &bytes)
        bytes.append(contentsOf: [0x22, 0x7D, 0x0A])
        return HistoryTail(sequence: header.sequence, ordinal: tail.ordinal + 1, checksum: checksum)
    }

    /// A line, with or without its line feed; nil if its checksum is not its own or it is no line.
    static func decode(_ bytes: UnsafeRawBufferPointer) -> (line: HistoryLine, previous: UInt32, tail: HistoryTail)? {
        guard let checksum = verifiedChecksum(bytes), let members = (try? JSONValue(json: bytes))?.object else { return nil }
        var sequence: Int64?, ordinal: Int64?, previous: UInt32?, time: Int64?, generation: Int64?
        var change: Int64?, kind: String?, blobs: [BlobReference] = []
        var fields = JSONObject()
        fields.members.reserveCapacity(members.members.count)
        for member in members.members {
            switch member.name {
            case "seq": sequence = member.value.int
            case "n": ordinal = member.value.int
            case "prev": previous = member.value.string.flatMap { UInt32($0, radix: 16) }
            case "start_date": time = member.value.string.flatMap { timestamp($0) }
            case "generation": generation = member.value.int
            case "change": change = member.value.int
            case "kind": kind = member.value.string
            case "blobs":
                for element in member.value.array ?? [] {
                    guard let blob = BlobReference(json: element) else { return nil }
                    blobs.append(blob)
                }
            case "crc": break
            default: fields.members.append(member)
            }
        }
        guard let sequence, sequence > 0, let ordinal, let previous, let time, let generation, let kind else { return nil }
        let line = HistoryLine(
            sequence: UInt64(sequence), ordinal: ordinal, time: time, change: change, generation: generation, kind: kind,
            fields: fields, blobs: blobs)
        return (line, previous, HistoryTail(sequence: UInt64(sequence), ordinal: ordinal, checksum: checksum))
    }

    /// The sequence at the beginning of a line that was verified by other means; nil if it is not there.
    static func sequence(_ bytes: UnsafeRawBufferPointer) -> UInt64? {
        let start = #"{"seq":"#.utf8
        guard bytes.starts(with: start) else { return nil }
        var value: UInt64 = 0
        for byte in bytes[start.count...].prefix(19) {
            guard byte >= 0x30, byte <= 0x39 else { return byte == UInt8(ascii: ",") ? value : nil }
            value = value * 10 + UInt64(byte - 0x30)
        }
        return nil
    }

    /// Where a line without line feed leaves its history; the line has been verified before and is not verified again.
    static func trustedTail(_ line: String) -> HistoryTail? {
        var line = line
        return line.withUTF8 { utf8 in
            guard utf8.count > checksumLength + 10 else { return nil }
            var offset = 7  // {"seq":
            func number() -> Int64 {
                var value: Int64 = 0
                while offset < utf8.count, utf8[offset] >= 0x30, utf8[offset] <= 0x39 {
                    value = value &* 10 &+ Int64(utf8[offset] - 0x30)
                    offset += 1
                }
                return value
            }
            // The index may be rotten: more digits than any number has.
            guard let sequence = UInt64(exactly: number()) else { return nil }
            offset += 5  // ,"n":
            let ordinal = number()
            var checksum: UInt32 = 0
            for index in (utf8.count - 10)..<(utf8.count - 2) {
                guard let digit = hexValue(utf8[index]) else { return nil }
                checksum = checksum << 4 | UInt32(digit)
            }
            return HistoryTail(sequence: sequence, ordinal: ordinal, checksum: checksum)
        }
    }

    /// The checksum at the end of a line if it is the line's own, else nil.
    static func verifiedChecksum(_ bytes: UnsafeRawBufferPointer) -> UInt32? {
        var count = bytes.count
        if count > 0, bytes[count - 1] == 0x0A { count -= 1 }
        let body = count - checksumLength
        guard body > 0, bytes[count - 1] == 0x7D, bytes[count - 2] == 0x22,
            bytes[body..<body + checksumStart.count].elementsEqual(checksumStart)
        else { return nil }
        var stated: UInt32 = 0
        for index in (count - 10)..<(count - 2) {
            // As they were written: a letter that became a capital is a byte that changed.
            guard let digit = hexValue(bytes[index]), !(0x41...0x46).contains(bytes[index]) else { return nil }
            stated = stated << 4 | UInt32(digit)
        }
        return crc32(UnsafeRawBufferPointer(rebasing: bytes[..<body])) == stated ? stated : nil
    }
}

/// `2026-11-25T03:40:00.123Z`.
func appendTimestamp(_ milliseconds: Int64, to bytes: inout [UInt8]) {
    let (days, rest) = milliseconds.flooredDivision(by: 86_400_000)
    let (year, month, day) = civilDate(days)
    appendDigits(year, 4, to: &bytes)
    bytes.append(UInt8(ascii: "-"))
    appendDigits(month, 2, to: &bytes)
    bytes.append(UInt8(ascii: "-"))
    appendDigits(day, 2, to: &bytes)
    bytes.append(UInt8(ascii: "T"))
    appendDigits(rest / 3_600_000, 2, to: &bytes)
    bytes.append(UInt8(ascii: ":"))
    appendDigits(rest / 60_000 % 60, 2, to: &bytes)
    bytes.append(UInt8(ascii: ":"))
    appendDigits(rest / 1000 % 60, 2, to: &bytes)
    bytes.append(UInt8(ascii: "."))
    appendDigits(rest % 1000, 3, to: &bytes)
    bytes.append(UInt8(ascii: "Z"))
}

/// Milliseconds since 1970 of such a text; nil if it is none.
func timestamp(_ text: String) -> Int64? {
    let negative = text.utf8.first == UInt8(ascii: "-")
    let parts = text.utf8.split { !($0 >= 0x30 && $0 <= 0x39) }.compactMap { Int64(Substring($0)) }
    guard parts.count == 7, text.utf8.last == UInt8(ascii: "Z"), (1...12).contains(parts[1]), (1...31).contains(parts[2]),
        parts[0] < 1_000_000, parts[3...].allSatisfy({ $0 < 1000 })
    else { return nil }
    let days = dayNumber(year: negative ? -parts[0] : parts[0], month: parts[1], day: parts[2])
    return (((days * 24 + parts[3]) * 60 + parts[4]) * 60 + parts[5]) * 1000 + parts[6]
}

private func appendDigits(_ number: Int64, _ count: Int, to bytes: inout [UInt8]) {
    if number < 0 { bytes.append(UInt8(ascii: "-")) }
    let digits = Array(String(number.magnitude).utf8)
    for _ in 0..<max(0, count - digits.count) { bytes.append(UInt8(ascii: "0")) }
    bytes.append(contentsOf: digits)
}

extension Int64 {
    fileprivate func flooredDivision(by divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}

/// Proleptic Gregorian date of a day counted from 1970-01-01; years begin in March inside, so that leap days come last.
private func civilDate(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let (era, dayOfEra) = (days + 719_468).flooredDivision(by: 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
}

private func dayNumber(year: Int64, month: Int64, day: Int64) -> Int64 {
    let shifted = month <= 2 ? year - 1 : year
    let (era, yearOfEra) = shifted.flooredDivision(by: 400)
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
}
