import BackupCore
import BackupStore
import Foundation
import Testing

@Suite("What a restore carries over")
struct RestoringContentTests {
    @Test("Folders come before what they hold, whatever their ids")
    func folders() throws {
        let bench = try RestoringBench()
        // 401 was made first and moved below 402 later: the child's id is the smaller one.
        try bench.commit(bench.folder(401, "Child", in: 402), bench.folder(402, "Parent"), try bench.message(300, in: 401))
        let target = MemoryTarget()
        let report = try bench.restore(to: target)
        #expect(target.folderPaths == ["/Parent", "/Parent/Child"])
        #expect(target.mail == ["/Parent/Child": ["message 300"]])
        #expect(report.restored == 3 && report.addsUp)
    }

    @Test("Flags, unread, tags, date and every byte travel")
    func message() throws {
        let bench = try RestoringBench()
        let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }  // Larger than what is held in memory.
        try bench.commit(
            try bench.message(300, in: 2, bytes: bytes, date: 1_393_582_510, flags: [.flagged, .answered], unread: true, tags: ["red"]))
        let target = MemoryTarget()
        let report = try bench.restore(to: target)
        let restored = try #require(target.state.messages.first)
        #expect(restored.bytes == bytes)
        #expect(restored.row.folderID == 2 && restored.row.date == 1_393_582_510 && restored.row.unread == 1)
        #expect(restored.row.flags == [.flagged, .answered] && restored.row.tags == ["red"])
        #expect(report.bytes == 3_000_000)
    }

    @Test("Tags come with their colours; names that only items carry are left to the items")
    func tags() throws {
        let bench = try RestoringBench()
        try bench.commit(
            ItemState(tag: TagRow(id: 500, name: "red", color: 5)), ItemState(tag: TagRow(id: 501, name: "implicit", listed: false)))
        let target = MemoryTarget()
        let report = try bench.restore(to: target)
        #expect(target.state.tags.map(\.name) == ["red"])
        #expect(target.state.tags.map(\.color) == [5])
        #expect(report.asked == 1 && report.restored == 1)
    }

    @Test("Grants come last, with their own expiry or the list's")
    func grants() throws {
        let bench = try RestoringBench()
        var acl = MetadataDictionary()
        try acl = MetadataDictionary(parsing: "d4:aclmd1:gld1:g36:474b7021-cef6-469d-b5fb-54c96117efd11:ri1e1:ti1eed1:ai5e1:ei9e1:g3:x@y1:ri3e1:ti7eee2:gei7e2:iei8ee1:vi10ee".replacingOccurrences(of: "1:ai5e", with: "1:a2:pw"))
        try bench.commit(bench.folder(400, "Shared", metadata: acl.text()), try bench.message(300, in: 400))
        let target = MemoryTarget()
        var order: [String] = []
        target.written = { _, name in order.append(name) }
        let report = try bench.restore(to: target)
        #expect(report.grants == 2 && report.isComplete)
        #expect(order.suffix(4) == ["addItem", "grant", "grant", "modifyAccount displayName"])
        #expect(target.state.grants.map(\.grant) == [
            Grant(granteeType: 1, grantee: "474b7021-cef6-469d-b5fb-54c96117efd1", rights: 1, expiry: 8),
            Grant(granteeType: 7, grantee: "x@y", rights: 3, secret: "pw", expiry: 9),
        ])
    }

    @Test("A refused grant is counted, and the restore is not complete")
    func refusedGrant() throws {
        let bench = try RestoringBench()
        try bench.commit(bench.folder(400, "Shared", metadata: "d4:aclmd1:gld1:g1:x1:ri1e1:ti1eee2:gei0e2:iei0ee1:vi10ee"))
        let target = MemoryTarget()
        target.fault = { _, name in name == "grant" ? .refused : nil }
        let report = try bench.restore(to: target)
        #expect(report.refusedGrants == 1 && !report.isComplete && report.addsUp)
    }

    @Test("The attributes that make sense on another account travel, as they were at that moment")
    func attributes() throws {
        let bench = try RestoringBench(attributes: [
            "displayName": ["Then"], "zimbraId": ["x"], "mail": ["ann@example.com"], "zimbraPrefLocale": ["it"], "userPassword": ["{SSHA}x"],
            "zimbraMailAlias": ["a@example.com", "b@example.com"], "zimbraCOSId": ["cos"],
        ])
        let then = bench.second
        try bench.commit(try bench.message(300))
        try bench.describe(attributes: ["displayName": ["Now"]])
        let target = MemoryTarget()
        let report = try bench.restore(.second(then), to: target)
        #expect(target.restored?.attributes == ["displayName": ["Then"], "zimbraPrefLocale": ["it"]])
        #expect(report.settings == 2 && report.isComplete)
        #expect(report.unrestoredSettings.map(\.name) == ["userPassword", "zimbraCOSId", "zimbraMailAlias"])
    }

    @Test("A password's hash travels on its own server only, and the new account can be hidden")
    func password() throws {
        let target = MemoryTarget()
        let bench = try RestoringBench(attributes: ["userPassword": ["{SSHA}x"]], serverID: target.identity.id)
        var restore = RestoreOnNewAccount(source: bench.account, destination: RestoringBench.destination, moment: .last)
        restore.hidesInGAL = true
        let report = try restore.run(from: bench.store, to: target, stateFolder: bench.stateFolder)
        #expect(report.destination.attributes == ["zimbraHideInGal": ["TRUE"]], "hidden from the beginning")
        #expect(target.restored?.attributes == ["userPassword": ["{SSHA}x"], "zimbraHideInGal": ["TRUE"]])
    }

    @Test("Items of all types come with their rows: contacts, calendar items, notes, links, and what has no name here")
    func otherTypes() throws {
        let bench = try RestoringBench()
        let types: [ItemType] = [.contact, .appointment, .task, .note, .link, .conversation, ItemType(rawValue: 77)]
        let others = types.enumerated().map {
            var row = ItemRow(id: 600 + Int64($0.offset), type: $0.element)
            row.folderID = 2
            row.name = "x"
            row.subject = "subject"
            row.sender = "sort form"
            row.date = 77
            row.flags = .flagged
            row.metadata = "d1:ci3e3:key5:value1:vi10ee"
            return ItemState(row: row)
        }
        try bench.commit(others)
        let target = MemoryTarget()
        let report = try bench.restore(to: target)
        #expect(report.asked == 7 && report.isComplete && report.addsUp)
        #expect(Set(target.state.messages.map(\.row.type)) == Set(types))
        #expect(Set(target.state.messages.map(\.row.metadata)) == ["d1:ci3e3:key5:value1:vi10ee"])
        #expect(target.state.messages.allSatisfy { $0.row.sender == "sort form" && $0.row.date == 77 && $0.row.flags == .flagged })
    }

    @Test("Search folders and mountpoints come back; mountpoints after the items")
    func foldersOfOtherKinds() throws {
        let bench = try RestoringBench()
        var search = bench.folder(400, "Unread", metadata: "d1:q9:is:unread1:vi10ee")
        search.row.type = .searchFolder
        var mount = bench.folder(401, "Bob's", metadata: "d3:aid3:bob2:idi2e1:vi10ee")
        mount.row.type = .mountpoint
        try bench.commit(search, mount, try bench.message(500))
        let target = MemoryTarget()
        var order: [String] = []
        target.written = { _, name in order.append(name) }
        let report = try bench.restore(to: target)
        #expect(order.suffix(4).dropLast() == ["addFolder Unread", "addItem", "addFolder Bob's"])
        #expect(target.state.folders.values.filter { $0.id > 256 }.map(\.metadata).contains("d3:aid3:bob2:idi2e1:vi10ee"))
        #expect(report.isComplete && report.addsUp)
    }

    @Test("A document comes with its versions, its comments and its grants; a version that is lost is told of")
    func document() throws {
        let bench = try RestoringBench()
        var document = try bench.message(300, "third")
        document.row.type = .document
        document.row.name = "plan.txt"
        document.row.metadata = "d4:aclmd1:gld1:g1:x1:ri1e1:ti1eee2:gei0e2:iei0ee1:vi10ee"
        document.revisions = try ["first", "second"].enumerated().map { place, text in
            .init(row: RevisionRow(itemID: 300, version: Int64(place) + 1), blob: try bench.store.stageBlob(Array(text.utf8)))
        }
        document.revisions.append(.init(row: RevisionRow(itemID: 300, version: 3), blob: nil))
        var comment = ItemRow(id: 301, type: .comment)
        comment.folderID = 2
        comment.parentID = 300
        try bench.commit(document, ItemState(row: comment))
        let target = MemoryTarget()
        let report = try bench.restore(to: target)
        let restored = try #require(target.state.messages.first { $0.row.type == .document })
        #expect(restored.bytes == Array("third".utf8) && restored.revisions == [Array("first".utf8), Array("second".utf8), []])
        #expect(restored.row.metadata == "d1:vi10ee")
        #expect(target.state.grants.map(\.item) == [restored.id])
        #expect(target.state.messages.first { $0.row.type == .comment }?.row.parentID == restored.id)
        #expect(report.warnings.count == 1 && report.isComplete && report.addsUp)
    }

    @Test("Messages stay in their conversations, whatever the order of ids")
    func conversations() throws {
        let bench = try RestoringBench()
        var conversation = ItemRow(id: 310, type: .conversation)
        conversation.folderID = 9
        conversation.size = 2
        var (first, second) = (try bench.message(300), try bench.message(320))
        first.row.parentID = 310
        second.row.parentID = 310
        var lost = try bench.message(330)
        lost.row.parentID = 999
        try bench.commit(first, second, lost, ItemState(row: conversation))
        let target = MemoryTarget()
        _ = try bench.restore(to: target)
        let id = try #require(target.state.messages.first { $0.row.type == .conversation }?.id)
        let messages = target.state.messages.filter { $0.row.type == .message }
        #expect(messages.map(\.row.parentID) == [id, id, nil])
    }

    @Test("Items come in the order of their IMAP ids")
    func imapOrder() throws {
        let bench = try RestoringBench()
        let imapIDs: [Int64: Int64] = [300: 350, 310: 310, 320: 340, 330: 330, 345: 345, 360: 0]
        try bench.commit(
            try imapIDs.sorted { $0.key < $1.key }.map { id, imapID in
                var state = try bench.message(id)
                state.row.imapID = imapID
                return state
            })
        let target = MemoryTarget()
        let report = try bench.restore(to: target)
        #expect(target.state.messages.map { String(decoding: $0.bytes, as: UTF8.self) } == [310, 330, 320, 345, 300, 360].map { "message \($0)" })
        #expect(report.isComplete && report.addsUp && report.asked == 6)
    }

    @Test("Ids inside the metadata become the target's: groups, drafts, invitations, calendar groups and searches")
    func references() throws {
        let bench = try RestoringBench()
        var group = ItemRow(id: 300, type: .contact)
        group.folderID = 2
        let members = "d1:mld1:t1:C1:v3:320ed1:t1:C1:v40:\(bench.account):320ed1:t1:C1:v3:999ed1:t1:I1:v3:x@yee1:vi10ee"
        var fields = MetadataDictionary()
        fields["groupMember"] = .string(members)
        var map = MetadataDictionary()
        map["fld"] = .dictionary(fields)
        group.metadata = map.text()
        var member = ItemRow(id: 320, type: .contact)
        member.folderID = 2
        var appointment = ItemRow(id: 330, type: .appointment)
        appointment.folderID = 2
        var invitation = try bench.message(310)
        invitation.row.metadata = "d3:aisld1:ai330e1:ci0eed1:ai0eee1:dd2:doi310e2:dt1:re1:vi10ee"
        var search = bench.folder(400, "Search", metadata: "d1:q29:(inid:401 OR underid:\"2\") foo1:vi10ee")
        search.row.type = .searchFolder
        try bench.commit(
            ItemState(row: group), ItemState(row: member), ItemState(row: appointment), invitation, search, bench.folder(401, "Found"))
        let target = MemoryTarget()
        let report = try bench.restore(to: target)
        #expect(report.isComplete && report.addsUp)
        func restored(_ type: ItemType) -> [ItemRow] { target.state.messages.map(\.row).filter { $0.type == type } }
        let contact = try #require(restored(.contact).first { $0.metadata == nil })
        let calendar = try #require(restored(.appointment).first)
        let message = try #require(restored(.message).first)
        let metadata = try MetadataDictionary(parsing: message.metadata)
        #expect(metadata == (try MetadataDictionary(parsing: "d3:aisld1:ai\(calendar.id)e1:ci0eed1:ai0eee1:dd2:doi\(message.id)e2:dt1:re1:vi10ee")))
        let text = try MetadataDictionary(parsing: restored(.contact).first { $0.metadata != nil }?.metadata).dictionary("fld")?.string("groupMember")
        let values = try MetadataDictionary(parsing: text).list("m")?.compactMap { if case .dictionary(let map) = $0 { map.string("v") } else { nil } }
        #expect(values == ["\(contact.id)", "\(contact.id)", "\(bench.account):999", "x@y"])
        let folder = try #require(target.state.folders.values.first { $0.name == "Found" })
        let query = try MetadataDictionary(parsing: target.state.folders.values.first { $0.name == "Search" }?.metadata).string("q")
        #expect(query == "(inid:\(folder.id) OR underid:2) foo")
    }

    @Test("A folder whose parent is not in the backup, and a message whose folder is not, are placed where the report says")
    func orphans() throws {
        let bench = try RestoringBench()
        try bench.commit(bench.folder(400, "Orphan", in: 999), try bench.message(300, in: 888), try bench.message(301, in: 400))
        let target = MemoryTarget()
        let report = try bench.restore(to: target)
        #expect(target.mail == ["/Inbox": ["message 300"], "/Orphan": ["message 301"]])
        #expect(report.warnings.count == 2 && report.addsUp)
    }

    @Test("Folders whose parents form a circle are named, and the rest is restored")
    func circle() throws {
        let bench = try RestoringBench()
        try bench.commit(bench.folder(400, "A", in: 401), bench.folder(401, "B", in: 400), try bench.message(300))
        let target = MemoryTarget()
        let report = try bench.restore(to: target)
        #expect(target.mail == ["/Inbox": ["message 300"]])
        #expect(Set(report.unrestored.map(\.id)) == [400, 401] && report.addsUp)
    }

    @Test("R15: what the account needs a scan for is in the report")
    func marks() throws {
        let bench = try RestoringBench()
        try bench.store.append(
            StoreTransaction(account: bench.account, time: 1_000_600, marks: [Mark(reason: "a gap in the log", candidates: [300], time: 1)]))
        try bench.store.commit()
        let report = try bench.restore(to: MemoryTarget())
        #expect(report.selection.marks.map(\.reason) == ["a gap in the log"])
    }
}
