/// A mail server that a restore writes to: the writing side of an adapter.
///
/// Calls block. A refused write throws; the restore reports the item as unrestored and goes on.
public protocol MailTarget: Sendable {
    /// Who the server is.
    var identity: MailServerIdentity { get }

    /// The account with this name or id; nil when there is none.
    func findAccount(_ nameOrID: String) throws -> AccountEntry?

    /// Creates an account. Attributes that the server computes itself (ids, hosts, passwords of another server) are left to it.
    func createAccount(name: String, attributes: [String: [String]]) throws -> AccountEntry

    /// Replaces attributes of an account; an empty list removes one.
    func modifyAccount(_ accountID: String, attributes: [String: [String]]) throws

    /// The account's mailbox, created when it has none yet.
    func openMailbox(accountID: String) throws -> any TargetMailbox
}

/// A mailbox that a restore fills.
public protocol TargetMailbox: Sendable {
    /// Number of the mailbox on its server: with the account id, its generation.
    var mailboxID: Int64 { get }

    /// All folders, search folders and mountpoints, parents first.
    func folders() throws -> [ItemRow]

    /// All tags.
    func tags() throws -> [TagRow]

    /// Creates a folder and returns its id.
    func createFolder(_ folder: NewFolder) throws -> Int64

    /// Changes what can be changed of a system folder: colour, flags, url.
    func updateFolder(_ id: Int64, with folder: NewFolder) throws

    /// Creates a tag and returns its id.
    func createTag(name: String, color: Int64?) throws -> Int64

    /// Adds a message, draft or chat with the bytes of `content` and returns its id.
    func addMessage(_ message: NewMessage, content: @escaping ByteReader) throws -> Int64

    /// Ids of the messages in a folder with this digest and date (seconds): how an interrupted restore finds what it wrote.
    func findMessages(folderID: Int64, digest: String, date: Int64) throws -> [Int64]

    /// Whether an item still exists.
    func exists(_ id: Int64) throws -> Bool

    /// Gives rights on a folder.
    func grant(_ grant: Grant, onFolder id: Int64) throws
}

/// A folder to be created.
public struct NewFolder: Hashable, Sendable {
    /// What users see.
    public var name: String
    /// The folder it goes into.
    public var parentID: Int64
    /// Type code of its contents; nil = any.
    public var view: ItemType?
    /// Palette index or 0x01RRGGBB; 0 = none.
    public var color: Int64
    /// Those that users may set.
    public var flags: Flags
    /// External feed; empty = none.
    public var url: String
    /// Milliseconds since the epoch; nil = now.
    public var date: Int64?

    /// A folder made of its parts.
    public init(
        name: String, parentID: Int64, view: ItemType? = nil, color: Int64 = 0, flags: Flags = [], url: String = "",
        date: Int64? = nil
    ) {
        self.name = name
        self.parentID = parentID
        self.view = view
        self.color = color
        self.flags = flags
        self.url = url
        self.date = date
    }
}

/// A message to be added.
public struct NewMessage: Hashable, Sendable {
    /// `.message` or `.chat`; a draft is a message with `Flags.draft`.
    public var type: ItemType
    /// The folder it goes into.
    public var folderID: Int64
    /// Seconds since the epoch.
    public var date: Int64
    /// With `Flags.unread` where it is unread.
    public var flags: Flags
    /// Names of tags; one that the mailbox does not have becomes an implicit tag.
    public var tags: [String]
    /// Uncompressed bytes.
    public var size: Int64

    /// A message made of its parts.
    public init(type: ItemType = .message, folderID: Int64, date: Int64, flags: Flags, tags: [String], size: Int64) {
        self.type = type
        self.folderID = folderID
        self.date = date
        self.flags = flags
        self.tags = tags
        self.size = size
    }
}

/// A right on a folder (formats/zimbra-items.md, section 3.1).
public struct Grant: Hashable, Sendable {
    /// 1 account, 2 group, 3 all accounts, 4 domain, 5 COS, 6 public, 7 guest, 8 key.
    public var granteeType: Int64
    /// Id, address or key name; nil for all and public.
    public var grantee: String?
    /// Rights mask: r 0x1, w 0x2, i 0x4, d 0x8, x 0x10, a 0x100, p 0x400, f 0x800.
    public var rights: Int64
    /// Guest password or access key, in clear text; nil = none.
    public var secret: String?
    /// Milliseconds since the epoch; 0 = never.
    public var expiry: Int64

    /// A grant made of its parts.
    public init(granteeType: Int64, grantee: String?, rights: Int64, secret: String? = nil, expiry: Int64 = 0) {
        self.granteeType = granteeType
        self.grantee = grantee
        self.rights = rights
        self.secret = secret
        self.expiry = expiry
    }
}
