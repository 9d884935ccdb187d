import BackupStore
import RedoLog
import SandboxServer
import Testing

@testable import BackupCore

/// Each family of operations beside mail: following the sandbox's log gives the sandbox's own tables.
@Suite("The backup engine on a sandbox server: every kind of item")
struct WidenedOperationTests {
    private func follow(
        attributes: [String: [String]] = [:], _ body: (Bench, SandboxMailbox) throws -> Void
    ) throws -> FollowStatistics {
        let bench = try Bench()
        defer { bench.remove() }
        if !attributes.isEmpty { try bench.server.modifyAccount(bench.alice.accountID, attributes: attributes) }
        try bench.backUp()
        try body(bench, bench.alice)
        let statistics = try bench.backUp()
        let differences = try bench.differences()
        #expect(differences == [])
        return statistics
    }

    @Test("Contacts, groups and photos, changed, moved, tagged, copied and deleted", arguments: [false, true])
    func contacts(tracksImap: Bool) throws {
        let statistics = try follow { _, alice in
            if tracksImap { try alice.trackImap() }
            let book = try alice.createFolder(named: "Suppliers", view: .contact)
            let bob = try alice.createContact(["firstName": "Bob", "lastName": "Müller", "email": "bob@x.org"], tags: ["Work"])
            let photo = ContactAttachment(name: "bob.png", contentType: "image/png", bytes: Array("no real picture".utf8))
            let carla = try alice.createContact(["fileAs": "8:Carla C.", "email": "c@x.org"], folder: book, attachments: [photo])
            let group = try alice.createContactGroup(named: "All of them", members: ["C:\(bob)", "C:\(carla)", "I:dora@x.org"])
            try alice.modifyContact(bob, ["firstName": "Robert", "company": "日本 GmbH 😀"])
            try alice.modifyContact(bob, ["firstName": "Robert"], attachments: [photo])
            try alice.modifyContact(carla, ["email": "carla@x.org"])
            try alice.move([bob, group], to: book)
            try alice.alterTag("Work", add: true, of: [carla])
            try alice.alterFlag(.flagged, add: true, of: [bob])
            try alice.setColor(4, of: [bob], type: .contact)
            let copies = try alice.copy([bob, carla], to: 7)
            try alice.modifyContact(bob, ["firstName": "Rob"])
            try alice.delete([copies[1]])
        }
        #expect(statistics.unapplied == [:])
    }

    @Test("A path is split where the server splits it: a name may begin with a mark that combines with the slash before it")
    func combiningMarks() throws {
        let statistics = try follow { _, alice in
            let last = try alice.createFolderPath("/A/\u{319}b/\u{301}c")
            #expect(try alice.item(last)?.name == "\u{301}c" && alice.items().contains { $0.name == "\u{319}b" })
            try alice.renameFolder(last, toPath: "/A/\u{319}b/\u{301}d/e")
            #expect(try alice.item(last)?.name == "e")
            #expect(try alice.items().contains { $0.name == "\u{301}d" })
        }
        #expect(statistics.unapplied == [:])
    }

    @Test("Documents with revisions, locks and comments", arguments: [false, true])
    func documents(tracksImap: Bool) throws {
        let statistics = try follow { _, alice in
            if tracksImap { try alice.trackImap() }
            let shelf = try alice.createFolder(named: "Plans", view: .document)
            let plan = try alice.saveDocument(Array("one".utf8), named: "plan.txt", description: "first")
            try alice.addRevision(Array("two".utf8), to: plan, description: "second")
            try alice.addRevision(Array("three, longer".utf8), to: plan, type: "text/html")
            try alice.comment("Nice – 😀", on: plan)
            let other = try alice.saveDocument([0, 1, 2, 255], named: "raw.bin", folder: shelf, type: "application/octet-stream")
            try alice.comment("What is it?", on: other)
            try alice.lock(plan)
            try alice.unlock(plan)
            try alice.renameDocument(plan, to: "plan, final.txt")
            try alice.move([plan], to: shelf)
            try alice.copy([plan], to: 16)
            try alice.purgeRevision(1, of: plan)
            try alice.addRevision(Array("four".utf8), to: plan)
            try alice.purgeRevision(3, of: plan, includeOlder: true)
            try alice.delete([other])
        }
        #expect(statistics.unapplied == [:])
    }

    @Test("Notes and chats")
    func notesAndChats() throws {
        let statistics = try follow { _, alice in
            let note = try alice.createNote("Buy milk", color: 6)
            try alice.editNote(note, "Buy more milk")
            try alice.repositionNote(note, (5, 6, 70, 80))
            try alice.repositionNote(note, (5, 6, 70, 80))
            let chat = try alice.createChat(message("a chat"), tags: ["talk"])
            try alice.updateChat(chat, message("a longer chat", from: "dora@example.com"))
            try alice.markRead([chat], read: false)
            try alice.delete([try alice.createNote("gone")])
        }
        #expect(statistics.unapplied == [:])
    }

    @Test("Appointments, series with exceptions, tasks, answers and alarms")
    func calendar() throws {
        let now = SandboxServer.wallClock() / 1000 * 1000
        let statistics = try follow { _, alice in
            var meeting = NewAppointment(uid: "one", summary: "Kick-off", start: now + 3_600_000, attendees: ["bob@example.com"], alarm: 10)
            let one = try alice.setAppointment(meeting, tags: ["Work"])
            meeting.summary = "Kick-off, later"
            meeting.start += 7_200_000
            #expect(try alice.setAppointment(meeting, flags: [.flagged], tags: ["Work", "New"]) == one)
            try alice.answer("TE", appointment: one)
            try alice.replyArrived(uid: "one", from: "bob@example.com", status: "DE")
            try alice.replyArrived(uid: "unknown", from: "bob@example.com", status: "AC")
            let series = NewAppointment(
                uid: "two", summary: "Daily", start: now + 86_400_000, duration: 900, days: 5, alarm: 5,
                exceptions: [
                    .init(instance: now + 2 * 86_400_000, start: now + 2 * 86_400_000 + 600_000, summary: "Daily, ten minutes later"),
                    .init(instance: now + 3 * 86_400_000, start: nil, summary: "No daily"),
                ])
            let two = try alice.setAppointment(series)
            try alice.snoozeAlarm(of: two, until: now + 80_000_000)
            try alice.dismissAlarm(of: two)
            let task = try alice.setAppointment(NewAppointment(uid: "three", summary: "Taxes", start: now, isTask: true))
            let added = try alice.addInvitation(NewAppointment(uid: "four", summary: "Added", start: now + 1000))
            try alice.alterTag("Work", add: true, of: [added])
            try alice.addInvitation(NewAppointment(uid: "four", summary: "Added again", start: now + 2000))
            let folder = try alice.createFolder(named: "Private", view: .appointment)
            try alice.move([one], to: folder)
            try alice.delete([task])
        }
        #expect(statistics.unapplied == [:])
    }

    @Test("Search folders, mountpoints and the settings of folders")
    func containers() throws {
        let statistics = try follow { bench, alice in
            let search = try alice.createSearch(named: "Unread", query: "is:unread", color: 3)
            try alice.modifySearch(search, query: "is:unread in:inbox", types: "message,chat", sort: "nameAsc")
            try alice.renameFolder(search, to: "Unread mail")
            let mount = try alice.createMountpoint(
                NewMountpoint(name: "Bob's", ownerID: bench.bob.accountID, remoteID: 10, view: .appointment))
            try alice.enableReminders(true, ofMountpoint: mount)
            try alice.refreshMountpoint(mount, ownerID: bench.bob.accountID, remoteID: 2)
            try alice.moveFolder(mount, to: try alice.createFolder(named: "Mounted"))
            let feed = try alice.createFolder(named: "Feed")
            try alice.setURL("https://example.com/feed", ofFolder: feed)
            try alice.setSubscription(date: 1_700_000_000_000, guid: "guid-1", ofFolder: feed)
            try alice.setDefaultView(.contact, ofFolder: feed)
            try alice.setDefaultView(.contact, ofFolder: feed)
            try alice.setOfflineDays(30, ofFolder: feed)
            try alice.disableActiveSync(true, ofFolder: feed)
            try alice.setRetention(keep: ["30d"], purge: ["365d"], of: feed)
            try alice.setRetention(keep: [], purge: ["7d"], of: try alice.createTag(name: "Soon gone", color: 2))
            try alice.setFolderFlag(.subscribed, on: true, folder: feed)
            try alice.deleteFolder(search)
            try alice.deleteFolder(mount)
        }
        #expect(statistics.unapplied == [:])
    }

    @Test("Grants given, changed, taken away, replaced and run out")
    func grants() throws {
        let statistics = try follow { bench, alice in
            let folder = try alice.createFolder(named: "Shared")
            try alice.grant(Grant(granteeType: 1, grantee: bench.bob.accountID, rights: 1), onFolder: folder)
            try alice.grant(Grant(granteeType: 1, grantee: bench.bob.accountID, rights: 0x1F), onFolder: folder)
            try alice.grant(Grant(granteeType: 7, grantee: "g@example.net", rights: 1, secret: "guest"), onFolder: folder)
            try alice.grant(Grant(granteeType: 6, grantee: nil, rights: 1), onFolder: folder)
            try alice.revoke("g@example.net", onFolder: folder)
            try alice.setPermissions(
                [Grant(granteeType: 8, grantee: "key", rights: 1, secret: "0011"), Grant(granteeType: 1, grantee: bench.bob.accountID, rights: 5)],
                onFolder: try alice.createFolder(named: "Also shared"))
            var short = Grant(granteeType: 7, grantee: "h@example.net", rights: 1, secret: "guest")
            short.expiry = 1_000_000
            try alice.grant(short, onFolder: folder)
            #expect(try alice.expireGrants() == 1)
        }
        #expect(statistics.unapplied == [:])
    }

    @Test("Dates, custom data, POP3 and IMAP ids, tags and colours of all types")
    func attributes() throws {
        let statistics = try follow { bench, alice in
            let ids = try (0..<4).map { try bench.server.deliver(message("m\($0)"), to: ["alice@example.com"])[0].itemID }
            try alice.setDate(1_600_000_000_500, of: ids[0])
            try alice.setCustomData("zwc", ["a": "1", "ä": "日本"], of: ids[1])
            try alice.setCustomData("zwc", [:], of: ids[1])
            try alice.setCustomData("other", ["k": "v"], of: ids[2])
            try alice.setPop3UID("uid-17", of: ids[3])
            try alice.trackImap()
            try alice.move([ids[0], ids[1]], to: 5)
            try alice.renumber([ids[0], ids[1]])
            let tag = try alice.createTag(name: "Red", color: 5)
            try alice.alterTag("Red", add: true, of: ids)
            try alice.renameTag(tag, to: "Rot")
            try alice.setColor(2, of: [tag], type: .tag)
            try alice.setColor(0x01_00FF00, of: [ids[0]], type: .message)
            try alice.deleteTag(tag)
            try alice.imapCopy([ids[2]], to: 5)
        }
        #expect(statistics.unapplied == [:])
    }

    @Test("What was deleted into the dumpster comes back from it, of every type")
    func dumpster() throws {
        let statistics = try follow(attributes: ["zimbraDumpsterEnabled": ["TRUE"]]) { bench, alice in
            let mail = try bench.server.deliver(message("back again"), to: ["alice@example.com"])[0].itemID
            let contact = try alice.createContact(["email": "x@x.org"], tags: ["Work"])
            let document = try alice.saveDocument(Array("one".utf8), named: "a.txt")
            try alice.addRevision(Array("two".utf8), to: document)
            let appointment = try alice.setAppointment(NewAppointment(uid: "u", summary: "Lunch", start: 1_800_000_000_000))
            let chat = try alice.createChat(message("chat"))
            let gone = try alice.createContact(["email": "y@x.org"])
            try alice.delete([mail, contact, document, appointment, chat, gone])
            #expect(try alice.dumpster().count == 6)
            try alice.recover([mail, contact, appointment], to: 2)
            try alice.recover([document, chat], to: 16)
            try alice.deleteFromDumpster([gone])
            #expect(try alice.dumpster() == [])
        }
        #expect(statistics.unapplied == [:])
    }

    @Test("Accounts renamed, deleted and made again")
    func accounts() throws {
        let statistics = try follow { bench, alice in
            _ = try bench.server.deliver(message("for both"), to: ["alice@example.com", "bob@example.com"])
            try bench.server.renameAccount("alice@example.com", to: "alice.new@example.com")
            _ = try bench.server.deliver(message("new name"), to: ["alice.new@example.com"])
            try bench.server.deleteAccount("bob@example.com")
            _ = try bench.server.createAccount(name: "bob@example.com")
            _ = try bench.server.openMailbox("bob@example.com")
            _ = try bench.server.deliver(message("another bob"), to: ["bob@example.com", "alice@example.com"])
        }
        #expect(statistics.unapplied == [:])
    }

    @Test("An expunge presumes what went, and says so")
    func expunge() throws {
        _ = try follow { bench, alice in
            let ids = try (0..<4).map { try bench.server.deliver(message("m\($0)"), to: ["alice@example.com"])[0].itemID }
            try alice.alterFlag(.deleted, add: true, of: [ids[0], ids[2]])
            #expect(try alice.purgeImapDeleted() == 2)
        }
    }

    @Test("R15: what a purge by age can have taken stays, in doubt, and the account's mark names it")
    func purge() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.server.modifyAccount(
            bench.alice.accountID,
            attributes: ["zimbraMailTrashLifetime": ["30d"], "zimbraMailPurgeUseChangeDateForTrash": ["FALSE"]])
        try bench.backUp()
        let old = try bench.alice.addMessage(message("old"), folder: 3, date: 1_600_000_000_000)
        let answered = try bench.alice.addMessage(message("Re: old", body: "Yes."), folder: 3, date: 1_600_000_000_000)
        let conversation = try #require(try bench.alice.item(old)?.parentID)
        _ = try bench.alice.addMessage(message("new"), folder: 3)
        #expect(try bench.alice.purgeOldMessages() == 2)
        try bench.backUp()
        let gone = [conversation, old, answered].sorted()
        let tooMany = gone.map { "item \($0) of mailbox \(bench.alice.mailboxID) is too many" }
        #expect(try bench.differences().sorted() == tooMany.sorted())
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        let mark = try #require(try reader.marks(bench.alice.accountID).first { $0.reason.contains("purged by age") })
        #expect(mark.candidates.sorted() == gone)
        for id in gone {
            #expect(try reader.item(bench.alice.accountID, id).flatMap(ItemState.init(indexed:))?.mayBeGone == true)
        }
    }

    @Test("A purge when nothing is old enough marks nothing")
    func idlePurge() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.backUp()
        _ = try bench.alice.addMessage(message("new"), folder: 3)
        #expect(try bench.alice.purgeOldMessages() == 0)
        try bench.backUp()
        #expect(try bench.differences() == [])
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        #expect(try reader.marks(bench.alice.accountID).isEmpty)
    }

    @Test("A folder goes at once where a purge may have taken all that was in it")
    func purgedFolder() throws {
        _ = try follow { _, alice in
            let folder = try alice.createFolder(named: "old", in: 1)
            try alice.setRetention(keep: [], purge: ["1d"], of: folder)
            _ = try alice.addMessage(message("old"), folder: folder, date: 1_600_000_000_000)
            #expect(try alice.purgeOldMessages() == 1)
            try alice.deleteFolder(folder)
        }
    }

    @Test("A message recovered from the dumpster forgets its POP3 id, as a copy does")
    func recoveredPOP3UID() throws {
        _ = try follow(attributes: ["zimbraDumpsterEnabled": ["TRUE"]]) { bench, alice in
            let id = try bench.server.deliver(message("popped"), to: ["alice@example.com"])[0].itemID
            try alice.setPop3UID("pop 1", of: id)
            try alice.delete([id])
            let back = try #require(try alice.recover([id], to: 2).first)
            #expect(try MetadataDictionary(parsing: alice.item(back)?.metadata)["p3uid"] == nil)
        }
    }

    @Test("Sections of a mailbox's settings come, change and go")
    func sections() throws {
        let bench = try Bench()
        defer { bench.remove() }
        try bench.alice.setConfig("zwc:before", ["a": "b"])
        try bench.backUp()
        try bench.alice.setConfig("zwc:ö", ["ключ": "😀 é"])
        try bench.alice.setConfig("imap:1", ["x": "y"])
        try bench.alice.setConfig("imap:2", ["x": "z"])
        try bench.alice.setConfig("zwc:before", ["a": "c"])
        try bench.backUp()
        func kept() throws -> [String: String]? {
            let reader = try StoreReader(opening: bench.backupPath)
            defer { reader.close() }
            return try reader.state(of: .mailbox(bench.alice.accountID))
                .flatMap { MailboxLife(accountID: bench.alice.accountID, fields: $0.fields)?.sections }
        }
        #expect(try kept() == bench.alice.sections() && bench.alice.sections().count == 4)
        try bench.alice.deleteConfig(beginningWith: "imap:")
        try bench.alice.setConfig("zwc:before", [:])
        try bench.backUp()
        #expect(try kept() == bench.alice.sections() && bench.alice.sections().count == 1)
    }
}
