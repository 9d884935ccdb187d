import BackupCore
import BackupStore
import Foundation
import ServerTestbed
import SystemPackage
import Testing

@testable import ZimbraServer

/// One real server, and what goes wrong with it: never is anything flagged deleted that is there.
@Suite("A live server in trouble, on a testbed", .enabled(if: Testbed.isAvailable, "MariaDB and OpenLDAP are not installed"))
struct LiveServerTests {
    private static let fixtures = FilePath(#filePath).removingLastComponent().removingLastComponent().appending("BackupCoreTests/Fixtures")

    /// A testbed with the small data set, and a backup path beside it.
    private final class Bench {
        let testbed: Testbed
        let server: ZimbraServer
        let folder: FilePath
        var path: FilePath { folder.appending("backup") }

        init() throws {
            testbed = try Testbed()
            try testbed.load(dataset: fixtures.appending("small"))
            server = try ZimbraServer(home: testbed.home)
            folder = FilePath(FileManager.default.temporaryDirectory.appending(path: "zxlive-\(UUID().uuidString)").path)
            try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
            try StoreWriter.create(path, serverID: server.identity.id)
        }

        deinit {
            testbed.remove()
            try? FileManager.default.removeItem(atPath: folder.string)  // A temporary folder.
        }

        @discardableResult
        func backUp(_ body: (BackupEngine) throws -> Void = { try $0.begin(); try $0.catchUp() }) throws -> [String] {
            let engine = try BackupEngine(source: server, store: try StoreWriter(opening: path, serverID: server.identity.id))
            defer { try? engine.close() }  // What it did is told.
            try body(engine)
            return engine.statistics.notices
        }

        /// How the backup differs from the rows at the data set's end.
        func differences() throws -> [String] {
            let reader = try StoreReader(opening: path)
            defer { reader.close() }
            let life = try RecordedLife(fixtures.appending("small"))
            return try (life.instants.last?.mailboxes ?? []).flatMap { try $0.differences(heldIn: reader) }
        }

        func deletedAccounts() throws -> [String] {
            let reader = try StoreReader(opening: path)
            defer { reader.close() }
            return try reader.accounts().filter { try reader.accountInfo($0)?.isDeleted == true }
        }
    }

    @Test("A volume that is not mounted ends the scan of its accounts; mounted again, the next one completes it")
    func volume() throws {
        let bench = try Bench()
        let (store, away) = (bench.testbed.home.appending("store").string, bench.testbed.home.appending("away").string)
        try FileManager.default.moveItem(atPath: store, toPath: away)
        try FileManager.default.createDirectory(atPath: store, withIntermediateDirectories: true)
        let notices = try bench.backUp()
        #expect(notices.count { $0.contains("could not be scanned") && $0.contains("not there, or empty") } == 2, "\(notices)")
        try FileManager.default.removeItem(atPath: store)
        try FileManager.default.moveItem(atPath: away, toPath: store)
        #expect(try bench.backUp() == [])
        #expect(try bench.differences() == [])
    }

    @Test("Empty tables, a database and a directory that are down, a directory that forgot its accounts: nothing is deleted")
    func answers() throws {
        let bench = try Bench()
        try bench.backUp()
        #expect(try bench.differences() == [])
        try bench.testbed.sql("RENAME TABLE mboxgroup1.mail_item TO mboxgroup1.aside; CREATE TABLE mboxgroup1.mail_item LIKE mboxgroup1.aside")
        let empty = #expect(throws: CoreError.self) { try bench.backUp { engine in _ = try engine.scan(account: "alice@example.com") } }
        #expect(empty?.code == .serverUnreadable && empty?.description.contains("system folders") == true)
        try bench.testbed.sql("DROP TABLE mboxgroup1.mail_item; RENAME TABLE mboxgroup1.aside TO mboxgroup1.mail_item")

        bench.testbed.stopDatabase()
        #expect(throws: CoreError.self) { try bench.backUp { engine in _ = try engine.scan(account: "alice@example.com") } }
        try bench.testbed.startDatabase()

        bench.testbed.stopDirectory()
        #expect(throws: CoreError.self) { try bench.backUp { engine in _ = try engine.scan(account: "alice@example.com") } }
        try bench.testbed.startDirectory()

        try bench.testbed.moveAccounts(to: "another.example.com")
        let notices = try bench.backUp()
        #expect(notices.contains { $0.hasPrefix("Critical: the directory names no account") }, "\(notices)")
        try bench.testbed.moveAccounts(to: "mail.example.com")
        #expect(try bench.deletedAccounts() == [])
        try bench.backUp { engine throws in
            #expect(try engine.scan(account: "alice@example.com", deep: true).problems == [])
        }
        #expect(try bench.differences() == [])
    }

    @Test("A content that was moved to another volume after its row was read is read there, though nothing is left on the first")
    func moved() throws {
        let bench = try Bench()
        var location: BlobLocation?
        _ = try bench.server.readMailbox(1) { element in
            guard case .item(let row) = element, row.locator == "1", row.type == .message else { return }
            location = BlobLocation(
                mailboxID: 1, itemID: row.id, modContent: row.modContent, locator: row.locator, size: row.size, digest: row.blobDigest)
        }
        let known = try #require(location)
        let (store, other) = (bench.testbed.home.appending("store"), bench.testbed.home.appending("store2"))
        for name in try FileManager.default.contentsOfDirectory(atPath: store.string) where name != "incoming" {
            try bench.testbed.merge(store.appending(name), into: other)
        }
        try FileManager.default.removeItem(atPath: store.string)
        try FileManager.default.createDirectory(atPath: store.string, withIntermediateDirectories: true)
        let lost = #expect(throws: CoreError.self) { _ = try bench.server.openBlob(known) }
        #expect(lost?.code == .volumeMissing, "the row still names the first volume")
        try bench.testbed.sql("UPDATE mboxgroup1.mail_item SET locator = '3' WHERE locator = '1'")
        let read = try bench.server.openBlob(known)
        var length: Int64 = 0
        var buffer = [UInt8](repeating: 0, count: 1000)
        while case let count = try buffer.withUnsafeMutableBytes({ try read($0) }), count > 0 { length += Int64(count) }
        #expect(length == known.size)
    }

    @Test("A changed and a deleted row are found by a scan, once")
    func scans() throws {
        let bench = try Bench()
        try bench.backUp()
        try bench.testbed.sql(
            """
            SET foreign_key_checks = 0;
            UPDATE mboxgroup1.mail_item SET unread = 1 - unread, mod_metadata = mod_metadata WHERE type = 5 ORDER BY id LIMIT 1;
            DELETE FROM mboxgroup1.mail_item WHERE type = 5 ORDER BY id DESC LIMIT 1;
            """)
        try bench.backUp { engine in
            let statistics = try engine.scan(account: "alice@example.com")
            #expect(statistics.newMetadata == 2 && statistics.deletedItems == 1 && statistics.problems == [], "\(statistics)")
            #expect(try engine.scan(account: "alice@example.com").newMetadata == 0)
        }
    }

    /// Adds mailboxes with folders and messages without contents, of accounts that no directory has.
    private func add(_ numbers: Range<Int>, to testbed: Testbed) throws {
        let columns = "mailbox_id, id, type, parent_id, folder_id, date, size, subject, name, metadata, mod_metadata, mod_content"
        for start in stride(from: numbers.lowerBound, to: numbers.upperBound, by: 100) {
            var (mailboxes, items): ([String], [String]) = ([], [])
            for number in start..<min(start + 100, numbers.upperBound) {
                let id = 1000 + number
                let account = "c0000000-0000-4000-8000-" + String(repeating: "0", count: 12 - String(id).count) + String(id)
                mailboxes.append("(\(id), 1, '\(account)', 2, 300, 20, 0, '2.7', 'u\(id)@example.com')")
                items.append("(\(id), 11, 1, 11, 11, 1700000000, 0, 'ROOT', 'ROOT', NULL, 1, 1)")
                items.append("(\(id), 1, 1, 11, 11, 1700000000, 0, 'USER_ROOT', 'USER_ROOT', NULL, 1, 1)")
                items.append("(\(id), 2, 1, 1, 1, 1700000000, 0, 'Inbox', 'Inbox', NULL, 1, 1)")
                for item in 0..<10 { items.append("(\(id), \(300 + item), 5, NULL, 2, 1700000000, 0, 'm\(item)', NULL, NULL, \(10 + item), \(10 + item))") }
            }
            try testbed.sql(
                """
                SET foreign_key_checks = 0;
                INSERT INTO zimbra.mailbox (id, group_id, account_id, index_volume_id, item_id_checkpoint, change_checkpoint, contact_count, version, comment)
                  VALUES \(mailboxes.joined(separator: ", "));
                INSERT INTO mboxgroup1.mail_item (\(columns)) VALUES \(items.joined(separator: ", "));
                """)
        }
    }

    @Test("A scan asks the database once for each mailbox that did not change, and reads the rows that changed")
    func statements() throws {
        let bench = try Bench()
        var options = SmartScanOptions()
        options.yields = false
        try bench.backUp { engine throws in
            var asked: [Int: Int] = [:]
            var last = 0
            for count in [10, 100, 1000] {
                try add(last..<count, to: bench.testbed)
                last = count
                let first = try engine.smartScan(options)
                #expect(first.failedAccounts == 0 && first.problems == [], "\(first)")
                let before = bench.server.database.statements
                let second = try engine.smartScan(options)
                asked[count] = bench.server.database.statements - before
                #expect(second.unchangedAccounts == count + 2 && second.readRows == 0 && second.newMetadata == 0, "\(second)")
            }
            // The list of the mailboxes, and one for each of them and of the data set's two.
            #expect(asked == [10: 13, 100: 103, 1000: 1003])

            // No log tells of these: a tool wrote them.
            try bench.testbed.sql("UPDATE mboxgroup1.mail_item SET subject = 'changed', mod_metadata = 30 + id - 300 WHERE mailbox_id = 1500 AND id BETWEEN 302 AND 305")
            let before = bench.server.database.statements
            let third = try engine.smartScan(options)
            #expect(third.accounts == 1 && third.newMetadata == 4 && third.readRows - third.lookedAgain == 4, "\(third)")
            #expect(bench.server.database.statements - before < 1003 + 16)
        }
    }

    @Test("doctor finds a host in order, and names what is not")
    func doctor() throws {
        let bench = try Bench()
        func findings() -> [Examination.Finding] { Examination(home: bench.testbed.home, backupPath: bench.path).findings }
        let fine = findings()
        for part in ["mail server", "database", "directory", "redo log", "volume", "backup path"] {
            #expect(fine.contains { $0.part == part && $0.level == .fine }, "\(part): \(fine)")
        }
        #expect(!fine.contains { $0.level == .critical }, "\(fine)")
        #expect(fine.contains { $0.part == "redo log" && $0.level == .warning && $0.text.contains("zimbraRedoLogDeleteOnRollover") })
        #expect(fine.contains { $0.part == "backup path" && $0.text.contains("one broken disk") }, "both are in the temporary folder")
        #expect(fine.allSatisfy { $0.level == .fine || !$0.remedy.isEmpty })

        try FileManager.default.removeItem(atPath: bench.testbed.home.appending("store2").string)
        try FileManager.default.removeItem(atPath: bench.testbed.home.appending("redolog/redo.log").string)
        let broken = findings().filter { $0.level == .critical }
        #expect(Set(broken.map(\.part)) == ["volume", "redo log"], "\(broken)")
        try bench.testbed.writeLocalConfig(["zimbra_mysql_password": "wrong-Secret"])
        let refused = findings().first { $0.level == .critical }
        #expect(refused?.text.contains("Access denied") == true && refused?.text.contains("Secret") == false, "\(String(describing: refused))")
        #expect(Examination(home: "/nonexistent", backupPath: bench.path).level == .critical)
    }
}
