/// One row of `mail_item`, or of `mail_item_dumpster`: the server's own picture of an item.
///
/// Columns as in formats/zimbra-datastore.md, section 4; their meaning by type in formats/zimbra-items.md, section 1.
public struct ItemRow: Hashable, Sendable {
    /// Unique within the mailbox.
    public var id: Int64
    /// What kind of item it is.
    public var type: ItemType
    /// Conversation of a message (nil = alone), parent folder of a folder, document of a comment.
    public var parentID: Int64?
    /// The folder that holds the item.
    public var folderID: Int64?
    /// `change:folder;…`, oldest first.
    public var prevFolders: String?
    /// Id in the search index: nil = not indexable, 0 = waiting, 1 = stale.
    public var indexID: Int64?
    /// IMAP UID: nil = not visible by IMAP, 0 = still to be given.
    public var imapID: Int64?
    /// Seconds since the epoch.
    public var date: Int64
    /// Bytes of the blob; number of items for folders and conversations.
    public var size: Int64
    /// Volume id in decimal, or the key of an external store.
    public var locator: String?
    /// The server's digest of the uncompressed blob, SHA-256 (44 characters) or SHA-1 (28); nil without a blob.
    public var blobDigest: String?
    /// 0 or 1 for messages and chats; a counter for folders.
    public var unread: Int64?
    /// Without `Flags.unread`.
    public var flags: Flags
    /// Names of the tags, without flags.
    public var tags: [String]
    /// Of a message: who sent it, as the list view shows it.
    public var sender: String?
    /// Of a message: to whom it was sent, as the list view shows it.
    public var recipients: String?
    /// Of a message; of folders and tags the name once more.
    public var subject: String?
    /// Of folders, tags and documents.
    public var name: String?
    /// The column's text, verbatim.
    public var metadata: String?
    /// Number of the change that last touched the item.
    public var modMetadata: Int64
    /// Seconds since the epoch.
    public var changeDate: Int64?
    /// Number of the change that last touched its content; names the blob's file, too.
    public var modContent: Int64
    /// Of folders and documents: unique among all servers.
    public var uuid: String?

    /// A row with nothing in it but its id and type.
    public init(id: Int64, type: ItemType) {
        self.id = id
        self.type = type
        date = 0
        size = 0
        flags = []
        tags = []
        modMetadata = 0
        modContent = 0
    }

    /// Splits the NUL-delimited text of `mail_item.tag_names` (formats/zimbra-items.md, tag_names).
    public static func tags(fromColumn text: String?) -> [String] {
        (text ?? "").utf8.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The column's text for a list of tags; nil for none.
    public static func column(fromTags tags: [String]) -> String? {
        tags.isEmpty ? nil : "\0" + tags.joined(separator: "\0") + "\0"
    }
}

/// One row of `revision`: a former version of a document.
public struct RevisionRow: Hashable, Sendable {
    /// The document.
    public var itemID: Int64
    /// Number of the version, from 1.
    public var version: Int64
    /// Seconds since the epoch.
    public var date: Int64
    /// Bytes of the blob.
    public var size: Int64
    /// As in `ItemRow`.
    public var locator: String?
    /// As in `ItemRow`.
    public var blobDigest: String?
    /// What the document was called.
    public var name: String?
    /// The column's text, verbatim.
    public var metadata: String?
    /// As in `ItemRow`.
    public var modMetadata: Int64
    /// Seconds since the epoch.
    public var changeDate: Int64?
    /// As in `ItemRow`.
    public var modContent: Int64

    /// A row with nothing in it but what names it.
    public init(itemID: Int64, version: Int64) {
        self.itemID = itemID
        self.version = version
        date = 0
        size = 0
        modMetadata = 0
        modContent = 0
    }
}

/// One row of `tag` with a positive id.
public struct TagRow: Hashable, Sendable {
    /// 64 or more.
    public var id: Int64
    /// What users see; unique in the mailbox.
    public var name: String
    /// Palette index 0…9 or 0x01RRGGBB; nil = default.
    public var color: Int64?
    /// False: known only because an item carries the name.
    public var listed: Bool
    /// Change number of the last change.
    public var sequence: Int64
    /// Retention policy as a metadata map.
    public var policy: String?

    /// A row made of its parts.
    public init(id: Int64, name: String, color: Int64? = nil, listed: Bool = true, sequence: Int64 = 0, policy: String? = nil) {
        self.id = id
        self.name = name
        self.color = color
        self.listed = listed
        self.sequence = sequence
        self.policy = policy
    }
}

/// One row of `mailbox` (formats/zimbra-datastore.md, section 3): what a backup needs of it.
public struct MailboxRow: Hashable, Sendable {
    /// The number that blob files and the redo log name the mailbox with.
    public var id: Int64
    /// The group whose tables hold the mailbox.
    public var groupID: Int64
    /// The account's `zimbraId`, lower case.
    public var accountID: String
    /// Highest item id written out; lags behind the last one given.
    public var itemIDCheckpoint: Int64
    /// Highest change number written out; lags behind the last change.
    public var changeCheckpoint: Int64
    /// Bytes used by items and revisions.
    public var sizeCheckpoint: Int64
    /// Number of contacts; nil = to be counted again.
    public var contactCount: Int64?
    /// Change number from which tombstones are complete; 0 = none are written.
    public var trackingSync: Int64
    /// Whether moved items lose their IMAP id.
    public var trackingImap: Bool
    /// Version of the mailbox's own data.
    public var version: String?
    /// Mostly the account's name.
    public var comment: String?

    /// A row of a mailbox without any content.
    public init(id: Int64, groupID: Int64, accountID: String) {
        self.id = id
        self.groupID = groupID
        self.accountID = accountID
        itemIDCheckpoint = 0
        changeCheckpoint = 0
        sizeCheckpoint = 0
        trackingSync = 0
        trackingImap = false
    }
}

/// An account of the directory.
public struct AccountEntry: Hashable, Sendable {
    /// `zimbraId`, lower case.
    public var id: String
    /// The primary address.
    public var name: String
    /// All attributes of the entry by LDAP name; values in the directory's order.
    public var attributes: [String: [String]]
    /// Identities, signatures and data sources, in the order in which they were made. The default identity, and a signature that
    /// the server keeps in the account's own entry, are among `attributes`.
    public var children: [AccountChild]
    /// The entries of its aliases, by attributes; their addresses are among `attributes`, too.
    public var aliases: [[String: [String]]] = []

    /// An entry made of its parts.
    public init(id: String, name: String, attributes: [String: [String]] = [:], children: [AccountChild] = []) {
        self.id = id
        self.name = name
        self.attributes = attributes
        self.children = children
    }

    /// The first value of an attribute.
    public subscript(_ attribute: String) -> String? { attributes[attribute]?.first }
}
