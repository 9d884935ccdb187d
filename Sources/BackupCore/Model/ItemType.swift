/// The type code of an item, as in `mail_item.type` (formats/zimbra-items.md, section 1).
///
/// An open set: a code that this program does not know is carried along, never refused.
public struct ItemType: RawRepresentable, Hashable, Sendable {
    /// The code.
    public let rawValue: Int

    /// The type with this code, known or not.
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// A folder.
    public static let folder = ItemType(rawValue: 1)
    /// A saved search.
    public static let searchFolder = ItemType(rawValue: 2)
    /// A tag.
    public static let tag = ItemType(rawValue: 3)
    /// A conversation of two messages or more.
    public static let conversation = ItemType(rawValue: 4)
    /// A message or draft.
    public static let message = ItemType(rawValue: 5)
    /// A contact or contact group.
    public static let contact = ItemType(rawValue: 6)
    /// A file of the briefcase.
    public static let document = ItemType(rawValue: 8)
    /// A note.
    public static let note = ItemType(rawValue: 9)
    /// An appointment or a series.
    public static let appointment = ItemType(rawValue: 11)
    /// A folder of another mailbox, mounted here.
    public static let mountpoint = ItemType(rawValue: 13)
    /// A wiki page.
    public static let wiki = ItemType(rawValue: 14)
    /// A task.
    public static let task = ItemType(rawValue: 15)
    /// A saved chat.
    public static let chat = ItemType(rawValue: 16)
    /// A comment on a document; in Carbonio a group of calendars.
    public static let comment = ItemType(rawValue: 17)
    /// A link to a shared document.
    public static let link = ItemType(rawValue: 18)

    private static let names: [(ItemType, String)] = [
        (.folder, "folder"), (.searchFolder, "search"), (.tag, "tag"), (.conversation, "conversation"),
        (.message, "message"), (.contact, "contact"), (.document, "document"), (.note, "note"),
        (.appointment, "appointment"), (.mountpoint, "mountpoint"), (.wiki, "wiki"), (.task, "task"), (.chat, "chat"),
        (.comment, "comment"), (.link, "link"),
    ]

    /// The name that histories and `getItem` show, `type-N` for a code without one.
    public var name: String { Self.names.first { $0.0 == self }?.1 ?? "type-\(rawValue)" }

    /// The type with a name as `name` gives it; nil for any other text.
    public init?(name: String) {
        if let known = Self.names.first(where: { $0.1 == name }) {
            self = known.0
        } else if name.hasPrefix("type-"), let code = Int(name.dropFirst(5)) {
            self.init(rawValue: code)
        } else {
            return nil
        }
    }

    /// Whether items of this type hold other items by their folder id: folders, search folders and mountpoints.
    public var isContainer: Bool { self == .folder || self == .searchFolder || self == .mountpoint }

    /// Whether the server keeps a deleted item of this type in the dumpster (formats/zimbra-datastore.md, `mail_item_dumpster`).
    public var goesToDumpster: Bool {
        [.message, .contact, .document, .link, .appointment, .task, .chat, .comment].contains(self)
    }
}
