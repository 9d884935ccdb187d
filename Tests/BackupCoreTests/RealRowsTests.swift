import RedoLog
import Testing

@testable import BackupCore

/// What comparing recorded lives found: each is a row of a real server (`make conformance`).
@Suite("Operations leave the rows that real servers have")
struct RealRowsTests {
    private let mailbox = MemoryMailbox(life: MailboxLife(accountID: "a", mailboxID: 1, generation: 1))

    private func apply(_ operation: Operation) throws {
        var change = MailboxChange(view: mailbox, life: mailbox.life, time: 1_795_000_000_000, change: 10)
        try change.apply(operation)
        for state in change.states { mailbox.states[state.row.id] = state }
    }

    private func add(_ type: ItemType, _ id: Int64, metadata: String? = nil) {
        var row = ItemRow(id: id, type: type)
        row.folderID = 1
        row.imapID = id
        row.metadata = metadata
        row.modContent = 5
        row.date = 7
        mailbox.states[id] = ItemState(row: row)
    }

    private func grants(_ id: Int64) -> [Int64] { Grant.all(of: mailbox.states[id]!).map(\.granteeType) }

    @Test("The ids of everybody and of the public stand for grants without an id")
    func everybody() throws {
        add(.folder, 300)
        for (type, grantee) in [(Int8(1), "x"), (3, "00000000-0000-0000-0000-000000000000"), (6, "99999999-9999-9999-9999-999999999999")] {
            try apply(
                .grantAccess(
                    make(GrantAccess()) {
                        $0.itemID = 300
                        $0.grantee = LogText(grantee)
                        $0.granteeType = type
                        $0.rights = 1
                    }))
        }
        #expect(Grant.all(of: mailbox.states[300]!).map(\.grantee) == ["x", nil, nil])
        try apply(.revokeAccess(make(RevokeAccess()) { $0.itemID = 300; $0.grantee = "99999999-9999-9999-9999-999999999999" }))
        #expect(grants(300) == [1, 3])
        try apply(.revokeAccess(make(RevokeAccess()) { $0.itemID = 300; $0.grantee = "00000000-0000-0000-0000-000000000000" }))
        #expect(grants(300) == [1])
    }

    @Test("An empty list of grants leaves no list")
    func noGrants() throws {
        add(.folder, 300, metadata: "d4:aclmd1:gld1:g1:x1:ri1e1:ti1eee2:gei0e2:iei0ee1:vi10ee")
        try apply(.setPermissions(make(SetPermissions()) { $0.itemID = 300; $0.acl = "d1:gle2:gei0e2:iei0e1:vi10ee" }))
        #expect(mailbox.states[300]?.metadata["aclm"] == nil)
    }

    @Test("Another feed forgets the synchronisation of the old one; the same one does not")
    func feed() throws {
        add(.folder, 300, metadata: "d2:sdi5e2:sg4:guid3:url1:u1:vi10ee")
        try apply(.setFolderUrl(make(SetFolderUrl()) { $0.folderID = 300; $0.url = "u" }))
        #expect(mailbox.states[300]?.metadata.string("sg") == "guid")
        try apply(.setFolderUrl(make(SetFolderUrl()) { $0.folderID = 300; $0.url = "" }))
        #expect(mailbox.states[300]?.metadata.isEmpty == true)
    }

    @Test("Retention lists may be empty")
    func retention() throws {
        add(.folder, 300)
        try apply(.setRetentionPolicy(make(SetRetentionPolicy()) { $0.itemID = 300 }))
        #expect(mailbox.states[300]?.metadata.dictionary("rp")?.list("keep") == [])
    }

    @Test("A note has no IMAP id, keeps the number of its content, and its text is a column's")
    func note() throws {
        try apply(.createNote(make(CreateNote()) { $0.itemID = 300; $0.folderID = 1; $0.content = "tree 🌳" }))
        #expect(mailbox.states[300]?.row.imapID == nil)
        #expect(mailbox.states[300]?.row.subject == "tree ?")
        mailbox.states[300]?.row.modContent = 5
        try apply(.editNote(make(EditNote()) { $0.itemID = 300; $0.content = "two 🌳" }))
        #expect(mailbox.states[300]?.row.subject == "two ?")
        #expect(mailbox.states[300]?.row.modContent == 5 && mailbox.states[300]?.row.date == 1_795_000_000)
    }

    @Test("A comment's size is the length of its text")
    func comment() throws {
        try apply(.createComment(make(CreateComment()) { $0.itemID = 301; $0.parentID = 300; $0.text = "Brücke 🌳" }))
        #expect(mailbox.states[301]?.row.size == 9 && mailbox.states[301]?.row.subject == "Brücke ?")
    }

    @Test("The first grant on a folder makes the inherited ones its own; later ones do not")
    func inheritedGrants() throws {
        add(.folder, 300, metadata: "d4:aclmd1:gld1:g1:x1:ri1e1:ti1eee2:gei0e2:iei0ee1:vi10ee")
        add(.folder, 301)
        add(.folder, 302)
        mailbox.states[301]?.row.folderID = 300
        mailbox.states[302]?.row.folderID = 301
        func grant(_ grantee: LogText) throws {
            try apply(.grantAccess(make(GrantAccess()) { $0.itemID = 302; $0.grantee = grantee; $0.granteeType = 1; $0.rights = 1 }))
        }
        try grant("y")
        #expect(Grant.all(of: mailbox.states[302]!).map(\.grantee) == ["x", "y"])
        for grantee in ["x", "y"] { try apply(.revokeAccess(make(RevokeAccess()) { $0.itemID = 302; $0.grantee = LogText(grantee) })) }
        try grant("z")
        #expect(Grant.all(of: mailbox.states[302]!).map(\.grantee) == ["z"])
    }

    @Test("An IMAP copy has neither uuid nor former folders; a copy loses the POP id, as a message with new custom data does")
    func copies() throws {
        add(.message, 300, metadata: "d5:p3uid1:x1:s1:y1:vi10ee")
        mailbox.states[300]?.row.prevFolders = "3:2"
        try apply(
            .imapCopyItem(
                make(ImapCopyItem()) {
                    $0.targetFolderID = 5
                    $0.copies = [make(ImapCopiedItem()) { $0.sourceID = 300; $0.newID = 301; $0.newUUID = "u" }]
                }))
        let copy = try #require(mailbox.states[301]?.row)
        #expect(copy.uuid == nil && copy.prevFolders == nil && copy.folderID == 5 && copy.metadata == "d5:p3uid1:x1:s1:y1:vi10ee")
        try apply(.copyItem(make(CopyItem()) { $0.targetFolderID = 5; $0.copies = [make(CopiedItem()) { $0.sourceID = 300; $0.newID = 302 }] }))
        #expect(mailbox.states[302]?.row.metadata == "d1:s1:y1:vi10ee")
        try apply(.setCustomData(make(SetCustomData()) { $0.itemID = 300; $0.customMetadata.section = "a" }))
        #expect(mailbox.states[300]?.row.metadata == "d1:s1:y1:vi10ee")
    }

    @Test("The invitations of a calendar item are those of the log: the series, then its exceptions")
    func invitations() throws {
        func invite(_ text: String) -> CalendarInvitation { make(CalendarInvitation()) { $0.invite = LogText(text) } }
        let (series, moved) = ("d1:n6:series1:u1:U1:vi10ee", "d1:n5:moved3:ridd2:dt9::20261202e1:u1:U1:vi10ee")
        try apply(
            .setCalendarItem(
                make(SetCalendarItem()) {
                    $0.calendarItemID = 300
                    $0.folderID = 10
                    $0.series = invite(series)
                    $0.exceptions = [invite(moved)]
                }))
        var metadata = try #require(mailbox.states[300]?.metadata)
        #expect(metadata.integer("nc") == 2 && metadata.string("u") == "U")
        #expect(metadata.dictionary("inv0") == (try MetadataDictionary(parsing: series)))
        #expect(metadata.dictionary("inv1") == (try MetadataDictionary(parsing: moved)))

        let again = "d1:n5:again3:ridd2:dt9::20261202e1:u1:U1:vi10ee"
        try apply(
            .createInvite(
                make(CreateInvite()) {
                    $0.calendarItemID = 300
                    $0.folderID = 10
                    $0.invite = LogText(again)
                }))
        metadata = try #require(mailbox.states[300]?.metadata)
        #expect(metadata.integer("nc") == 2)
        #expect(metadata.dictionary("inv0")?.string("n") == "series" && metadata.dictionary("inv1")?.string("n") == "again")
    }
}
