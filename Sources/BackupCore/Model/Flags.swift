/// The flag bits of an item (`mail_item.flags`; formats/zimbra-items.md, section 1, Flags).
///
/// `unread` is a bit of the redo log and of SOAP only: the server stores it in a column of its own.
public struct Flags: OptionSet, Hashable, Sendable {
    public let rawValue: Int64

    public init(rawValue: Int64) { self.rawValue = rawValue }

    public static let fromMe = Flags(rawValue: 0x1)
    public static let attached = Flags(rawValue: 0x2)
    public static let answered = Flags(rawValue: 0x4)
    public static let forwarded = Flags(rawValue: 0x8)
    public static let copied = Flags(rawValue: 0x10)
    public static let flagged = Flags(rawValue: 0x20)
    public static let draft = Flags(rawValue: 0x40)
    public static let deleted = Flags(rawValue: 0x80)
    public static let notified = Flags(rawValue: 0x100)
    public static let unread = Flags(rawValue: 0x200)
    public static let urgent = Flags(rawValue: 0x400)
    public static let bulk = Flags(rawValue: 0x800)
    public static let versioned = Flags(rawValue: 0x1000)
    public static let popped = Flags(rawValue: 0x4000)
    public static let note = Flags(rawValue: 0x8000)
    public static let priority = Flags(rawValue: 0x10000)
    public static let post = Flags(rawValue: 0x20000)
    public static let muted = Flags(rawValue: 0x40000)
    public static let subscribed = Flags(rawValue: 0x80000)
    public static let excludeFreeBusy = Flags(rawValue: 0x100000)
    public static let checked = Flags(rawValue: 0x200000)
    public static let noInherit = Flags(rawValue: 0x400000)
    public static let invite = Flags(rawValue: 0x800000)
    public static let syncFolder = Flags(rawValue: 0x1000000)
    public static let sync = Flags(rawValue: 0x2000000)
    public static let noInferiors = Flags(rawValue: 0x4000000)
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
