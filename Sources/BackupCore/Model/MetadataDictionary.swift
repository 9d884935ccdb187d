/// The server's "metadata" map: a variant of bencode whose string lengths count UTF-16 code units.
///
/// Format: formats/zimbra-items.md, section 2, and formats/zimbra-redolog.md, section 8.1. Unknown keys are kept. A state keeps
/// the column's text verbatim besides; this type is for looking inside, and for writing a changed map.
public struct MetadataDictionary: Hashable, Sendable {
    /// A value of the map. Booleans and fractions are texts there.
    public indirect enum Value: Hashable, Sendable {
        case integer(Int64)
        case string(String)
        case list([Value])
        case dictionary(MetadataDictionary)
    }

    /// Why a text is no metadata map: what was wrong, at which UTF-16 offset.
    public struct ParseError: Error, Hashable, Sendable, CustomStringConvertible {
        /// What is wrong with the text.
        public var reason: String
        /// Where, in UTF-16 units.
        public var offset: Int
        /// One line for a person.
        public var description: String { "metadata: \(reason) at UTF-16 unit \(offset)" }
    }

    fileprivate var entries: [(key: String, value: Value)]

    /// An empty map.
    public init() { entries = [] }

    /// Reads a column's or a log's text; nil and empty texts are the empty map.
    ///
    /// The marker `v` of a top-level map is removed. A text hidden in an encoded-word (characters beyond U+FFFF) is unwrapped, and
    /// one whose UTF-8 was once read as Latin-1 is repaired.
    ///
    /// - Throws: `ParseError`; keep such a text verbatim.
    public init(parsing text: String?) throws(ParseError) {
        guard let text, !text.isEmpty else {
            self.init()
            return
        }
        let plain = Self.unwrapped(text)
        do throws(ParseError) {
            self = try Self.parse(Array(plain.utf16))
        } catch {
            guard let repaired = Self.repairingLatin1(plain) else { throw error }
            self = try Self.parse(Array(repaired.utf16))
        }
    }

    /// The keys, in the order of the text.
    public var keys: [String] { entries.map(\.key) }

    /// Whether there are no entries.
    public var isEmpty: Bool { entries.isEmpty }

    /// A value by key. Setting nil removes it.
    public subscript(key: String) -> Value? {
        get { entries.last { $0.key.utf8.elementsEqual(key.utf8) }?.value }
        set {
            entries.removeAll { $0.key.utf8.elementsEqual(key.utf8) }
            if let newValue { entries.append((key, newValue)) }
        }
    }

    /// An integer, also where it is written as a text.
    public func integer(_ key: String) -> Int64? {
        switch self[key] {
        case .integer(let number): number
        case .string(let text): Int64(text)
        default: nil
        }
    }

    /// A text, also where it is written as an integer.
    public func string(_ key: String) -> String? {
        switch self[key] {
        case .string(let text): text
        case .integer(let number): String(number)
        default: nil
        }
    }

    /// The list under a key; nil where there is none or another kind of value.
    public func list(_ key: String) -> [Value]? {
        if case .list(let values) = self[key] { values } else { nil }
    }

    /// The map under a key; nil where there is none or another kind of value.
    public func dictionary(_ key: String) -> MetadataDictionary? {
        if case .dictionary(let map) = self[key] { map } else { nil }
    }

    /// The text as the server writes a top-level map: keys ascending by UTF-16 unit, with the marker `v`.
    ///
    /// With a character beyond U+FFFF the column's form is an encoded-word; `forColumn` false gives the plain text of the log.
    public func text(forColumn: Bool = true) -> String {
        var marked = self
        marked["v"] = .integer(10)
        var out = ""
        marked.write(to: &out)
        guard forColumn, out.unicodeScalars.contains(where: { $0.value > 0xFFFF }) else { return out }
        return "=?UTF-8?B?" + Base64.encode(Array(out.utf8)) + "?="
    }

    /// Whether the entries are the same, in whatever order.
    public static func == (left: Self, right: Self) -> Bool {
        let a = left.sorted
        let b = right.sorted
        return a.count == b.count && zip(a, b).allSatisfy { $0.key.utf8.elementsEqual($1.key.utf8) && $0.value == $1.value }
    }

    /// Hashes the entries, in whatever order.
    public func hash(into hasher: inout Hasher) {
        for entry in sorted {
            hasher.combine(entry.key)
            hasher.combine(entry.value)
        }
    }

    private var sorted: [(key: String, value: Value)] { entries.sorted { $0.key.utf16.lexicographicallyPrecedes($1.key.utf16) } }
}

// MARK: - Writing

extension MetadataDictionary {
    private func write(to out: inout String) {
        out += "d"
        for (key, value) in sorted {
            Self.write(key, to: &out)
            Self.write(value, to: &out)
        }
        out += "e"
    }

    /// A value's own text, for messages.
    static func text(of value: Value) -> String {
        var out = ""
        write(value, to: &out)
        return out
    }

    private static func write(_ text: String, to out: inout String) { out += "\(text.utf16.count):\(text)" }

    private static func write(_ value: Value, to out: inout String) {
        switch value {
        case .integer(let number): out += "i\(number)e"
        case .string(let text): write(text, to: &out)
        case .dictionary(let map): map.write(to: &out)
        case .list(let values):
            out += "l"
            for value in values { write(value, to: &out) }
            out += "e"
        }
    }
}

// MARK: - Reading

extension MetadataDictionary {
    /// Nesting that no server writes; deeper texts are refused before they exhaust the stack.
    fileprivate static let deepestNesting = 100

    fileprivate static func parse(_ units: [UInt16]) throws(ParseError) -> MetadataDictionary {
        var parser = Parser(units: units)
        guard case .dictionary(var map) = try parser.value(depth: 0) else {
            throw ParseError(reason: "not a map", offset: 0)
        }
        guard parser.position == units.count else { throw ParseError(reason: "text after the end", offset: parser.position) }
        map["v"] = nil
        return map
    }

    private struct Parser {
        let units: [UInt16]
        var position = 0

        mutating func value(depth: Int) throws(ParseError) -> Value {
            guard depth < MetadataDictionary.deepestNesting else { throw error("nested too deeply") }
            switch try peek() {
            case UInt16(UInt8(ascii: "d")):
                position += 1
                var map = MetadataDictionary()
                while try peek() != UInt16(UInt8(ascii: "e")) {
                    let key: String
                    switch try value(depth: depth + 1) {
                    case .string(let text): key = text
                    case .integer(let number): key = String(number)
                    default: throw error("a key that is no text")
                    }
                    map.entries.append((key, try value(depth: depth + 1)))
                }
                position += 1
                return .dictionary(map)
            case UInt16(UInt8(ascii: "l")):
                position += 1
                var values: [Value] = []
                while try peek() != UInt16(UInt8(ascii: "e")) { values.append(try value(depth: depth + 1)) }
                position += 1
                return .list(values)
            case UInt16(UInt8(ascii: "i")):
                position += 1
                let negative = try peek() == UInt16(UInt8(ascii: "-"))
                if negative { position += 1 }
                let magnitude = try number(until: UInt8(ascii: "e"), negative: negative)
                return .integer(magnitude)
            default:
                let length = try number(until: UInt8(ascii: ":"), negative: false)
                guard length <= units.count - position else { throw error("a text longer than the rest") }
                let end = position + Int(length)
                defer { position = end }
                return .string(String(decoding: units[position..<end], as: UTF16.self))
            }
        }

        private func peek() throws(ParseError) -> UInt16 {
            guard position < units.count else { throw error("ends too early") }
            return units[position]
        }

        private mutating func number(until end: UInt8, negative: Bool) throws(ParseError) -> Int64 {
            var result: Int64 = 0
            let start = position
            while try peek() != UInt16(end) {
                let digit = Int64(try peek()) - 48
                guard (0...9).contains(digit) else { throw error("a digit was expected") }
                let (product, overflow) = result.multipliedReportingOverflow(by: 10)
                let (sum, overflow2) = negative
                    ? product.subtractingReportingOverflow(digit) : product.addingReportingOverflow(digit)
                guard !overflow, !overflow2 else { throw error("a number beyond 64 bits") }
                result = sum
                position += 1
            }
            guard position > start else { throw error("a digit was expected") }
            position += 1
            return result
        }

        private func error(_ reason: String) -> ParseError { ParseError(reason: reason, offset: position) }
    }

    /// The text inside an encoded-word of the whole column; the text itself when it is none.
    private static func unwrapped(_ text: String) -> String {
        let utf8 = Array(text.utf8)
        guard utf8.starts(with: "=?".utf8), utf8.suffix(2).elementsEqual("?=".utf8) else { return text }
        let parts = utf8.dropFirst(2).dropLast(2).split(separator: UInt8(ascii: "?"), maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, String(decoding: parts[0], as: UTF8.self).uppercased() == "UTF-8",
            parts[1].elementsEqual("B".utf8) || parts[1].elementsEqual("b".utf8), let bytes = Base64.decode(parts[2])
        else { return text }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func repairingLatin1(_ text: String) -> String? {
        var bytes: [UInt8] = []
        for scalar in text.unicodeScalars {
            guard scalar.value < 256 else { return nil }
            bytes.append(UInt8(scalar.value))
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

/// Base64 with the standard alphabet and padding, as encoded-words use it.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var out: [UInt8] = []
        out.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            var bits = group.reduce(0) { $0 << 8 | UInt32($1) }
            bits <<= UInt32(8 * (3 - group.count))
            for place in 0..<4 {
                out.append(place <= group.count ? alphabet[Int(bits >> UInt32(18 - 6 * place) & 63)] : UInt8(ascii: "="))
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// The bytes of a padded text; nil for anything else.
    static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        guard text.count % 4 == 0 else { return nil }
        var out: [UInt8] = []
        out.reserveCapacity(text.count / 4 * 3)
        var bits: UInt32 = 0
        var count = 0
        var padding = 0
        for character in text {
            if character == UInt8(ascii: "=") {
                padding += 1
                bits <<= 6
            } else {
                guard padding == 0, let value = alphabet.firstIndex(of: character) else { return nil }
                bits = bits << 6 | UInt32(value)
            }
            count += 1
            if count % 4 == 0 {
                guard padding <= 2 else { return nil }
                out.append(UInt8(bits >> 16 & 255))
                if padding < 2 { out.append(UInt8(bits >> 8 & 255)) }
                if padding < 1 { out.append(UInt8(bits & 255)) }
                bits = 0
            }
        }
        return out
    }
}
