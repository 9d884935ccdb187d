/// The format `maildir`: one Maildir++ tree (Courier's extension, as Dovecot's default layout reads it).
///
/// The Inbox is the tree itself; every other folder lies beside it, named by its whole path in modified UTF-7 with `.` between the
/// parts. A message's flags are letters of its file name, its INTERNALDATE is the file's time. Tags are keywords, whose letters
/// Dovecot finds in `dovecot-keywords`.
final class MaildirWriter: ExportWriting {
    private let destination: ExportFolder
    private let folders: ExportFolders
    private let contents: ExportContents
    /// Folder -> name for IMAP, encoded; empty for the Inbox.
    private var names: [Int64: String] = [:]
    private var subscribed: [String] = []
    /// Keywords by their letter, `a` first.
    private var keywords = ["$Forwarded"]
    /// Tag -> its keyword's letter.
    private var tagLetters: [String: String] = [:]
    private(set) var warnings: [String] = []

    /// A folder is one file name, whatever its depth.
    private static let longestName = 230

    init(_ destination: ExportFolder, _ folders: ExportFolders, _ contents: ExportContents, _ tags: [TagRow]) throws {
        self.destination = destination
        self.folders = folders
        self.contents = contents
        names[WellKnownFolder.inbox] = ""
        for tag in tags.sorted(by: { ($0.listed ? 0 : 1, $0.id) < ($1.listed ? 0 : 1, $1.id) }) { add(tag.name) }
        try makeBoxes(in: "")
    }

    /// A keyword of its own for a tag, while there are letters.
    private func add(_ tag: String) {
        let keyword = Self.keyword(tag)
        if keywords.contains(where: { $0.lowercased() == keyword.lowercased() }) { return }
        guard keywords.count < 26 else {
            warn("Tag '\(tag)' is in the manifest only: a Maildir has room for 26 keywords.")
            return
        }
        tagLetters[tag] = String(Unicode.Scalar(UInt8(ascii: "a") + UInt8(keywords.count)))
        keywords.append(keyword)
    }

    /// The name as an IMAP keyword: an atom (RFC 3501, section 9), other alphabets in modified UTF-7.
    private static func keyword(_ tag: String) -> String {
        let scalars = ModifiedUTF7.encode(tag).unicodeScalars.map { "(){ %*\"\\]".unicodeScalars.contains($0) ? "_" : $0 }
        return String(String.UnicodeScalarView(scalars.prefix(100)))
    }

    func makeFolder(_ id: Int64) throws -> String? {
        guard folders.holdsMail(id) else { return nil }
        let name = try name(of: id)
        if folders.isSubscribed(id) { subscribed.append(name.isEmpty ? "INBOX" : name) }
        return place(name)
    }

    func write(_ state: ItemState) throws -> ExportedItem? {
        let row = state.row
        guard row.type == .message || row.type == .chat else { return nil }
        let box = place(try name(of: row.folderID ?? WellKnownFolder.inbox))
        // Seconds first: mail programs sort by them. The id makes the name unique.
        let unique = "\(max(row.date, 0)).M0Q\(row.id).zxbackup,S=\(state.blob?.size ?? 0):2,\(letters(row))"
        let (file, made) = try destination.makeFile(SafeName(verbatim: unique), in: box.isEmpty ? "cur" : box + "/cur", id: row.id)
        do {
            let blob = try contents.read(state.blob) { try file.write($0) }
            try file.close(date: row.date)
            return ExportedItem(place: made, digest: blob.id, bytes: blob.size)
        } catch let failure as UnexportedItem {
            try file.abandon()
            throw failure
        }
    }

    func finish() throws {
        let (file, _) = try destination.makeFile(SafeName(verbatim: "subscriptions"), in: "", id: 0)
        for name in subscribed { try file.write(name + "\n") }
        try file.close()
    }

    /// The info part's letters, in the order that it asks for.
    private func letters(_ row: ItemRow) -> String {
        var letters = ""
        if row.flags.contains(.draft) { letters += "D" }
        if row.flags.contains(.flagged) { letters += "F" }
        if row.flags.contains(.forwarded) { letters += "P" }
        if row.flags.contains(.answered) { letters += "R" }
        if row.unread ?? 0 == 0 { letters += "S" }
        if row.flags.contains(.deleted) { letters += "T" }
        if row.flags.contains(.forwarded) { letters += "a" }
        return letters + Set(row.tags.compactMap { tagLetters[$0] }).sorted().joined()
    }

    private func place(_ name: String) -> String { name.isEmpty ? "" : "." + name }

    private func makeBoxes(in place: String) throws {
        for box in ["cur", "new", "tmp"] { _ = try destination.makeFolder(SafeName(verbatim: box), in: place, id: 0) }
        let (file, _) = try destination.makeFile(SafeName(verbatim: "dovecot-keywords"), in: place, id: 0)
        for (letter, keyword) in keywords.enumerated() { try file.write("\(letter) \(keyword)\n") }
        try file.close()
    }

    /// The folder's name for IMAP; made when it is first asked for.
    private func name(of id: Int64) throws -> String {
        if let known = names[id] { return known }
        let own = SafeName(mailbox: folders.name(id), fallback: "Folder \(id)")
        var above = try prefix(of: folders.parent(id))
        if above.utf8.count > Self.longestName - 50 {
            warn("Folder \(id) '\(folders.path(id))' is placed at the top: its path is longer than a Maildir++ allows.")
            above = ""
        }
        for attempt in 0..<10_000 {
            let name = above + fitting(own, attempt, id, Self.longestName - above.utf8.count)
            if name.uppercased() == "INBOX" { continue }
            let part = SafeName(verbatim: place(name))
            guard try destination.tryMakeFolder(part, in: "") else { continue }
            try makeBoxes(in: part.whole)
            try destination.makeFile(SafeName(verbatim: "maildirfolder"), in: part.whole, id: id).file.close()
            names[id] = name
            if name != above + ModifiedUTF7.encode(folders.name(id)) {
                warn("Folder \(id) '\(folders.path(id))' is named '\(name)': its own name cannot be one of a Maildir++.")
            }
            return name
        }
        throw CoreError(
            .destinationUnwritable, doing: "exporting a mailbox", subject: "folder \(id)", reason: "no name is free for it", remedy: "")
    }

    /// What stands before the names of folders in a folder.
    private func prefix(of parent: Int64) throws -> String {
        if ExportFolders.isRoot(parent) { return "" }
        if parent == WellKnownFolder.inbox { return "INBOX." }
        return try name(of: parent) + "."
    }

    /// The candidate, encoded, cut to a length.
    private func fitting(_ name: SafeName, _ attempt: Int, _ id: Int64, _ room: Int) -> String {
        let addition = attempt == 0 ? "" : attempt == 1 ? " (\(id))" : " (\(id)-\(attempt))"
        var base = name.base
        while true {
            let encoded = ModifiedUTF7.encode(base + addition)
            if encoded.utf8.count <= room || base.isEmpty { return encoded }
            base.unicodeScalars.removeLast()
        }
    }

    private func warn(_ warning: String) {
        if warnings.count < 1000 { warnings.append(warning) }
    }
}
