#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The format `mbox`: one file a folder, `Inbox.mbox`, with its sub-folders' files in a folder `Inbox` beside it.
final class MboxWriter: ExportWriting {
    private let destination: ExportFolder
    private let folders: ExportFolders
    private let contents: ExportContents
    private var places: FolderPlaces
    /// Folder -> its file.
    private var files: [Int64: String] = [:]

    init(_ destination: ExportFolder, _ folders: ExportFolders, _ contents: ExportContents) {
        self.destination = destination
        self.folders = folders
        self.contents = contents
        places = FolderPlaces(destination, folders)
    }

    var warnings: [String] { places.warnings }

    func makeFolder(_ id: Int64) throws -> String? { folders.holdsMail(id) ? try file(of: id) : nil }

    func write(_ state: ItemState) throws -> ExportedItem? {
        guard state.row.type == .message || state.row.type == .chat else { return nil }
        let place = try file(of: state.row.folderID ?? WellKnownFolder.inbox)
        let file = try destination.append(to: place)
        var text = MboxText(state)
        do {
            try file.write(text.beginning)
            let blob = try contents.read(state.blob) { chunk in try text.quote(chunk) { try file.write($0) } }
            try text.end { try file.write($0) }
            try file.close()
            return ExportedItem(place: place, digest: blob.id, bytes: blob.size)
        } catch let failure as UnexportedItem {
            try file.abandon()
            throw failure
        }
    }

    private func file(of id: Int64) throws -> String {
        if let known = files[id] { return known }
        let name = SafeName(ExportFolders.isRoot(id) ? "Top" : folders.name(id), suffix: ".mbox", fallback: "Folder \(id)")
        let parent = ExportFolders.isRoot(id) ? "" : try places.parentPlace(of: id, for: name)
        let (file, place) = try destination.makeFile(name, in: parent, id: id)
        try file.close()
        files[id] = place
        return place
    }
}

/// A message as an mbox holds it (mboxrd): lines end in LF, a line that looks like a message's beginning gets a `>` more.
struct MboxText {
    /// The line that begins a message, and the flags as mail programs keep them there.
    let beginning: String

    private enum Place {
        /// At a line's beginning: behind any number of `>`, and what came of a word that counts there.
        case start([UInt8], quoted: Bool)
        case middle
    }

    private var place = Place.start([], quoted: false)
    private var inHeader = true
    /// A CR that may belong to a line's end.
    private var heldReturn = false
    private var endsInNewline = true

    private static let from = Array("From ".utf8)
    /// Headers that a mail program would take for its own.
    private static let flagHeaders = [Array("status:".utf8), Array("x-status:".utf8)]

    init(_ state: ItemState) {
        let row = state.row
        var flags = ""
        if row.flags.contains(.deleted) { flags += "D" }
        if row.flags.contains(.flagged) { flags += "F" }
        if row.flags.contains(.answered) { flags += "A" }
        if row.flags.contains(.draft) { flags += "T" }
        beginning = "From \(Self.sender(state)) \(Self.date(row.date))\nStatus: \(row.unread ?? 0 == 0 ? "RO" : "O")\n"
            + (flags.isEmpty ? "" : "X-Status: \(flags)\n")
    }

    /// Quotes the next bytes of the message.
    mutating func quote(_ bytes: UnsafeRawBufferPointer, _ write: (UnsafeRawBufferPointer) throws -> Void) throws {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count + 64)
        var index = 0
        while index < bytes.count {
            if case .middle = place {
                let end = bytes[index...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
                take(bytes[index..<end], &out)
                index = end
                if end < bytes.count {
                    newline(&out)
                    index += 1
                }
            } else {
                begin(bytes[index], &out)
                index += 1
            }
        }
        try out.withUnsafeBytes { try write($0) }
    }

    /// What follows the last byte: the rest, and an empty line.
    mutating func end(_ write: (UnsafeRawBufferPointer) throws -> Void) throws {
        var out: [UInt8] = []
        if case .start(let word, _) = place { out += word }
        if !out.isEmpty { endsInNewline = false }
        if heldReturn {
            out.append(UInt8(ascii: "\r"))
            endsInNewline = false
        }
        if !endsInNewline { out.append(UInt8(ascii: "\n")) }
        out.append(UInt8(ascii: "\n"))
        try out.withUnsafeBytes { try write($0) }
    }

    /// A byte at a line's beginning.
    private mutating func begin(_ byte: UInt8, _ out: inout [UInt8]) {
        guard case .start(var word, var quoted) = place else { return }
        if byte == UInt8(ascii: "\n") {
            let isEmpty = !quoted && (word.isEmpty || word == [UInt8(ascii: "\r")])
            if word.last == UInt8(ascii: "\r") { word.removeLast() }
            out += word
            if isEmpty { inHeader = false }
            newline(&out)
            return
        }
        if byte == UInt8(ascii: ">"), word.isEmpty {
            // One `>` more anywhere among them is the same as one in front.
            out.append(byte)
            quoted = true
            endsInNewline = false
            place = .start(word, quoted: quoted)
            return
        }
        word.append(byte)
        let folded = word.map { (65...90).contains($0) ? $0 | 0x20 : $0 }
        if word == Self.from {
            out.append(UInt8(ascii: ">"))
        } else if inHeader, !quoted, Self.flagHeaders.contains(folded) {
            out += Array("X-Old-".utf8)
        } else if Self.from.starts(with: word) || inHeader && !quoted && Self.flagHeaders.contains(where: { $0.starts(with: folded) })
            || word == [UInt8(ascii: "\r")]
        {
            place = .start(word, quoted: quoted)
            return
        }
        place = .middle
        take(word[...], &out)
    }

    /// Bytes inside of a line.
    private mutating func take(_ bytes: some Collection<UInt8>, _ out: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        if heldReturn { out.append(UInt8(ascii: "\r")) }
        heldReturn = false
        out.append(contentsOf: bytes)
        if out.last == UInt8(ascii: "\r") {
            out.removeLast()
            heldReturn = true
        }
        endsInNewline = false
    }

    private mutating func newline(_ out: inout [UInt8]) {
        out.append(UInt8(ascii: "\n"))
        heldReturn = false
        endsInNewline = true
        place = .start([], quoted: false)
    }

    /// The sender's bare address, as the line wants it.
    private static func sender(_ state: ItemState) -> String {
        let header = state.metadata.string("s") ?? state.row.sender ?? ""
        let address = GMime.addresses(Array(header.utf8), limit: 1).first?.address ?? ""
        let isPlain = !address.isEmpty && address.utf8.count <= 320 && address.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
        return isPlain ? address : "MAILER-DAEMON"
    }

    /// `Thu Jan  1 00:00:00 1970`, in UTC.
    private static func date(_ second: Int64) -> String {
        var time = time_t(min(max(second, 0), 253_402_300_799))
        var fields = tm()
        gmtime_r(&time, &fields)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ number: Int32, _ filler: String = "0") -> String { number < 10 ? "\(filler)\(number)" : "\(number)" }
        return "\(days[Int(fields.tm_wday)]) \(months[Int(fields.tm_mon)]) \(two(fields.tm_mday, " ")) "
            + "\(two(fields.tm_hour)):\(two(fields.tm_min)):\(two(fields.tm_sec)) \(fields.tm_year + 1900)"
    }
}
