/// A record as it goes into a file: its bytes, and where bodies are to be put between them.
public struct EncodedRecord: Sendable {
    /// The header and the payload without bodies.
    public internal(set) var bytes: [UInt8] = []
    /// The bodies in the order of the file: each belongs before the byte with this index.
    public internal(set) var bodies: [(index: Int, body: Body)] = []

    /// The record's length in the file.
    public var length: Int64 { bodies.reduce(Int64(bytes.count)) { $0 + $1.body.length } }
}

/// Writes the fields of a payload.
struct FieldWriter: FieldCodec {
    typealias Failure = RedoLogError

    let version: FormatVersion
    var record = EncodedRecord()

    init(version: FormatVersion) { self.version = version }

    @inline(__always)
    mutating func append(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { record.bytes.append(contentsOf: $0) }
    }

    private mutating func appendCount(_ count: Int) throws(RedoLogError) {
        guard let count = Int32(exactly: count) else { throw tooLarge("a list of \(count) elements") }
        append(count)
    }

    private func tooLarge(_ what: String) -> RedoLogError {
        RedoLogError(
            .notEncodable, doing: "encoding \(what)", subject: "a record of version \(version)",
            remedy: "The format has no room for it: lengths are 32 bits, contacts have at most 32767 fields.")
    }

    mutating func append(_ text: LogText?) throws(RedoLogError) {
        guard let text else { return append(Int32(-1)) }
        guard text.count <= Int(FieldReader.longestText) else { throw tooLarge("a text of \(text.count) bytes") }
        append(Int32(text.count))
        text.withBytes { record.bytes.append(contentsOf: $0) }
    }

    mutating func bool(_ name: StaticString, _ value: inout Bool) { append(UInt8(value ? 1 : 0)) }
    mutating func int8(_ name: StaticString, _ value: inout Int8) { append(value) }
    mutating func int16(_ name: StaticString, _ value: inout Int16) { append(value) }
    mutating func int32(_ name: StaticString, _ value: inout Int32) { append(value) }
    mutating func int64(_ name: StaticString, _ value: inout Int64) { append(value) }
    mutating func text(_ name: StaticString, _ value: inout LogText?) throws(RedoLogError) { try append(value) }
    mutating func marker(_ value: inout Bool) { append(UInt8(value ? 1 : 0)) }
    mutating func marker(_ value: inout Int32) { append(value) }

    mutating func texts(_ name: StaticString, _ value: inout [LogText]?) throws(RedoLogError) {
        guard let texts = value else { return append(Int32(-1)) }
        try appendCount(texts.count)
        for text in texts { try append(text) }
    }

    mutating func ids(_ name: StaticString, _ value: inout [Int32]) throws(RedoLogError) {
        try appendCount(value.count)
        for id in value { append(id) }
    }

    mutating func int32s(_ name: StaticString, _ value: inout [Int32], count: Int32) { for id in value { append(id) } }
    mutating func int8s(_ name: StaticString, _ value: inout [Int8], count: Int32) { for type in value { append(type) } }

    mutating func transactions(_ name: StaticString, _ value: inout [TransactionID]) throws(RedoLogError) {
        try appendCount(value.count)
        for id in value {
            append(id.time)
            append(id.counter)
        }
    }

    mutating func list<Element: CodedElement>(_ name: StaticString, _ value: inout [Element]) throws(RedoLogError) {
        try appendCount(value.count)
        for var element in value { try element.transfer(&self) }
    }

    mutating func group<Element: CodedElement>(_ name: StaticString, _ value: inout Element) throws(RedoLogError) {
        try value.transfer(&self)
    }

    mutating func contactFields(_ name: StaticString, _ value: inout [ContactField]) throws(RedoLogError) {
        guard let count = Int16(exactly: value.count) else { throw tooLarge("a contact of \(value.count) fields") }
        append(count)
        for field in value {
            try append(field.key)
            try append(field.value)
        }
    }

    mutating func customMetadata(_ name: StaticString, _ value: inout CustomMetadata?) throws(RedoLogError) {
        try append(value?.section)
        if let value { try append(value.value) }
    }

    mutating func mailboxIDs(_ name: StaticString, _ value: inout [Int64]) throws(RedoLogError) {
        try appendCount(value.count)
        for id in value {
            if version >= .v1_26 { append(id) } else { append(Int32(truncatingIfNeeded: id)) }
        }
    }

    mutating func replies(_ name: StaticString, _ value: inout [LogText]?) throws(RedoLogError) { try texts(name, &value) }

    mutating func body(_ name: StaticString, _ value: inout Body?, _ rule: BodyRule) throws(RedoLogError) {
        let length = value?.length ?? 0
        guard let count = Int32(exactly: length), count >= 0 else { throw tooLarge("a body of \(length) bytes") }
        append(count)
        if let value, count > 0 { record.bodies.append((record.bytes.count, value)) }
    }

    mutating func opaque(_ bytes: Body) {
        if bytes.length > 0 { record.bodies.append((record.bytes.count, bytes)) }
    }

    mutating func null(_ name: StaticString) {}
    mutating func described(_ name: StaticString, _ ids: [Int32]) {}
    mutating func described(_ name: StaticString, _ value: Bool) {}
    mutating func described(_ name: StaticString, _ value: Int64) {}
    mutating func described<Element: CodedElement>(_ name: StaticString, _ elements: [Element]) {}
}

extension RecordHeader {
    /// Encodes a record with this header; an absent field of a version is nil in the operation.
    ///
    /// The operation's code is written, whatever `code` says.
    ///
    /// - Throws: `notEncodable` for values that the format has no room for.
    public func encode(_ operation: Operation) throws(RedoLogError) -> EncodedRecord {
        var writer = FieldWriter(version: version)
        writer.record.bytes.reserveCapacity(256)
        writer.record.bytes += Self.magic
        writer.append(version.major)
        writer.append(version.minor)
        writer.append(operation.code.rawValue)
        writer.append(timestamp)
        writer.append(changeID)
        writer.append(changeConstraint)
        writer.append(transaction.time)
        writer.append(transaction.counter)
        if version >= .v1_26 {
            writer.append(mailboxID)
        } else {
            writer.append(Int32(truncatingIfNeeded: mailboxID))
        }
        try operation.transfer(&writer)
        return writer.record
    }
}
