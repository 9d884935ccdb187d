import BackupCore
import Foundation
import GRDB
import RedoLog
import SystemPackage
import Testing

@testable import SandboxServer

/// Each operation's rows against the record that it wrote.
@Suite("Operations")
struct OperationTests {
    /// The last operation in the log, with its header.
    private func last(_ test: TestServer) throws -> (RecordHeader, RedoLog.Operation) {
        let starts = try test.records().map(\.record).filter { $0.role == .start }
        let record = try #require(starts.last)
        return (record.header, record.operation)
    }

    private func inode(_ path: FilePath) throws -> UInt64 {
        try #require(FileManager.default.attributesOfItem(atPath: path.string)[.systemFileNumber] as? UInt64)
    }

    private func verify(_ test: TestServer, _ mailboxes: SandboxMailbox...) throws {
        let derived = try derive(test)
        for mailbox in mailboxes {
            try checkConsistency(of: mailbox)
            try compare(try #require(derived[mailbox.mailboxID]), with: mailbox)
        }
    }

    @Test("A shared delivery logs its blob once, before the messages, and links it into each mailbox")
    func sharedDelivery() throws {
        let test = try TestServer()
        let alice = try test.mailbox("alice@example.com")
        let bob = try test.mailbox("bob@example.com")
        let message = mail(subject: "For both")
        try test.server.deliver(message, to: ["alice@example.com", "bob@example.com", "ALICE@example.com"])
        let records = try test.records().suffix(6)
        #expect(records.map(\.record.header.code) == [.storeIncomingBlob, .commitTxn, .createMessage, .commitTxn, .createMessage, .commitTxn])
        let (store, storeFile) = try #require(records.first.map { ($0.record, $0.file) })
        guard case .storeIncomingBlob(let blob) = store.operation else { Issue.record("no blob"); return }
        #expect(blob.mailboxIDs == [1, 2] && store.header.mailboxID == -1 && store.header.changeID == -1)
        #expect(blob.digest?.string == ServerDigest.sha256(message) && Int(blob.size) == message.count)
        let body = try #require(blob.body)
        #expect(try storeFile.read(at: body.offset, count: Int(body.length)) == message)
        let messages = records.compactMap { record -> CreateMessage? in
            if case .createMessage(let message) = record.record.operation { message } else { nil }
        }
        #expect(messages.allSatisfy { $0.shared && $0.bodyType == 2 && $0.body == nil })
        #expect(messages.allSatisfy { $0.path == blob.path && $0.digest == blob.digest })
        #expect(messages.map { $0.recipient?.string } == ["alice@example.com", "bob@example.com"])
        // The first message's transaction began before the blob's.
        #expect(records.map(\.record.header.transaction)[2] < store.header.transaction)
        let first = try inode(test.path.pushing("store/0/1/msg/0/257-2.msg"))
        #expect(try inode(test.path.pushing("store/0/2/msg/0/257-2.msg")) == first)
        try verify(test, alice, bob)
    }

    @Test("A reply makes a conversation of the message before; the next one joins it")
    func conversation() throws {
        let test = try TestServer()
        let alice = try test.mailbox()
        try test.server.deliver(mail(subject: "[list] Plans", id: "1@x"), to: ["alice@example.com"])
        try test.server.deliver(
            mail(from: "Alice <alice@example.com>", subject: "Re: [list] Plans", id: "2@x", references: "1@x"), to: ["alice@example.com"])
        guard case (let header, .createMessage(let second)) = try last(test) else { Issue.record("no message"); return }
        #expect(second.itemID == 258 && second.conversationID == 259 && second.conversationFirstMessageID == 257)
        #expect(try alice.item(257)?.parentID == 259 && alice.item(257)?.modMetadata == Int64(header.changeID))
        #expect(try alice.item(257)?.modContent == 2)
        let conversation = try #require(try alice.item(259))
        #expect(conversation.type == .conversation && conversation.size == 2 && conversation.folderID == 9)
        #expect(conversation.subject == "[list] Plans" && conversation.imapID == nil && conversation.unread == nil)
        #expect(
            try MetadataDictionary(parsing: conversation.metadata).string("prt")
                == "d1:X5:false2:enld1:a17:alice@example.com1:d5:Alice1:p5:Aliceed1:a15:bob@example.com1:d3:Bob1:p11:Bob Exampleee2:ldi\(conversation.date * 1000)e2:noi2e1:vi10ee")

        try test.server.deliver(mail(subject: "Re: Plans", id: "3@x"), to: ["alice@example.com"])
        guard case (_, .createMessage(let third)) = try last(test) else { Issue.record("no message"); return }
        #expect(third.conversationID == 259 && third.conversationFirstMessageID == -1)
        // The same words without a reply's prefix are a new subject.
        try test.server.deliver(mail(subject: "Plans", id: "4@x"), to: ["alice@example.com"])
        guard case (_, .createMessage(let fourth)) = try last(test) else { Issue.record("no message"); return }
        #expect(fourth.conversationID == -1)
        // A changed subject begins anew, whatever it refers to.
        try test.server.deliver(mail(subject: "Other", id: "5@x", references: "1@x"), to: ["alice@example.com"])
        #expect(try alice.item(Int64(fourth.itemID) + 1)?.parentID == nil)
        try verify(test, alice)
    }

    @Test("A message that refers to two conversations joins them")
    func merging() throws {
        let test = try TestServer()
        let alice = try test.mailbox()
        for id in ["a1@x", "b1@x"] { try test.server.deliver(mail(subject: "Plans", id: id), to: ["alice@example.com"]) }
        for (id, old) in [("a2@x", "a1@x"), ("b2@x", "b1@x")] {
            try test.server.deliver(mail(subject: "Re: Plans", id: id, references: old), to: ["alice@example.com"])
        }
        try test.server.deliver(mail(subject: "Plans", id: "c1@x"), to: ["alice@example.com"])
        let both = Array("From: b@x.org\r\nSubject: Re: Plans\r\nMessage-ID: <d@x>\r\nReferences: <a2@x> <b2@x> <c1@x>\r\n\r\n".utf8)
        try test.server.deliver(both, to: ["alice@example.com"])
        guard case (_, .createMessage(let message)) = try last(test) else { Issue.record("no message"); return }
        let merged = try #require(message.mergedConversationIDs)
        #expect(merged.count == 2 && merged.contains { $0 < 0 } && merged.contains { $0 > 0 })
        #expect(try alice.items().filter { $0.type == .conversation }.map(\.size) == [6])
        try verify(test, alice)
    }

    @Test("A draft is saved again under a new file name; folder and tags stay")
    func drafts() throws {
        let test = try TestServer()
        let alice = try test.mailbox()
        let id = try alice.saveDraft(mail(subject: "Draft one"))
        guard case (_, .createMessage(let created)) = try last(test) else { Issue.record("no draft"); return }
        #expect(created.flags == 0x41 && created.folderID == 6 && created.recipient == ":API:")
        try alice.alterTag("later", add: true, of: [id])
        let content = mail(subject: "Draft two", body: String(repeating: "text ", count: 1000))
        try alice.updateDraft(id, content)
        guard case (let header, .saveDraft(let saved)) = try last(test) else { Issue.record("no draft"); return }
        #expect(saved.message.itemID == Int32(id) && saved.message.folderID == -1 && saved.message.path == ":streamed:")
        #expect(saved.imapID != 0 && saved.message.flags == 0 && saved.message.noICal)
        let row = try #require(try alice.item(id))
        #expect(row.subject == "Draft two" && row.tags == ["later"] && row.folderID == 6 && row.imapID == id)
        #expect(row.modContent == Int64(header.changeID) && row.blobDigest == ServerDigest.sha256(content))
        #expect(throws: SandboxError.self) { try alice.updateDraft(2, content) }
        try verify(test, alice)
    }

    @Test("What goes to Trash is read, what goes to Junk leaves its conversation")
    func moves() throws {
        let test = try TestServer()
        let alice = try test.mailbox()
        for (subject, id) in [("Plans", "1@x"), ("Re: Plans", "2@x"), ("Re: Plans", "3@x")] {
            try test.server.deliver(mail(subject: subject, id: id), to: ["alice@example.com"])
        }
        let conversation = try #require(try alice.item(257)?.parentID)
        try alice.move([257], to: 3)
        let row = try #require(try alice.item(257))
        #expect(row.unread == 0 && row.folderID == 3 && row.prevFolders == "\(row.modMetadata):2" && row.imapID == 257)
        guard case (_, .moveItem(let move)) = try last(test) else { Issue.record("no move"); return }
        #expect(move.singleID == -1 && move.ids == [257] && move.targetFolderID == 3 && move.uidNext == -1 && move.itemType == 5)
        try alice.move([258], to: 4)
        #expect(try alice.item(258)?.parentID == nil && alice.item(258)?.unread == 1)
        #expect(try alice.item(conversation)?.size == 2 && alice.item(conversation)?.metadata == nil)
        // As a whole it stays together.
        try alice.move([conversation], to: 4)
        #expect(try alice.items(inFolder: 4).map(\.parentID) == [conversation, nil, conversation])
        try verify(test, alice)
    }

    @Test("A copy shares the blob, the index entry and the conversation")
    func copies() throws {
        let test = try TestServer()
        let alice = try test.mailbox()
        for (subject, id) in [("Plans", "1@x"), ("Re: Plans", "2@x")] {
            try test.server.deliver(mail(subject: subject, id: id), to: ["alice@example.com"])
        }
        let folder = try alice.createFolder(named: "Copies")
        let copy = try alice.copy([257], to: folder)[0]
        let row = try #require(try alice.item(copy))
        let source = try #require(try alice.item(257))
        #expect(row.indexID == 257 && row.recipients == nil && row.uuid != nil && row.parentID == source.parentID)
        #expect(row.flags.contains(.copied) && source.flags.contains(.copied))
        #expect(row.modContent == row.modMetadata && source.modMetadata < row.modMetadata)
        let root = test.path.pushing("store/0/1/msg/0")
        #expect(try inode(root.appending("\(copy)-\(row.modContent).msg")) == inode(root.appending("257-2.msg")))
        guard case (_, .copyItem(let logged)) = try last(test) else { Issue.record("no copy"); return }
        #expect(logged.copies.map(\.newUUID?.string) == [row.uuid] && logged.fromDumpster == false)

        let conversation = try #require(source.parentID)
        let copies = try alice.copyConversation(conversation, to: folder)
        #expect(copies.count == 3)
        let parents = Set(try copies.map { try alice.item($0)?.parentID })
        #expect(parents.count == 1 && parents != [conversation])
        // The source may go; the copy's blob stays.
        try alice.delete([257])
        try verify(test, alice)
    }

    @Test("Deleting a folder takes three records, and the folders below go with it")
    func deleteFolder() throws {
        let test = try TestServer()
        let alice = try test.mailbox(dumpster: true)
        try alice.trackSync()
        let deep = try alice.createFolderPath("/a/b/c")
        let top = try #require(try alice.folder(at: "/a"))
        let middle = try #require(try alice.folder(at: "/a/b"))
        let ids = try [top, deep, deep].map { try alice.addMessage(mail(), folder: $0) }
        let uuids = try [deep, middle, top].map { id in
            let uuid = try alice.item(id)?.uuid
            return "\(id):\(uuid ?? "")"
        }
        try alice.deleteFolder(top)
        let deletions = try test.records().compactMap { record -> DeleteItem? in
            if case .deleteItem(let delete) = record.record.operation { delete } else { nil }
        }
        let numbers = ids.map { Int32($0) }
        let folders = [deep, middle, top].map { Int32($0) }
        let batch = numbers + numbers.map { -$0 }
        #expect(deletions.map(\.ids) == [[Int32(top)], batch, folders])
        #expect(deletions.map(\.itemType) == [1, -1, 1])
        #expect(try alice.dumpster().map(\.id) == ids)
        let tombstones = try test.server.database.read { database -> [String] in
            let rows = try Row.fetchAll(database, sql: "SELECT type, ids FROM tombstone ORDER BY sequence")
            return rows.map { row in "\(row[0] as Int64) \(row[1] as String)" }
        }
        let messages = ids.map { "\($0)" }.joined(separator: ",")
        #expect(tombstones == ["5 \(messages)", "1 \(uuids.joined(separator: ","))"])
        try verify(test, alice)
    }

    @Test("Emptying goes in batches with explicit ids and keeps the folder")
    func emptyFolder() throws {
        let test = try TestServer()
        let alice = try test.mailbox()
        let folder = try alice.createFolder(named: "Full")
        let inner = try alice.createFolder(named: "Inner", in: folder)
        for _ in 0..<(SandboxMailbox.batch + 20) { try alice.addMessage(mail(), folder: folder) }
        try alice.addMessage(mail(), folder: inner)
        let kept = try test.server.deliver(mail(), to: ["alice@example.com"])[0].itemID
        try alice.emptyFolder(folder)
        let sizes = try test.records().compactMap { record -> Int? in
            if case .deleteItem(let delete) = record.record.operation { delete.ids.count } else { nil }
        }
        #expect(sizes == [2000, 42, 1])
        #expect(try alice.item(folder) != nil && alice.item(inner) == nil && alice.item(kept) != nil)
        try alice.emptyFolder(folder)  // An empty folder leaves no record.
        guard case (_, .deleteItem(let delete)) = try last(test) else { Issue.record("no deletion"); return }
        #expect(delete.ids == [Int32(inner)])
        try verify(test, alice)
    }

    @Test("Folders are renamed and moved; what goes to Trash is read, and gets a new name where its own is taken")
    func folders() throws {
        let test = try TestServer()
        let alice = try test.mailbox()
        let first = try alice.createFolder(NewFolder(name: "One", parentID: 1, view: .message, color: 3, flags: [.checked], date: 1_700_000_000_123))
        guard case (_, .createFolder(let created)) = try last(test) else { Issue.record("no folder"); return }
        let row = try #require(try alice.item(first))
        #expect(created.uuid?.string == row.uuid && created.color == 3 && created.defaultView == 5 && created.date == 1_700_000_000_123)
        #expect(row.date == 1_700_000_000 && row.flags == .checked && row.unread == 0 && row.subject == "One")
        #expect(row.metadata == "d1:ci3e3:das5:false4:mseqi2e4:unxti258e1:vi10e2:vti5ee")
        try alice.addMessage(mail(), folder: first, flags: .unread)
        try alice.renameFolder(first, to: "Two")
        #expect(try alice.item(first)?.modContent == alice.item(first)?.modMetadata)
        let other = try alice.createFolder(named: "Two", in: 3)
        try alice.moveFolder(first, to: 3)
        guard case (_, .renameItem(let renamed)) = try last(test) else { Issue.record("no rename"); return }
        #expect(renamed.folderID == 3 && renamed.name?.string.hasPrefix("Two{") == true)
        #expect(try alice.items(inFolder: first).map(\.unread) == [0])
        try alice.moveFolder(other, to: first)
        guard case (_, .moveItem(let moved)) = try last(test) else { Issue.record("no move"); return }
        #expect(moved.itemType == 1 && moved.ids == [Int32(other)])
        try alice.renameFolder(other, to: "Three", parent: 1)
        #expect(try alice.path(ofFolder: other) == "/Three")
        try alice.setColor(5, of: [other], type: .folder)
        try alice.setURL("http://feed.example.org/", ofFolder: other)
        try alice.setFolderFlag(.syncFolder, on: true, folder: other)
        try verify(test, alice)
    }

    @Test("Grants are written as the server writes them")
    func grants() throws {
        let test = try TestServer()
        let alice = try test.mailbox()
        let bob = try test.server.createAccount(name: "bob@example.com", attributes: ["zimbraId": ["a126df22-663b-4d36-86c1-f8f7e8f7cafb"]])
        let folder = try alice.createFolder(named: "Shared")
        try alice.grant(Grant(granteeType: 1, grantee: bob.id, rights: 1), onFolder: folder)
        #expect(
            try alice.item(folder)?.metadata
                == "d4:aclmd1:gld1:ei0e1:g36:a126df22-663b-4d36-86c1-f8f7e8f7cafb1:ri1e1:ti1eee2:gei0e2:iei0ee3:das5:false5:mdveri2e4:mseqi2e4:unxti258e1:vi10e2:vti5ee")
        #expect(try alice.item(folder)?.flags == .noInherit)
        try alice.grant(Grant(granteeType: 7, grantee: "guest@example.net", rights: 3, secret: "pass", expiry: 99), onFolder: folder)
        guard case (_, .grantAccess(let logged)) = try last(test) else { Issue.record("no grant"); return }
        #expect(logged.granteeType == 7 && logged.rights == 3 && logged.secret == "pass" && logged.expiry == 99 && logged.legacyInherit)
        try alice.revoke(bob.id, onFolder: folder)
        try alice.revoke("guest@example.net", onFolder: folder)
        #expect(try alice.item(folder)?.metadata?.contains("aclm") == false)
        #expect(try alice.item(folder)?.flags == .noInherit)
        #expect(throws: SandboxError.self) { try alice.revoke("guest@example.net", onFolder: folder) }
        #expect(throws: SandboxError.self) { try alice.grant(Grant(granteeType: 1, grantee: alice.accountID, rights: 1), onFolder: folder) }
        try verify(test, alice)
    }

    @Test("Flags and tags: by item, by conversation, by folder; unlisted tags come by themselves")
    func tags() throws {
        let test = try TestServer()
        let alice = try test.mailbox()
        for (subject, id) in [("Plans", "1@x"), ("Re: Plans", "2@x"), ("Other", "3@x")] {
            try test.server.deliver(mail(subject: subject, id: id), to: ["alice@example.com"])
        }
        let conversation = try #require(try alice.item(257)?.parentID)
        try alice.alterFlag(.flagged, add: true, of: [conversation])
        #expect(try alice.items().filter { $0.flags.contains(.flagged) && $0.type == .message }.map(\.id) == [257, 258])
        try alice.alterTag("Rot", add: true, of: [257])
        #expect(try alice.tags().map { "\($0.name) \($0.listed)" } == ["Rot false"])
        let tag = try alice.createTag(name: "rot", color: 5)
        #expect(try alice.tags().map { "\($0.id) \($0.name) \($0.listed)" } == ["\(tag) Rot true"])
        try alice.renameTag(tag, to: "Grün")
        #expect(try alice.item(257)?.tags == ["Grün"])
        try alice.markRead([2])
        #expect(try alice.items(inFolder: 2).map(\.unread) == [0, 0, 0])
        guard case (_, .alterItemTag(let altered)) = try last(test) else { Issue.record("no flag"); return }
        #expect(altered.tagName == "\\Unread" && altered.add == false && altered.ids == [2] && altered.itemType == 1)
        try alice.setTags(of: [257, 258], flags: [.answered, .unread], tags: ["a", "b"])
        #expect(try alice.item(257)?.flags.subtracting(.system) == .answered && alice.item(257)?.unread == 1)
        try alice.setTags(of: [257], flags: nil, tags: [])
        guard case (_, .setItemTags(let set)) = try last(test) else { Issue.record("no tags"); return }
        #expect(set.flags == Int32.min && set.tags == [])
        try alice.setTags(of: [258], flags: [.priority], tags: nil)
        #expect(try alice.item(258)?.tags == ["a", "b"] && alice.item(258)?.unread == 0)
        try alice.deleteTag(try #require(try alice.tags().first { $0.name == "Grün" }?.id))
        #expect(throws: SandboxError.self) { try alice.alterFlag(.attached, add: true, of: [257]) }
        #expect(throws: SandboxError.self) { try alice.createTag(name: "a:b", color: nil) }
        let derived = try #require(try derive(test)[1])
        try checkConsistency(of: alice)
        // The log does not carry the ids of unlisted tags: what was renamed by id alone cannot be followed.
        #expect(derived.states[258]?.row.tags == ["a", "b"])
    }

    @Test("A mailbox is deleted with its files; a new one gets a new number, and the record is written twice")
    func deleteMailbox() throws {
        let test = try TestServer()
        _ = try test.mailbox("alice@example.com")
        let bob = try test.mailbox("bob@example.com")
        try test.server.deliver(mail(), to: ["alice@example.com", "bob@example.com"])
        try test.server.deleteMailbox(ofAccount: "alice@example.com")
        let records = try test.records().suffix(3).map(\.record)
        #expect(records.map(\.header.code) == [.deleteMailbox, .deleteMailbox, .commitTxn])
        #expect(Set(records.map(\.header.transaction)).count == 1)
        #expect(records[0].header == records[1].header && records[0].header.changeID == 3)
        #expect(Files.names(in: test.path.pushing("store/0")) == ["2"])
        let deleted = try test.server.database.read { try String.fetchAll($0, sql: "SELECT email FROM deleted_account") }
        #expect(deleted == ["alice@example.com"])
        let again = try test.server.openMailbox("alice@example.com")
        #expect(again.mailboxID == 3)
        #expect(try test.server.database.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM deleted_account") } == 0)
        try test.server.renameAccount("bob@example.com", to: "robert@example.com")
        guard case (_, .renameMailbox(let renamed)) = try last(test) else { Issue.record("no rename"); return }
        #expect(renamed.newName == "robert@example.com" && renamed.oldName == nil)
        #expect(try test.server.openMailbox("bob@example.com").mailboxID == bob.mailboxID)
        #expect(try test.server.mailboxes().first { $0.id == 2 }?.comment == "robert@example.com")
        try test.server.deleteAccount("robert@example.com")
        #expect(try test.server.accounts().map(\.name) == ["alice@example.com"])
        try verify(test, again)
    }

    @Test("What is refused leaves no row, no file and no record")
    func refusals() throws {
        let test = try TestServer()
        let alice = try test.mailbox()
        try test.server.deliver(mail(), to: ["alice@example.com"])
        let folder = try alice.createFolder(named: "One")
        let inner = try alice.createFolder(named: "Inner", in: folder)
        let rows = try alice.items()
        let count = try test.records().count
        let refused: [() throws -> Void] = [
            { try alice.renameFolder(2, to: "x") }, { try alice.moveFolder(folder, to: inner) }, { try alice.createFolder(named: "one") },
            { try alice.createFolder(named: "a/b") }, { try alice.createFolder(named: "") }, { try alice.move([999], to: 2) },
            { try alice.move([257], to: 999) }, { try alice.move([folder], to: 2) }, { try alice.copy([257, 999], to: folder) },
            { try alice.addMessage(mail(), folder: 999) }, { try alice.addMessage(mail(), tags: ["a:b"]) }, { try alice.deleteFolder(2) },
            { try alice.deleteFolder(999) }, { try alice.delete([folder]) }, { try alice.deleteTag(5) },
            { try test.server.deliver(mail(), to: ["alice@example.com", "nobody@example.com"]) },
            { _ = try test.server.createAccount(name: "alice@example.com") }, { try alice.alterTag("", add: true, of: [257]) },
        ]
        for (place, body) in refused.enumerated() {
            #expect(throws: SandboxError.self, "refusal \(place)") { try body() }
        }
        #expect(try alice.items() == rows)
        #expect(try test.records().count == count)
        try verify(test, alice)
    }
}
