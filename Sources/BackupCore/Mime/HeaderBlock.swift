/// The header block of a message, found without trusting it: no line, name or number of headers is believed to be short.
struct HeaderBlock {
    /// Where the body begins; the length of the bytes when there is none.
    let bodyOffset: Int
    /// Wanted headers: lower-case name → values in order, unfolded, without NUL.
    private var values: [String: [[UInt8]]] = [:]

    /// A header block longer than this is not read further.
    static let longestBlock = 512 << 10
    /// Of a longer value only the beginning is kept.
    static let longestValue = 16 << 10

    private static let wanted: Set<String> = [
        "from", "sender", "to", "subject", "date", "message-id", "resent-message-id", "in-reply-to", "references", "x-priority",
        "importance", "priority", "content-type", "content-transfer-encoding",
    ]
    private static let longestName = 32

    init(_ bytes: UnsafeRawBufferPointer) {
        var position = 0
        let end = min(bytes.count, Self.longestBlock)
        var current: String?
        var value: [UInt8] = []
        var found: [String: [[UInt8]]] = [:]
        func close() {
            if let name = current { found[name, default: []].append(value) }
            current = nil
            value = []
        }
        var body = bytes.count
        while position < end {
            let lineEnd = Self.lineEnd(bytes, from: position, limit: bytes.count)
            var contentEnd = lineEnd
            if contentEnd > position, bytes[contentEnd - 1] == UInt8(ascii: "\n") { contentEnd -= 1 }
            if contentEnd > position, bytes[contentEnd - 1] == UInt8(ascii: "\r") { contentEnd -= 1 }
            if contentEnd == position {
                body = lineEnd
                break
            }
            let first = bytes[position]
            if first == UInt8(ascii: " ") || first == UInt8(ascii: "\t") {
                if current != nil { Self.append(bytes[position..<contentEnd], to: &value) }
            } else {
                close()
                if let colon = Self.colon(bytes, position, contentEnd) {
                    let name = String(decoding: bytes[position..<colon], as: UTF8.self).lowercased()
                    if Self.wanted.contains(name) {
                        current = name
                        Self.append(bytes[(colon + 1)..<contentEnd], to: &value)
                    }
                }
            }
            position = lineEnd
        }
        close()
        values = found
        bodyOffset = body
    }

    /// The first value, trimmed; nil without the header.
    func first(_ name: String) -> [UInt8]? { values[name]?.first.map(Self.trimmed) }

    /// All values, trimmed.
    func all(_ name: String) -> [[UInt8]] { (values[name] ?? []).map(Self.trimmed) }

    private static func lineEnd(_ bytes: UnsafeRawBufferPointer, from start: Int, limit: Int) -> Int {
        var position = start
        while position < limit {
            if bytes[position] == UInt8(ascii: "\n") { return position + 1 }
            position += 1
        }
        return limit
    }

    private static func colon(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ end: Int) -> Int? {
        for position in start..<min(end, start + longestName) where bytes[position] == UInt8(ascii: ":") {
            return position > start ? position : nil
        }
        return nil
    }

    private static func append(_ piece: Slice<UnsafeRawBufferPointer>, to value: inout [UInt8]) {
        for byte in piece.prefix(max(0, longestValue - value.count)) { value.append(byte == 0 ? UInt8(ascii: " ") : byte) }
    }

    private static func trimmed(_ value: [UInt8]) -> [UInt8] {
        func isSpace(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 || byte == 13 || byte == 10 }
        guard let start = value.firstIndex(where: { !isSpace($0) }), let end = value.lastIndex(where: { !isSpace($0) }) else { return [] }
        return Array(value[start...end])
    }
}
