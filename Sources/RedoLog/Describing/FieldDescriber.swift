/// Writes the fields of a payload as members of a JSON object, under the names of the description documents.
struct FieldDescriber: FieldCodec {
    typealias Failure = RedoLogError

    let version: FormatVersion
    let file: LogFile
    var json = JSONText()
    /// Whether bodies are read for their hashes.
    private let hashesBodies: Bool

    init(version: FormatVersion, file: LogFile, hashesBodies: Bool = true) {
        self.version = version
        self.file = file
        self.hashesBodies = hashesBodies
    }

    private mutating func string(_ text: LogText?) {
        if let text { json.string(text.string) } else { json.null() }
    }

    mutating func bool(_ name: StaticString, _ value: inout Bool) {
        json.key(name)
        json.bool(value)
    }

    private mutating func integer(_ name: StaticString, _ value: some BinaryInteger) {
        json.key(name)
        json.integer(value)
    }

    mutating func int8(_ name: StaticString, _ value: inout Int8) { integer(name, value) }
    mutating func int16(_ name: StaticString, _ value: inout Int16) { integer(name, value) }
    mutating func int32(_ name: StaticString, _ value: inout Int32) { integer(name, value) }
    mutating func int64(_ name: StaticString, _ value: inout Int64) { integer(name, value) }

    mutating func text(_ name: StaticString, _ value: inout LogText?) {
        json.key(name)
        string(value)
    }

    mutating func texts(_ name: StaticString, _ value: inout [LogText]?) {
        json.key(name)
        guard let texts = value else { return json.null() }
        json.open("[")
        for text in texts { string(text) }
        json.close("]")
    }

    private mutating func integers(_ name: StaticString, _ values: [some BinaryInteger]) {
        json.key(name)
        json.open("[")
        for value in values { json.integer(value) }
        json.close("]")
    }

    mutating func ids(_ name: StaticString, _ value: inout [Int32]) { integers(name, value) }
    mutating func int32s(_ name: StaticString, _ value: inout [Int32], count: Int32) { integers(name, value) }
    mutating func int8s(_ name: StaticString, _ value: inout [Int8], count: Int32) { integers(name, value) }
    mutating func mailboxIDs(_ name: StaticString, _ value: inout [Int64]) { integers(name, value) }
    mutating func replies(_ name: StaticString, _ value: inout [LogText]?) { texts(name, &value) }

    mutating func list<Element: CodedElement>(_ name: StaticString, _ value: inout [Element]) throws(RedoLogError) {
        try described(name, value)
    }

    mutating func group<Element: CodedElement>(_ name: StaticString, _ value: inout Element) throws(RedoLogError) {
        json.key(name)
        json.open("{")
        try value.transfer(&self)
        json.close("}")
    }

    mutating func contactFields(_ name: StaticString, _ value: inout [ContactField]) {
        json.key(name)
        json.open("{")
        for field in value {
            json.key(field.key?.string ?? "")
            string(field.value)
        }
        json.close("}")
    }

    mutating func transactions(_ name: StaticString, _ value: inout [TransactionID]) {
        json.key(name)
        json.open("[")
        for id in value { json.string(id.description) }
        json.close("]")
    }

    mutating func customMetadata(_ name: StaticString, _ value: inout CustomMetadata?) throws(RedoLogError) {
        guard var metadata = value else { return null(name) }
        try group(name, &metadata)
    }

    mutating func body(_ name: StaticString, _ value: inout Body?, _ rule: BodyRule) throws(RedoLogError) {
        guard let body = value else { return null(name) }
        var size: Int64?
        var mayBeCompressed = false
        if case .message(let uncompressedSize) = rule {
            size = uncompressedSize
            mayBeCompressed = true
        }
        json.key(name)
        json.open("{")
        defer { json.close("}") }
        integer("offset", body.offset)
        integer("length", body.length)
        guard hashesBodies else { return }
        var hasher = BodyHasher()
        let digest = try hasher.digest(body, of: file, uncompressedSize: size)
        json.key("sha256" as StaticString)
        json.string(hexadecimal(digest.sha256))
        if mayBeCompressed {
            json.key("compressed" as StaticString)
            json.bool(digest.isCompressed)
        }
        if digest.isCompressed {
            integer("uncompressedLength", digest.uncompressedLength)
            json.key("uncompressedSha256" as StaticString)
            json.string(hexadecimal(digest.uncompressedSHA256))
        }
    }

    /// An opaque payload is not described by fields, but in their stead.
    mutating func opaque(_ bytes: Body) {}

    mutating func marker(_ value: inout Bool) {}
    mutating func marker(_ value: inout Int32) {}

    mutating func null(_ name: StaticString) {
        json.key(name)
        json.null()
    }

    mutating func described(_ name: StaticString, _ ids: [Int32]) { integers(name, ids) }
    mutating func described(_ name: StaticString, _ value: Int64) { integer(name, value) }

    mutating func described(_ name: StaticString, _ value: Bool) {
        json.key(name)
        json.bool(value)
    }

    mutating func described<Element: CodedElement>(_ name: StaticString, _ elements: [Element]) throws(RedoLogError) {
        json.key(name)
        json.open("[")
        for var element in elements {
            json.open("{")
            try element.transfer(&self)
            json.close("}")
        }
        json.close("]")
    }
}
