/// Two columns of names and values, with blocks inside, as administrators know them from `zxsuite backup`.
///
/// A block's title stands one tab in, its lines two; a value begins 60 columns after its name.
struct KeyValueBlock: Sendable {
    enum Line: Sendable {
        case pair(String, String)
        /// A line as it is.
        case verbatim(String)
        case block(KeyValueBlock)
    }

    var title: String
    var lines: [Line]

    init(_ title: String, _ lines: [Line] = []) {
        self.title = title
        self.lines = lines
    }

    mutating func add(_ name: String, _ value: String) { lines.append(.pair(name, value)) }

    /// The text, each line ended by a newline.
    func text(depth: Int = 1) -> String {
        var text = tabs(depth) + title + "\n"
        for line in lines {
            switch line {
            case .pair(let name, let value): text += tabs(depth + 1) + pad(name, 60) + (name.count >= 60 ? " " : "") + shown(value) + "\n"
            case .verbatim(let line): text += tabs(depth + 1) + line + "\n"
            case .block(let block): text += block.text(depth: depth + 1)
            }
        }
        return text
    }

    private func tabs(_ count: Int) -> String { String(repeating: "\t", count: count) }

    /// Control characters would break the lines, and can drive a terminal: they are written as JSON writes them.
    private func shown(_ value: String) -> String {
        guard value.unicodeScalars.contains(where: { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }) else { return value }
        return value.unicodeScalars.reduce(into: "") { text, scalar in
            switch scalar {
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case _ where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value):
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
    }
}
