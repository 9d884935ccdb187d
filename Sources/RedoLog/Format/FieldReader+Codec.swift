extension FieldReader: FieldCodec {
    typealias Failure = ReadFailure

    @inline(__always)
    mutating func bool(_ name: StaticString, _ value: inout Bool) throws(ReadFailure) { value = try int8() != 0 }
    @inline(__always)
    mutating func int8(_ name: StaticString, _ value: inout Int8) throws(ReadFailure) { value = try int8() }
    @inline(__always)
    mutating func int16(_ name: StaticString, _ value: inout Int16) throws(ReadFailure) { value = try int16() }
    @inline(__always)
    mutating func int32(_ name: StaticString, _ value: inout Int32) throws(ReadFailure) { value = try int32() }
    @inline(__always)
    mutating func int64(_ name: StaticString, _ value: inout Int64) throws(ReadFailure) { value = try int64() }
    @inline(__always)
    mutating func text(_ name: StaticString, _ value: inout LogText?) throws(ReadFailure) { value = try text() }
    @inline(__always)
    mutating func marker(_ value: inout Bool) throws(ReadFailure) { value = try int8() != 0 }
    @inline(__always)
    mutating func marker(_ value: inout Int32) throws(ReadFailure) { value = try int32() }

    mutating func texts(_ name: StaticString, _ value: inout [LogText]?) throws(ReadFailure) {
        let count = try int32()
        guard count >= 0 else {
            value = nil
            return
        }
        try check(Int64(count), minimum: 4, "the length of a list of texts")
        var texts: [LogText] = []
        if keepsValues { texts.reserveCapacity(min(Int(count), 1024)) }
        for _ in 0..<count {
            let text = try text()
            // A null in the list is written as an empty text; no server writes one.
            if keepsValues { texts.append(text ?? LogText(bytes: [])) }
        }
        value = texts
    }

    mutating func ids(_ name: StaticString, _ value: inout [Int32]) throws(ReadFailure) {
        try int32s(name, &value, count: try int32())
    }

    mutating func int32s(_ name: StaticString, _ value: inout [Int32], count: Int32) throws(ReadFailure) {
        try check(Int64(count), minimum: 4, "the length of a list of ids")
        guard keepsValues else { return try skip(4 * Int64(count)) }
        var ids: [Int32] = []
        ids.reserveCapacity(Int(count))
        for _ in 0..<count { ids.append(try int32()) }
        value = ids
    }

    mutating func int8s(_ name: StaticString, _ value: inout [Int8], count: Int32) throws(ReadFailure) {
        try check(Int64(count), minimum: 1, "the length of a list of types")
        guard keepsValues else { return try skip(Int64(count)) }
        var types: [Int8] = []
        types.reserveCapacity(Int(count))
        for _ in 0..<count { types.append(try int8()) }
        value = types
    }

    mutating func transactions(_ name: StaticString, _ value: inout [TransactionID]) throws(ReadFailure) {
        let count = try int32()
        try check(Int64(count), minimum: 8, "the length of a list of transactions")
        guard keepsValues else { return try skip(8 * Int64(count)) }
        var ids: [TransactionID] = []
        ids.reserveCapacity(Int(count))
        for _ in 0..<count { ids.append(try transaction()) }
        value = ids
    }

    mutating func list<Element: CodedElement>(_ name: StaticString, _ value: inout [Element]) throws(ReadFailure) {
        let count = try int32()
        try check(Int64(count), minimum: Element.minimumLength, "the length of a list")
        var elements: [Element] = []
        if keepsValues { elements.reserveCapacity(min(Int(count), 1024)) }
        for _ in 0..<count {
            var element = Element()
            try element.transfer(&self)
            if keepsValues { elements.append(element) }
        }
        value = elements
    }

    @inline(__always)
    mutating func group<Element: CodedElement>(_ name: StaticString, _ value: inout Element) throws(ReadFailure) {
        try value.transfer(&self)
    }

    mutating func contactFields(_ name: StaticString, _ value: inout [ContactField]) throws(ReadFailure) {
        let count = try int16()
        guard count > 0 else {
            value = []
            return
        }
        guard Int64(count) * 8 <= remaining else { throw .incomplete }
        var fields: [ContactField] = []
        fields.reserveCapacity(Int(count))
        for _ in 0..<count { fields.append(ContactField(key: try text(), value: try text())) }
        value = fields
    }

    mutating func customMetadata(_ name: StaticString, _ value: inout CustomMetadata?) throws(ReadFailure) {
        if !keepsValues {
            // The key is not kept, so whether it is null has to be seen in its length.
            let start = offset
            let length = try int32()
            seek(to: start)
            _ = try text()
            if length >= 0 { _ = try text() }
            return
        }
        guard let section = try text() else {
            value = nil
            return
        }
        value = CustomMetadata(section: section, value: try text())
    }

    mutating func body(_ name: StaticString, _ value: inout Body?, _ rule: BodyRule) throws(ReadFailure) {
        let length = Int64(try int32())
        if length < 0 {
            guard case .attachments = rule else { throw .damage(offset - 4, "the length of a body") }
        }
        let body = Body(offset: offset, length: max(0, length))
        switch rule {
        case .message, .plain: value = body
        case .optional, .attachments: value = length > 0 ? body : nil
        }
        try skip(body.length)
    }

    mutating func mailboxIDs(_ name: StaticString, _ value: inout [Int64]) throws(ReadFailure) {
        let count = try int32()
        guard count >= 0 && count <= 1_000_000 else { throw .damage(offset - 4, "the number of recipients") }
        let isWide = version >= .v1_26
        guard Int64(count) * (isWide ? 8 : 4) <= remaining else { throw .incomplete }
        guard keepsValues else { return try skip(Int64(count) * (isWide ? 8 : 4)) }
        var ids: [Int64] = []
        ids.reserveCapacity(Int(count))
        for _ in 0..<count { ids.append(isWide ? try int64() : Int64(try int32())) }
        value = ids
    }

    mutating func replies(_ name: StaticString, _ value: inout [LogText]?) throws(ReadFailure) {
        if version < .v1_24 {
            // Records so old may lack an invitation's message, and then this is not a count (section 7.9).
            let start = offset
            guard try int32() <= 10_000 else { throw .damage(start, "the number of replies") }
            seek(to: start)
        }
        try texts(name, &value)
    }

    @inline(__always)
    mutating func null(_ name: StaticString) {}
    @inline(__always)
    mutating func described(_ name: StaticString, _ ids: [Int32]) {}
    @inline(__always)
    mutating func described(_ name: StaticString, _ value: Bool) {}
    @inline(__always)
    mutating func described(_ name: StaticString, _ value: Int64) {}
    @inline(__always)
    mutating func described<Element: CodedElement>(_ name: StaticString, _ elements: [Element]) {}
    /// The extent of an opaque payload is not found by its fields; the record's reader does that.
    mutating func opaque(_ bytes: Body) throws(ReadFailure) {}
}
