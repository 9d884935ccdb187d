import BackupStore
import RedoLog
import Testing

@testable import BackupCore

@Suite("What an interruption leaves to the next start")
struct InterruptedScanTests {
    @Test("A first scan that was interrupted is done again, and ends what went in between")
    func endsWhatWentMeanwhile() throws {
        let bench = try Bench()
        defer { bench.remove() }
        // As a killed scan leaves it: items committed, the mailbox's own state not yet.
        let store = try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id)
        var row = ItemRow(id: 9999, type: .message)
        row.folderID = 2
        try store.append(
            StoreTransaction(
                account: bench.alice.accountID, time: 1000, kind: "scan",
                states: [ItemState(row: row).newState(account: bench.alice.accountID)]))
        try store.commit()
        try store.close()

        try bench.backUp()
        let differences = try bench.differences()
        #expect(differences == [])
        let reader = try StoreReader(opening: bench.backupPath)
        defer { reader.close() }
        #expect(try reader.item(bench.alice.accountID, 9999)?.isDeleted == true)
    }

    @Test("R4: shared bodies that wait for a recipient are in the position after a restart too")
    func keepsSharedBodies() throws {
        let bench = try Bench()
        defer { bench.remove() }
        let store = try StoreWriter(opening: bench.backupPath, serverID: bench.server.identity.id)
        defer { try? store.close() }
        let blob = try store.stageBlob(message("shared"))
        var shared = SharedBodies()
        shared.add(AppliedContent(blob: blob, summary: nil), path: "incoming/1-0.msg", digest: "abc", recipients: 2)
        try store.append(StoreTransaction(account: nil, time: 1000, position: shared.text, heldBlobs: shared.blobs))
        try store.commit()

        let resumed = try SharedBodies(json: try JSONValue(json: shared.text), store: store)
        #expect(resumed.blobs == [blob])
        #expect(resumed.text == shared.text)
    }
}
