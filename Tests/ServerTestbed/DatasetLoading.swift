import Foundation
import SystemPackage

/// Puts the recorded life of a server into a testbed: rows, files, redo log and directory as they were at its end.
extension Testbed {
    private static let tables = [
        "volume", "current_volumes", "mailbox", "mailbox_metadata", "deleted_account", "config", "scheduled_task", "mail_item",
        "mail_item_dumpster", "revision", "revision_dumpster", "tag", "tagged_item", "open_conversation", "appointment",
        "appointment_dumpster", "tombstone",
    ]
    private static let ofServer: Set = ["volume", "current_volumes", "mailbox", "mailbox_metadata", "deleted_account", "config", "scheduled_task"]

    /// Loads a data set (its README says what its files are).
    public func load(dataset: FilePath) throws {
        let files = FileManager.default
        func rows(_ table: String) throws -> [[String: Any]] {
            let file = dataset.appending("tables/\(table).jsonl.gz").string
            guard files.fileExists(atPath: file) else { return [] }
            return try Self.run(["gzip", "-dc", file]).split(separator: "\n").map {
                try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] ?? [:]
            }
        }
        var groups: [Int: Int] = [:]
        for row in try rows("mailbox") { groups[row["id"] as? Int ?? 0] = row["group_id"] as? Int ?? 0 }
        for group in Set(groups.values).sorted() { try createGroup(Int64(group)) }
        var statements = "SET foreign_key_checks = 0;\nDELETE FROM zimbra.volume;\nDELETE FROM zimbra.current_volumes;\nDELETE FROM zimbra.config;\n"
        for table in Self.tables {
            for var row in try rows(table) {
                if table == "volume" {
                    row["path"] = home.appending(FilePath(row["path"] as? String ?? "").lastComponent?.string ?? "store").string
                }
                let group = Self.ofServer.contains(table) ? "zimbra" : "mboxgroup\(groups[row["mailbox_id"] as? Int ?? 0] ?? 0)"
                let columns = row.keys.sorted()
                statements += "INSERT INTO \(group).\(table) (\(columns.joined(separator: ", "))) VALUES "
                    + "(\(columns.map { Self.literal(row[$0]) }.joined(separator: ", ")));\n"
            }
        }
        try sql(statements)
        _ = try Self.run(["tar", "-xzf", dataset.appending("store.tar.gz").string, "-C", home.string])
        if files.fileExists(atPath: dataset.appending("redolog").string) {
            _ = try Self.run(["cp", "-r", dataset.appending("redolog").string, home.string])
        } else {
            _ = try Self.run(["tar", "-xzf", dataset.appending("redolog.tar.gz").string, "-C", home.string])
        }
        let document = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: dataset.appending("accounts.json").string)))
        try load(ldif: Self.directory(of: document as? [String: Any] ?? [:], schema: Self.text("zimbra.schema")))
    }

    /// A value in SQL: texts by their bytes, so that nothing in them is read as SQL.
    private static func literal(_ value: Any?) -> String {
        switch value {
        case let text as String where text.isEmpty: "''"
        case let text as String:
            "CONVERT(X'" + text.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() + "' USING utf8mb4)"
        case let number as NSNumber: number.stringValue
        default: "NULL"
        }
    }

    /// The smallest directory that a server's accounts can be in, as LDIF.
    private static func directory(of document: [String: Any], schema: String) -> String {
        let server = document["server"] as? String ?? "mail.example.com"
        var text = """
            dn: cn=zimbra
            objectClass: organizationalRole
            cn: zimbra

            dn: cn=admins,cn=zimbra
            objectClass: organizationalRole
            cn: admins

            dn: uid=zimbra,cn=admins,cn=zimbra
            objectClass: organizationalPerson
            objectClass: inetOrgPerson
            objectClass: zimbraAccount
            uid: zimbra
            cn: zimbra
            sn: zimbra
            zimbraAccountStatus: active
            zimbraId: e0fafd89-1360-11d9-8661-000a95d98ef2
            userPassword: zimbra

            dn: cn=config,cn=zimbra
            objectClass: organizationalRole
            objectClass: zimbraGlobalConfig
            cn: config
            zimbraRedoLogEnabled: TRUE
            zimbraRedoLogLogPath: redolog/redo.log
            zimbraRedoLogArchiveDir: redolog/archive

            dn: cn=servers,cn=zimbra
            objectClass: organizationalRole
            cn: servers

            dn: cn=\(server),cn=servers,cn=zimbra
            objectClass: zimbraServer
            cn: \(server)
            zimbraId: \(document["server_id"] as? String ?? "")
            zimbraServiceHostname: \(server)
            zimbraServiceEnabled: mailbox

            dn: dc=com
            objectClass: dcObject
            objectClass: organization
            dc: com
            o: com domain

            dn: dc=example,dc=com
            objectClass: dcObject
            objectClass: organization
            objectClass: zimbraDomain
            dc: example
            o: example.com domain
            zimbraId: d0000000-0000-4000-8000-000000000001
            zimbraDomainName: example.com
            zimbraDomainType: local

            dn: ou=people,dc=example,dc=com
            objectClass: organizationalRole
            ou: people
            cn: people


            """
        for account in document["accounts"] as? [[String: Any]] ?? [] where account["deleted"] as? Bool != true {
            let name = account["name"] as? String ?? ""
            let user = String(name.prefix { $0 != "@" })
            text += "dn: uid=\(user),ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nobjectClass: zimbraAccount\n"
            text += "uid: \(user)\ncn: \(user)\nsn: \(user)\nmail: \(name)\n"
            // The schema is a part of a real one.
            let attributes = (account["attributes"] as? [String: Any] ?? [:]).filter { schema.contains("NAME '\($0.key)'") || schema.contains("NAME ( '\($0.key)'") }
            for (key, value) in attributes.sorted(by: { $0.key < $1.key }) {
                for value in value as? [String] ?? ["\(value)"] { text += "\(key): \(value)\n" }
            }
            text += "\n"
        }
        return text
    }
}
