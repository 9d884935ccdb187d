#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import BackupStore
import CZlib
import SystemPackage

/// A recorded life of a real mail server: the rows at the beginning, the redo log, and the true rows at several instants.
///
/// A folder with `accounts.json`, `initial/`, `oracle/`, `redolog/` or `redolog.tar.gz`, `blobs.tar.gz` and a `README.md` that lists
/// what its log does not tell.
public struct RecordedLife {
    /// The server's id.
    public let serverID: String
    /// The accounts that the life names, deleted ones too.
    public let accounts: [AccountEntry]
    /// Every mailbox right after its creation.
    let beginnings: [Beginning]
    /// The files of the log, oldest first.
    let logs: [(name: String, bytes: [UInt8])]
    /// Every content by its digest in lower-case hex.
    let blobs: [String: [UInt8]]
    /// What the README measured as not derivable, by "difference type".
    let list: [String: Int]
    /// The truth, in the order of time.
    public var instants: [Instant]

    struct Beginning {
        var row: MailboxRow
        var items: [ItemRow]
        var tags: [TagRow]
        /// Number of the log file, and the offset after the record that made the mailbox.
        var sequence: Int64
        var offset: Int
    }

    /// A moment at which the server's tables were noted.
    public struct Instant {
        /// What it is called.
        public var label: String
        /// The mailboxes that were alive.
        public var mailboxes: [Mailbox]
        /// Number of the log file, and where it ended then.
        var place = MailboxLife.LogPlace(sequence: 0, offset: 0)
    }

    /// A mailbox at an instant.
    public struct Mailbox {
        /// Its number.
        public var id: Int64
        /// Its account.
        public var accountID: String
        /// The number of its last change.
        public var lastChange: Int64
        /// Rows of `mail_item`.
        public var items: [ItemRow]
        /// Rows of `revision`.
        public var revisions: [RevisionRow]
        /// Rows of `tag` with a positive id.
        public var tags: [TagRow]
        /// Rows of `mail_item_dumpster`.
        var dumpster: [ItemRow] = []
        /// The mailbox's own row; nil of a mailbox that a test made.
        var row: MailboxRow?
        /// Rows of `mailbox_metadata`.
        var sections: [(name: String, text: String)] = []

        /// A mailbox made of its parts.
        public init(
            id: Int64, accountID: String, lastChange: Int64, items: [ItemRow] = [], revisions: [RevisionRow] = [],
            tags: [TagRow] = []
        ) {
            self.id = id
            self.accountID = accountID
            self.lastChange = lastChange
            self.items = items
            self.revisions = revisions
            self.tags = tags
        }
    }

    /// Reads a folder.
    ///
    /// - Throws: `CoreError` that names the file that is missing or is not what it should be.
    public init(_ folder: FilePath) throws {
        let document = try Self.object(folder.appending("accounts.json"))
        serverID = document["server_id"]?.string ?? ""
        accounts = (document["accounts"]?.array ?? []).compactMap(\.object).map { account in
            let attributes = account["attributes"]?.object?.members ?? []
            return AccountEntry(
                id: account["account_id"]?.string ?? "", name: account["name"]?.string ?? "",
                attributes: Dictionary(
                    attributes.map { ($0.name, $0.value.array?.compactMap(\.string) ?? $0.value.string.map { [$0] } ?? []) }
                ) { first, _ in first })
        }
        beginnings = try Self.beginnings(folder.appending("initial"))
        if access(folder.appending("redolog.tar.gz").string, R_OK) == 0 {
            logs = try Self.inOrder(Tar.files(Self.inflate(folder.appending("redolog.tar.gz"))))
        } else {
            let log = folder.appending("redolog")
            let archive = log.appending("archive")
            logs = try Self.inOrder(
                Self.names(in: archive).map { ($0, try Self.inflate(archive.appending($0))) }
                    + [("redo.log", try Self.inflate(log.appending("redo.log")))])
        }
        blobs = Dictionary(try Tar.files(Self.inflate(folder.appending("blobs.tar.gz")))) { first, _ in first }
        list = Self.list(String(decoding: try Self.inflate(folder.appending("README.md")), as: UTF8.self))
        instants = try Self.names(in: folder.appending("oracle")).sorted().map {
            Instant(try Self.object(folder.appending("oracle").appending($0)), name: $0)
        }
    }

    /// What the server's store held under a digest of its tables; nil = nothing.
    public func content(ofDigest digest: String) -> [UInt8]? { RowComparison.hex(digest).flatMap { blobs[$0] } }

    /// Finished files by their number, the current one last.
    private static func inOrder(_ files: [(String, [UInt8])]) -> [(name: String, bytes: [UInt8])] {
        func number(_ name: String) -> Int64 {
            guard let part = name.split(separator: "-").last, part.hasPrefix("seq") else { return .max }
            return Int64(part.dropFirst(3).prefix { $0.isNumber }) ?? .max
        }
        return files.filter { $0.0.hasSuffix(".log") }.sorted { number($0.0) < number($1.0) }.map { (name: $0.0, bytes: $0.1) }
    }

    private static func beginnings(_ folder: FilePath) throws -> [Beginning] {
        let taken = try JSONValue(json: inflate(folder.appending("taken.json"))).array?.compactMap(\.object) ?? []
        let items = try Dictionary(grouping: lines(folder.appending("mail_item.jsonl.gz"))) { $0["mailbox_id"]?.int ?? 0 }
        let tags = try Dictionary(grouping: lines(folder.appending("tag.jsonl.gz"))) { $0["mailbox_id"]?.int ?? 0 }
        let rows = try Dictionary(lines(folder.appending("mailbox.jsonl.gz")).map { ($0["id"]?.int ?? 0, $0) }) { first, _ in first }
        return taken.compactMap { taken -> Beginning? in
            guard let id = taken["mailbox"]?.int, let row = rows[id] else { return nil }
            return Beginning(
                row: MailboxRow(columns: row), items: (items[id] ?? []).map(ItemRow.init(columns:)),
                tags: (tags[id] ?? []).map(TagRow.init(columns:)).filter { $0.id > 0 },
                sequence: taken["log_sequence"]?.int ?? 0, offset: Int(taken["log_offset"]?.int ?? 0))
        }.sorted { ($0.sequence, $0.offset) < ($1.sequence, $1.offset) }
    }

    /// The table "Measured here" of the README: difference, item type, count.
    private static func list(_ readme: String) -> [String: Int] {
        var list: [String: Int] = [:]
        var isInTable = false
        for line in readme.split(separator: "\n") {
            let cells = line.split(separator: "|").map { cell in cell.split(separator: " ").joined(separator: " ") }
            if cells.count == 3, cells[0] == "difference" { isInTable = true }
            if !line.hasPrefix("|") { isInTable = false }
            if isInTable, cells.count == 3, let count = Int(cells[2]) { list["\(cells[0]) \(cells[1])"] = count }
        }
        return list
    }
}

// MARK: - Files

extension RecordedLife {
    static func names(in folder: FilePath) throws -> [String] {
        guard let directory = opendir(folder.string) else { throw failure(folder, "the folder cannot be read") }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names
    }

    /// The bytes of a file, plain or gzip.
    static func inflate(_ file: FilePath) throws -> [UInt8] {
        guard let handle = gzopen(file.string, "rb") else { throw failure(file, "the file cannot be read") }
        defer { gzclose(handle) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = gzread(handle, &buffer, UInt32(buffer.count))
            guard count >= 0 else { throw failure(file, "the file is damaged") }
            guard count > 0 else { return bytes }
            bytes.append(contentsOf: buffer[..<Int(count)])
        }
    }

    private static func object(_ file: FilePath) throws -> JSONObject { try JSONObject(json: inflate(file)) }

    private static func lines(_ file: FilePath) throws -> [JSONObject] {
        try inflate(file).split(separator: UInt8(ascii: "\n")).map { try JSONObject(json: Array($0)) }
    }

    private static func failure(_ file: FilePath, _ reason: String) -> CoreError {
        CoreError(
            CoreError.Code("notADataSet"), doing: "reading a recorded life", subject: file.string, reason: reason,
            remedy: "Name the folder of a data set: with initial/, oracle/, a redo log and a README.md")
    }
}

/// Reads a tar archive's files, by the last component of their names.
enum Tar {
    static func files(_ bytes: [UInt8]) -> [(String, [UInt8])] {
        var files: [(String, [UInt8])] = []
        var place = 0
        while place + 512 <= bytes.count, bytes[place] != 0 {
            let name = String(decoding: bytes[place..<place + 100].prefix { $0 != 0 }, as: UTF8.self)
            let digits = bytes[place + 124..<place + 136].filter { (48...55).contains($0) }
            let size = digits.reduce(0) { $0 * 8 + Int($1) - 48 }
            let kind = bytes[place + 156]
            place += 512
            guard size <= bytes.count - place else { break }
            if kind == 0 || kind == UInt8(ascii: "0") {
                files.append((String(name.split(separator: "/").last ?? ""), Array(bytes[place..<place + size])))
            }
            place += (size + 511) / 512 * 512
        }
        return files
    }
}

// MARK: - Rows

extension RecordedLife.Instant {
    fileprivate init(_ truth: JSONObject, name: String) {
        label = "\(name.prefix(3)) \(truth["label"]?.string ?? "")"
        place = MailboxLife.LogPlace(sequence: truth["log_sequence"]?.int ?? 0, offset: truth["log_offset"]?.int ?? 0)
        mailboxes = (truth["mailboxes"]?.array ?? []).compactMap(\.object).map { mailbox in
            func rows(_ table: String) -> [JSONObject] { (mailbox[table]?.array ?? []).compactMap(\.object) }
            // A server that was killed left no counter: its last change is in the rows.
            let numbers = (rows("items") + rows("dumpster")).compactMap { $0["mod_metadata"]?.int }
                + (rows("tags") + rows("tombstones")).compactMap { $0["sequence"]?.int }
                + [mailbox["change_checkpoint"]?.int ?? 0]
            var found = RecordedLife.Mailbox(
                id: mailbox["mailbox_id"]?.int ?? 0, accountID: mailbox["account_id"]?.string ?? "",
                lastChange: mailbox["last_change_id"]?.int ?? numbers.max() ?? 0, items: rows("items").map(ItemRow.init(columns:)),
                revisions: rows("revisions").map(RevisionRow.init(columns:)),
                tags: rows("tags").map(TagRow.init(columns:)).filter { $0.id > 0 })
            found.row = mailbox["mailbox"]?.object.map(MailboxRow.init(columns:))
            found.dumpster = rows("dumpster").map(ItemRow.init(columns:))
            found.sections = rows("metadata").map { ($0["section"]?.string ?? "", $0["metadata"]?.string ?? "") }
            return found
        }
    }
}

extension MailboxRow {
    /// A row by the names of its columns.
    fileprivate init(columns row: JSONObject) {
        self.init(
            id: row["id"]?.int ?? 0, groupID: row["group_id"]?.int ?? 0, accountID: row["account_id"]?.string?.lowercased() ?? "")
        itemIDCheckpoint = row["item_id_checkpoint"]?.int ?? 0
        changeCheckpoint = row["change_checkpoint"]?.int ?? 0
        trackingImap = row["tracking_imap"]?.int ?? 0 != 0
        version = row["version"]?.string
        comment = row["comment"]?.string
    }
}

extension ItemRow {
    /// A row by the names of its columns.
    init(columns row: JSONObject) {
        self.init(id: 0, type: .folder)
        for member in row.members {
            let value = member.value
            switch member.name {
            case "id": id = value.int ?? 0
            case "type": type = ItemType(rawValue: Int(value.int ?? 0))
            case "parent_id": parentID = value.int
            case "folder_id": folderID = value.int
            case "prev_folders": prevFolders = value.string
            case "index_id": indexID = value.int
            case "imap_id": imapID = value.int
            case "date": date = value.int ?? 0
            case "size": size = value.int ?? 0
            case "locator": locator = value.string
            case "blob_digest": blobDigest = value.string
            case "unread": unread = value.int
            case "flags": flags = Flags(rawValue: value.int ?? 0)
            case "tag_names": tags = ItemRow.tags(fromColumn: value.string)
            case "sender": sender = value.string
            case "recipients": recipients = value.string
            case "subject": subject = value.string
            case "name": name = value.string
            case "metadata": metadata = value.string
            case "mod_metadata": modMetadata = value.int ?? 0
            case "change_date": changeDate = value.int
            case "mod_content": modContent = value.int ?? 0
            case "uuid": uuid = value.string
            default: break
            }
        }
    }
}

extension RevisionRow {
    fileprivate init(columns row: JSONObject) {
        self.init(itemID: row["item_id"]?.int ?? 0, version: row["version"]?.int ?? 0)
        date = row["date"]?.int ?? 0
        size = row["size"]?.int ?? 0
        blobDigest = row["blob_digest"]?.string
        name = row["name"]?.string
        metadata = row["metadata"]?.string
        modMetadata = row["mod_metadata"]?.int ?? 0
        changeDate = row["change_date"]?.int
        modContent = row["mod_content"]?.int ?? 0
    }
}

extension TagRow {
    fileprivate init(columns row: JSONObject) {
        self.init(
            id: row["id"]?.int ?? 0, name: row["name"]?.string ?? "", color: row["color"]?.int,
            listed: row["listed"]?.int ?? 0 != 0, sequence: row["sequence"]?.int ?? 0, policy: row["policy"]?.string)
    }
}
