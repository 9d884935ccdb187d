/// The command line was not understood: exit status 64, with the command's help where there is one.
struct UsageError: Error, CustomStringConvertible {
    var message: String
    /// Whose help page follows the message; nil for the list of commands in short.
    var command: CommandSpecification?

    init(_ message: String, _ command: CommandSpecification? = nil) {
        self.message = message
        self.command = command
    }

    var description: String { message }
}

/// The word of a list that a mistyped one was most likely meant to be; nil when none is near.
func nearest(to word: String, in words: [String]) -> String? {
    let typed = Array(word.lowercased().utf8)
    let ranked = words.map { (word: $0, distance: editDistance(typed, Array($0.lowercased().utf8))) }
    guard let best = ranked.min(by: { $0.distance < $1.distance }) else { return nil }
    return best.distance <= max(2, typed.count / 3) ? best.word : nil
}

/// Levenshtein's distance: how many bytes to insert, remove or replace.
func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var row = Array(0...right.count)
    for (i, a) in left.enumerated() {
        var diagonal = row[0]
        row[0] = i + 1
        for (j, b) in right.enumerated() {
            let above = row[j + 1]
            row[j + 1] = min(above + 1, row[j] + 1, diagonal + (a == b ? 0 : 1))
            diagonal = above
        }
    }
    return row[right.count]
}
