/// The folders of a mailbox at the moment of an export.
struct ExportFolders {
    /// Known folders by id, search folders and mountpoints too.
    private let states: [Int64: ItemState]
    /// Parents before what they hold.
    let ordered: [ItemState]

    init(_ plan: Plan) {
        ordered = plan.folders
        states = Dictionary(plan.folders.map { ($0.row.id, $0) }) { first, _ in first }
    }

    /// Whether the folder is the root that users see, or the server's own above it.
    static func isRoot(_ id: Int64) -> Bool { id == WellKnownFolder.userRoot || id == WellKnownFolder.root }

    func isKnown(_ id: Int64) -> Bool { states[id] != nil || Self.names[id] != nil || Self.isRoot(id) }

    /// What the folder is called, also where its own state was never seen.
    func name(_ id: Int64) -> String { states[id]?.row.name ?? Self.names[id] ?? "Folder \(id)" }

    /// The folder above; the root where it is not known.
    func parent(_ id: Int64) -> Int64 {
        guard let parent = states[id]?.row.folderID, parent != id, states[parent] != nil else { return WellKnownFolder.userRoot }
        return parent
    }

    /// The path that users know: `/Inbox/Work`.
    func path(_ id: Int64) -> String {
        var names: [String] = []
        var place = id
        // The plan has no circles.
        while !Self.isRoot(place) {
            names.append(name(place))
            place = parent(place)
        }
        return "/" + names.reversed().joined(separator: "/")
    }

    /// Whether mail programs show the folder: not one for contacts, appointments or documents.
    func holdsMail(_ id: Int64) -> Bool {
        guard isVisible(id) else { return false }
        return [0, 4, 5].contains(view(id) ?? 0)
    }

    /// The type code of the items that the folder is for; 0 for one that takes all, nil where the folder is not known.
    func view(_ id: Int64) -> Int64? { states[id]?.metadata.integer("vt") ?? Self.views[id] ?? states[id].map { _ in 0 } }

    /// Whether it is a folder that users see: no search, no mountpoint, none of the server's own uses.
    func isVisible(_ id: Int64) -> Bool {
        guard let state = states[id], state.row.type == .folder else { return false }
        return (state.metadata.integer("a") ?? 0) & 2 == 0 && ![8, 9, 11, 17].contains(id)
    }

    /// Whether IMAP programs show the folder.
    func isSubscribed(_ id: Int64) -> Bool { states[id]?.row.flags.contains(.subscribed) ?? false }

    /// Names and views of the server's own folders (formats/zimbra-items.md, well-known ids).
    private static let names: [Int64: String] = [
        2: "Inbox", 3: "Trash", 4: "Junk", 5: "Sent", 6: "Drafts", 7: "Contacts", 10: "Calendar", 13: "Emailed Contacts", 14: "Chats",
        15: "Tasks", 16: "Briefcase", 17: "Comments",
    ]
    private static let views: [Int64: Int64] = [
        2: 5, 4: 5, 5: 5, 6: 5, 7: 6, 10: 11, 12: 14, 13: 6, 14: 5, 15: 15, 16: 8,
    ]
}
