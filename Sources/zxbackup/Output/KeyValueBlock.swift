import BackupCore

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
        var text = tabs(depth) + ShownText.line(title) + "\n"
        for line in lines {
            switch line {
            case .pair(let name, let value):
                let name = ShownText.line(name)
                text += tabs(depth + 1) + pad(name, 60) + (name.count >= 60 ? " " : "") + ShownText.line(value) + "\n"
            case .verbatim(let line): text += tabs(depth + 1) + ShownText.line(line) + "\n"
            case .block(let block): text += block.text(depth: depth + 1)
            }
        }
        return text
    }

    private func tabs(_ count: Int) -> String { String(repeating: "\t", count: count) }
}
