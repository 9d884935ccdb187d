import Glibc
import BackupStoreTesting
import SystemPackage
import Testing

@testable import BackupStore

@Suite("Pins and purge")
struct PinTests {
    @Test("R1: a commit takes away its own pins only")
    func release() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        let bytes = Array("one body, two groups".utf8)
        let first = try writer.stageBlob(bytes)
        try writer.append(message(1, time: 1, change: 1, blob: first))
        let second = try writer.stageBlob(bytes)  // For a group to come.
        try writer.commit()
        #expect(writer.blobs.isPinned(first.id), "the second reference is still in the making")
        let candidates = try writer.removeHistories([.item(account: account, id: 1)], time: 2)
        #expect(try writer.expireBlobs(candidates, day: "2026-11-25").isEmpty)
        try writer.append(message(2, time: 2, change: 2, blob: second))
        try writer.commit()
        #expect(!writer.blobs.isPinned(first.id))
        #expect(try writer.blobBytes(first.id) == bytes)
        try writer.close()
    }

    @Test("R2: emptying expired/ moves back what a state names again")
    func emptying() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        let bytes = Array("wanted again".utf8)
        let blob = try writer.stageBlob(bytes)
        try writer.append(message(1, time: 1, change: 1, blob: blob))
        try writer.commit()
        let candidates = try writer.removeHistories([.item(account: account, id: 1)], time: 2)
        #expect(try writer.expireBlobs(candidates, day: "2026-11-25") == [blob.id])
        // The reference alone is enough where the store has recorded the blob: it is not staged anew.
        try writer.append(message(2, time: 3, change: 3, blob: blob))
        try writer.commit()
        try writer.emptyExpired(day: "2026-11-25")
        #expect(try writer.blobBytes(blob.id) == bytes)
        #expect(store.files("expired/").isEmpty && store.files("items/").count == 1)

        let more = try writer.removeHistories([.item(account: account, id: 2)], time: 4)
        #expect(try writer.expireBlobs(more, day: "2026-11-26") == [blob.id])
        try writer.emptyExpired(day: "2026-11-26")
        let error = #expect(throws: StoreError.self) { try writer.blobBytes(blob.id) }
        #expect(error?.code == .blobMissing, "unused: gone for good")
        let late = #expect(throws: StoreError.self) { try writer.append(message(3, time: 5, change: 5, blob: blob)) }
        #expect(late?.code == .blobMissing, "a reference to what is gone is refused")
        try writer.close()
    }

    @Test("R1, R2: staging beside purge never ends with a state whose blob is gone")
    func race() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        let bodies = (0..<3).map { Array("body \($0)".utf8) }
        let ids = bodies.map { body in body.withUnsafeBytes { BlobID(of: $0) } }
        let (stop, done) = (Progress(), Progress())
        ThreadBox {
            while !stop.mustStop {
                do {
                    _ = try writer.expireBlobs(ids, day: "2026-11-25")
                    try writer.emptyExpired(day: "2026-11-25")
                } catch {
                    Issue.record("purging: \(error)")
                    break
                }
                usleep(100)
            }
            done.acknowledge(1)
        }.start()
        defer {
            stop.end()
            while done.acknowledged == 0 { usleep(1000) }
            try? writer.close()
        }
        for n in 1...150 {
            let body = bodies[n % 3]
            let blob = try writer.stageBlob(body)
            try writer.append(message(1, time: 1, change: Int64(n), blob: blob))
            try writer.commit()
            #expect(try writer.blobBytes(blob.id) == body, "round \(n)")
            if n % 2 == 0 { _ = try writer.removeHistories([.item(account: account, id: 1)], time: 1) }
        }
    }

    @Test("A mark that says nothing new is not stored again")
    func marks() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        func append(_ mark: Mark, clears: Bool = false) throws -> [Mark] {
            try writer.append(StoreTransaction(account: account, time: 1, marks: [mark, mark], clearsMarks: clears))
            try writer.commit()
            return try writer.marks(account)
        }
        let some = Mark(reason: "doubt", candidates: [1, 2], time: 1)
        #expect(try append(some) == [some])
        #expect(try append(Mark(reason: "doubt", candidates: [2], time: 9)) == [some], "in doubt already")
        let other = Mark(reason: "doubt", candidates: [3], time: 9)
        #expect(try append(other) == [some, other])
        let whole = Mark(reason: "doubt", time: 10)
        #expect(try append(whole) == [some, other, whole], "the whole account is more than some items")
        #expect(try append(Mark(reason: "doubt", candidates: [4], time: 11)).count == 3)
        #expect(try append(some, clears: true) == [some], "cleared, so it says something again")
        store.crash(writer)
        store.removeIndex()
        #expect(try store.open().marks(account) == [some])
    }
}
