import BackupStore
import Foundation
import LifeChecks
import SandboxServer
import SystemPackage
import Testing

@testable import BackupCore

@Suite("A sandbox server made of a recorded one")
struct DatasetImportTests {
    private func importing(_ name: String, initial: Bool = false, _ body: (SandboxServer, FilePath, Dataset) throws -> Void) throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let dataset = Dataset(name)
        let path = folder.path.appending("server")
        let (server, figures) = try DatasetImport(FilePath(dataset.folder.path), isInitial: initial).run(at: path)
        #expect(figures.rows > 0 && (figures.blobs > 0) == !initial)
        try body(server, folder.path, dataset)
    }

    @Test("It holds the rows that were recorded, each with its content")
    func end() throws {
        try importing("small") { server, folder, dataset in
            let truth = try #require(try dataset.instants.last)
            for recorded in truth.mailboxes {
                let id = try #require(int(recorded["mailbox_id"]))
                let mailbox = try server.openMailbox(try #require(recorded["account_id"] as? String))
                #expect(mailbox.mailboxID == id)
                let rows = (recorded["items"] as? [[String: Any]] ?? []).map { ItemRow(json: $0) }
                func told(_ rows: [ItemRow]) -> [ItemRow] {
                    rows.sorted { $0.id < $1.id }.map { row in
                        var row = row
                        row.locator = nil
                        return row
                    }
                }
                let held = try mailbox.items()
                #expect(told(held) == told(rows))
                for row in rows where row.blobDigest != nil {
                    let reader = try server.openBlob(
                        BlobLocation(
                            mailboxID: id, itemID: row.id, modContent: row.modContent, locator: "1", size: row.size, digest: row.blobDigest))
                    var length = 0
                    try withUnsafeTemporaryAllocation(byteCount: 65536, alignment: 16) { buffer in
                        while case let count = try reader(buffer), count > 0 { length += count }
                    }
                    #expect(Int64(length) == row.size)
                }
            }
        }
    }

    @Test("Life goes on in it: it is scanned, followed, and nothing differs")
    func goesOn() throws {
        try importing("small") { server, folder, _ in
            let backup = folder.appending("backup")
            try StoreWriter.create(backup, serverID: server.identity.id)
            let engine = try BackupEngine(source: server, store: try StoreWriter(opening: backup, serverID: server.identity.id))
            try engine.begin()
            let alice = try server.openMailbox("alice@example.com")
            let new = try server.deliver(message("after the import"), to: ["alice@example.com", "bob@example.com"])
            try alice.markRead([new[0].itemID])
            try alice.emptyFolder(3)
            try engine.catchUp()
            try engine.close()
            let reader = try StoreReader(opening: backup)
            defer { reader.close() }
            for row in try server.mailboxes() {
                let marks = try reader.marks(row.accountID)
                _ = try server.readMailbox(row.id) { element in
                    guard case .item(let item) = element, item.type != .document else { return }
                    guard let found = try reader.item(row.accountID, item.id).flatMap(ItemState.init(indexed:)) else {
                        Issue.record("item \(item.id) is missing")
                        return
                    }
                    let differences = ItemComparison.differences(expected: ItemState(row: item), found: found, marks: marks)
                    #expect(differences == [])
                }
            }
        }
    }

    @Test("The mailboxes as they were made")
    func initial() throws {
        try importing("small", initial: true) { server, _, _ in
            let items = try server.openMailbox("alice@example.com").items()
            #expect(!items.isEmpty && items.allSatisfy { $0.id < 256 })
        }
    }

    @Test("A folder that is no data set is refused, and no server made")
    func noDataset() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        #expect(throws: SandboxError.self) { try DatasetImport(folder.path).run(at: folder.path.appending("server")) }
        #expect(!FileManager.default.fileExists(atPath: folder.path.appending("server").string))
    }
}
