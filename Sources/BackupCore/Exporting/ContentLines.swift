/// Lines of a vCard or an iCalendar text: `NAME;PARAMETERS:value`, folded at 75 bytes, ended by CRLF (RFC 6350, RFC 5545).
struct ContentLines {
    private(set) var text = ""

    /// Adds a line as it is.
    mutating func add(_ name: String, raw value: String) {
        var line = 0
        // A value from outside must not begin a line of its own.
        for scalar in (name + ":" + value).unicodeScalars where scalar != "\r" && scalar != "\n" && scalar != "\0" {
            let width = UTF8.width(scalar)
            if line + width > 75 {
                text += "\r\n "
                line = 1
            }
            text.unicodeScalars.append(scalar)
            line += width
        }
        text += "\r\n"
    }

    /// Adds a line whose value is a text; empty ones are left out.
    mutating func add(_ name: String, text value: String?) {
        guard let value, !value.isEmpty else { return }
        add(name, raw: Self.escaped(value))
    }

    /// Adds a line of several texts; left out when all are empty.
    mutating func add(_ name: String, parts: [String?], separator: String = ";") {
        guard parts.contains(where: { $0?.isEmpty == false }) else { return }
        add(name, raw: parts.map { Self.escaped($0 ?? "") }.joined(separator: separator))
    }

    static func escaped(_ value: String) -> String {
        var out = ""
        var after = Unicode.Scalar(0)
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": out += "\\\\"
            case ",": out += "\\,"
            case ";": out += "\\;"
            case "\n" where after == "\r": break
            case "\r", "\n": out += "\\n"
            default: out.unicodeScalars.append(scalar)
            }
            after = scalar
        }
        return out
    }

    /// A parameter's value: quoted, without what cannot stand in quotes.
    static func parameter(_ value: String) -> String {
        "\"" + String(String.UnicodeScalarView(value.unicodeScalars.filter { $0 != "\"" && $0.value >= 0x20 })) + "\""
    }
}
