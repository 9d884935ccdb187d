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
        #expect(restored.message == NewMessage(
            folderID: 2, date: 1_393_582_510, flags: [.flagged, .answered, .unread], tags: ["red"], size: 3_000_000))
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
        #expect(order.suffix(3) == ["addMessage", "grant", "grant"])
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
        #expect(report.destination.attributes == ["displayName": ["Then"], "zimbraPrefLocale": ["it"], "zimbraCOSId": ["cos"]])
    }

    @Test("A password's hash travels on its own server only, and the new account can be hidden")
    func password() throws {
        let target = MemoryTarget()
        let bench = try RestoringBench(attributes: ["userPassword": ["{SSHA}x"]], serverID: target.identity.id)
        var restore = RestoreOnNewAccount(source: bench.account, destination: RestoringBench.destination, moment: .last)
        restore.hidesInGAL = true
        let report = try restore.run(from: bench.store, to: target, stateFolder: bench.stateFolder)
        #expect(report.destination.attributes == ["userPassword": ["{SSHA}x"], "zimbraHideInGal": ["TRUE"]])
    }

    @Test("What this version does not restore is counted, never left out in silence; conversations the server makes itself")
    func otherTypes() throws {
        let bench = try RestoringBench()
        let others = [ItemType.contact, .appointment, .task, .document, .searchFolder, .mountpoint, .conversation].enumerated().map {
            var row = ItemRow(id: 600 + Int64($0.offset), type: $0.element)
            row.folderID = 2
            row.name = "x"
            return ItemState(row: row)
        }
        try bench.commit(others)
        let report = try bench.restore(to: MemoryTarget())
        #expect(report.asked == 6 && report.addsUp)
        #expect(Set(report.unrestored.map(\.reason)) == [.notYet])
        #expect(!report.unrestored.contains { $0.id == 606 })
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
