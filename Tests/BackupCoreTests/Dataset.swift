import CZlib
import Foundation
import RedoLog
import SystemPackage

@testable import BackupCore

/// A recorded life of a real mail server (Fixtures/<name>): its log, its rows at the beginning, the truth at several instants.
struct Dataset {
    let folder: URL

    /// A life among the fixtures; `medium` lies beside the project, where it is present.
    init(_ name: String) {
        let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        folder = name == "medium"
            ? tests.appending(path: "../../../shared/datasets/medium").standardized : tests.appending(path: "Fixtures/\(name)")
    }

    var exists: Bool { FileManager.default.fileExists(atPath: folder.path) }

    struct Instant {
        let label: String
        let sequence: Int64
        let offset: Int64
        let mailboxes: [[String: Any]]
    }

    var instants: [Instant] {
        get throws {
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: "oracle").path).sorted()
            return try names.map { name in
                let truth = try require2(object(folder.appending(path: "oracle/\(name)")))
                return Instant(
                    label: "\(name.prefix(3)) \(truth["label"] ?? "")", sequence: int(truth["log_sequence"]) ?? 0,
                    offset: int(truth["log_offset"]) ?? 0, mailboxes: truth["mailboxes"] as? [[String: Any]] ?? [])
            }
        }
    }

    /// Rows of `initial/<table>` by mailbox.
    func initial(_ table: String) throws -> [Int64: [[String: Any]]] {
        let rows = try inflate(folder.appending(path: "initial/\(table).jsonl.gz")).split(separator: UInt8(ascii: "\n"))
            .compactMap { try JSONSerialization.jsonObject(with: Data($0)) as? [String: Any] }
        return Dictionary(grouping: rows) { int($0["mailbox_id"] ?? $0["id"]) ?? 0 }
    }

    var accounts: [AccountEntry] {
        get throws {
            let data = try Data(contentsOf: folder.appending(path: "accounts.json"))
            let document = try JSONSerialization.jsonObject(with: data) as? [String: Any]
            return (document?["accounts"] as? [[String: Any]] ?? []).map { account in
                let attributes = (account["attributes"] as? [String: Any] ?? [:]).mapValues { value in
                    (value as? [String]) ?? ["\(value)"]
                }
                return AccountEntry(
                    id: account["account_id"] as? String ?? "", name: account["name"] as? String ?? "", attributes: attributes)
            }
        }
    }

    /// The log's files in the order of their sequence.
    func logs(in logFolder: URL? = nil) throws -> [LogFile] {
        let log = logFolder ?? folder.appending(path: "redolog")
        let archive = log.appending(path: "archive")
        let archived = (try? FileManager.default.contentsOfDirectory(atPath: archive.path)) ?? []
        let paths = archived.filter { $0.hasSuffix(".log") }.map { archive.appending(path: $0) } + [log.appending(path: "redo.log")]
        return try paths.map { try LogFile(FilePath($0.path)) }.sorted { try $0.header().sequence < $1.header().sequence }
    }
}

func int(_ value: Any?) -> Int64? { (value as? NSNumber)?.int64Value }

private struct NotThere: Error {}
private func require2<T>(_ value: T?) throws -> T { if let value { value } else { throw NotThere() } }

func object(_ file: URL) throws -> [String: Any]? {
    try JSONSerialization.jsonObject(with: Data(inflate(file))) as? [String: Any]
}

/// The bytes of a gzip file.
func inflate(_ file: URL) throws -> [UInt8] {
    guard let handle = gzopen(file.path, "rb") else { throw NotThere() }
    defer { gzclose(handle) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = gzread(handle, &buffer, UInt32(buffer.count))
        guard count > 0 else { return bytes }
        bytes.append(contentsOf: buffer[..<Int(count)])
    }
}

extension ItemRow {
    /// A row as the data sets write it.
    init(json row: [String: Any]) {
        self.init(id: int(row["id"]) ?? 0, type: ItemType(rawValue: Int(int(row["type"]) ?? 0)))
        parentID = int(row["parent_id"])
        folderID = int(row["folder_id"])
        prevFolders = row["prev_folders"] as? String
        indexID = int(row["index_id"])
        imapID = int(row["imap_id"])
        date = int(row["date"]) ?? 0
        size = int(row["size"]) ?? 0
        locator = row["locator"] as? String
        blobDigest = row["blob_digest"] as? String
        unread = int(row["unread"])
        flags = Flags(rawValue: int(row["flags"]) ?? 0)
        tags = ItemRow.tags(fromColumn: row["tag_names"] as? String)
        sender = row["sender"] as? String
        recipients = row["recipients"] as? String
        subject = row["subject"] as? String
        name = row["name"] as? String
        metadata = row["metadata"] as? String
        modMetadata = int(row["mod_metadata"]) ?? 0
        changeDate = int(row["change_date"])
        modContent = int(row["mod_content"]) ?? 0
        uuid = row["uuid"] as? String
    }
}

/// A folder for one test.
struct TemporaryFolder {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "zxbackup-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    var path: FilePath { FilePath(url.path) }

    func remove() { try? FileManager.default.removeItem(at: url) }

    /// Makes a folder with its parents.
    static func make(_ path: FilePath) throws {
        try FileManager.default.createDirectory(atPath: path.string, withIntermediateDirectories: true)
    }
}

/// Unpacks a .tar.gz.
func unpack(_ archive: URL, into folder: URL) throws {
    let tar = Process()
    tar.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    tar.arguments = ["tar", "-xzf", archive.path, "-C", folder.path]
    try tar.run()
    tar.waitUntilExit()
    guard tar.terminationStatus == 0 else { throw NotThere() }
}
