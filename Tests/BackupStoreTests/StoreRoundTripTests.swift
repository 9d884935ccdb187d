import SystemPackage
import Testing

@testable import BackupStore

let account = "6f1c5a3e-0000-4000-8000-000000000001"

/// A transaction with one message state.
func message(
    _ id: Int64, folder: Int64 = 2, time: Int64, change: Int64, blob: BlobReference? = nil, deleted: Bool = false,
    position: String? = nil, account: String = account
) -> StoreTransaction {
    StoreTransaction(
        account: account, time: time, change: change,
        states: [
            NewState(
                key: .item(account: account, id: id),
                fields: ["type": "message", "deleted": .bool(deleted), "folder": .int(folder), "name": .string("Grüße \(id)\n")],
                blobs: blob.map { [$0] } ?? [])
        ], position: position)
}

@Suite("A backup path from create to reading")
struct StoreRoundTripTests {
    let folder = TemporaryFolder()

    @Test("What was committed is read by the writer, by a reader, and after reopening")
    func roundTrip() throws {
        let path = folder.appending("backup")
        try StoreWriter.create(path, serverID: "server-1")
        let text = Array("From: a@b.c\r\n\r\nHello".utf8)
        do {
            let writer = try StoreWriter(opening: path, serverID: "server-1")
            let blob = try writer.stageBlob(text)
            #expect(blob.size == Int64(text.count))
            let first = try writer.append(message(257, time: 1_000_500, change: 10, blob: blob, position: "p1"))
            #expect(first == 1)
            #expect(try writer.item(account, 257)?.fields["name"] == .string("Grüße 257\n"), "seen before the commit")
            try writer.append(message(258, folder: 5, time: 1_001_000, change: 11))
            try writer.commit()
            #expect(writer.position == "p1")
            try writer.append(message(257, folder: 3, time: 1_003_000, change: 12, blob: blob, deleted: true, position: "p2"))
            try writer.commit()
            #expect(try writer.history(of: .item(account: account, id: 257)).lines.map(\.sequence) == [1, 3])

            let reader = try StoreReader(opening: path)
            #expect(!reader.usesPrivateIndex, "the writer's index serves readers while it works")
            try check(reader, text, blob)
            reader.close()
            try writer.close()
        }
        let reader = try StoreReader(opening: path)
        #expect(!reader.usesPrivateIndex)
        try check(reader, text, blob(text))
        reader.close()
        let writer = try StoreWriter(opening: path, serverID: "server-1")
        #expect(writer.recovery.isClean, "\(writer.recovery)")
        try check(writer, text, blob(text))
        #expect(try writer.append(message(300, time: 2_000_000, change: 13)) == 4)
    }

    private func blob(_ bytes: [UInt8]) -> BlobReference {
        BlobReference(id: bytes.withUnsafeBytes { BlobID(of: $0) }, size: Int64(bytes.count), stored: 0)
    }

    private func check(_ store: some StoreReading, _ text: [UInt8], _ blob: BlobReference) throws {
        #expect(try store.info().lastSequence == 3)
        #expect(try store.info().position == "p2")
        #expect(try store.accounts() == [account])
        let item = try #require(try store.item(account, 257))
        #expect(item.isDeleted && item.sequence == 3 && item.firstSequence == 1 && item.ordinal == 2 && item.change == 12)
        #expect(try store.items(account, .alive).map(\.key) == [.item(account: account, id: 258)])
        #expect(try store.items(account, .inFolder(5)).count == 1)
        #expect(try store.items(account, .inFolder(2)).isEmpty)
        let history = try store.history(of: .item(account: account, id: 257))
        #expect(history.damage.isEmpty)
        #expect(history.lines.map(\.fields["folder"]) == [.int(2), .int(3)])
        #expect(history.state(at: 2)?.sequence == 1)
        #expect(try store.blobBytes(blob.id) == text)
        let cut = try #require(try store.cut(account, atOrBeforeSecond: 1001))
        #expect(cut.sequence == 2 && cut.next?.sequence == 3 && !cut.clockSteppedBack)
        #expect(try store.cut(account, atOrBeforeSecond: 999) == nil)
        #expect(try store.cut(account, change: 10)?.sequence == 1)
        #expect(try store.hasChange(account, generation: 1, change: 12))
        #expect(try !store.hasChange(account, generation: 2, change: 12))
    }
}
