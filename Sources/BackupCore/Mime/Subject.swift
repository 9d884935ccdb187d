/// A subject split as the server stores it: the normalised text, and what is needed to get the raw one back
/// (formats/zimbra-items.md, sections 1 and 3.7).
public struct Subject: Hashable, Sendable {
    /// The decoded subject as the message has it.
    public let raw: String
    /// Without leading `Re:`, `Fwd:`, list tags and the like, whitespace collapsed, at most 1,024 characters.
    public let normalized: String
    /// Metadata key `p`: raw = prefix + normalised.
    public let prefix: String?
    /// Whether the prefix says that the message answers or forwards another.
    public let isReply: Bool

    /// Splits a decoded subject.
    public init(raw: String) {
        self.raw = raw
        var text = Array(raw.unicodeScalars)
        var isReply = false
        // "(fwd)" at the end counts as a prefix too.
        while let cut = Self.trailingForward(text) {
            text.removeSubrange(cut...)
            isReply = true
        }
        var start = 0
        while true {
            while start < text.count, Self.isSpace(text[start]) { start += 1 }
            if let end = Self.word(text, start) {
                isReply = true
                start = end
            } else if let end = Self.listTag(text, start) {
                start = end
            } else {
                break
            }
        }
        var collapsed = String.UnicodeScalarView()
        var pending = false
        for scalar in text[start...] {
            if Self.isSpace(scalar) {
                pending = !collapsed.isEmpty
            } else {
                if pending { collapsed.append(" ") }
                pending = false
                collapsed.append(scalar)
            }
        }
        normalized = ColumnText.cut(String(collapsed), to: 1024)
        self.isReply = isReply
        let rest = raw.utf8.count - normalized.utf8.count
        prefix = rest > 0 && raw.utf8.suffix(normalized.utf8.count).elementsEqual(normalized.utf8)
            ? String(decoding: raw.utf8.prefix(rest), as: UTF8.self) : nil
    }

    /// Metadata key `r`: the raw subject where it does not end in the normalised one.
    public var rawIfDifferent: String? { prefix == nil && !raw.utf8.elementsEqual(normalized.utf8) ? raw : nil }

    private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 128 ? scalar.value <= 32 : scalar.properties.isWhitespace
    }

    private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
        ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
    }

    /// The end of `Re:`, `FW:`, `Fwd:`, `AW:`, `Re[2]:` … at a place; nil when there is none.
    private static func word(_ text: [Unicode.Scalar], _ start: Int) -> Int? {
        var end = start
        while end < text.count, end < start + 4, isLetter(text[end]) { end += 1 }
        guard (2...3).contains(end - start) else { return nil }
        if end < text.count, text[end] == "[" || text[end] == "(" {
            var digits = end + 1
            while digits < text.count, digits < end + 6, ("0"..."9").contains(text[digits]) { digits += 1 }
            guard digits < text.count, text[digits] == "]" || text[digits] == ")" else { return nil }
            end = digits + 1
        }
        guard end < text.count, text[end] == ":" else { return nil }
        return end + 1
    }

    /// The end of a list's name in brackets; a subject that is nothing else keeps it.
    private static func listTag(_ text: [Unicode.Scalar], _ start: Int) -> Int? {
        guard start < text.count, text[start] == "[", let close = text[start...].prefix(100).firstIndex(of: "]"),
            text[(close + 1)...].contains(where: { !isSpace($0) })
        else { return nil }
        return close + 1
    }

    private static func trailingForward(_ text: [Unicode.Scalar]) -> Int? {
        guard let last = text.lastIndex(where: { !isSpace($0) }), last >= 5,
            text[(last - 4)...last].elementsEqual("(fwd)".unicodeScalars, by: { $0.properties.lowercaseMapping == String($1) })
        else { return nil }
        return last - 4
    }
}

/// Texts as the database's columns take them.
public enum ColumnText {
    /// Cuts a text to a number of characters; those beyond U+FFFF become one `?` each, since the column cannot hold them.
    public static func cut(_ text: String, to length: Int) -> String {
        if text.utf8.count <= length, text.utf8.allSatisfy({ $0 < 0xF0 }) { return text }
        var scalars = String.UnicodeScalarView()
        for scalar in text.unicodeScalars.prefix(length) { scalars.append(scalar.value > 0xFFFF ? "?" : scalar) }
        return String(scalars)
    }
}
