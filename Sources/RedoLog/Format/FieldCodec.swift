/// What a payload is passed through, field by field in the order of the file: once to read it, once to write it, once to
/// describe it.
///
/// A payload lists its fields a single time (`transfer`), so that reading and writing cannot disagree. The names are those
/// of the description documents. The record's version decides which fields there are.
protocol FieldCodec {
    associatedtype Failure: Error

    /// The version of the record.
    var version: FormatVersion { get }

    mutating func bool(_ name: StaticString, _ value: inout Bool) throws(Failure)
    mutating func int8(_ name: StaticString, _ value: inout Int8) throws(Failure)
    mutating func int16(_ name: StaticString, _ value: inout Int16) throws(Failure)
    mutating func int32(_ name: StaticString, _ value: inout Int32) throws(Failure)
    mutating func int64(_ name: StaticString, _ value: inout Int64) throws(Failure)
    /// A text that may be null.
    mutating func text(_ name: StaticString, _ value: inout LogText?) throws(Failure)
    /// A list of texts that may be null.
    mutating func texts(_ name: StaticString, _ value: inout [LogText]?) throws(Failure)
    /// A count and that many 32-bit numbers; a negative count is damage.
    mutating func ids(_ name: StaticString, _ value: inout [Int32]) throws(Failure)
    /// A count and that many elements; a negative count is damage.
    mutating func list<Element: CodedElement>(_ name: StaticString, _ value: inout [Element]) throws(Failure)
    /// Fields without a count, shown as one object.
    mutating func group<Element: CodedElement>(_ name: StaticString, _ value: inout Element) throws(Failure)

    /// 16-bit count and that many pairs; a negative count means none.
    mutating func contactFields(_ name: StaticString, _ value: inout [ContactField]) throws(Failure)
    /// A count and that many transaction ids.
    mutating func transactions(_ name: StaticString, _ value: inout [TransactionID]) throws(Failure)
    /// A count of at most a million, and that many mailbox ids: 64 bits since 1.26.
    mutating func mailboxIDs(_ name: StaticString, _ value: inout [Int64]) throws(Failure)
    /// A list of texts, null when the count is −1; a count beyond 10,000 before 1.24 is damage.
    mutating func replies(_ name: StaticString, _ value: inout [LogText]?) throws(Failure)
    /// A section's key, and its value unless the key is null.
    mutating func customMetadata(_ name: StaticString, _ value: inout CustomMetadata?) throws(Failure)
    /// A length and that many bytes.
    mutating func body(_ name: StaticString, _ value: inout Body?, _ rule: BodyRule) throws(Failure)
    /// The payload of a record with unknown layout.
    mutating func opaque(_ bytes: Body) throws(Failure)

    /// Bytes that the descriptions do not show: a flag that says whether something follows.
    mutating func marker(_ value: inout Bool) throws(Failure)
    /// Bytes that the descriptions do not show: the number that says whether an operation is on one item or on many, or a
    /// count that does not stand right before its list.
    mutating func marker(_ value: inout Int32) throws(Failure)
    /// As many 8-bit numbers as were counted before.
    mutating func int8s(_ name: StaticString, _ value: inout [Int8], count: Int32) throws(Failure)
    /// As many 32-bit numbers as were counted before.
    mutating func int32s(_ name: StaticString, _ value: inout [Int32], count: Int32) throws(Failure)

    /// Not in the record: for descriptions, which show null here.
    mutating func null(_ name: StaticString)
    /// Not in the record in this form: for descriptions, which show a list here.
    mutating func described(_ name: StaticString, _ ids: [Int32])
    mutating func described(_ name: StaticString, _ value: Bool)
    mutating func described(_ name: StaticString, _ value: Int64)
    mutating func described<Element: CodedElement>(_ name: StaticString, _ elements: [Element]) throws(Failure)
}

/// How the length before a body is to be read, and what may be said about the bytes.
enum BodyRule {
    /// Always there; gzip if its length differs from the uncompressed size.
    case message(uncompressedSize: Int64)
    /// Length 0 means none; less is damage. Never compressed.
    case optional
    /// Length 0 is a body without bytes. Never compressed.
    case plain
    /// Length 0 or less means none. Never compressed.
    case attachments
}

/// A payload of an operation: default values, and its fields in order.
protocol CodedPayload: OperationPayload {
    mutating func transfer<Codec: FieldCodec>(_ codec: inout Codec) throws(Codec.Failure)
}

/// An element of a list within a payload.
protocol CodedElement: CodedPayload {
    /// The bytes that an element takes at least: a count that claims more than what is left is not believed.
    static var minimumLength: Int64 { get }
}

/// The payload of an operation. Every field has a default that a current server would write for "nothing".
public protocol OperationPayload: Hashable, Sendable {
    /// The payload with all defaults.
    init()
}

extension OperationPayload {
    /// A payload made by changing the defaults: `CreateTag { $0.itemID = 257; $0.name = "Work" }`.
    public init(_ fill: (inout Self) throws -> Void) rethrows {
        self.init()
        try fill(&self)
    }
}

// Fields that older versions do not have are nil there. A nil at a version that has the field is written as the default.
extension FieldCodec {
    @inline(__always)
    mutating func bool(
        _ name: StaticString, _ value: inout Bool?, since: FormatVersion, default absent: Bool = false
    ) throws(Failure) {
        guard version >= since else { return }
        var present = value ?? absent
        try bool(name, &present)
        value = present
    }

    @inline(__always)
    mutating func int8(_ name: StaticString, _ value: inout Int8?, since: FormatVersion) throws(Failure) {
        guard version >= since else { return }
        var present = value ?? 0
        try int8(name, &present)
        value = present
    }

    @inline(__always)
    mutating func int16(_ name: StaticString, _ value: inout Int16?, since: FormatVersion) throws(Failure) {
        guard version >= since else { return }
        var present = value ?? -1
        try int16(name, &present)
        value = present
    }

    @inline(__always)
    mutating func int32(
        _ name: StaticString, _ value: inout Int32?, since: FormatVersion, default absent: Int32 = 0
    ) throws(Failure) {
        guard version >= since else { return }
        var present = value ?? absent
        try int32(name, &present)
        value = present
    }

    @inline(__always)
    mutating func int64(_ name: StaticString, _ value: inout Int64?, since: FormatVersion) throws(Failure) {
        guard version >= since else { return }
        var present = value ?? 0
        try int64(name, &present)
        value = present
    }

    @inline(__always)
    mutating func text(_ name: StaticString, _ value: inout LogText?, since: FormatVersion) throws(Failure) {
        guard version >= since else { return }
        try text(name, &value)
    }

    /// A colour: 64 bits since 1.27, before that a palette index in 8 (section 8.6).
    @inline(__always)
    mutating func color(_ value: inout Int64) throws(Failure) {
        if version >= .v1_27 {
            try int64("color", &value)
        } else {
            var index = Int8(truncatingIfNeeded: value)
            try int8("color", &index)
            value = Int64(index)
        }
    }

    /// A flag, and a time if it is set.
    @inline(__always)
    mutating func optionalDate(_ value: inout Int64?) throws(Failure) {
        var isPresent = value != nil
        try marker(&isPresent)
        if isPresent {
            var date = value ?? 0
            try int64("date", &date)
            value = date
        } else {
            value = nil
            null("date")
        }
    }

    /// The same in seconds, at version 1.39 exactly.
    mutating func optionalDateInSeconds(_ value: inout Int64?) throws(Failure) {
        var isPresent = value != nil
        try marker(&isPresent)
        if isPresent {
            var seconds = Int32(truncatingIfNeeded: (value ?? 0) / 1000)
            try marker(&seconds)
            value = Int64(seconds) * 1000
            described("date", Int64(seconds) * 1000)
        } else {
            value = nil
            null("date")
        }
    }

    /// A flag, and the target constraint (section 8.10) if it is set.
    @inline(__always)
    mutating func constraint(_ value: inout LogText?) throws(Failure) {
        var isPresent = value != nil
        try marker(&isPresent)
        if isPresent {
            try text("constraint", &value)
        } else {
            value = nil
            null("constraint")
        }
    }

    /// The list at the end of an operation that began with `single`: there is none if that named the only item.
    @inline(__always)
    mutating func ids(_ name: StaticString, _ value: inout [Int32], unless single: Int32) throws(Failure) {
        if single > 0 {
            value = [single]
            described(name, value)
        } else {
            try ids(name, &value)
        }
    }
}
