import BackupCore
import BackupStore
import Foundation
import ServerTestbed
import SystemPackage
import Testing

@testable import ZimbraServer

@Suite("Settings that a restore brings back, in OpenLDAP", .enabled(if: Testbed.isAvailable, "MariaDB and OpenLDAP are not installed"))
struct RestoredSettingsTests {
    /// A server that has its accounts in a real directory, and mailboxes of folders alone.
    private final class DirectoryTarget: MailTarget, @unchecked Sendable {
        // Unchecked: a restore calls from one thread.
        let identity: MailServerIdentity
        private let testbed: Testbed
        private let server: ZimbraServer
        private var made = 0

        init(_ testbed: Testbed, _ server: ZimbraServer, as identity: MailServerIdentity) {
            (self.testbed, self.server, self.identity) = (testbed, server, identity)
        }

        func findAccount(_ nameOrID: String) throws -> AccountEntry? {
            try server.accounts().first { $0.id == nameOrID || $0.name == nameOrID }
        }

        private func dn(_ id: String) throws -> String {
            let name = try #require(try findAccount(id)).name.split(separator: "@")
            return "uid=\(name[0]),ou=people," + name[1].split(separator: ".").map { "dc=\($0)" }.joined(separator: ",")
        }

        private func lines(_ attributes: [String: [String]]) -> String {
            attributes.sorted { $0.key < $1.key }.flatMap { name, values in
                values.map { "\(name):: \(Self.bytes($0).base64EncodedString())\n" }
            }.joined()
        }

        /// Values that are no text are kept as `data:;base64,…`.
        private static func bytes(_ value: String) -> Data {
            value.hasPrefix("data:;base64,") ? Data(base64Encoded: String(value.dropFirst(13))) ?? Data() : Data(value.utf8)
        }

        func createAccount(name: String, attributes: [String: [String]]) throws -> AccountEntry {
            made += 1
            let id = "e0000000-0000-4000-8000-\(String(format: "%012d", made))"
            let parts = name.split(separator: "@")
            let own: [String: [String]] = [
                "objectClass": ["inetOrgPerson", "zimbraAccount", "amavisAccount"], "uid": [String(parts[0])], "cn": [name], "sn": [name],
                "mail": [name], "zimbraId": [id], "zimbraMailDeliveryAddress": [name], "zimbraMailHost": ["mail.example.com"],
                "zimbraAccountStatus": ["active"], "zimbraMailStatus": ["enabled"],
            ]
            let place = "uid=\(parts[0]),ou=people," + parts[1].split(separator: ".").map { "dc=\($0)" }.joined(separator: ",")
            try testbed.load(ldif: "dn: \(place)\n\(lines(own.merging(attributes) { $1 }))\n")
            return AccountEntry(id: id, name: name, attributes: own)
        }

        func modifyAccount(_ accountID: String, attributes: [String: [String]]) throws {
            let changes = attributes.sorted { $0.key < $1.key }.map { "replace: \($0)\n\(lines([$0: $1]))" }.joined(separator: "-\n")
            try testbed.modify(ldif: "dn: \(dn(accountID))\nchangetype: modify\n\(changes)\n")
        }

        func addChild(_ child: AccountChild, toAccount accountID: String) throws -> String {
            let name = DirectoryTarget.bytes(child.name).map { String(format: "\\%02X", $0) }.joined()
            var attributes = child.attributes
            attributes["objectClass"] = switch child.kind {
            case .identity: ["zimbraIdentity"]
            case .signature: ["zimbraSignature"]
            case .dataSource: ["zimbraDataSource", child["zimbraDataSourceType"] == "pop3" ? "zimbraPop3DataSource" : "zimbraImapDataSource"]
            }
            try testbed.load(ldif: "dn: \(child.kind.nameAttribute)=\(name),\(dn(accountID))\n\(lines(attributes))\n")
            return child.id
        }

        func openMailbox(accountID: String) throws -> any TargetMailbox { Folders() }
    }

    /// The system folders, and nothing else.
    private struct Folders: TargetMailbox {
        static let rows: [ItemRow] = [11, 1, 2, 5].map { (id: Int64) in
            var row = ItemRow(id: id, type: .folder)
            row.folderID = id < 11 ? (id == 1 ? 11 : 1) : 11
            row.parentID = row.folderID
            row.name = [11: "ROOT", 1: "USER_ROOT", 2: "Inbox", 5: "Sent"][id]
            return row
        }

        let mailboxID: Int64 = 7
        func folders() throws -> [ItemRow] { Self.rows }
        func tags() throws -> [TagRow] { [] }
        func addTag(_ tag: TagRow) throws -> Int64 { throw Refused() }
        func addItem(_ item: NewItem) throws -> Int64 { throw Refused() }
        func updateItem(_ row: ItemRow) throws {}
        func findItems(like row: ItemRow) throws -> [Int64] { [] }
        func exists(_ id: Int64) throws -> Bool { Self.rows.contains { $0.id == id } }
        func grant(_ grant: Grant, onItem id: Int64) throws { throw Refused() }
        struct Refused: Error {}
    }

    /// What the server gives each account itself (formats/zimbra-ldap.md, section 5, "Attributes not to restore").
    private static let own: Set = [
        "objectClass", "uid", "mail", "zimbraId", "zimbraMailDeliveryAddress", "zimbraMailHost", "zimbraMailTransport", "zimbraMailStatus",
        "zimbraCreateTimestamp", "zimbraPasswordModifiedTime", "zimbraPasswordHistory", "zimbraSharedItem", "zimbraLastLogonTimestamp",
    ]

    /// A backup of the sample directory; Anna's mailbox has its system folders, which her settings name.
    private func backUp(_ testbed: Testbed, _ server: ZimbraServer, in folder: FilePath) throws {
        try StoreWriter.create(folder.appending("backup"), serverID: server.identity.id)
        let store = try StoreWriter(opening: folder.appending("backup"), serverID: server.identity.id)
        let engine = try BackupEngine(source: server, store: store)
        try engine.begin()
        try engine.catchUp()
        for account in try store.accounts() {
            var life = MailboxLife(accountID: account, mailboxID: 3, generation: 1)
            life.scannedChange = 1
            try store.append(
                StoreTransaction(
                    account: account, time: 1_795_000_000_000, kind: "scan",
                    states: Folders.rows.map { ItemState(row: $0).newState(account: account) }
                        + [NewState(key: .mailbox(account), fields: life.fields)]))
        }
        try store.commit()
        try engine.close()
    }

    @Test("They equal the directory's, entry by entry; what does not come along is named", arguments: [true, false])
    func equal(isSameServer: Bool) throws {
        let testbed = try Testbed()
        defer { testbed.remove() }
        try testbed.loadSampleDirectory()
        let server = try ZimbraServer(home: testbed.home)
        let folder = FilePath(FileManager.default.temporaryDirectory.appending(path: "zxset-\(UUID().uuidString)").path)
        defer { try? FileManager.default.removeItem(atPath: folder.string) }  // A temporary folder.
        try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
        let before = try server.accounts()
        try backUp(testbed, server, in: folder)
        let other = MailServerIdentity(id: "7a9e2d54-0000-4000-8000-000000000001", name: "other.example.com")
        let target = DirectoryTarget(testbed, server, as: isSameServer ? server.identity : other)
        let reader = try StoreReader(opening: folder.appending("backup"))
        defer { reader.close() }

        var compared = (accounts: 0, entries: 0, attributes: 0)
        for source in before where try reader.accountInfo(source.id)?.isDeleted == false {
            let parts = source.name.split(separator: "@")
            let name = "\(parts[0])-back@\(parts[1])"
            let report = try RestoreOnNewAccount(source: source.id, destination: name, moment: .last)
                .run(from: reader, to: target, stateFolder: folder.appending("state"))
            // What an account has only where it is a calendar resource, the directory itself refuses.
            let refused = report.unrestoredSettings.filter { $0.isRefused && !$0.name.hasPrefix("zimbraCalRes") }
            #expect(refused.isEmpty, "\(source.name): \(refused)")
            let made = try #require(try server.accounts().first { $0.name == name })
            let missed = Set(report.unrestoredSettings.map(\.name))

            func compare(_ source: [String: [String]], _ made: [String: [String]], _ title: String?) {
                compared.entries += 1
                for (attribute, values) in source where title != nil || !Self.own.contains(attribute) {
                    let what = title.map { "\($0), \(attribute)" } ?? attribute
                    if missed.contains(what) { continue }
                    compared.attributes += 1
                    #expect(made[attribute]?.sorted() == values.sorted(), "\(what)")
                }
            }
            compared.accounts += 1
            compare(source.attributes, made.attributes, nil)
            // Nothing that the source does not have, but what makes it an account.
            #expect(Set(made.attributes.keys).subtracting(source.attributes.keys).subtracting(Self.own).isEmpty)
            for child in source.children where !missed.contains(child.title) {
                let copy = made.children.first { $0.kind == child.kind && $0.name == child.name }
                compare(child.attributes, copy?.attributes ?? [:], child.title)
            }
            #expect(made.children.count == source.children.count { !missed.contains($0.title) })
            // Only what is bound to its account or its server is missed, and that is said.
            if source.name == "anna@example.com" {
                #expect(missed.isSuperset(of: ["zimbraMailAlias", "zimbraMemberOf", "zimbraForeignPrincipal"]), "\(missed)")
                #expect(missed.contains("userPassword") == !isSameServer && missed.contains("zimbraCOSId") == !isSameServer)
                #expect(made.children.count == 5 && missed.contains("data source 'POP box', zimbraDataSourceEnabled"))
            }
        }
        #expect(compared.accounts >= 8 && compared.entries >= compared.accounts + 5 && compared.attributes > 100, "\(compared)")
    }
}
