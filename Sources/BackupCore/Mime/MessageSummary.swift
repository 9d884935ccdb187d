import CGMime

/// What the server derives from the bytes of a message: the columns and metadata that the redo log does not carry.
///
/// Nothing in the bytes is trusted. Headers beyond 512 KB, values beyond 16 KB and content beyond 1 MB are not looked at; invalid
/// UTF-8 is repaired, NUL read as a space, and a message nested deeper than any mail program makes is not opened.
public struct MessageSummary: Hashable, Sendable {
    /// A name and an address of a header.
    public struct Address: Hashable, Sendable {
        /// Decoded display name, empty without one.
        public var name: String
        /// The address alone.
        public var address: String

        /// What lists are sorted by: the name, or the one that a local part such as `ann.lee` or `ann_lee` spells, or the address.
        public var sortForm: String {
            guard name.isEmpty else { return name }
            let local = address.utf8.prefix { $0 != UInt8(ascii: "@") }
            let parts = local.split(omittingEmptySubsequences: false) { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "_") }
            let isName = parts.count > 1 && parts.allSatisfy { part in
                !part.isEmpty && part.allSatisfy { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 0x20) }
            }
            return isName ? parts.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ") : address
        }
    }

    /// Its subject, in the forms that the server keeps.
    public var subject: Subject
    /// The From header as the metadata key `s` has it: as written, on one line.
    public var from: String
    /// The To header as the metadata key `t` has it; nil without one.
    public var to: String?
    /// The sender; nil where the message names none.
    public var sender: Address?
    /// `mail_item.sender`, at most 128 characters; nil without a sender.
    public var senderColumn: String?
    /// `mail_item.recipients`, at most 128 characters; nil without recipients.
    public var recipientsColumn: String?
    /// The first 150 characters or so of the text, whitespace collapsed.
    public var fragment: String
    /// Of `attached`, `urgent`, `bulk`: what the content says.
    public var flags: Flags
    /// Whether it has a calendar part.
    public var hasCalendar: Bool
    /// What the calendar part asks for; nil where there is none, or none that names an item.
    public var calendar: CalendarRequest?
    /// Without angle brackets.
    public var messageID: String?
    /// Ids of In-Reply-To and References, nearest first, without angle brackets, at most 64.
    public var references: [String]

    /// Content beyond this is not looked at.
    public static let longestContent = 1 << 20

    /// Reads a message, or (`isWhole` false) the beginning of one.
    public init(bytes: [UInt8], isWhole: Bool = true) {
        self = bytes.withUnsafeBytes { MessageSummary(buffer: $0) }
    }

    /// Reads a message, or the beginning of one.
    public init(buffer bytes: UnsafeRawBufferPointer) {
        let header = HeaderBlock(bytes)
        subject = Subject(raw: Self.line(GMime.decode(header.first("subject") ?? [])))
        from = Self.line(String(decoding: header.first("from") ?? [], as: UTF8.self))
        to = header.first("to").map { Self.line(String(decoding: $0, as: UTF8.self)) }
        sender = (header.first("from") ?? header.first("sender")).flatMap { GMime.addresses($0, limit: 1).first }
        senderColumn = sender.map { ColumnText.cut($0.sortForm, to: 128) }
        let recipients = header.all("to").flatMap { GMime.addresses($0) }
        recipientsColumn = recipients.isEmpty ? nil : Self.joined(recipients)
        messageID = (header.first("message-id") ?? header.first("resent-message-id")).flatMap { Self.ids($0).first }
        var seen: Set<String> = []
        references = (header.all("in-reply-to").flatMap(Self.ids) + header.all("references").flatMap(Self.ids).reversed())
            .filter { seen.insert($0).inserted }
        if references.count > 64 { references.removeLast(references.count - 64) }
        flags = Self.priority(header)
        hasCalendar = false
        fragment = ""
        readContent(bytes, header)
    }

    private mutating func readContent(_ bytes: UnsafeRawBufferPointer, _ header: HeaderBlock) {
        let body = UnsafeRawBufferPointer(rebasing: bytes[min(header.bodyOffset, bytes.count)...].prefix(Self.longestContent))
        let type = String(decoding: header.first("content-type") ?? [], as: UTF8.self).lowercased()
        let encoding = String(decoding: header.first("content-transfer-encoding") ?? [], as: UTF8.self).lowercased()
        let isPlain = type.isEmpty || type.hasPrefix("text/plain")
        let isUTF8 = !type.contains("charset") || type.contains("utf-8") || type.contains("us-ascii")
        if isPlain, isUTF8, encoding.isEmpty || encoding.hasPrefix("7bit") || encoding.hasPrefix("8bit") {
            fragment = Fragment.make(String(decoding: body.prefix(2048), as: UTF8.self))
            return
        }
        guard header.bodyOffset <= HeaderBlock.longestBlock, Nesting.isBelievable(body) else {
            // Too strange to be opened: only the outermost type is known.
            if type.hasPrefix("multipart/mixed") { flags.insert(.attached) }
            return
        }
        let structure = GMime.structure(of: UnsafeRawBufferPointer(rebasing: bytes.prefix(header.bodyOffset + body.count)))
        if structure.hasAttachments { flags.insert(.attached) }
        hasCalendar = structure.hasCalendar
        calendar = structure.hasCalendar ? CalendarRequest(structure.calendar) : nil
        fragment = Fragment.make(structure.isHTML ? Fragment.withoutTags(structure.text) : structure.text)
    }

    /// Fills the columns and metadata keys of a message's row that follow from its content; other keys stay as they are.
    public func fill(_ row: inout ItemRow) {
        row.subject = subject.normalized
        row.sender = senderColumn
        row.recipients = recipientsColumn
        row.flags.subtract([.attached, .urgent, .bulk])
        row.flags.formUnion(flags)
        // A text that is no map is of no use to anybody: it is replaced.
        var metadata = (try? MetadataDictionary(parsing: row.metadata)) ?? MetadataDictionary()
        metadata["s"] = .string(from)
        metadata["t"] = to.map { .string($0) }
        metadata["f"] = .string(fragment)
        metadata["p"] = subject.prefix.map { .string($0) }
        metadata["r"] = subject.rawIfDifferent.map { .string($0) }
        row.metadata = metadata.text()
    }

    /// The sender of a From header as it is in the metadata key `s`.
    public static func sender(ofHeader text: String) -> Address? { GMime.addresses(Array(text.utf8), limit: 1).first }

    private static func joined(_ addresses: [Address]) -> String {
        var text = ""
        for address in addresses {
            let longer = text.isEmpty ? address.sortForm : text + ", " + address.sortForm
            if !text.isEmpty, longer.unicodeScalars.count > 128 { break }
            text = longer
        }
        return ColumnText.cut(text, to: 128)
    }

    private static func priority(_ header: HeaderBlock) -> Flags {
        func text(_ name: String) -> String { String(decoding: header.first(name) ?? [], as: UTF8.self).lowercased() }
        switch text("x-priority").first {
        case "1", "2": return .urgent
        case "4", "5": return .bulk
        default: break
        }
        if text("importance").hasPrefix("high") || text("priority").hasPrefix("urgent") { return .urgent }
        if text("importance").hasPrefix("low") || text("priority").hasPrefix("non-urgent") { return .bulk }
        return []
    }

    /// The ids in angle brackets, each at most 512 bytes.
    private static func ids(_ value: [UInt8]) -> [String] {
        var result: [String] = []
        var rest = value[...]
        while let open = rest.firstIndex(of: UInt8(ascii: "<")), let close = rest[open...].firstIndex(of: UInt8(ascii: ">")) {
            let id = rest[(open + 1)..<close].filter { $0 > 32 }
            if !id.isEmpty, id.count <= 512 { result.append(String(decoding: id, as: UTF8.self)) }
            rest = rest[(close + 1)...]
        }
        return result
    }

    /// A text on one line: folds and control characters are spaces.
    private static func line(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 < 32 }) else { return text }
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars where scalar != "\r" && scalar != "\n" { result.append(scalar.value < 32 ? " " : scalar) }
        return String(result)
    }
}

/// Decides whether a message may be handed to a parser that recurses.
enum Nesting {
    static let deepest = 100

    /// Whether the content declares no more parts that contain parts than `deepest`.
    static func isBelievable(_ content: UnsafeRawBufferPointer) -> Bool {
        var count = 0
        var position = 0
        // Every level needs a "boundary=" or a "message/" of its own.
        while position + 9 <= content.count {
            let byte = content[position] | 0x20
            if byte == UInt8(ascii: "b"), matches(content, position, "boundary=") || matches(content, position, "boundary*") {
                count += 1
            } else if byte == UInt8(ascii: "m"), matches(content, position, "message/r") {
                count += 1
            }
            if count > deepest { return false }
            position += 1
        }
        return true
    }

    private static func matches(_ content: UnsafeRawBufferPointer, _ position: Int, _ text: StaticString) -> Bool {
        for offset in 0..<text.utf8CodeUnitCount {
            let byte = content[position + offset]
            let lower = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
            if lower != text.utf8Start[offset] { return false }
        }
        return true
    }
}

/// The beginning of a message's text as lists show it.
enum Fragment {
    static let longest = 150

    static func make(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        var pending = false
        var count = 0
        var lastSpace: String.UnicodeScalarView.Index?
        for scalar in text.unicodeScalars.prefix(4096) {
            if isSpace(scalar) {
                pending = count > 0
                continue
            }
            // Control characters are dropped.
            guard scalar.value >= 32 else { continue }
            if pending {
                lastSpace = result.endIndex
                result.append(" ")
                count += 1
                pending = false
            }
            if count >= longest {
                if let lastSpace { result.removeSubrange(lastSpace...) }
                result.append(contentsOf: " ...".unicodeScalars)
                break
            }
            result.append(scalar)
            count += 1
        }
        return String(result)
    }

    private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 128 ? scalar.value == 32 || (9...13).contains(scalar.value) : scalar.properties.isWhitespace
    }

    /// A text without what stands between `<` and `>`.
    static func withoutTags(_ html: String) -> String {
        var result = String.UnicodeScalarView()
        var inside = false
        for scalar in html.unicodeScalars.prefix(16384) {
            if scalar == "<" {
                inside = true
                result.append(" ")
            } else if scalar == ">" {
                inside = false
            } else if !inside {
                result.append(scalar)
            }
        }
        return String(result)
    }
}
