import BackupStore

/// The complete state of an item from one moment on: the server's row, what became of it, and the blobs it needs.
///
/// Tags are items too, of type `.tag` in folder 8, with their colour, listing and policy as metadata (formats/zimbra-items.md,
/// section 3.5).
public struct ItemState: Hashable, Sendable {
    /// The server's row; of a deleted item the last one alive.
    public var row: ItemRow
    /// Whether the item is gone.
    public var deleted: Bool
    /// Whether the state is inferred from what the log only implies (R15): shown as such, and never the start of a retention.
    public var presumed: Bool
    /// Deleted, but still in the server's dumpster.
    public var inDumpster: Bool
    /// When an item that a scan found to be gone was last known to be there, ISO 8601: it was deleted between then and the state's time.
    public var notBefore: String?
    /// The change that announced a folder's deletion, and whose next record therefore takes effect (formats/zimbra-redolog.md, 7.6).
    public var deletionAnnounced: Int64?
    /// Content of the item; nil where there is none, or it was never readable.
    public var blob: BlobReference?
    /// Former versions of a document, oldest first.
    public var revisions: [Revision]
    /// What of the state is a guess, and why, in words; empty when everything is known.
    public var doubts: [String]

    /// A former version of a document with its content.
    public struct Revision: Hashable, Sendable {
        /// The server's row.
        public var row: RevisionRow
        /// Its content; nil if it was never readable.
        public var blob: BlobReference?

        /// A version made of its parts.
        public init(row: RevisionRow, blob: BlobReference?) {
            self.row = row
            self.blob = blob
        }
    }

    /// The state of a living item.
    public init(row: ItemRow, blob: BlobReference? = nil, revisions: [Revision] = []) {
        self.row = row
        self.blob = blob
        self.revisions = revisions
        deleted = false
        presumed = false
        inDumpster = false
        doubts = []
    }

    /// The state of a tag.
    public init(tag: TagRow) {
        var row = ItemRow(id: tag.id, type: .tag)
        row.parentID = 8
        row.folderID = 8
        row.name = tag.name
        row.subject = tag.name
        row.modMetadata = tag.sequence
        row.modContent = tag.sequence
        var metadata = MetadataDictionary()
        if let color = tag.color, color != 0 { metadata["c"] = .integer(color) }
        if !tag.listed { metadata["lst"] = .string("false") }
        if let policy = tag.policy { metadata["rp"] = .string(policy) }
        row.metadata = metadata.text()
        self.init(row: row)
    }

    /// The row of `tag`, when the item is one.
    public var tag: TagRow? {
        guard row.type == .tag, let name = row.name else { return nil }
        let metadata = self.metadata
        return TagRow(
            id: row.id, name: name, color: metadata.integer("c"), listed: metadata.string("lst") != "false",
            sequence: row.modMetadata, policy: metadata.string("rp"))
    }

    /// The decoded metadata; empty where the text cannot be decoded (it is kept verbatim all the same).
    public var metadata: MetadataDictionary {
        // A text that does not parse stays in the row; whoever looks inside sees nothing there.
        (try? MetadataDictionary(parsing: row.metadata)) ?? MetadataDictionary()
    }

    /// Changes the metadata map and writes the row's text anew. A text that cannot be decoded is left alone.
    public mutating func updateMetadata(_ change: (inout MetadataDictionary) -> Void) {
        guard var map = try? MetadataDictionary(parsing: row.metadata) else { return }
        change(&map)
        row.metadata = map.text()
    }

    /// Why a state may be without the content that its row names, for a report.
    static let withoutContent =
        "the backup has no content of it: it could not be read when it was backed up, or contents were not kept (backupBloblessMode)"

    /// Every blob that the state needs.
    public var blobs: [BlobReference] { (blob.map { [$0] } ?? []) + revisions.compactMap(\.blob) }
}
