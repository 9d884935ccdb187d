import BackupCore
import Foundation
import ServerTestbed
import Synchronization
import Testing

@testable import ZimbraServer

@Suite("A mail server's database, in MariaDB", .enabled(if: Testbed.isAvailable, "MariaDB and OpenLDAP are not installed"))
struct DatabaseTests {
    private func settings(_ testbed: Testbed) -> DatabaseSettings {
        DatabaseSettings(place: .socket(testbed.databaseSocket), user: "zimbra", password: "zimbra")
    }

    private static let mailbox = """
        SET foreign_key_checks = 0;
        INSERT INTO zimbra.mailbox (id, group_id, account_id, index_volume_id, item_id_checkpoint, change_checkpoint, contact_count, version, comment)
          VALUES (1, 1, 'A0000000-0000-4000-8000-000000000001', 2, 300, 400, 0, '2.7', 'anna@example.com');
        INSERT INTO mboxgroup1.mail_item (mailbox_id, id, type, parent_id, folder_id, date, size, subject, name, metadata, mod_metadata, mod_content) VALUES
          (1, 11, 1, 11, 11, 1700000000, 0, 'ROOT', 'ROOT', 'd1:ai3e1:vi10ee', 1, 1),
          (1, 1, 1, 11, 11, 1700000000, 0, 'USER_ROOT', 'USER_ROOT', 'd1:ai1e1:vi10ee', 1, 1),
          (1, 2, 1, 1, 1, 1700000000, 0, 'Inbox', 'Inbox', 'd1:ai1e1:vi10e2:vti5ee', 1, 1),
          (1, 300, 1, 301, 301, 1700000000, 0, 'Child', 'Child', NULL, 7, 7),
          (1, 301, 1, 1, 1, 1700000000, 0, 'Parent made later', 'Parent made later', NULL, 8, 8);

        """

    private func rows(_ database: ZimbraDatabase, _ id: Int64) throws -> (items: [ItemRow], revisions: [RevisionRow], snapshot: MailboxSnapshot?) {
        var (items, revisions): ([ItemRow], [RevisionRow]) = ([], [])
        let snapshot = try database.readMailbox(id) { element in
            switch element {
            case .item(let row): items.append(row)
            case .revision(let row): revisions.append(row)
            default: break
            }
        }
        return (items, revisions, snapshot)
    }

    @Test("A mailbox of either schema is read as it is: parents first, NULLs, NUL-delimited tags, versions behind their document", arguments: [111, 118])
    func reads(level: Int) throws {
        let testbed = try Testbed(level: level)
        defer { testbed.remove() }
        try testbed.createGroup(1)
        try testbed.sql(
            Self.mailbox + """
                INSERT INTO mboxgroup1.mail_item (mailbox_id, id, type, parent_id, folder_id, date, size, locator, blob_digest, unread, flags, tag_names, subject, metadata, mod_metadata, change_date, mod_content) VALUES
                  (1, 310, 5, 320, 2, 1700000001, 12, '1', 'X', 1, 4097, CONCAT(CHAR(0), 'Work', CHAR(0), 'Übung', CHAR(0)), 'Grüße', '', 9, 1700000002, 9),
                  (1, 320, 4, NULL, 9, 1700000001, 1, NULL, NULL, NULL, 0, NULL, 'Grüße', NULL, 9, NULL, 9),
                  (1, 330, 8, NULL, 16, 1700000001, 5, '1', 'Y', 0, 0, NULL, 'plan', 'd1:vi10ee', 10, NULL, 10);
                INSERT INTO mboxgroup1.revision (mailbox_id, item_id, version, date, size, locator, blob_digest, name, metadata, mod_metadata, change_date, mod_content)
                  VALUES (1, 330, 1, 1700000000, 4, '1', 'Z', 'plan', NULL, 9, NULL, 9), (1, 330, 2, 1700000001, 6, '1', 'ZZ', 'plan', NULL, 10, NULL, 10);
                INSERT INTO mboxgroup1.tombstone (mailbox_id, sequence, date, type, ids) VALUES (1, 555, 1700000003, 5, '299');
                """)
        let database = ZimbraDatabase(settings(testbed))
        #expect(try database.mailboxes().map(\.accountID) == ["a0000000-0000-4000-8000-000000000001"])
        let (items, revisions, snapshot) = try rows(database, 1)
        #expect(items.map(\.id) == [11, 1, 2, 301, 300, 320, 330, 310])
        #expect(revisions.map(\.version) == [1, 2] && revisions.allSatisfy { $0.itemID == 330 })
        #expect(snapshot?.change == 555 && snapshot?.row.changeCheckpoint == 400)
        let message = try #require(items.last)
        #expect(message.tags == ["Work", "Übung"] && message.subject == "Grüße" && message.metadata == "" && message.unread == 1)
        #expect(message.flags.rawValue == 4097 && message.parentID == 320 && message.name == nil && message.changeDate == 1_700_000_002)
        let conversation = try #require(items.first { $0.type == .conversation })
        #expect(conversation.unread == nil && conversation.metadata == nil && conversation.blobDigest == nil)
        #expect(try database.readMailbox(2) { _ in } == nil)
        #expect(try database.locator(mailbox: 1, item: 310) == "1" && database.locator(mailbox: 1, item: 999) == nil)
        let volumes = try database.volumes()
        #expect(volumes.map(\.id) == [1, 2] && volumes[0].storeType == 1 && volumes[0].fileBits == 12)
        #expect(try database.configuration()["db.version"] == "\(level)")
    }

    @Test("A picture is of one moment, and nobody waits for it")
    func snapshot() throws {
        let testbed = try Testbed()
        defer { testbed.remove() }
        try testbed.createGroup(1)
        let messages = (1000..<4000).map { "(1, \($0), 5, 2, 1700000000, 3, 'm\($0)', 100, 100)" }.joined(separator: ",")
        try testbed.sql(
            Self.mailbox + "INSERT INTO mboxgroup1.mail_item (mailbox_id, id, type, folder_id, date, size, subject, mod_metadata, mod_content) VALUES \(messages);")
        let database = ZimbraDatabase(settings(testbed))
        var count = 0
        let before = try database.readMailbox(1) { element in
            guard case .item(let row) = element, row.type == .message else { return }
            count += 1
            #expect(row.modMetadata == 100)
            // In the middle of the answer, and done before it goes on.
            if count == 10 { try testbed.sql("UPDATE mboxgroup1.mail_item SET mod_metadata = 900 WHERE mailbox_id = 1 AND type = 5; DELETE FROM mboxgroup1.mail_item WHERE id = 3500") }
        }
        #expect(count == 3000 && before?.change == 400)
        count = 0
        let after = try database.readMailbox(1) { element in
            if case .item(let row) = element, row.type == .message { count += 1 }
        }
        #expect(count == 2999 && after?.change == 900)
        // What a mailbox costs does not depend on what is in it.
        let used = database.statements
        _ = try database.readMailbox(1) { _ in }
        #expect(database.statements - used < 16)
    }

    @Test("A database that ends in the middle of an answer is an error, not the end of the mailbox; when it is back, it is read again")
    func breaksOff() throws {
        let testbed = try Testbed()
        defer { testbed.remove() }
        try testbed.createGroup(1)
        // Long rows: more than the buffers between the two processes hold.
        let messages = (1000..<1400).map { "(1, \($0), 5, 2, 1700000000, 3, REPEAT('x', 60000), 100, 100)" }.joined(separator: ",")
        try testbed.sql(
            Self.mailbox + "INSERT INTO mboxgroup1.mail_item (mailbox_id, id, type, folder_id, date, size, metadata, mod_metadata, mod_content) VALUES \(messages);")
        let database = ZimbraDatabase(settings(testbed))
        var count = 0
        let error = #expect(throws: CoreError.self) {
            _ = try database.readMailbox(1) { element in
                guard case .item(let row) = element, row.type == .message else { return }
                count += 1
                if count == 10 { try testbed.sql("SELECT CONCAT('KILL ', id) INTO @kill FROM information_schema.processlist WHERE user = 'zimbra' LIMIT 1; PREPARE ending FROM @kill; EXECUTE ending") }
            }
        }
        #expect(error?.code == .databaseFailed && count < 400, "\(String(describing: error)) after \(count)")
        #expect(try rows(database, 1).items.filter { $0.type == .message }.count == 400)
        testbed.stopDatabase()
        #expect(throws: CoreError.self) { try database.mailboxes() }
        try testbed.startDatabase()
        #expect(try database.mailboxes().count == 1)
    }

    @Test("A wrong password and a missing socket are told with the place, and without the secret")
    func refused() throws {
        let testbed = try Testbed()
        defer { testbed.remove() }
        var wrong = settings(testbed)
        wrong.password = "wrong-Secret"
        for settings in [wrong, DatabaseSettings(place: .socket("/nonexistent/sock"), user: "zimbra", password: "wrong-Secret"),
            DatabaseSettings(place: .network(host: "127.0.0.1", port: 1), user: "zimbra", password: "wrong-Secret")]
        {
            let error = #expect(throws: CoreError.self) { try ZimbraDatabase(settings).mailboxes() }
            #expect(error?.code == .databaseUnreachable && error?.description.contains("Secret") == false, "\(String(describing: error))")
        }
    }
}

extension ZimbraDatabase {
    fileprivate func readMailbox(_ id: Int64, _ body: (MailboxElement) throws -> Void) throws -> MailboxSnapshot? {
        try withMailbox(id) { try $0.forEachElement(body) }
    }
}
