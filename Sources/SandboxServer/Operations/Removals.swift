import BackupCore
import GRDB
import RedoLog

/// Deleting (formats/zimbra-redolog.md, section 7.6).
extension Change {
    /// Deletes messages and chats, and what they leave of their conversations.
    func deleteMessages(_ rows: [ItemRow]) throws {
        var lost: [Int64: Int64] = [:]
        for row in rows {
            // A document before took its comments along.
            if row.type == .comment, try find(row.id) == nil { continue }
            try delete(row)
            if row.type == .message, let parent = row.parentID { lost[parent, default: 0] += 1 }
        }
        for (conversation, count) in lost.sorted(by: { $0.key < $1.key }) { try shrink(conversation, by: count) }
    }

    /// What lies in folders, leaves only.
    func contents(of folders: [Int64], limit: Int) throws -> [ItemRow] {
        var rows: [ItemRow] = []
        for folder in folders where rows.count < limit {
            rows += try ItemTable.items.items(
                mailbox: mailbox, where: "folder_id = ? AND type NOT IN (1, 2, 4, 13)", [folder], order: "id LIMIT \(limit - rows.count)",
                in: database)
        }
        return rows
    }
}

extension DeleteItem {
    init(ids: [Int64], type: ItemType?) {
        self.init()
        itemType = Int8(type?.rawValue ?? -1)
        self.ids = ids.map { Int32($0) }
    }
}

extension SandboxMailbox {
    /// How many items one record of a batch deletes.
    static let batch = 1000

    /// Deletes messages and conversations for good. Ids that are not there are ignored.
    public func delete(_ ids: [Int64]) throws {
        try server.change(mailboxID) { change in
            var rows: [ItemRow] = []
            var type: ItemType?
            for id in ids {
                guard let row = try change.find(id < 0 ? -id : id) else { continue }
                guard !row.type.isContainer else { throw change.failure(.refused, "\(id) is a folder: it is deleted by itself") }
                type = type == nil || type == row.type ? row.type : ItemType(rawValue: -1)
                for one in row.type == .conversation ? try change.members(of: id) : [row] where !rows.contains(where: { $0.id == one.id }) {
                    rows.append(one)
                }
            }
            try change.deleteMessages(rows)
            return ((), Logged(.deleteItem(DeleteItem(ids: ids, type: type))))
        }
    }

    /// Deletes everything in a folder, and with `subfolders` the folders below it: batches with explicit ids, then the folders.
    public func emptyFolder(_ id: Int64, subfolders: Bool = true) throws {
        let tree = try folderTree(id)
        try deleteContents(subfolders ? tree : [id])
        if subfolders, tree.count > 1 { try deleteFolders(Array(tree.dropFirst().reversed())) }
    }

    /// Deletes a folder with everything in it: a record that announces it, batches with explicit ids, the folders.
    public func deleteFolder(_ id: Int64) throws {
        if let row = try item(id), row.type != .folder { return try deleteContainer(id, row.type) }
        let tree = try folderTree(id)
        try server.change(mailboxID) { change in
            guard try !change.folder(id).isSystem else { throw change.failure(.refused, "\(change.state.path(of: id)) is a system folder") }
            return ((), Logged(.deleteItem(DeleteItem(ids: [id], type: .folder))))
        }
        try deleteContents(tree)
        try deleteFolders(tree.reversed())
    }

    /// Search folders and mountpoints hold nothing: one record.
    private func deleteContainer(_ id: Int64, _ type: ItemType) throws {
        try server.change(mailboxID) { change in
            try change.delete(try change.folder(id).row)
            return ((), Logged(.deleteItem(DeleteItem(ids: [id], type: type))))
        }
    }

    private func folderTree(_ id: Int64) throws -> [Int64] {
        try read { database in
            guard let state = try MailboxState(loading: mailboxID, from: database, counters: .asStored), state.folders[id] != nil else {
                throw SandboxError(.noSuchItem, doing: "mailbox \(mailboxID)", reason: "there is no folder \(id)")
            }
            return state.tree(of: id)
        }
    }

    private func deleteContents(_ folders: [Int64]) throws {
        var isEmpty = false
        while !isEmpty {
            let next = try read { database in
                try folders.contains { folder in
                    try Bool.fetchOne(
                        database,
                        sql: "SELECT EXISTS (SELECT 1 FROM mail_item WHERE mailbox_id = ? AND folder_id = ? AND type NOT IN (1, 2, 4, 13))",
                        arguments: [mailboxID, folder]) ?? false
                }
            }
            guard next else { return }
            isEmpty = try server.change(mailboxID) { change in
                let rows = try change.contents(of: folders, limit: Self.batch)
                try change.deleteMessages(rows)
                // Messages alone are named as conversations too.
                let ids = rows.map(\.id) + rows.filter { $0.parentID == nil && $0.type == .message }.map { -$0.id }
                return (rows.count < Self.batch, Logged(.deleteItem(DeleteItem(ids: ids, type: nil))))
            }
        }
    }

    /// Deletes folders, deepest first, with what was put into them meanwhile.
    private func deleteFolders(_ folders: [Int64]) throws {
        try server.change(mailboxID) { change in
            // What was created in them since the tree was read goes too.
            for id in folders { for inner in change.state.tree(of: id).reversed() where !folders.contains(inner) { try change.remove(inner) } }
            for id in folders { try change.remove(id) }
            return ((), Logged(.deleteItem(DeleteItem(ids: folders, type: .folder))))
        }
    }
}

extension Change {
    fileprivate func remove(_ folder: Int64) throws {
        guard let state = state.folders[folder] else { return }
        guard !state.isSystem else { throw failure(.refused, "\(self.state.path(of: folder)) is a system folder") }
        try deleteMessages(try contents(of: [folder], limit: .max))
        if let row = self.state.folders[folder]?.row { try delete(row) }
    }
}
