/// Texts that somebody else chose (names, subjects, addresses), as a terminal may show them.
public enum ShownText {
    /// In one line: what would break the line, drive the terminal or turn the direction of reading is written as JSON writes it.
    public static func line(_ text: String) -> String { escaped(text) { isControl($0) } }

    /// The same of a text whose line ends and tabs are its own.
    public static func lines(_ text: String) -> String { escaped(text) { isControl($0) && $0 != "\n" && $0 != "\t" } }

    /// Control characters (C0, DEL, C1), line separators, and marks that turn or override the direction of reading.
    static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F...0x9F, 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    private static func escaped(_ text: String, _ isEscaped: (Unicode.Scalar) -> Bool) -> String {
        guard text.unicodeScalars.contains(where: isEscaped) else { return text }
        var out = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            guard isEscaped(scalar) else { out.append(scalar); continue }
            switch scalar {
            case "\n": out.append(contentsOf: "\\n".unicodeScalars)
            case "\r": out.append(contentsOf: "\\r".unicodeScalars)
            case "\t": out.append(contentsOf: "\\t".unicodeScalars)
            default:
                let digits = String(scalar.value, radix: 16)
                out.append(contentsOf: ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).unicodeScalars)
            }
        }
        return String(out)
    }
}
