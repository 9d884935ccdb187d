import BackupCore
import Foundation
import GRDB
import SystemPackage

/// Makes a server out of a recorded one: accounts, rows and blobs of a data set's folder.
///
/// A data set holds `accounts.json`, the tables as `initial/<table>.jsonl.gz` (each mailbox right after its creation) and
/// `tables/<table>.jsonl.gz` (the end), and `blobs.tar.gz` with every blob by its hexadecimal SHA-256. Columns that the sandbox does
/// not have are left out; all blobs go to its one message volume. Needs the programs `gzip` and `tar`.
public struct DatasetImport {
    /// What was taken in.
    public struct Figures: Sendable {
        /// Accounts of the directory.
        public var accounts = 0
        /// Rows of all tables.
        public var rows = 0
        /// Files of items and revisions.
        public var blobs = 0
    }

    private static let tables = [
        "mailbox", "tag", "mail_item", "mail_item_dumpster", "revision", "revision_dumpster", "tagged_item", "open_conversation",
        "appointment", "appointment_dumpster", "tombstone", "mailbox_metadata", "deleted_account",
    ]

    private let dataset: FilePath
    private let isInitial: Bool

    /// - Parameter isInitial: the mailboxes as they were made, instead of at the end.
    public init(_ dataset: FilePath, isInitial: Bool = false) {
        self.dataset = dataset
        self.isInitial = isInitial
    }

    /// Creates the server.
    ///
    /// - Throws: `SandboxError` for a folder that is no data set, or a server's folder that is not empty.
    public func run(at path: FilePath, options: SandboxServer.Options = .init()) throws -> (SandboxServer, Figures) {
        guard let document = try? json(FileManager.default.contents(atPath: dataset.appending("accounts.json").string) ?? Data()),
            let accounts = document["accounts"] as? [[String: Any]]
        else {
            throw SandboxError(.fileFailed, doing: "importing \(dataset)", reason: "it has no accounts.json: it is no data set")
        }
        let server = try SandboxServer.create(
            at: path, name: document["server"] as? String ?? "mail.example.com", id: document["server_id"] as? String, options: options)
        var figures = Figures()
        for account in accounts where account["deleted"] as? Bool != true {
            var attributes = (account["attributes"] as? [String: Any] ?? [:]).mapValues { ($0 as? [String]) ?? ["\($0)"] }
            attributes["zimbraId"] = [account["account_id"] as? String ?? ""]
            _ = try server.createAccount(name: account["name"] as? String ?? "", attributes: attributes)
            figures.accounts += 1
        }
        try server.exclusively { database, _ in
            try database.inTransaction(.immediate) {
                for table in Self.tables { figures.rows += try load(table, into: database) }
                try database.execute(sql: "UPDATE current_volumes SET next_mailbox_id = (SELECT IFNULL(MAX(id), 0) + 1 FROM mailbox)")
                return .commit
            }
            server.forgetDirectory()
            figures.blobs = try placeBlobs(server, database)
        }
        return (server, figures)
    }

    private func load(_ table: String, into database: Database) throws -> Int {
        let file = dataset.appending(isInitial ? "initial" : "tables").appending("\(table).jsonl.gz")
        guard FileManager.default.fileExists(atPath: file.string) else { return 0 }
        let known = try Set(database.columns(in: table).map(\.name))
        let lines = try output(of: ["gzip", "-dc", file.string]).split(separator: UInt8(ascii: "\n"))
        for line in lines {
            var row = try json(Data(line)).filter { known.contains($0.key) }
            // A blob: SQLite's texts end at a NUL, and this one begins with it.
            if let names = row["tag_names"] as? String { row["tag_names"] = Data(names.utf8) }
            if row["locator"] is String { row["locator"] = "1" }
            let columns = row.keys.sorted()
            try database.execute(
                sql: "INSERT OR REPLACE INTO \(table) (\(columns.joined(separator: ", "))) VALUES (\(columns.map { _ in "?" }.joined(separator: ", ")))",
                arguments: StatementArguments(columns.map { Self.value(row[$0]) }))
        }
        return lines.count
    }

    private static func value(_ value: Any?) -> DatabaseValue {
        switch value {
        case let text as String: text.databaseValue
        case let data as Data: data.databaseValue
        case let number as NSNumber: number.int64Value.databaseValue
        default: .null
        }
    }

    /// Gives every row's content its file.
    private func placeBlobs(_ server: SandboxServer, _ database: Database) throws -> Int {
        let archive = dataset.appending("blobs.tar.gz")
        guard !isInitial, FileManager.default.fileExists(atPath: archive.string) else { return 0 }
        let spool = server.path.appending("import")
        try Files.makeFolders(spool)
        defer { Files.removeTree(spool) }
        _ = try output(of: ["tar", "-xzf", archive.string, "-C", spool.string])
        var byName: [String: String] = [:]
        for case let name as String in FileManager.default.enumerator(atPath: spool.string) ?? .init() {
            byName[String(name.split(separator: "/").last ?? "").lowercased()] = name
        }
        var count = 0
        for table in ["mail_item", "mail_item_dumpster", "revision", "revision_dumpster"] {
            let id = table.hasPrefix("revision") ? "item_id" : "id"
            let rows = try Row.fetchAll(
                database, sql: "SELECT mailbox_id, \(id), mod_content, blob_digest FROM \(table) WHERE blob_digest <> ''")
            for row in rows {
                guard let name = byName[Self.hexadecimal(row[3])] else {
                    throw SandboxError(.blobDamaged, doing: "importing item \(row[1] as Int64)", reason: "the data set has no blob \(row[3] as String)")
                }
                _ = try server.withMessageVolume(database) {
                    try $0.link(spool.pushing(FilePath(name)), mailbox: row[0], item: row[1], modContent: row[2])
                }
                count += 1
            }
        }
        return count
    }

    /// A digest in the server's form, as a blob's name in the data set.
    private static func hexadecimal(_ digest: String) -> String {
        let bytes = Data(base64Encoded: digest.replacingOccurrences(of: ",", with: "/")) ?? Data()
        return bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private func json(_ data: Data) throws -> [String: Any] {
        try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
    }

    private func output(of words: [String]) throws -> Data {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw SandboxError(.fileFailed, doing: "importing \(dataset)", reason: "\(words[0]) ended with status \(process.terminationStatus)")
        }
        return data
    }
}
