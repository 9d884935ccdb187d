/// What a user sees of a mailbox, free of what differs between two mailboxes with the same contents: ids, change numbers, uuids.
///
/// The proof of a restore: the image of the mailbox before, read from the server's own tables, against the image of the restored one.
/// Holds a line for each item, so it is for tests, demonstrations and spot checks.
public struct MailboxImage: Sendable {
    /// A folder, search folder or mountpoint as it shows.
    public struct Folder: Hashable, Sendable {
        /// Folder, search folder or mountpoint.
        public var type: ItemType
        /// Type code of what it shows.
        public var view: Int64?
        /// Palette index or 0x01RRGGBB.
        public var color: Int64?
        /// External feed.
        public var url: String?
        /// All flags.
        public var flags: Flags
        /// The grants, each as its encoded map without remembered names.
        public var grants: Set<String>
    }

    /// A message, draft or chat as it shows.
    public struct Message: Hashable, Sendable {
        /// Message or chat.
        public var type: ItemType
        /// Path of the folder.
        public var folder: String
        /// The server's digest of the bytes.
        public var digest: String
        /// Uncompressed bytes.
        public var size: Int64
        /// Seconds since the epoch.
        public var date: Int64
        /// Without `copied`, which tells of the search index.
        public var flags: Flags
        /// 0 or 1.
        public var unread: Int64
        /// Sorted names.
        public var tags: [String]
        /// As the list view shows it.
        public var subject: String
        /// As the list view shows it.
        public var sender: String
        /// From, To and fragment, as the server decoded them.
        public var headers: [String]

        fileprivate var key: [String] { [folder, digest, String(date)] }
    }

    /// By path, from "/".
    public private(set) var folders: [String: Folder] = [:]
    /// Colour by name.
    public private(set) var tags: [String: Int64] = [:]
    /// Ordered by folder, digest and date.
    public private(set) var messages: [Message] = []
    /// Where each message's bytes lie, in the order of `messages`.
    public private(set) var locations: [BlobLocation] = []
    /// Items of other types, by type; conversations are the server's own grouping of messages and not counted.
    public private(set) var others: [ItemType: Int] = [:]

    /// Reads a mailbox from the server's own stores.
    ///
    /// - Throws: what the source throws; `unknownAccount` when the mailbox is gone.
    public init(of mailboxID: Int64, in source: any MailSource) throws {
        var rows: [ItemRow] = []
        var containers: [Int64: ItemRow] = [:]
        let snapshot = try source.readMailbox(mailboxID) { element in
            switch element {
            case .tag(let tag) where tag.listed: tags[tag.name] = tag.color ?? 0
            case .item(let row) where row.type.isContainer: containers[row.id] = row
            case .item(let row): rows.append(row)
            default: break
            }
        }
        guard snapshot != nil else {
            throw CoreError(
                .unknownAccount, doing: "reading a mailbox", subject: "mailbox \(mailboxID) of \(source.identity.name)",
                reason: "there is no such mailbox", remedy: "")
        }
        var paths: [Int64: String] = [:]
        for row in containers.values {
            let path = Self.path(of: row.id, containers, &paths)
            folders[path] = Self.folder(row)
        }
        let faces: [(Message, BlobLocation)] = rows.compactMap { row in
            guard row.type == .message || row.type == .chat else {
                if row.type != .conversation { others[row.type, default: 0] += 1 }
                return nil
            }
            let location = BlobLocation(
                mailboxID: mailboxID, itemID: row.id, modContent: row.modContent, locator: row.locator, size: row.size,
                digest: row.blobDigest)
            return (Self.message(row, folder: row.folderID.map { Self.path(of: $0, containers, &paths) } ?? "?"), location)
        }
        for (message, location) in faces.sorted(by: { $0.0.key.lexicographicallyPrecedes($1.0.key) }) {
            messages.append(message)
            locations.append(location)
        }
    }

    private static func path(of id: Int64, _ containers: [Int64: ItemRow], _ paths: inout [Int64: String]) -> String {
        if let known = paths[id] { return known }
        var names: [String] = []
        var current = id
        while let row = containers[current], current != FolderID.root, names.count < 1000 {
            if current != FolderID.userRoot { names.append(row.name ?? "") }
            current = row.parentID ?? FolderID.root
        }
        let path = "/" + names.reversed().joined(separator: "/")
        paths[id] = path
        return path
    }

    private static func folder(_ row: ItemRow) -> Folder {
        let metadata = ItemState(row: row).metadata
        let grants = (metadata.dictionary("aclm")?.list("g") ?? []).compactMap { value -> String? in
            guard case .dictionary(var map) = value else { return nil }
            map["n"] = nil
            return map.text(forColumn: false)
        }
        // A folder whose last grant was taken away stays closed to those above it: no target can be told that.
        let flags = grants.isEmpty ? row.flags.subtracting(.noInherit) : row.flags
        return Folder(
            type: row.type, view: metadata.integer("vt"), color: metadata.integer("c"), url: metadata.string("url"),
            flags: flags, grants: Set(grants))
    }

    private static func message(_ row: ItemRow, folder: String) -> Message {
        let metadata = ItemState(row: row).metadata
        return Message(
            type: row.type, folder: folder, digest: row.blobDigest ?? "", size: row.size, date: row.date,
            flags: row.flags.subtracting(.copied), unread: row.unread ?? 0, tags: row.tags.sorted(), subject: row.subject ?? "",
            sender: row.sender ?? "", headers: ["s", "t", "f", "p", "r"].map { metadata.string($0) ?? "" })
    }
}
