extension JSONValue {
    /// The value of a complete JSON text (RFC 8259).
    ///
    /// Nothing of the text is trusted: UTF-8 is checked, nesting is limited to 128 levels.
    /// - Throws: ``StoreError`` with code `malformedJSON`, naming the offset.
    public init(json text: String) throws {
        try self.init(json: Array(text.utf8))
    }

    /// The value of a complete JSON text in UTF-8.
    public init(json bytes: [UInt8]) throws {
        self = try bytes.withUnsafeBytes { try JSONValue(json: $0) }
    }

    /// The value of a complete JSON text in UTF-8.
    public init(json bytes: UnsafeRawBufferPointer) throws {
        var parser = JSONParser(bytes: bytes)
        self = try parser.document()
    }
}

extension JSONObject {
    /// The members of a JSON text that is an object.
    public init(json bytes: [UInt8]) throws {
        guard case .object(let object) = try JSONValue(json: bytes) else {
            throw StoreError(.malformedJSON, doing: "reading JSON", subject: "not an object")
        }
        self = object
    }
}

/// A recursive-descent reader over bytes that may be anything.
struct JSONParser {
    let bytes: UnsafeRawBufferPointer
    var offset = 0
    var depth = 0

    init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    mutating func document() throws -> JSONValue {
        let value = try value()
        skipSpace()
        guard offset == bytes.count else { throw malformed("something follows the value") }
        return value
    }

    func malformed(_ reason: String) -> StoreError {
        StoreError(.malformedJSON, doing: "reading JSON", subject: "offset \(offset): \(reason)")
    }

    mutating func skipSpace() {
        while offset < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[offset]) { offset += 1 }
    }

    mutating func value() throws -> JSONValue {
        skipSpace()
        guard offset < bytes.count else { throw malformed("a value is missing") }
        switch bytes[offset] {
        case UInt8(ascii: "{"): return .object(try object())
        case UInt8(ascii: "["): return .array(try array())
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ text: StaticString, _ value: JSONValue) throws -> JSONValue {
        let length = text.utf8CodeUnitCount
        guard bytes.count - offset >= length else { throw malformed("unknown word") }
        for index in 0..<length where bytes[offset + index] != text.utf8Start[index] { throw malformed("unknown word") }
        offset += length
        return value
    }

    private mutating func enter() throws {
        depth += 1
        guard depth <= 128 else { throw malformed("nested too deeply") }
        offset += 1
        skipSpace()
    }

    private mutating func object() throws -> JSONObject {
        try enter()
        var members: [JSONObject.Member] = []
        if consume(UInt8(ascii: "}")) {
            depth -= 1
            return JSONObject(members)
        }
        while true {
            skipSpace()
            guard offset < bytes.count, bytes[offset] == UInt8(ascii: "\"") else { throw malformed("a name is missing") }
            let name = try string()
            skipSpace()
            guard consume(UInt8(ascii: ":")) else { throw malformed("a colon is missing") }
            members.append(.init(name: name, value: try value()))
            skipSpace()
            if consume(UInt8(ascii: ",")) { continue }
            guard consume(UInt8(ascii: "}")) else { throw malformed("an object does not end") }
            depth -= 1
            return JSONObject(members)
        }
    }

    private mutating func array() throws -> [JSONValue] {
        try enter()
        var elements: [JSONValue] = []
        if consume(UInt8(ascii: "]")) {
            depth -= 1
            return elements
        }
        while true {
            elements.append(try value())
            skipSpace()
            if consume(UInt8(ascii: ",")) { continue }
            guard consume(UInt8(ascii: "]")) else { throw malformed("an array does not end") }
            depth -= 1
            return elements
        }
    }

    private mutating func consume(_ byte: UInt8) -> Bool {
        guard offset < bytes.count, bytes[offset] == byte else { return false }
        offset += 1
        return true
    }

    private mutating func number() throws -> JSONValue {
        let start = offset
        _ = consume(UInt8(ascii: "-"))
        let integerStart = offset
        try digits()
        if bytes[integerStart] == UInt8(ascii: "0"), offset - integerStart > 1 { throw malformed("a number begins with 0") }
        var isInteger = true
        if consume(UInt8(ascii: ".")) {
            isInteger = false
            try digits()
        }
        if offset < bytes.count, bytes[offset] | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            offset += 1
            if !consume(UInt8(ascii: "+")) { _ = consume(UInt8(ascii: "-")) }
            try digits()
        }
        let text = String(decoding: bytes[start..<offset], as: UTF8.self)
        if isInteger, text != "-0", let integer = Int64(text) { return .int(integer) }
        return .number(text)
    }

    private mutating func digits() throws {
        let start = offset
        while offset < bytes.count, bytes[offset] >= 0x30, bytes[offset] <= 0x39 { offset += 1 }
        guard offset > start else { throw malformed("a digit is missing") }
    }

    mutating func string() throws -> String {
        offset += 1
        let start = offset
        while offset < bytes.count, bytes[offset] != 0x22, bytes[offset] != 0x5C, bytes[offset] >= 0x20 { offset += 1 }
        guard offset < bytes.count else { throw malformed("a string does not end") }
        if bytes[offset] == 0x22 {
            defer { offset += 1 }
            return try text(UnsafeRawBufferPointer(rebasing: bytes[start..<offset]))
        }
        return try escapedString(from: start)
    }

    private mutating func escapedString(from start: Int) throws -> String {
        var unescaped = Array(bytes[start..<offset])
        while true {
            guard offset < bytes.count else { throw malformed("a string does not end") }
            let byte = bytes[offset]
            offset += 1
            switch byte {
            case 0x22: return try unescaped.withUnsafeBytes { try text($0) }
            case 0x5C: try escape(into: &unescaped)
            case 0..<0x20: throw malformed("a control character in a string")
            default: unescaped.append(byte)
            }
        }
    }

    private mutating func escape(into unescaped: inout [UInt8]) throws {
        guard offset < bytes.count else { throw malformed("a string does not end") }
        let byte = bytes[offset]
        offset += 1
        switch byte {
        case 0x22, 0x5C, 0x2F: unescaped.append(byte)
        case UInt8(ascii: "n"): unescaped.append(0x0A)
        case UInt8(ascii: "r"): unescaped.append(0x0D)
        case UInt8(ascii: "t"): unescaped.append(0x09)
        case UInt8(ascii: "b"): unescaped.append(0x08)
        case UInt8(ascii: "f"): unescaped.append(0x0C)
        case UInt8(ascii: "u"):
            var code = try fourHexDigits()
            if code & 0xFC00 == 0xD800, offset + 1 < bytes.count, bytes[offset] == 0x5C, bytes[offset + 1] == UInt8(ascii: "u") {
                offset += 2
                let low = try fourHexDigits()
                guard low & 0xFC00 == 0xDC00 else { throw malformed("half a surrogate pair") }
                code = 0x10000 + ((code & 0x3FF) << 10) + (low & 0x3FF)
            }
            guard let scalar = Unicode.Scalar(code) else { throw malformed("half a surrogate pair") }
            unescaped.append(contentsOf: Array(String(Character(scalar)).utf8))
        default: throw malformed("an unknown escape")
        }
    }

    private mutating func fourHexDigits() throws -> UInt32 {
        guard bytes.count - offset >= 4 else { throw malformed("a string does not end") }
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = hexValue(bytes[offset]) else { throw malformed("a hexadecimal digit is missing") }
            code = code << 4 | UInt32(digit)
            offset += 1
        }
        return code
    }

    private func text(_ utf8: UnsafeRawBufferPointer) throws -> String {
        guard let text = String(validating: utf8, as: UTF8.self) else { throw malformed("not UTF-8") }
        return text
    }
}

/// The value of a hexadecimal digit of either case.
func hexValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x41 + 10
    case 0x61...0x66: byte - 0x61 + 10
    default: nil
    }
}
