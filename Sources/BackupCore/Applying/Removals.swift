import BackupStore
import RedoLog

/// Deletions (formats/zimbra-redolog.md, section 7.6).
extension MailboxChange {
    mutating func deleteItems(_ delete: DeleteItem) throws {
        let listed = Set(delete.ids.map(Int64.init))
        let folders = try listed.sorted().filter { try living($0)?.row.type.isContainer == true }
        if !folders.isEmpty, try isAnnouncement(folders, listed: listed) {
            for folder in folders {
                guard var state = try living(folder) else { continue }
                state.deletionAnnounced = change
                put(state)
            }
            return
        }
        for id in delete.ids.map(Int64.init) {
            if id < 0 {
                if !listed.contains(-id) { try end(-id) }
                continue
            }
            guard let state = try living(id) else { continue }
            switch state.row.type {
            case .conversation:
                for message in try ids(withParent: id) where try listed.contains(message) || passes(delete.constraint, message) {
                    try end(message)
                }
                try endIfEmpty(id)
            case .tag:
                try end(id)
                if let name = state.row.name { try removeTag(named: name) }
            case .folder, .searchFolder, .mountpoint:
                try endFolder(id)
            default:
                try end(id)
            }
        }
    }

    /// A client's "delete folder" begins with a record that has no effect: the contents follow in batches, and the folders last.
    /// The last record lists the folder and all sub-folders that it had when the deletion began: one that leaves such a folder out
    /// is an announcement. For the rest the rule is the specification's.
    private func isAnnouncement(_ folders: [Int64], listed: Set<Int64>) throws -> Bool {
        for id in folders {
            guard let folder = try living(id), folder.row.type == .folder else { continue }
            let began = folder.deletionAnnounced ?? change
            for content in try ids(inFolder: id) where !listed.contains(content) {
                if let inner = try living(content), inner.row.type == .folder, inner.row.modContent <= began { return true }
            }
        }
        guard folders.count == 1, let folder = try living(folders[0]) else { return false }
        if folder.deletionAnnounced != nil || folder.row.type != .folder { return false }
        // What a purge may have taken proves nothing.
        return try ids(inFolder: folders[0]).contains { try !listed.contains($0) && living($0)?.mayBeGone == false }
    }

    /// Ends a folder with everything that is still in it.
    private mutating func endFolder(_ folder: Int64) throws {
        for id in try tree(of: folder, through: { $0.row.type.isContainer }).reversed() { try end(id) }
    }

    /// The ids of a folder and of all below it, each once, folders before what they hold.
    ///
    /// Parents that form a circle end the walk, and no depth exhausts the stack.
    func tree(of folder: Int64, through isFolder: (ItemState) -> Bool) throws -> [Int64] {
        var tree = [folder]
        var reached: Set<Int64> = [folder]
        var folders = [folder]
        while let next = folders.popLast() {
            for id in try ids(inFolder: next) where reached.insert(id).inserted {
                tree.append(id)
                if let state = try living(id), isFolder(state) { folders.append(id) }
            }
        }
        return tree
    }

    /// Legacy: the contents of a folder, and of its sub-folders where asked, the sub-folders included.
    mutating func emptyFolder(_ empty: EmptyFolder) throws {
        for id in try ids(inFolder: Int64(empty.folderID)) {
            guard let state = try living(id) else { continue }
            if !state.row.type.isContainer {
                try end(id)
            } else if empty.includeSubfolders {
                try endFolder(id)
            }
        }
    }

    /// Ends one item: its last state, deleted.
    mutating func end(_ id: Int64, presumed: Bool = false) throws {
        guard var state = try living(id) else { return }
        state.deleted = true
        state.presumed = presumed
        state.inDumpster = hasDumpster && state.row.type.goesToDumpster && state.row.folderID != FolderID.drafts
        put(touching: state)
        if state.row.type == .message, let conversation = state.row.parentID { try endIfEmpty(conversation) }
        if state.row.type == .document {
            for comment in try ids(withParent: id) { try end(comment, presumed: presumed) }
        }
    }

    /// A conversation goes with its last message.
    mutating func endIfEmpty(_ conversation: Int64) throws {
        guard let state = try living(conversation), state.row.type == .conversation else { return }
        let left = try ids(withParent: conversation)
        if left.isEmpty {
            try end(conversation)
        } else if try left.allSatisfy({ try living($0)?.mayBeGone == true }) {
            try doubtExistence(of: conversation)
        }
    }

    /// All items that carry `\Deleted`: the log names none of them, so the deletion is presumed (R15).
    mutating func purgeImapDeleted() throws {
        let gone = try ids(where: { $0.row.flags.contains(.deleted) })
        for id in gone { try end(id, presumed: true) }
        if !gone.isEmpty { mark("items marked \\Deleted were expunged; the log does not name them", candidates: gone) }
    }

    /// An item that an operation finds in the dumpster although it lives here went by an operation that names nothing (a purge).
    mutating func endUnlogged(_ id: Int64) throws {
        guard try living(id) != nil else { return }
        try end(id, presumed: true)
    }

    mutating func deleteFromDumpster(_ ids: [Int32]) throws {
        for id in ids.map(Int64.init) {
            try endUnlogged(id)
            guard var state = try item(id), state.deleted, state.inDumpster else { continue }
            state.inDumpster = false
            put(state)
        }
    }
}
