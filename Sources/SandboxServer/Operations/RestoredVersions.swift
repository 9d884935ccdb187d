import BackupCore
import RedoLog

/// How a document of a backup comes into being again: saved once, and then given a new content for every version up to its own.
///
/// The log numbers versions by itself. So versions that the source had purged are saved empty, and purged again at the end.
struct RestoredVersions {
    /// The document's own version.
    let current: Int64
    /// Former versions that it has.
    private let kept: [Int64]

    /// Documents with more versions come as rows.
    private static let most: Int64 = 1000

    /// - Returns: nil for what is no document, and for one that no client can make: a content is missing, or the numbers contradict
    ///   each other.
    init?(of item: NewItem) {
        guard item.row.type == .document, item.content != nil, item.revisions.allSatisfy({ $0.content != nil }) else { return nil }
        current = item.row.map.integer("ver") ?? 1
        kept = item.revisions.map(\.row.version)
        guard (1...Self.most).contains(current), zip(kept, kept.dropFirst()).allSatisfy(<), kept.allSatisfy((1..<current).contains) else {
            return nil
        }
    }

    /// What is purged of the versions before the own one; the oldest together.
    var purges: [(version: Int64, includesOlder: Bool)] {
        let first = kept.first ?? current
        let missing = (first..<current).filter { !kept.contains($0) }
        return (first > 1 ? [(first - 1, true)] : []) + missing.map { ($0, false) }
    }

    /// The records, under numbers that follow each other.
    ///
    /// - Parameter blobs: the content, and those of the former versions.
    func records(of row: ItemRow, _ revisions: [RevisionRow], _ blobs: [IncomingBlob?]) throws -> Logged {
        var records = (1...current).map { version in
            if let place = kept.firstIndex(of: version) { return record(of: row, version, revisions[place], blobs[place + 1]) }
            var own = RevisionRow(itemID: row.id, version: version)
            (own.name, own.metadata, own.date) = (row.name, row.metadata, row.date)
            return record(of: row, version, own, version == current ? blobs[0] : nil)
        }
        records += purges.map { purge in
            var logged = PurgeRevision()
            logged.itemID = Int32(row.id)
            logged.revision = Int32(purge.version)
            logged.includeOlder = purge.includesOlder
            return Logged(.purgeRevision(logged))
        }
        var first = records[0]
        first.then = Array(records.dropFirst())
        return first
    }

    private func record(of row: ItemRow, _ version: Int64, _ revision: RevisionRow, _ blob: IncomingBlob?) -> Logged {
        let metadata = (try? MetadataDictionary(parsing: revision.metadata)) ?? MetadataDictionary()
        var fields = DocumentFields()
        fields.filename = (revision.name ?? row.name).map { LogText($0) }
        fields.mimeType = metadata.string("ct").map { LogText($0) }
        fields.author = metadata.string("cr").map { LogText($0) }
        fields.description = LogText(metadata.string("de") ?? "")
        fields.descriptionEnabled = metadata.string("dee") != "false"
        var message = CreateMessage()
        message.receivedDate = revision.date * 1000
        message.digest = LogText(blob?.digest ?? ServerDigest.sha256([]))
        message.size = blob?.size ?? 0
        message.conversationID = 0
        message.conversationFirstMessageID = 0
        message.mergedConversationIDs = []
        message.noICal = true
        message.path = ":streamed:"
        message.body = blob?.body ?? Body(length: 0)
        let body = blob?.logged ?? .bytes([])
        guard version == 1 else {
            message.itemID = 0
            message.folderID = 0
            var add = AddDocumentRevision()
            (add.documentID, add.document, add.message) = (Int32(row.id), fields, message)
            return Logged(.addDocumentRevision(add), body: body)
        }
        fields.uuid = row.uuid.map { LogText($0) }
        message.itemID = Int32(row.id)
        message.folderID = Int32(row.folderID ?? 0)
        message.flags = Int32(row.flags.rawValue)
        message.tags = row.tags.map { LogText($0) }
        var save = SaveDocument()
        (save.document, save.message) = (fields, message)
        return Logged(.saveDocument(save), body: body)
    }
}
