import BackupStore

/// What is restored before the items, and after them: small enough to be held, whatever the mailbox's size (R12).
struct Plan {
    /// Folders, search folders and mountpoints, parents before what they hold.
    var folders: [ItemState] = []
    var tags: [TagRow] = []
    /// What could not be read.
    var broken: [(id: Int64, reason: String)] = []
    /// Notes for the report: folders that had to be placed elsewhere.
    var warnings: [String] = []

    /// Collects folders and tags of the selection and brings the folders into order.
    init(_ selection: Selection, _ store: any StoreReading) throws {
        var found: [ItemState] = []
        try store.items(selection.account, .all) { latest in
            // A life of the mailbox before this one may have used the id for something else.
            let isCandidate = latest.generation != selection.generation || latest.fields.isContainerOrTag
            guard isCandidate else { return }
            switch try selection.state(of: latest, store) {
            case .absent: break
            case .broken(let reason):
                if latest.fields.isContainerOrTag, case .item(_, let id) = latest.key { broken.append((id, reason)) }
            case .alive(let state):
                if state.row.type.isContainer { found.append(state) }
                if let tag = state.tag { tags.append(tag) }
            }
        }
        order(found)
    }

    /// By depth. A folder whose parent is not in the backup goes below the root, and the report says so.
    private mutating func order(_ found: [ItemState]) {
        var children: [Int64: [ItemState]] = [:]
        let known = Set(found.map(\.row.id))
        var roots: [ItemState] = []
        for var folder in found {
            let parent = folder.row.folderID ?? 0
            if parent == folder.row.id {
                roots.append(folder)
            } else if known.contains(parent) {
                children[parent, default: []].append(folder)
            } else {
                if parent != WellKnownFolder.root && parent != WellKnownFolder.userRoot && !WellKnownFolder.isSystem(folder) {
                    warnings.append(
                        "Folder \(folder.row.id) '\(folder.row.name ?? "")' is placed below the root: its parent \(parent) is not in the backup.")
                    folder.row.folderID = WellKnownFolder.userRoot
                }
                roots.append(folder)
            }
        }
        var reached: Set<Int64> = []
        var queue = roots[...]
        while let folder = queue.popFirst() {
            guard reached.insert(folder.row.id).inserted else { continue }
            folders.append(folder)
            queue += children[folder.row.id] ?? []
        }
        for folder in found where !reached.contains(folder.row.id) {
            broken.append((folder.row.id, "its parents form a circle"))
        }
    }
}

/// Folders that the server makes itself (formats/zimbra-items.md, well-known ids).
enum WellKnownFolder {
    static let userRoot: Int64 = 1
    static let root: Int64 = 11
    static let inbox: Int64 = 2

    /// Where an item goes whose folder is not known.
    static func home(of type: ItemType) -> Int64 {
        switch type {
        case .contact: 7
        case .conversation: 9
        case .appointment: 10
        case .task: 15
        case .document: 16
        case .comment: 17
        default: inbox
        }
    }

    /// Whether the server makes the folder, with the same id in every mailbox.
    static func isSystem(_ state: ItemState) -> Bool { state.row.type == .folder && state.row.id < 256 }
}

extension JSONObject {
    /// Whether a history line is a folder's or a tag's.
    fileprivate var isContainerOrTag: Bool {
        guard let type = self["type"]?.string.flatMap({ ItemType(name: $0) }) else { return false }
        return type.isContainer || type == .tag
    }
}
