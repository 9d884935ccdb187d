/// A line of a shell that is being typed: the words that are whole, and the one at the cursor.
struct TypedLine: Equatable {
    /// What stands behind the program's name, without quotes.
    var words: [String]
    /// What there is of the word at the cursor; empty after a space.
    var current: String

    /// Reads a line up to the cursor, as a shell would: quotes and backslashes are taken off.
    ///
    /// What stands before the program's name (`sudo`, a variable) is left out.
    init(_ text: String) {
        var words: [String] = []
        var word = ""
        var isWord = false
        var quote: Character?
        var rest = text[...]
        while let character = rest.popFirst() {
            if character == "\\", quote != "'" {
                word.append(rest.popFirst() ?? character)
                isWord = true
            } else if let open = quote {
                if character == open { quote = nil } else { word.append(character) }
            } else if character == "'" || character == "\"" {
                quote = character
                isWord = true
            } else if character.isWhitespace {
                if isWord { words.append(word) }
                (word, isWord) = ("", false)
            } else {
                word.append(character)
                isWord = true
            }
        }
        let program = words.firstIndex { $0 == "zxbackup" || $0.hasSuffix("/zxbackup") } ?? 0
        self.words = Array(words.dropFirst(program + 1))
        current = word
    }
}
