import BackupCore
import RedoLog
import Testing

@testable import SandboxServer

@Suite("Paths, links and repairs of calendars")
struct PathAndCalendarTests {
    private func last(_ test: TestServer) throws -> RedoLog.Operation {
        try #require(try test.records().map(\.record).last { $0.role == .start }).operation
    }

    private func verify(_ test: TestServer, _ mailbox: SandboxMailbox) throws {
        try checkConsistency(of: mailbox)
        try compare(try #require(try derive(test)[mailbox.mailboxID]), with: mailbox)
    }

    @Test("A rename along a path makes the folders that are missing, and names all of them")
    func renamePath() throws {
        let test = try TestServer()
        let alice = try test.mailbox()
        let old = try alice.createFolder(named: "Old")
        let known = try alice.createFolder(named: "Known")
        try alice.addMessage(mail(), folder: old)
        try alice.renameFolder(old, toPath: "/Known/Made/New")
        let made = try #require(try alice.folder(at: "/known/made"))
        #expect(try alice.path(ofFolder: old) == "/Known/Made/New" && alice.items(inFolder: old).count == 1)
        guard case .renameItemPath(let logged) = try last(test) else { Issue.record("no rename"); return }
        #expect(logged.path == "/Known/Made/New" && logged.itemID == Int32(old) && logged.itemType == 1)
        #expect(logged.parents.map(\.id) == [Int32(known), Int32(made)])
        #expect(try logged.parents.map { $0.uuid?.string } == [alice.item(known)?.uuid, alice.item(made)?.uuid])
        try alice.renameFolder(old, toPath: "/Top")
        #expect(try alice.path(ofFolder: old) == "/Top")
        for path in ["/", "/Known", "/Top/Deeper", "/No:name"] {
            let change = try alice.lastChange()
            #expect(throws: SandboxError.self) { try alice.renameFolder(old, toPath: path) }
            #expect(try alice.lastChange() == change, "a refused operation leaves nothing")
        }
        try verify(test, alice)
    }

    @Test("A link names the document of another account, in its row and in the log")
    func link() throws {
        let test = try TestServer()
        let alice = try test.mailbox()
        let bob = try test.mailbox("bob@example.com")
        let file = try bob.saveDocument(Array("text".utf8), named: "plan.txt")
        let link = try alice.createLink(named: "Bob's plan", ownerID: bob.accountID, remoteID: file)
        let row = try #require(try alice.item(link))
        #expect(row.type == .link && row.name == "Bob's plan" && row.folderID == FolderID.briefcase && row.uuid != nil)
        guard case .createLink(let logged) = try last(test) else { Issue.record("no link"); return }
        #expect(logged.itemID == Int32(link) && logged.ownerID?.string == bob.accountID && logged.remoteID == Int32(file))
        #expect(throws: SandboxError.self) { try alice.createLink(named: "bob's PLAN", ownerID: bob.accountID, remoteID: file) }
        try alice.alterFlag(.flagged, add: true, of: [link])
        try alice.move([link], to: FolderID.trash)
        try verify(test, alice)
    }

    @Test("Repairs of a calendar item change what is wrong, and leave no record where nothing is")
    func repairs() throws {
        let test = try TestServer()
        let alice = try test.mailbox()
        let start: Int64 = 1_795_600_800_000
        var new = NewAppointment(uid: "uid", summary: "Series", start: start, days: 3)
        new.priority = 0
        new.zone = "Old/Zone"
        let late = start + 3 * CalendarText.day
        new.exceptions = [.init(instance: start + 2 * CalendarText.day, start: late, summary: "Later")]
        let id = try alice.setAppointment(new)
        #expect(try alice.fixTimeZones(["Old/Zone": "Europe/Berlin"], of: id))
        guard case .fixCalendarItemTZ(let zones) = try last(test) else { Issue.record("no record"); return }
        #expect(zones.replacements.map { $0.tzid?.string } == ["Old/Zone"])
        #expect(zones.replacements.map { $0.timezone?.string } == ["d4:tzid13:Europe/Berlin1:vi10ee"])
        #expect(try alice.fixEndTime(of: id))
        guard case .fixCalendarItemEndTime = try last(test) else { Issue.record("no record"); return }
        #expect(try alice.fixPriority(of: id))
        guard case .fixCalendarItemPriority = try last(test) else { Issue.record("no record"); return }
        let metadata = try #require(try alice.item(id)).map
        #expect(metadata.integer("ape") == late + 3_600_000)
        #expect(metadata.invitations.count == 2 && metadata.invitations.allSatisfy { $0["prio"] == nil })
        let maps = metadata.invitations + [metadata]
        #expect(maps.allSatisfy { $0.dictionary("tzm")?.dictionary("#0")?.string("tzid") == "Europe/Berlin" })
        let ends = try test.server.database.read { try AppointmentTable.appointments.span(of: id, mailbox: alice.mailboxID, in: $0)?.end }
        #expect(ends == CalendarText.column(late + 3_600_000))
        let change = try alice.lastChange()
        #expect(try !alice.fixTimeZones(["Old/Zone": "Europe/Berlin"], of: id) && !alice.fixEndTime(of: id) && !alice.fixPriority(of: id))
        #expect(try alice.lastChange() == change)
        try verify(test, alice)
    }

    @Test("An invitation by mail makes a calendar item, which its record names; a new version and a cancellation change it unnamed")
    func mailedInvitation() throws {
        let test = try TestServer()
        let alice = try test.mailbox()
        var new = NewAppointment(uid: "mailed", summary: "Planning", start: 1_795_600_800_000, attendees: ["alice@example.com"])
        func deliver(cancelling: Bool = false) throws -> (ItemRow, CreateMessage) {
            let id = try test.server.deliver(
                new.invitation(from: "bob@example.org", cancelling: cancelling), to: ["alice@example.com"])[0].itemID
            guard case .createMessage(let logged) = try last(test) else { throw SandboxError(.refused, doing: "", reason: "no message") }
            return (try #require(try alice.item(id)), logged)
        }
        let (message, logged) = try deliver()
        let item = try #require(try alice.item(Int64(logged.calendarItemID)))
        #expect(logged.folderID == 10 && logged.calendarPartStat == "NE" && !logged.noICal, "the folder is the calendar's")
        #expect(message.folderID == FolderID.inbox && message.flags.contains(.invite))
        #expect(message.map.list("ais")?.count == 1)
        #expect(item.type == .appointment && item.folderID == 10 && item.subject == "Planning" && item.map.string("u") == "mailed")
        let invitation = try #require(item.map.invitations.first)
        #expect(invitation.string("ptst") == "NE" && invitation.string("isOrg") == "false")
        #expect(invitation.dictionary("org")?.string("a") == "bob@example.org")

        new.summary = "Planning, later"
        let (_, second) = try deliver()
        #expect(second.calendarItemID == 0 && second.folderID == 2)
        #expect(try alice.item(item.id)?.subject == "Planning, later")
        let (_, third) = try deliver(cancelling: true)
        #expect(third.calendarItemID == 0)
        #expect(try alice.item(item.id)?.map.invitations.first?.string("status") == "CANC")
        #expect(try alice.items().filter { $0.type == .appointment }.count == 1)
        try verify(test, alice)
        // By IMAP it is mail and nothing else.
        new.uid = "other"
        try alice.addMessage(new.invitation(from: "bob@example.org"))
        #expect(try alice.items().filter { $0.type == .appointment }.count == 1)
    }

    @Test("The time of a calendar text is the one that was written", arguments: [0, 951_782_400_000, 1_795_600_800_000, 4_107_542_399_000])
    func times(milliseconds: Int64) {
        #expect(CalendarText.milliseconds(CalendarText.utc(milliseconds)) == milliseconds)
        #expect(CalendarText.milliseconds("20261124") == nil)
    }
}
