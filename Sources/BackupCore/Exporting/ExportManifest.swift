import BackupStore

/// `manifest.jsonl`: one line for every folder, tag and item of an export, with what its file cannot say.
final class ExportManifest {
    private let file: ExportFile
    private let folders: ExportFolders

    init(_ file: ExportFile, _ folders: ExportFolders) {
        self.file = file
        self.folders = folders
    }

    func close() throws { try file.close() }

    /// Adds a line.
    ///
    /// - Parameter unexported: why the item has no file.
    func add(
        _ state: ItemState, _ item: ExportedItem, _ revision: ItemState.Revision? = nil, unexported: String? = nil
    ) throws {
        let row = state.row
        var flags = row.flags
        if !row.type.isContainer, row.unread ?? 0 > 0 { flags.insert(.unread) }
        var line: JSONObject = ["id": .int(row.id), "type": .string(row.type.name)]
        if row.type != .tag { line["folder"] = .string(folders.path(row.folderID ?? WellKnownFolder.userRoot)) }
        line["file"] = item.place.map { .string($0) }
        line["content"] = item.content.map { .string($0) }
        line["unexported"] = unexported.map { .string($0) }
        line["name"] = row.name.map { .string($0) }
        if row.name == nil { line["subject"] = row.subject.map { .string($0) } }
        line["version"] = revision.map { .int($0.row.version) }
        line["flags"] = .string(flags.letters)
        line["tags"] = .array(row.tags.map { .string($0) })
        line["date"] = .string(TimeText.iso((revision?.row.date ?? row.date) &* 1000))
        line["size"] = item.digest.map { _ in .int(item.bytes) }
        line["sha256"] = item.digest.map { .string(hexadecimal($0.hash)) }
        line["change"] = .int(revision?.row.modMetadata ?? row.modMetadata)
        if row.type == .message || row.type == .chat { line["conversation"] = row.parentID.map { .int($0) } }
        // Of mail everything is in the file; of the rest nothing shall be lost.
        if row.type != .message, row.type != .chat {
            line["metadata"] = (revision?.row.metadata ?? row.metadata).map { .string(SecretMetadata.shown($0)) }
        }
        if state.presumed { line["presumed"] = true }
        if !state.doubts.isEmpty { line["doubts"] = .array(state.doubts.map { .string(SecretMetadata.shown(doubt: $0)) }) }
        try file.write(JSONValue.object(line).json + "\n")
    }

    /// As `sha256sum` writes a hash.
    private func hexadecimal(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
