import BackupStore
import RedoLog

/// Mailbox-level operations (formats/zimbra-redolog.md, section 7.2).
extension MailboxChange {
    /// System folders of a new mailbox: id, name, parent, attributes, view, flags (formats/zimbra-items.md, Well-known ids).
    private static let systemFolders: [(id: Int64, name: String, parent: Int64, attributes: Int64, view: Int64, flags: Flags)] = [
        (11, "ROOT", 11, 3, 0, []), (1, "USER_ROOT", 11, 1, 0, []), (2, "Inbox", 1, 1, 5, []), (3, "Trash", 1, 1, 0, []),
        (4, "Junk", 1, 1, 5, []), (5, "Sent", 1, 1, 5, []), (6, "Drafts", 1, 1, 5, []), (7, "Contacts", 1, 1, 6, []),
        (8, "Tags", 11, 3, 3, []), (9, "Conversations", 11, 3, 4, []), (10, "Calendar", 1, 1, 11, [.checked]),
        (13, "Emailed Contacts", 1, 1, 6, []), (14, "Chats", 1, 1, 5, []),
    ]

    /// The reason that a new mailbox's mark carries.
    public static let newMailboxReason = "a new mailbox: the log does not carry its system folders"

    /// A new mailbox: its system folders are implied, their uuids and dates are not logged.
    mutating func createMailbox() {
        for folder in Self.systemFolders {
            var row = ItemRow(id: folder.id, type: .folder)
            row.parentID = folder.parent
            row.folderID = folder.parent
            row.name = folder.name
            row.subject = folder.name
            row.date = seconds
            row.unread = 0
            row.flags = folder.flags
            var metadata = MetadataDictionary()
            metadata["a"] = .integer(folder.attributes)
            metadata["das"] = .string("false")
            if folder.view > 0 { metadata["vt"] = .integer(folder.view) }
            row.metadata = metadata.text()
            var state = ItemState(row: row)
            state.doubts = ["uuid, date: a new mailbox's system folders are not in the log"]
            put(touching: state, content: true)
        }
        mark(Self.newMailboxReason, candidates: Self.systemFolders.map(\.id))
    }

    /// A section of the mailbox's settings; an empty one is removed.
    mutating func setSection(_ name: String, _ text: String) {
        let isEmpty = (try? MetadataDictionary(parsing: text).isEmpty) ?? false
        life.sections[name] = isEmpty ? nil : text
    }

    /// The life ends, and with it every item: whoever applies the change ends them one by one, since a mailbox is not held in
    /// memory (R12).
    mutating func deleteMailbox() { life.ended = true }
}
