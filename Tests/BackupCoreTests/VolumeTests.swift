import BackupStore
import Foundation
import RedoLog
import SystemPackage
import Testing

@testable import BackupCore
@testable import SandboxServer

/// Contents on several volumes, compressed or not.
@Suite("Volumes of a mail server")
struct VolumeTests {
    private func large(_ subject: String) -> [UInt8] { message(subject, body: String(repeating: "All work and no play. ", count: 1000)) }

    /// Mail and other contents on the stock volume, on one that compresses, and linked from each to the other.
    private func fill(_ bench: Bench) throws {
        let (server, alice) = (bench.server, bench.alice)
        let early = try server.deliver(large("early"), to: ["alice@example.com"])[0].itemID
        let packed = try server.createVolume(named: "packed", at: "store2", compresses: true)
        try server.setCurrentVolume(packed)
        let ids = try server.deliver(large("late"), to: ["alice@example.com", "bob@example.com"]).map(\.itemID)
        _ = try server.deliver(message("small"), to: ["alice@example.com"])
        let photo = ContactAttachment(name: "p.png", contentType: "image/png", bytes: [UInt8](repeating: 7, count: 20_000))
        let contact = try alice.createContact(["firstName": "Eve"], attachments: [photo])
        let story = try alice.saveDocument(large("one"), named: "story.txt", description: "first")
        try alice.addRevision(large("two"), to: story)
        let draft = try alice.saveDraft(large("draft"))
        try alice.updateDraft(draft, large("draft, longer"))
        try alice.copy([early, ids[0]], to: 5)
        try server.renameVolume(packed, to: "packed, old")
        try server.setCurrentVolume(1)
        try alice.copy([ids[0]], to: 6)
        try alice.modifyContact(contact, ["firstName": "Eva"], attachments: [photo])
        try alice.addRevision(large("three"), to: story)
    }

    @Test("Contents of a volume that compresses are followed, scanned and restored as what they are", arguments: [true, false])
    func compressing(isFollowed: Bool) throws {
        let bench = try Bench()
        defer { bench.remove() }
        if isFollowed { try bench.backUp() }
        try fill(bench)
        try bench.backUp()
        #expect(try bench.differences() == [])
        let log = try Verification().run([bench.server.redoLog.log])
        #expect(!log.isDamaged && log.digests > 5, "\(log.problems)")

        let store = try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id)
        defer { try? store.close() }  // Nothing is written after the last check.
        let engine = try BackupEngine(source: bench.server, store: store)
        try engine.begin()
        let scan = try engine.scan(account: bench.alice.accountID, deep: true)
        // What a server computes of contacts and documents comes with the scan.
        #expect(scan.newMetadata == (isFollowed ? 2 : 0) && scan.damagedFiles == 0 && scan.problems == [] && scan.comparedFiles > 8, "\(scan)")
        let report = try RestoreOnNewAccount(source: "alice@example.com", destination: "copy@example.com", moment: .last)
            .run(from: store, to: bench.server, stateFolder: bench.folder.path.appending("state"))
        #expect(report.isComplete && report.addsUp, "\(report.text)")
        let copy = try bench.server.openMailbox("copy@example.com")
        func digests(_ mailbox: SandboxMailbox) throws -> [String] { try mailbox.items().compactMap(\.blobDigest).sorted() }
        #expect(try digests(copy) == digests(bench.alice))
    }

    @Test("Files and records of a volume that compresses are gzip, and those of a short or incompressible content are plain")
    func files() throws {
        let bench = try Bench()
        defer { bench.remove() }
        let server = bench.server
        try server.setCurrentVolume(try server.createVolume(named: "packed", at: "store2", compresses: true))
        for text in [large("large"), message("small")] { _ = try server.deliver(text, to: ["alice@example.com"]) }
        let root = bench.folder.path.appending("server").appending("store2")
        let files = try FileManager.default.subpathsOfDirectory(atPath: root.string).filter { $0.hasSuffix(".msg") }
            .map { try Files.read(root.pushing(FilePath($0))) }.sorted { $0.count < $1.count }
        #expect(files.count == 2 && files[0] == message("small"))
        #expect(files[1].starts(with: [0x1F, 0x8B]) && files[1].count < 1000)
        #expect(Files.names(in: root.appending("incoming")) == [])
        var bodies: [Int64] = []
        let reader = try RecordReader(file: try LogFile(server.redoLog.log))
        while case .record(let record) = try reader.next() {
            if case .createMessage(let message) = record.operation, let body = message.body { bodies.append(body.length) }
        }
        #expect(bodies == [Int64(files[1].count), Int64(files[0].count)], "the log carries a file's bytes")
    }

    @Test("A volume in use is not deleted; an empty one is, and a mailbox leaves nothing on any")
    func deleting() throws {
        let bench = try Bench()
        defer { bench.remove() }
        let server = bench.server
        let id = try server.createVolume(named: "second", at: "store2")
        #expect(throws: SandboxError.self) { try server.createVolume(named: "second", at: "store3") }
        try server.setCurrentVolume(id)
        #expect(throws: SandboxError.self) { try server.deleteVolume(id) }
        _ = try server.deliver(message("x"), to: ["alice@example.com"])
        try server.setCurrentVolume(1)
        #expect(throws: SandboxError.self) { try server.deleteVolume(id) }
        #expect(throws: SandboxError.self) { try server.setCurrentVolume(2) }
        try server.deleteMailbox(ofAccount: "alice@example.com")
        let root = bench.folder.path.appending("server").appending("store2")
        #expect(try FileManager.default.subpathsOfDirectory(atPath: root.string).filter { $0.hasSuffix(".msg") } == [])
        try server.deleteVolume(id)
        #expect(try server.volumeID(named: "second") == nil)
    }
}
