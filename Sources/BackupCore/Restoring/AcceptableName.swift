/// Names that any server takes, for those that a target refuses: of folders, documents and tags.
enum AcceptableName {
    private static let longest = 128

    /// Whether there is nothing in a name that servers are known to refuse.
    static func isPlain(_ name: String) -> Bool {
        !name.isEmpty && name.unicodeScalars.count <= longest
            && name.first?.isWhitespace == false && name.last?.isWhitespace == false
            && name.unicodeScalars.allSatisfy(isTaken)
    }

    /// The name with `_` for what servers refuse. With an item's id, no two items get the same.
    ///
    /// - Parameter keepsExtension: whether the id stands before a short extension.
    static func of(_ name: String, id: Int64? = nil, keepsExtension: Bool = false) -> String {
        let suffix = id.map { " (\($0))" } ?? ""
        var scalars = String.UnicodeScalarView()
        for scalar in name.unicodeScalars.prefix(longest - suffix.unicodeScalars.count) {
            scalars.append(isTaken(scalar) ? scalar : "_")
        }
        var text = Substring(String(scalars))
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        if keepsExtension, let dot = text.lastIndex(of: "."), dot > text.startIndex, text[dot...].count < 9 {
            return String(text[..<dot]) + suffix + String(text[dot...])
        }
        return (text.isEmpty ? "unnamed" : String(text)) + suffix
    }

    private static func isTaken(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "/", "\\", ":", "\"": false
        // The server's tables hold no characters beyond the basic plane.
        default: scalar.value <= 0xFFFF && !ShownText.isControl(scalar)
        }
    }
}
