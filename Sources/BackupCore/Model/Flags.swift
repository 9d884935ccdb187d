/// The flag bits of an item (`mail_item.flags`; formats/zimbra-items.md, section 1, Flags).
///
/// `unread` is a bit of the redo log and of SOAP only: the server stores it in a column of its own.
public struct Flags: OptionSet, Hashable, Sendable {
    /// The bits.
    public let rawValue: Int64

    /// The flags with these bits; unknown ones are carried along.
    public init(rawValue: Int64) { self.rawValue = rawValue }

    /// Sent by the owner. Messages; system.
    public static let fromMe = Flags(rawValue: 0x1)
    /// Has attachments; system.
    public static let attached = Flags(rawValue: 0x2)
    /// Replied to.
    public static let answered = Flags(rawValue: 0x4)
    /// Forwarded.
    public static let forwarded = Flags(rawValue: 0x8)
    /// Shares its entry of the search index with a copy; system, hidden.
    public static let copied = Flags(rawValue: 0x10)
    /// The user's flag.
    public static let flagged = Flags(rawValue: 0x20)
    /// A draft; system.
    public static let draft = Flags(rawValue: 0x40)
    /// Marked for deletion by an IMAP client.
    public static let deleted = Flags(rawValue: 0x80)
    /// A read receipt was sent.
    public static let notified = Flags(rawValue: 0x100)
    /// Unread: a column of its own in the table.
    public static let unread = Flags(rawValue: 0x200)
    /// High priority; system.
    public static let urgent = Flags(rawValue: 0x400)
    /// Low priority; system.
    public static let bulk = Flags(rawValue: 0x800)
    /// Has former versions; system.
    public static let versioned = Flags(rawValue: 0x1000)
    /// Fetched by POP.
    public static let popped = Flags(rawValue: 0x4000)
    /// A document that is a note; system.
    public static let note = Flags(rawValue: 0x8000)
    /// In the priority inbox.
    public static let priority = Flags(rawValue: 0x10000)
    /// A post; system.
    public static let post = Flags(rawValue: 0x20000)
    /// A muted conversation, or a message of one.
    public static let muted = Flags(rawValue: 0x40000)
    /// A folder that IMAP clients show.
    public static let subscribed = Flags(rawValue: 0x80000)
    /// A calendar that does not count as busy time.
    public static let excludeFreeBusy = Flags(rawValue: 0x100000)
    /// A calendar that is shown.
    public static let checked = Flags(rawValue: 0x200000)
    /// A folder that does not inherit its parent's grants.
    public static let noInherit = Flags(rawValue: 0x400000)
    /// Carries an invitation; system.
    public static let invite = Flags(rawValue: 0x800000)
    /// A folder whose feed is fetched by itself.
    public static let syncFolder = Flags(rawValue: 0x1000000)
    /// A folder that is synchronised with a source.
    public static let sync = Flags(rawValue: 0x2000000)
    /// A folder that can have no sub-folders.
    public static let noInferiors = Flags(rawValue: 0x4000000)
    /// A folder seen by all; system.
    public static let global = Flags(rawValue: 0x1000_0000)

    /// Bits that users cannot change after an item's creation: operations that set flags leave them as they are.
    public static let system: Flags = [
        .fromMe, .attached, .copied, .draft, .urgent, .bulk, .versioned, Flags(rawValue: 0x2000), .note, .post, .invite,
        Flags(rawValue: 0x800_0000), .global, Flags(rawValue: 0x2000_0000), Flags(rawValue: 0x4000_0000),
    ]

    /// (bit, name as in the redo log's tag names, letter or nil), in the order of the table.
    private static let table: [(Flags, String, Character?)] = [
        (.fromMe, "\\Sent", "s"), (.attached, "\\Attached", "a"), (.answered, "\\Answered", "r"),
        (.forwarded, "\\Forwarded", "w"), (.copied, "\\Copied", nil), (.flagged, "\\Flagged", "f"), (.draft, "\\Draft", "d"),
        (.deleted, "\\Deleted", "x"), (.notified, "\\Notified", "n"), (.unread, "\\Unread", "u"), (.urgent, "\\Urgent", "!"),
        (.bulk, "\\Bulk", "?"), (.versioned, "\\Versioned", "/"), (Flags(rawValue: 0x2000), "\\IdxDeferred", nil),
        (.popped, "\\Popped", "p"), (.note, "\\Note", "t"), (.priority, "\\Priority", "+"), (.post, "\\Post", "^"),
        (.muted, "\\Muted", "("), (.subscribed, "\\Subscribed", "*"), (.excludeFreeBusy, "\\ExcludeFB", "b"),
        (.checked, "\\Checked", "#"), (.noInherit, "\\NoInherit", "i"), (.invite, "\\Invite", "v"),
        (.syncFolder, "\\SyncFolder", "y"), (.sync, "\\Sync", "~"), (.noInferiors, "\\Noinferiors", "o"),
        (Flags(rawValue: 0x800_0000), "\\Archived", "@"), (.global, "\\Global", "g"),
        (Flags(rawValue: 0x2000_0000), "\\InDumpster", nil), (Flags(rawValue: 0x4000_0000), "\\Uncached", nil),
    ]

    /// The flag with an IMAP-like name such as `\Flagged`, matched without regard to case; nil for an unknown name.
    public init?(name: String) {
        let wanted = name.lowercased()
        guard let entry = Self.table.first(where: { $0.1.lowercased() == wanted }) else { return nil }
        self = entry.0
    }

    /// The flag with a negative tag id: −1 is bit 0 (formats/zimbra-redolog.md, section 8.2); nil outside −1…−31.
    public init?(tagID: Int64) {
        guard (-31 ... -1).contains(tagID) else { return nil }
        self.init(rawValue: 1 << (-tagID - 1))
    }

    /// The flags in SOAP's letters, in the order of the table; hidden flags have none.
    public var letters: String { String(Self.table.compactMap { contains($0.0) ? $0.2 : nil }) }

    /// The flags named by SOAP's letters; unknown letters are ignored, as the server does.
    public init(letters: String) {
        self = letters.reduce(into: Flags()) { flags, letter in
            if let entry = Self.table.first(where: { $0.2 == letter }) { flags.insert(entry.0) }
        }
    }
}
