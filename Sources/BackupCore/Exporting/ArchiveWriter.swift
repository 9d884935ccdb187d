import BackupStore

/// The format `tgz`: for each item an entry `<path>.meta` with its columns as JSON, then, where it has a content, the entry `<path>`
/// (formats/zimbra-soap.md, section 8.2).
///
/// Names are those that the server's own export gives. What its import cannot take is left out: a document without content makes it
/// lose everything behind it.
final class ArchiveWriter: ExportWriting {
    /// Folders are divided after so many items.
    private static let folderSize = 500
    /// A content up to this size is read once; a larger one twice, since its entry must not be begun before its digest is checked (R12).
    private static let heldBytes: Int64 = 1 << 20

    private let folders: ExportFolders
    private let contents: ExportContents
    private let file: ExportFile
    private let place: String
    private let archive: TarStream
    private var counts: [Int64: Int] = [:]
    private var misplaced = 0

    init(_ destination: ExportFolder, _ folders: ExportFolders, _ contents: ExportContents, _ tags: [TagRow]) throws {
        self.folders = folders
        self.contents = contents
        (file, place) = try destination.makeFile(SafeName("mailbox", suffix: ".tgz"), in: "", id: 0)
        archive = TarStream(file)
        // Folders before what lies in them, tags before what bears them: else the import makes plain ones.
        for folder in folders.ordered { try add(folder, "\(parentPath(folder))\(Self.number(folder.row.id))-\(Self.safe(folder.row.name))") }
        for tag in tags where tag.listed || tag.color != nil {
            try add(ItemState(tag: tag), "Tags/\(Self.number(tag.id))-\(Self.safe(tag.name))")
        }
    }

    var warnings: [String] {
        misplaced == 0 ? [] : ["\(misplaced) items lie in folders for items of another kind: the server's import refuses such."]
    }

    func makeFolder(_ id: Int64) throws -> String? { place }

    func write(_ state: ItemState) throws -> ExportedItem? {
        guard let name = name(of: state, state.row.name, version: state.metadata.integer("ver") ?? 1) else { return nil }
        let hasContent = state.blob != nil || !(state.row.blobDigest ?? "").isEmpty
        if [.document, .wiki].contains(state.row.type), !hasContent { return nil }
        if let view = folders.view(state.row.folderID ?? WellKnownFolder.userRoot), view != 0, view != Int64(state.row.type.rawValue) {
            misplaced += 1
        }
        return try add(state, path(of: state) + name, hasContent: hasContent)
    }

    func write(_ revision: ItemState.Revision, of state: ItemState) throws -> ExportedItem? {
        guard let name = name(of: state, revision.row.name ?? state.row.name, version: revision.row.version) else { return nil }
        var former = state
        let row = revision.row
        former.blob = revision.blob
        (former.row.name, former.row.date, former.row.metadata) = (row.name ?? state.row.name, row.date, row.metadata)
        (former.row.modMetadata, former.row.modContent, former.row.changeDate) = (row.modMetadata, row.modContent, row.changeDate)
        return try add(former, path(of: state) + name, hasContent: true)
    }

    func finish() throws {
        try archive.end()
        try file.close()
    }

    // MARK: Entries

    @discardableResult
    private func add(_ state: ItemState, _ name: String, hasContent: Bool = false) throws -> ExportedItem {
        var held: [UInt8] = []
        var checked: BlobReference?
        if hasContent {
            checked = try contents.read(state.blob) { if state.blob!.size <= Self.heldBytes { held.append(contentsOf: $0) } }
            guard checked!.size <= TarStream.longestEntry else {
                throw UnexportedItem(reason: .broken, detail: "its content has more bytes than an archive of this format can hold")
            }
        }
        let meta = Array(ArchiveMeta(state, checked, folders).text.utf8)
        let type = (code: state.row.type.rawValue, name: Self.typeName(state.row.type))
        let isUnread = state.row.type == .message && state.row.unread ?? 0 > 0
        let date = state.row.type == .tag ? 0 : state.row.date
        func begin(_ name: String, _ size: Int64) throws {
            try archive.begin(name, size: size, type: type, date: date, isUnread: isUnread)
        }
        try begin(name + ".meta", Int64(meta.count))
        try archive.put(meta)
        try archive.pad(Int64(meta.count))
        guard let content = checked else { return ExportedItem(place: place) }
        try begin(name, content.size)
        if content.size <= Self.heldBytes {
            try archive.put(held)
        } else {
            do {
                _ = try contents.read(content) { try archive.put($0) }
            } catch let failure as UnexportedItem {
                // Its entry is begun: the archive cannot go on.
                throw CoreError(
                    .blobDamaged, doing: "exporting a mailbox", subject: "item \(state.row.id)",
                    reason: "its content changed while it was read: \(failure.detail)", remedy: "Export again into a new folder")
            }
        }
        try archive.pad(content.size)
        return ExportedItem(place: place, digest: content.id, bytes: content.size)
    }

    // MARK: Names

    /// The item's own part of its path; nil for a type that the import does not know.
    private func name(of state: ItemState, _ document: String?, version: Int64) -> String? {
        let row = state.row
        func numbered(_ text: String?, _ ending: String) -> String {
            let text = text.flatMap { $0.isEmpty ? nil : $0 } ?? Self.typeName(row.type)
            return String("\(Self.number(row.id))-\(Self.safe(text))".prefix(120)) + ending
        }
        switch row.type {
        case .message: return numbered((state.metadata.string("p") ?? "") + (row.subject ?? ""), ".eml")
        case .chat: return numbered(row.subject, ".chat")
        case .appointment: return numbered(row.subject, ".appt")
        case .task: return numbered(row.subject, ".task")
        case .note: return numbered(row.subject, ".note")
        case .contact: return Self.safe(row.sender.flatMap { $0.isEmpty ? nil : $0 } ?? "\(row.id)")
        case .document, .wiki:
            let name = SafeName(document: Self.safe(document ?? "\(row.id)"), addition: "-" + Self.digits(version, 5))
            return name.whole
        default: return nil
        }
    }

    private func path(of state: ItemState) -> String {
        let folder = state.row.folderID ?? WellKnownFolder.userRoot
        counts[folder, default: 0] += 1
        let part = (counts[folder]! - 1) / Self.folderSize
        let path = names(of: folder)
        guard part > 0 else { return path.isEmpty ? "" : path + "/" }
        return path + "!\(part)/"
    }

    private func parentPath(_ folder: ItemState) -> String {
        let parent = names(of: folders.parent(folder.row.id))
        return ExportFolders.isRoot(folder.row.id) || parent.isEmpty ? "" : parent + "/"
    }

    /// The names of a folder and those above it, without the root.
    private func names(of id: Int64) -> String {
        var (names, place): ([String], Int64) = ([], id)
        while !ExportFolders.isRoot(place) {  // The plan has no circles.
            names.append(Self.safe(folders.name(place)))
            place = folders.parent(place)
        }
        return names.reversed().joined(separator: "/")
    }

    /// A part of a path: nothing of a stranger's text may lead out of the folder that somebody unpacks the archive in.
    private static func safe(_ text: String?) -> String {
        let scalars = (text ?? "").unicodeScalars.map { scalar -> Unicode.Scalar in
            scalar.value < 0x20 || scalar.value == 0x7F || "/\\:*?\"<>|".unicodeScalars.contains(scalar) ? "_" : scalar
        }
        let name = String(String.UnicodeScalarView(scalars))
        return name.isEmpty || name == "." || name == ".." ? "_" + name : name
    }

    private static func number(_ id: Int64) -> String { digits(id, 10) }

    private static func digits(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// As the server's classes call them.
    private static func typeName(_ type: ItemType) -> String { type == .searchFolder ? "searchfolder" : type.name }
}
