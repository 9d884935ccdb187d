/// A file name made of a text that a user, or an attacker, chose: at most 255 bytes with any number added, one part of a path,
/// visible, and safe to copy to other systems.
///
/// Two texts may give the same name; whoever makes the file takes the next candidate then.
struct SafeName {
    /// The name without its extension; never empty.
    private(set) var base: String
    /// With its dot, or empty.
    let suffix: String

    /// Room for the id and a number in brackets.
    private static let longestBase = 180

    /// - Parameters:
    ///   - text: what the file shall be called.
    ///   - suffix: an extension with its dot, which must be safe.
    ///   - fallback: what it is called when nothing of the text is left.
    init(_ text: String, suffix: String = "", fallback: String = "unnamed") {
        self.suffix = suffix
        base = Self.safe(text)
        if base.isEmpty { base = fallback }
    }

    /// A name that this program made itself.
    init(verbatim name: String) {
        base = name
        suffix = ""
    }

    /// A folder's name as a part of an IMAP mailbox's name whose parts are divided by `.`.
    init(mailbox name: String, fallback: String) {
        self.init(name, fallback: fallback)
        base = String(String.UnicodeScalarView(base.unicodeScalars.map { $0 == "." || $0 == "%" ? "_" : $0 }))
    }

    /// A document's own name, whose extension is kept when it is a plain short one.
    init(document name: String, addition: String = "") {
        let parts = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        if parts.count > 1, let last = parts.last, (1...12).contains(last.count), last.allSatisfy(Self.isPlain) {
            let base = String(decoding: name.utf8.dropLast(last.count + 1), as: UTF8.self)
            self.init(base, suffix: addition + "." + String(decoding: last, as: UTF8.self))
        } else {
            self.init(name, suffix: addition)
        }
    }

    /// The name when it is free.
    var whole: String { base + suffix }

    /// The name, and what follows when it is taken: `name`, `name (257)`, `name (257-2)`, …
    func candidate(_ attempt: Int, id: Int64) -> String {
        switch attempt {
        case 0: whole
        case 1: "\(base) (\(id))\(suffix)"
        default: "\(base) (\(id)-\(attempt))\(suffix)"
        }
    }

    /// The text without what a path, a terminal or another system would take for something else.
    private static func safe(_ text: String) -> String {
        var out = ""
        var bytes = 0
        for scalar in text.unicodeScalars {
            guard let scalar = replacement(of: scalar, atStart: out.isEmpty) else { continue }
            bytes += UTF8.width(scalar)
            guard bytes <= longestBase else { break }
            out.unicodeScalars.append(scalar)
        }
        // Windows forgets dots and blanks at the end: two names would become one.
        while let last = out.unicodeScalars.last, last == " " || last == "." { out.unicodeScalars.removeLast() }
        return out
    }

    /// What stands for a character; nil where nothing does.
    private static func replacement(of scalar: Unicode.Scalar, atStart: Bool) -> Unicode.Scalar? {
        switch scalar {
        case "/", "\\", ":", "*", "?", "\"", "<", ">", "|": return "_"
        case "\t", "\n", "\r", "\u{2028}", "\u{2029}", " ": return atStart ? nil : " "
        // A leading dot hides a file or means a folder above, a leading minus looks like an option.
        case ".", "-", "~": return atStart ? "_" : scalar
        // Joiners belong to the writing of some languages and to emoji.
        case "\u{200C}", "\u{200D}": return scalar
        default: break
        }
        switch scalar.properties.generalCategory {
        case .control: return "_"
        // Marks of direction and other invisible characters make a name look like another.
        case .format, .unassigned, .surrogate: return nil
        default: return scalar
        }
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: false
        }
    }
}
