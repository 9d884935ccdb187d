import BackupStore

/// The format `eml`: the folder tree with a file an item.
final class FileTreeWriter: ExportWriting {
    private let destination: ExportFolder
    private let folders: ExportFolders
    private let contents: ExportContents
    private var places: FolderPlaces

    init(_ destination: ExportFolder, _ folders: ExportFolders, _ contents: ExportContents) {
        self.destination = destination
        self.folders = folders
        self.contents = contents
        places = FolderPlaces(destination, folders)
    }

    var warnings: [String] { places.warnings }

    func makeFolder(_ id: Int64) throws -> String? { folders.isVisible(id) ? try places.place(of: id) : nil }

    func write(_ state: ItemState) throws -> ExportedItem? {
        let row = state.row
        switch row.type {
        case .message, .chat: return try copy(state.blob, name(of: state, row.subject, ".eml"), state, row.date)
        case .document where state.blob == nil && (row.blobDigest ?? "").isEmpty:
            return ExportedItem()  // An entry of "Files shared with me" has no content: its metadata stands in the manifest.
        case .document, .wiki: return try copy(state.blob, SafeName(document: row.name ?? row.subject ?? "\(row.id)"), state, row.date)
        case .contact:
            let card = ContactCard(state)
            return try write(card.text, name(of: state, card.name, ".vcf"), state)
        case .appointment, .task: return try writeCalendar(state)
        case .note, .comment: return try write(row.subject ?? "", name(of: state, nil, ".txt"), state)
        default:
            // Links, and types that this program does not know: their metadata stands in the manifest.
            guard state.blob != nil else { return ExportedItem() }
            return try copy(state.blob, name(of: state, row.name ?? row.subject, ""), state, row.date)
        }
    }

    func write(_ revision: ItemState.Revision, of state: ItemState) throws -> ExportedItem? {
        let name = SafeName(document: revision.row.name ?? state.row.name ?? "\(state.row.id)", addition: " (version \(revision.row.version))")
        return try copy(revision.blob, name, state, revision.row.date)
    }

    /// The id first: it tells equal subjects apart and keeps the order of arrival.
    private func name(of state: ItemState, _ text: String?, _ suffix: String) -> SafeName {
        let text = text.flatMap { $0.isEmpty ? nil : " " + $0 } ?? ""
        return SafeName("\(state.row.id)\(text)", suffix: suffix)
    }

    /// Copies a content byte by byte.
    private func copy(_ blob: BlobReference?, _ name: SafeName, _ state: ItemState, _ date: Int64) throws -> ExportedItem {
        let (file, place) = try destination.makeFile(name, in: try places.place(of: state.row.folderID ?? 1), id: state.row.id)
        do {
            let blob = try contents.read(blob) { try file.write($0) }
            try file.close(date: date)
            return ExportedItem(place: place, digest: blob.id, bytes: blob.size)
        } catch let failure as UnexportedItem {
            try file.abandon()
            throw failure
        }
    }

    /// Writes a text that is made from the item's fields; a content that the item has lies beside it.
    private func write(_ text: String, _ name: SafeName, _ state: ItemState) throws -> ExportedItem {
        var beside: ExportedItem?
        if state.blob != nil { beside = try copy(state.blob, SafeName(name.base, suffix: ".content.eml"), state, state.row.date) }
        let (file, place) = try destination.makeFile(name, in: try places.place(of: state.row.folderID ?? 1), id: state.row.id)
        try file.write(text)
        try file.close(date: state.row.date)
        let digest = Array(text.utf8).withUnsafeBytes { BlobID(of: $0) }
        return ExportedItem(place: place, digest: digest, bytes: Int64(text.utf8.count), content: beside?.place)
    }

    /// Of a content that holds the long descriptions of invites, no more than this is looked at (R12); all of it lies beside the file.
    private static let lookedAt = 4 << 20

    private func writeCalendar(_ state: ItemState) throws -> ExportedItem {
        var beginning: [UInt8] = []
        if let blob = state.blob {
            beginning.reserveCapacity(Int(min(blob.size, Int64(Self.lookedAt))))
            _ = try contents.read(blob) { beginning.append(contentsOf: $0.prefix(max(0, Self.lookedAt - beginning.count))) }
        }
        let descriptions = beginning.withUnsafeBytes { GMime.inviteTexts(of: $0) }
        return try write(CalendarText(state, descriptions: descriptions).text, name(of: state, state.row.subject, ".ics"), state)
    }
}
