import BackupStore
import RedoLog
import Testing

@testable import BackupCore

@Suite("Operations that no server should log")
struct HostileOperationTests {
    private let mailbox = MemoryMailbox(life: MailboxLife(accountID: "a", mailboxID: 1, generation: 1))

    private func apply(_ operation: Operation, constraint: Int64 = 0) throws {
        var change = MailboxChange(view: mailbox, life: mailbox.life, time: 1_795_000_000_000, change: 10, constraint: constraint)
        try change.apply(operation)
        for state in change.states { mailbox.states[state.row.id] = state }
        mailbox.marks += change.marks.map(\.reason)
    }

    private func add(_ type: ItemType, _ id: Int64, in folder: Int64, metadata: String? = nil, unread: Int64? = 0) {
        var row = ItemRow(id: id, type: type)
        row.folderID = folder
        if type.isContainer { row.parentID = folder }
        row.name = "\(id)"
        row.metadata = metadata
        row.unread = unread
        mailbox.states[id] = ItemState(row: row)
    }

    @Test("Ids at the ends of their range trap nowhere", arguments: [Int32.min, .min + 1, -1, 0, .max])
    func extremeIDs(id: Int32) throws {
        for known in [Int64(id), -Int64(id)] where known != 0 { add(.message, known, in: 2) }
        try apply(.moveItem(make(MoveItem()) { $0.ids = [id, 2]; $0.targetFolderID = id }))
        try apply(.alterItemTag(make(AlterItemTag()) { $0.ids = [id, 2]; $0.tagID = id }))
        try apply(.alterItemTag(make(AlterItemTag()) { $0.ids = [id, 2]; $0.tagName = "\\Unread" }))
        try apply(.setItemTags(make(SetItemTags()) { $0.ids = [id]; $0.flags = id; $0.tagBitmask = -1 }), constraint: Int64(id))
        try apply(.colorItem(make(ColorItem()) { $0.ids = [id]; $0.color = Int64(id) }))
        try apply(.copyItem(make(CopyItem()) { $0.targetFolderID = id }))
        try apply(.deleteItem(make(DeleteItem()) { $0.ids = [id, 2] }), constraint: Int64(id))
        try apply(
            .createMessage(
                make(CreateMessage()) {
                    $0.itemID = id
                    $0.folderID = id
                    $0.conversationID = 400
                    $0.mergedConversationIDs = [id]
                    $0.flags = id
                    $0.size = .min
                    $0.receivedDate = .min
                    $0.calendarItemID = id
                }))
    }

    @Test("A version number at the end of its range traps nowhere")
    func extremeVersions() throws {
        var metadata = MetadataDictionary()
        metadata["ver"] = .integer(.max)
        metadata["mdver"] = .integer(.max)
        add(.message, 300, in: 6, metadata: metadata.text())
        add(.document, 301, in: 16, metadata: metadata.text())
        try apply(.saveDraft(make(SaveDraft()) { $0.message.itemID = 300 }))
        try apply(.addDocumentRevision(make(AddDocumentRevision()) { $0.documentID = 301 }))
        #expect(mailbox.states[301]?.revisions.count == 1)
    }

    /// A circle of two folders, each with a message.
    private func addCircle() {
        add(.folder, 2, in: 1)
        add(.folder, 3, in: 1)
        add(.folder, 300, in: 301)
        add(.folder, 301, in: 300)
        add(.message, 400, in: 300, unread: 1)
        add(.message, 401, in: 301, unread: 1)
        add(.message, 402, in: 2, unread: 1)
    }

    @Test("Folders that form a circle are deleted with what they hold")
    func deletesCircle() throws {
        addCircle()
        for _ in 0..<2 { try apply(.deleteItem(make(DeleteItem()) { $0.ids = [300, 301] })) }
        for id in [300, 301, 400, 401] as [Int64] { #expect(mailbox.states[id]?.deleted == true) }
        #expect(mailbox.states[402]?.deleted == false)
    }

    @Test("Folders that form a circle can be emptied and moved to the trash")
    func movesCircle() throws {
        addCircle()
        try apply(.moveItem(make(MoveItem()) { $0.ids = [300]; $0.targetFolderID = 3 }))
        #expect(mailbox.states[400]?.row.unread == 0 && mailbox.states[401]?.row.unread == 0)
        #expect(mailbox.states[402]?.row.unread == 1)
        addCircle()
        try apply(.emptyFolder(make(EmptyFolder()) { $0.folderID = 300; $0.includeSubfolders = true }))
        #expect(mailbox.states[401]?.deleted == true)
    }

    @Test("No depth of folders exhausts the stack")
    func deepFolders() throws {
        var change = MailboxChange(view: Shaft(depth: 20_000), life: mailbox.life, time: 1_795_000_000_000, change: 10)
        try change.apply(.emptyFolder(make(EmptyFolder()) { $0.folderID = 1; $0.includeSubfolders = true }))
        #expect(change.states.count == 20_000 && change.states.allSatisfy(\.deleted))
    }

    /// Folders one in the other, with the ids from 2 on.
    private struct Shaft: MailboxView {
        var depth: Int64

        func item(_ id: Int64) -> ItemState? {
            guard (2..<depth + 2).contains(id) else { return nil }
            var row = ItemRow(id: id, type: .folder)
            row.folderID = id - 1
            row.parentID = id - 1
            return ItemState(row: row)
        }

        func forEachItem(inFolder id: Int64, _ body: (ItemState) throws -> Void) throws { try item(id + 1).map(body) }
        func forEachItem(withParent id: Int64, _ body: (ItemState) throws -> Void) throws { try item(id + 1).map(body) }
        func forEachItem(_ body: (ItemState) throws -> Void) throws {}
    }

    @Test("Grants that cannot be read take no grant away, and stay as they were logged (R15)")
    func unreadableGrants() throws {
        var metadata = MetadataDictionary()
        var grants = MetadataDictionary()
        grants["g"] = .list([.dictionary(make(MetadataDictionary()) { $0["t"] = .integer(1); $0["r"] = .integer(1) })])
        metadata["aclm"] = .dictionary(grants)
        add(.folder, 300, in: 1, metadata: metadata.text())
        try apply(.setPermissions(make(SetPermissions()) { $0.itemID = 300; $0.acl = "li7e no map" }))
        let kept = try #require(mailbox.states[300])
        #expect(Grant.all(of: kept).count == 1)
        #expect(kept.doubts.contains { $0.contains("li7e no map") })
        #expect(mailbox.marks.contains { $0.contains("300") })

        // One that can be read settles it; an empty text takes all away.
        try apply(.setPermissions(make(SetPermissions()) { $0.itemID = 300; $0.acl = LogText(grants.text(forColumn: false)) }))
        #expect(mailbox.states[300]?.doubts == [] && Grant.all(of: mailbox.states[300]!).count == 1)
        try apply(.setPermissions(make(SetPermissions()) { $0.itemID = 300; $0.acl = "" }))
        #expect(Grant.all(of: mailbox.states[300]!) == [])
    }
}
