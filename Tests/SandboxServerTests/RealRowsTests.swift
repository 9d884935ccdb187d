import BackupCore
import Foundation
import GRDB
import SystemPackage
import Testing

@testable import SandboxServer

/// The rows against those of a real server (the data set `small`).
@Suite("Rows as a real server has them")
struct RealRowsTests {
    private static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
    private static let small = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appending(path: "../BackupCoreTests/Fixtures/small")

    /// Messages made by IMAP COPY and by recovery from the dumpster, by mailbox: copies without the flag (the set's events tell).
    private static let copies: [Int64: Set<Int64>] = [1: [314, 353, 354, 355], 2: [285, 287, 288, 310]]

    private func lines(_ data: Data) throws -> [[String: Any]] {
        try data.split(separator: 10).compactMap { try JSONSerialization.jsonObject(with: $0) as? [String: Any] }
    }

    private func number(_ value: Any?) -> Int64? { (value as? NSNumber)?.int64Value }

    @Test("A new mailbox has the folders, flags and numbers of a real one")
    func newMailbox() throws {
        let test = try TestServer()
        let alice = try test.mailbox()
        let real = try lines(Data(contentsOf: Self.fixtures.appending(path: "initial-mail_item.jsonl"))).filter { number($0["mailbox_id"]) == 1 }
        let rows = try alice.items()
        #expect(rows.map(\.id) == real.compactMap { number($0["id"]) })
        for (row, real) in zip(rows, real) {
            #expect(row.name == real["name"] as? String && row.subject == real["subject"] as? String)
            #expect(row.parentID == number(real["parent_id"]) && row.folderID == number(real["folder_id"]))
            #expect(row.metadata == real["metadata"] as? String, "folder \(row.id)")
            #expect(row.flags.rawValue == number(real["flags"]) && row.unread == number(real["unread"]) && row.size == number(real["size"]))
            #expect(row.modMetadata == 1 && row.modContent == 1 && row.indexID == nil && row.imapID == nil && row.uuid?.count == 36)
        }
        let mailbox = try #require(try test.server.mailboxes().first)
        let realMailbox = try lines(Data(contentsOf: Self.fixtures.appending(path: "initial-mailbox.jsonl")))[0]
        #expect(mailbox.itemIDCheckpoint == number(realMailbox["item_id_checkpoint"]))
        #expect(mailbox.changeCheckpoint == number(realMailbox["change_checkpoint"]))
        #expect(mailbox.groupID == 1 && mailbox.version == "2.7" && mailbox.comment == "alice@example.com")
        let flags = try lines(Data(contentsOf: Self.fixtures.appending(path: "initial-tag.jsonl"))).filter { number($0["mailbox_id"]) == 1 }
        let stored = try test.server.database.read { database in
            try [String].fetchFlags(database)
        }
        #expect(stored == flags.compactMap { real in number(real["id"]).map { "\($0) \(real["name"] as? String ?? "")" } })
    }

    @Test("Columns, metadata and flags of a real server's messages follow from their bytes")
    func realMessages() throws {
        let folder = URL(fileURLWithPath: NSTemporaryDirectory()).appending(path: "zxblobs-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        _ = try run(["tar", "-xzf", Self.small.appending(path: "blobs.tar.gz").path, "-C", folder.path])
        var blobs: [String: [UInt8]] = [:]
        for case let file as URL in FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil) ?? .init() {
            guard let bytes = try? Data(contentsOf: file) else { continue }  // A folder.
            blobs[ServerDigest.sha256(bytes)] = Array(bytes)
        }
        let rows = try lines(try run(["gzip", "-dc", Self.small.appending(path: "tables/mail_item.jsonl.gz").path]))
        var compared = 0
        for real in rows where number(real["type"]) == 5 {
            guard let digest = real["blob_digest"] as? String, let bytes = blobs[digest] else { continue }
            let id = "message \(number(real["id"]) ?? 0) of mailbox \(number(real["mailbox_id"]) ?? 0)"
            let summary = MessageSummary(bytes: bytes)
            let metadata = try MetadataDictionary(parsing: real["metadata"] as? String)
            let flags = Flags(rawValue: number(real["flags"]) ?? 0)
            #expect(summary.subject.normalized == real["subject"] as? String, "\(id)")
            #expect(summary.subject.prefix == metadata.string("p"), "\(id)")
            #expect(summary.from == metadata.string("s") ?? "", "\(id)")
            #expect(summary.to == metadata.string("t"), "\(id)")
            // A saved draft's sender lags; a copy has no recipients.
            if !flags.contains(.draft) { #expect(summary.senderColumn == real["sender"] as? String, "\(id)") }
            let isCopy = flags.contains(.copied) || !(real["uuid"] is NSNull)
                || Self.copies[number(real["mailbox_id"]) ?? 0]?.contains(number(real["id"]) ?? 0) == true
            if !isCopy { #expect(summary.recipientsColumn == real["recipients"] as? String, "\(id)") }
            #expect(summary.flags == flags.intersection([.attached, .urgent, .bulk]), "\(id)")
            let fragment = metadata.string("f") ?? ""
            if !flags.contains(.invite) { #expect(summary.fragment.prefix(100) == fragment.prefix(100), "\(id)") }
            compared += 1
        }
        #expect(compared > 40)
    }

    private func run(_ arguments: [String]) throws -> Data {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return data
    }
}

extension [String] {
    /// The flag rows of `tag`, as `id name`.
    static func fetchFlags(_ database: Database) throws -> [String] {
        try Row.fetchAll(database, sql: "SELECT id, name FROM tag WHERE id < 0 ORDER BY id").map { "\($0[0] as Int64) \($0[1] as String)" }
    }
}
