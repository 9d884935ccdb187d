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

    /// Replaces attributes of an account, all of them or none; an empty list removes one.
    func modifyAccount(_ accountID: String, attributes: [String: [String]]) throws

    /// Adds an identity, a signature or a data source, and returns its id: the one that it has where the server allows that.
    ///
    /// The secrets of a data source are encrypted for its id (formats/zimbra-ldap.md, section 5): a target that gives another one
    /// encrypts them anew.
    func addChild(_ child: AccountChild, toAccount accountID: String) throws -> String

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

    /// Adds a tag with the name, colour and policy of a row, and returns its id.
    func addTag(_ tag: TagRow) throws -> Int64

    /// Adds an item of any type and returns its id.
    func addItem(_ item: NewItem) throws -> Int64

    /// Gives an item of the target the flags and the metadata of a row: a system folder, or an item that refers to one added later.
    func updateItem(_ row: ItemRow) throws

    /// Ids of the items that look like a row, as an interrupted restore finds what it wrote: same type, folder, date and digest, and
    /// where there is no content the same name and subject.
    func findItems(like row: ItemRow) throws -> [Int64]

    /// Whether an item still exists.
    func exists(_ id: Int64) throws -> Bool

    /// Gives rights on a folder, search folder, mountpoint or document; a grant to the same grantee is replaced.
    func grant(_ grant: Grant, onItem id: Int64) throws
}

/// An item to be added to a mailbox.
public struct NewItem {
    /// What it looks like. Folder, parent and the ids in the metadata are the target's; tags are names, and one that the mailbox does
    /// not have becomes an implicit tag.
    ///
    /// The target gives the item its own id, change numbers and places of blobs. A `uuid` stands for a new one, and so does an
    /// `imapID` or `indexID` that is not 0; counters of folders start anew.
    public var row: ItemRow
    /// The content; nil where there is none.
    public var content: Content?
    /// Former versions of a document, oldest first; `itemID` means nothing.
    public var revisions: [(row: RevisionRow, content: Content?)]

    /// The bytes of an item or of a former version.
    public struct Content {
        /// Uncompressed bytes.
        public var size: Int64
        /// Gives them from the beginning.
        public var reader: ByteReader

        /// A content made of its parts.
        public init(size: Int64, reader: @escaping ByteReader) {
            self.size = size
            self.reader = reader
        }
    }

    /// An item made of its parts.
    public init(row: ItemRow, content: Content? = nil, revisions: [(row: RevisionRow, content: Content?)] = []) {
        self.row = row
        self.content = content
        self.revisions = revisions
    }
}

/// A right on a folder or document (formats/zimbra-items.md, section 3.1).
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
