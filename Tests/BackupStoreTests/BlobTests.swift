import Glibc
import BackupStoreTesting
import SystemPackage
import Testing

@testable import BackupStore

@Suite("Blobs")
struct BlobTests {
    @Test("The name is the SHA-256 in base64 with commas, as the server writes it")
    func name() throws {
        let empty = BlobID(of: UnsafeRawBufferPointer(start: nil, count: 0))
        #expect(empty.description == "47DEQpj8HBSa+,TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
        #expect(BlobID(empty.description) == empty)
        #expect(BackupPath("/b").blob(empty).string == "/b/items/47/47DEQpj8HBSa+,TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
        for wrong in ["", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "47DEQpj8HBSa+,TImW+5JCeuQeRkm5NMpJWZG3hSuFV="] {
            #expect(BlobID(wrong) == nil, "\(wrong)")
        }
        var generator = SeededGenerator(seed: 4)
        for _ in 0..<200 {
            let hash = (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let id = try #require(BlobID(hash: hash))
            #expect(id.hash == hash && BlobID(id.description) == id && id.description.utf8.count == 44)
        }
    }

    /// Bytes that do not compress.
    private static let noise: [UInt8] = {
        var generator = SeededGenerator(seed: 5)
        return (0..<3 * BlobWorkbench.pieceSize).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }()

    /// Bytes that do.
    private static let text: [UInt8] = {
        var generator = SeededGenerator(seed: 6)
        var bytes: [UInt8] = []
        while bytes.count < 3 * BlobWorkbench.pieceSize {
            bytes.append(contentsOf: "The quick brown fox \(UInt16.random(in: 0...999, using: &generator))\r\n".utf8)
        }
        return bytes
    }()

    @Test("Every level gives back every size, through staging, commit and reading", arguments: [1, 2, 3, 4, 6, 9])
    func sizes(level: Int) throws {
        let store = try StoreOnDisk()
        store.options.compressionLevel = level
        let writer = try store.open()
        let piece = BlobWorkbench.pieceSize
        for size in [0, 1, 100, piece - 1, piece, piece + 1, 2 * piece + 17] {
            for source in [Self.noise, Self.text] {
                let bytes = Array(source[..<size])
                let blob = try writer.stageBlob(bytes)
                #expect(blob.size == Int64(size) && blob.id == bytes.withUnsafeBytes { BlobID(of: $0) })
                try writer.append(message(1, time: 1, change: 1, blob: blob))
                try writer.commit()
                let file = try #require(store.disk.contents()["items/\(blob.id.description.prefix(2))/\(blob.id)"])
                #expect(file.count == Int(blob.stored) && file.starts(with: [0x1F, 0x8B]), "one gzip member")
                #expect(try writer.blobBytes(blob.id) == bytes)
            }
        }
        try writer.close()
    }

    @Test("A blob of 100 MB goes through in bounded memory")
    func large() throws {
        func resident() -> Int {
            let text = (try? PosixFileSystem().readSmallProcFile("/proc/self/statm")) ?? ""
            return Int(text.split(separator: " ").dropFirst().first ?? "0")! * 4096
        }
        let folder = TemporaryFolder()
        let path = folder.appending("backup")
        try StoreWriter.create(path, serverID: "s")
        let writer = try StoreWriter(opening: path, serverID: "s")
        let total = 100 << 20
        var given = 0
        let before = resident()
        var peak = before
        var expected = Digest()
        let blob = try writer.stageBlob { buffer in
            let count = min(buffer.count, total - given)
            for place in stride(from: 0, to: count, by: 512) {
                buffer.storeBytes(of: UInt64(given + place), toByteOffset: place, as: UInt64.self)
            }
            expected.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            given += count
            if given % (8 << 20) == 0 { peak = max(peak, resident()) }
            return count
        }
        try writer.append(message(1, time: 1, change: 1, blob: blob))
        try writer.commit()
        var read = Digest()
        var length = 0
        try writer.readBlob(blob.id) {
            read.update($0)
            length += $0.count
            if length % (8 << 20) == 0 { peak = max(peak, resident()) }
        }
        #expect(length == total && read.finish() == blob.id && expected.finish() == blob.id)
        #expect(peak - before < 64 << 20, "R12: \((peak - before) >> 20) MB more were resident")
        try writer.close()
    }

    @Test("What the compressor's file does not give back is never committed")
    func verification() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        store.disk.corrupting = { name, bytes in
            if name.hasPrefix("items/.tmp-"), bytes.count > 100 { bytes[bytes.count / 2] ^= 0x10 }
        }
        var generator = SeededGenerator(seed: 1)
        let bytes = (0..<BlobWorkbench.pieceSize * 2).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let error = #expect(throws: StoreError.self) { try writer.stageBlob(bytes) }
        #expect(error?.code == .verificationFailed)
        #expect(store.files("items/.tmp-").isEmpty)
        writer.abandon()
    }

    @Test("R1: a damaged blob is written again, an intact one is kept once")
    func deduplication() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        let bytes = Array("the same bytes twice".utf8)
        let first = try writer.stageBlob(bytes)
        try writer.append(message(1, time: 1, change: 1, blob: first))
        try writer.commit()
        let file = "items/\(first.id.description.prefix(2))/\(first.id)"
        let writes = store.disk.trace.count { $0.hasPrefix("write items/") }
        let second = try writer.stageBlob(bytes)
        try writer.append(message(2, time: 2, change: 2, blob: second))
        try writer.commit()
        #expect(first == second)
        #expect(store.disk.trace.count { $0.hasPrefix("write items/") } == writes, "known bytes are not written again")

        // Cut off behind the store's back: the length is not the recorded one.
        store.disk.damage(file) { $0.removeLast() }
        let third = try writer.stageBlob(bytes)
        try writer.append(message(3, time: 3, change: 3, blob: third))
        try writer.commit()
        #expect(try writer.blobBytes(first.id) == bytes, "R1: a blob of the wrong length does not count")
        try writer.close()
    }

    @Test("R1: blobs are durable under their names before the journal's sync, pinned until after it")
    func order() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        let blob = try writer.stageBlob(Array("abc".utf8))
        #expect(writer.blobs.isPinned(blob.id))
        let start = store.disk.trace.count
        try writer.append(message(1, time: 1, change: 1, blob: blob))
        try writer.commit()
        let trace = Array(store.disk.trace[start...])
        let rename = try #require(trace.firstIndex { $0.hasPrefix("rename items/.tmp-") })
        let before = try #require(trace[..<rename].lastIndex { $0 == "syncfs" })
        let after = try #require(trace[rename...].firstIndex { $0 == "syncfs" })
        let commit = try #require(trace.firstIndex { $0.hasPrefix("syncdata journal/segment-") })
        let history = try #require(trace.firstIndex { $0.hasPrefix("write accounts/") })
        #expect(before < rename && rename < after && after < commit && commit < history, "\(trace)")
        #expect(!writer.blobs.isPinned(blob.id))
        // A state that names what is not there is refused.
        let stranger = BlobReference(id: BlobID(of: UnsafeRawBufferPointer(start: nil, count: 0)), size: 0, stored: 20)
        let error = #expect(throws: StoreError.self) { try writer.append(message(2, time: 2, change: 2, blob: stranger)) }
        #expect(error?.code == .blobMissing)
        try writer.append(message(3, time: 3, change: 3))
        try writer.commit()
        #expect(writer.lastSequence == 2, "the refusal cost nothing else")
        try writer.close()
    }

    @Test("A blob that is not what its name says is an error with the place, never wrong bytes")
    func damagedBlob() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        let bytes = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let blob = try writer.stageBlob(bytes)
        try writer.append(message(1, time: 1, change: 1, blob: blob))
        try writer.commit()
        let file = "items/\(blob.id.description.prefix(2))/\(blob.id)"
        let whole = store.disk.contents()[file]!
        for place in stride(from: 0, to: whole.count, by: 7) {
            store.disk.damage(file) {
                $0 = whole; $0[place] ^= 0x55
            }
            // The gzip header's time and system are nothing to the content.
            if (3..<10).contains(place) { continue }
            #expect(throws: StoreError.self, "byte \(place)") { try writer.blobBytes(blob.id) }
        }
        for length in [0, 5, whole.count - 1] {
            store.disk.damage(file) { $0 = Array(whole[..<length]) }
            #expect(throws: StoreError.self) { try writer.blobBytes(blob.id) }
        }
        store.disk.damage(file) { $0 = whole + [0] }
        #expect(throws: StoreError.self) { try writer.blobBytes(blob.id) }
        store.disk.vanish(file)
        let error = #expect(throws: StoreError.self) { try writer.blobBytes(blob.id) }
        #expect(error?.code == .blobMissing)
        writer.abandon()
    }

    /// A gzip member of the bytes, repeated.
    private static func gzip(_ bytes: [UInt8], times: Int = 1) throws -> [UInt8] {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        defer { buffer.deallocate() }
        let compressor = Compressor(level: 6)
        var member: [UInt8] = []
        for piece in 1...times {
            try bytes.withUnsafeBytes { bytes in
                try compressor.run(bytes, last: piece == times, buffer: buffer) { member.append(contentsOf: $0) }
            }
        }
        return member
    }

    @Test("A bomb in a blob's place ends at the recorded length, one within another, too; the check names it")
    func bomb() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        let blob = try writer.stageBlob(Array("Hello".utf8))
        try writer.append(message(1, time: 1, change: 1, blob: blob))
        try writer.commit()
        let bomb = try Self.gzip([UInt8](repeating: 0, count: 1 << 20), times: 32)
        for bytes in [bomb, try Self.gzip(bomb)] {
            let name = "items/\(blob.id.description.prefix(2))/\(blob.id)"
            store.disk.damage(name) { $0 = bytes }
            var count = 0
            let error = #expect(throws: StoreError.self) { try writer.readBlob(blob) { count += $0.count } }
            #expect(error?.code == .blobDamaged && count <= 5, "\(count)")
            #expect(throws: StoreError.self) { try writer.blobBytes(blob) }
            let file = try store.disk.open(store.path.appending(name), .read)
            defer { file.close() }
            #expect(throws: BlobDamage.self) { try file.decompressTwice(limit: 5) { count += $0.count } }
            #expect(throws: BlobDamage.self) { try file.readBlob(blob.id, limit: 5) { count += $0.count } }
            #expect(count <= 5, "\(count)")
            let report = try FileStoreCheck(of: store.path, files: store.disk).run()
            #expect(report.findings.contains { $0.kind == .blobDamaged && $0.reason.contains("more than the 5 bytes") }, "\(report)")
        }
        writer.abandon()
    }

    @Test("R2: a blob goes only after its last state is durably gone, by way of expired/, and a new reference brings it back")
    func expiring() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        let bytes = Array("to be purged".utf8)
        let blob = try writer.stageBlob(bytes)
        try writer.append(message(1, time: 1, change: 1, blob: blob))
        try writer.append(message(2, time: 2, change: 2, blob: blob))
        try writer.commit()
        let one = HistoryKey.item(account: account, id: 1)
        let two = HistoryKey.item(account: account, id: 2)
        #expect(try writer.removeHistories([one], time: 3) == [blob.id])
        #expect(try writer.expireBlobs([blob.id], day: "2026-11-25").isEmpty, "another item names it")
        _ = try writer.removeHistories([two], time: 4)

        let start = store.disk.trace.count
        let pinned = try writer.stageBlob(bytes)
        #expect(try writer.expireBlobs([blob.id], day: "2026-11-25").isEmpty, "a pinned blob stays")
        writer.blobs.dropAll()
        #expect(try writer.expireBlobs([pinned.id], day: "2026-11-25") == [blob.id])
        let trace = store.disk.trace[start...]
        let sync = try #require(trace.firstIndex { $0 == "syncfs" })
        let rename = try #require(trace.firstIndex { $0.hasPrefix("rename items/") })
        #expect(sync < rename, "R2: the removal is durable before the blob moves")
        #expect(try writer.blobBytes(blob.id) == bytes, "readers still find it")

        let again = try writer.stageBlob(bytes)
        try writer.append(message(5, time: 5, change: 5, blob: again))
        try writer.commit()
        #expect(store.files("expired/").isEmpty, "it moved back")
        #expect(try writer.blobBytes(blob.id) == bytes)
        try writer.emptyExpired(day: "2026-11-25")
        #expect(try writer.blobBytes(blob.id) == bytes)

        // Held by the source position only: not purged either (R4).
        let held = try writer.stageBlob(Array("a shared body".utf8))
        try writer.append(StoreTransaction(account: nil, time: 6, position: "p", heldBlobs: [held]))
        try writer.commit()
        #expect(try writer.expireBlobs([held.id], day: "2026-11-26").isEmpty)
        try writer.close()
        #expect(try store.open().item(account, 1) == nil)
    }

    @Test("R2: a crash around a removal leaves no state without its blob")
    func removalCrash() throws {
        for call in 1..<200 {
            let store = try StoreOnDisk()
            let writer = try store.open()
            let blob = try writer.stageBlob(Array("to be purged".utf8))
            try writer.append(message(1, time: 1, change: 1, blob: blob))
            try writer.append(message(2, time: 1, change: 1))
            try writer.commit()
            store.disk.faults = [.init(call: store.disk.calls + call * 2, error: nil)]
            do {
                let candidates = try writer.removeHistories([.item(account: account, id: 1)], time: 2)
                _ = try writer.expireBlobs(candidates, day: "2026-11-25")
                return
            } catch  where store.disk.isDead {}
            store.crash(writer)
            let again = try store.open()
            let history = try again.history(of: .item(account: account, id: 1))
            #expect((try again.item(account, 1) == nil) == history.lines.isEmpty, "call \(call)")
            for line in history.lines { for blob in line.blobs { _ = try again.blobBytes(blob.id) } }
            #expect(try again.item(account, 2) != nil)
            again.abandon()
        }
    }
}

extension PosixFileSystem {
    /// A file of /proc, whose size reads as 0.
    func readSmallProcFile(_ path: FilePath) throws -> String {
        let file = try open(path, .read)
        return String(decoding: try file.readBytes(at: 0, count: 4096), as: UTF8.self)
    }
}
