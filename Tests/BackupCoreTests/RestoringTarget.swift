import BackupCore
import BackupStore
import RedoLog
import Testing

/// A mail server in memory that can refuse, lose its answer, or call a test at any write.
final class MemoryTarget: MailTarget, @unchecked Sendable {
    // Unchecked: a restore calls from one thread.

    /// What happens to a write.
    enum Fault {
        /// Thrown, and nothing was written.
        case refused
        /// Written, and thrown all the same: the answer got lost.
        case answerLost
    }

    /// An item of any type but folders.
    struct Item: Hashable {
        var row: ItemRow
        var bytes: [UInt8]
        var revisions: [[UInt8]] = []
        var id: Int64 { row.id }
    }

    /// Everything that a crash of the restore leaves as it is.
    struct State {
        var accounts: [String: AccountEntry] = [:]
        var folders: [Int64: ItemRow] = [:]
        var tags: [TagRow] = []
        var messages: [Item] = []
        var grants: [(item: Int64, grant: Grant)] = []
        var nextID: Int64 = 257
    }

    struct Refusal: Error, CustomStringConvertible {
        var description: String
    }

    var state = State()
    let identity = MailServerIdentity(id: "7a9e2d54-0000-4000-8000-000000000001", name: "target.example.com")
    /// Asked before each write, by its number from 0 and its name.
    var fault: (Int, String) -> Fault? = { _, _ in nil }
    /// Told after each write.
    var written: (Int, String) -> Void = { _, _ in }
    /// What a refusal repeats of the request.
    var echo = ""
    private(set) var writes = 0

    func findAccount(_ nameOrID: String) throws -> AccountEntry? {
        state.accounts.values.first { $0.id == nameOrID || $0.name == nameOrID.lowercased() }
    }

    func createAccount(name: String, attributes: [String: [String]]) throws -> AccountEntry {
        try write("createAccount") {
            let entry = AccountEntry(id: "0000000\(state.accounts.count)-1111-4111-8111-111111111111", name: name, attributes: attributes)
            state.accounts[entry.id] = entry
            return entry
        }
    }

    func modifyAccount(_ accountID: String, attributes: [String: [String]]) throws {
        try write("modifyAccount \(attributes.keys.sorted().joined(separator: " "))") {
            for (name, values) in attributes { state.accounts[accountID]?.attributes[name] = values.isEmpty ? nil : values }
        }
    }

    /// Gives an id of its own.
    func addChild(_ child: AccountChild, toAccount accountID: String) throws -> String {
        try write("addChild \(child.title)") {
            var child = child
            child.attributes[child.kind.idAttribute] = ["new-\(child.id)"]
            state.accounts[accountID]?.children.append(child)
            return child.id
        }
    }

    /// The account that a restore made.
    var restored: AccountEntry? { state.accounts.values.first { $0.name == RestoringBench.destination } }

    func openMailbox(accountID: String) throws -> any TargetMailbox {
        if state.folders.isEmpty {
            for row in SystemFolders.rows { state.folders[row.id] = row }
        }
        return MemoryTargetMailbox(server: self)
    }

    func write<Result>(_ name: String, _ body: () throws -> Result) throws -> Result {
        let number = writes
        writes += 1
        let fault = fault(number, name)
        if fault == .refused { throw Refusal(description: "\(name) refused\(echo)") }
        let result = try body()
        written(number, name)
        if fault == .answerLost { throw Refusal(description: "answer to \(name) lost") }
        return result
    }
}

/// The one mailbox of a ``MemoryTarget``.
private struct MemoryTargetMailbox: TargetMailbox {
    let server: MemoryTarget
    var mailboxID: Int64 { 7 }

    func folders() throws -> [ItemRow] { server.state.folders.values.sorted { $0.id < $1.id } }

    func tags() throws -> [TagRow] { server.state.tags }

    func addTag(_ tag: TagRow) throws -> Int64 {
        try server.write("addTag \(tag.name)") {
            var tag = tag
            tag.id = next()
            server.state.tags.append(tag)
            return tag.id
        }
    }

    func addItem(_ item: NewItem) throws -> Int64 {
        let isFolder = item.row.type.isContainer
        return try server.write(isFolder ? "addFolder \(item.row.name ?? "")" : "addItem") {
            guard let folder = item.row.folderID, server.state.folders[folder] != nil else {
                throw MemoryTarget.Refusal(description: "no folder")
            }
            var row = item.row
            row.id = next()
            guard isFolder else {
                let bytes = try item.content.map(read) ?? []
                row.blobDigest = item.content == nil ? nil : bytes.withUnsafeBytes { BlobID(of: $0) }.description
                let revisions = try item.revisions.map { try $0.content.map(read) ?? [] }
                server.state.messages.append(.init(row: row, bytes: bytes, revisions: revisions))
                return row.id
            }
            let taken = server.state.folders.values.contains {
                $0.folderID == folder && $0.name?.lowercased() == row.name?.lowercased()
            }
            guard !taken else { throw MemoryTarget.Refusal(description: "there is a folder of that name") }
            server.state.folders[row.id] = row
            return row.id
        }
    }

    private func read(_ content: NewItem.Content) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while case let count = try buffer.withUnsafeMutableBytes({ try content.reader($0) }), count > 0 { bytes += buffer[..<count] }
        #expect(Int64(bytes.count) == content.size)
        return bytes
    }

    func updateItem(_ row: ItemRow) throws {
        try server.write("updateItem \(row.id)") {
            if row.type.isContainer {
                server.state.folders[row.id]?.flags = row.flags
                server.state.folders[row.id]?.metadata = row.metadata
            } else if let place = server.state.messages.firstIndex(where: { $0.id == row.id }) {
                server.state.messages[place].row.metadata = row.metadata
            }
        }
    }

    func findItems(like row: ItemRow) throws -> [Int64] {
        server.state.messages.map(\.row).filter {
            $0.folderID == row.folderID && $0.type == row.type && $0.date == row.date && $0.blobDigest == row.blobDigest
                && ($0.blobDigest != nil || $0.name == row.name && $0.subject == row.subject)
        }.map(\.id)
    }

    func exists(_ id: Int64) throws -> Bool { server.state.messages.contains { $0.id == id } }

    func grant(_ grant: Grant, onItem id: Int64) throws {
        try server.write("grant") { server.state.grants.append((id, grant)) }
    }

    private func next() -> Int64 {
        defer { server.state.nextID += 1 }
        return server.state.nextID
    }
}

/// The folders that every mailbox has (formats/zimbra-items.md, well-known ids): those that the tests need.
enum SystemFolders {
    static var rows: [ItemRow] {
        let folders: [(Int64, String, Int64)] = [
            (11, "ROOT", 11), (1, "USER_ROOT", 11), (2, "Inbox", 1), (3, "Trash", 1), (5, "Sent", 1), (8, "Tags", 11), (9, "Conversations", 11),
        ]
        return folders.map { id, name, parent in
            var row = ItemRow(id: id, type: .folder)
            row.name = name
            row.folderID = parent
            row.parentID = parent
            return row
        }
    }
}
