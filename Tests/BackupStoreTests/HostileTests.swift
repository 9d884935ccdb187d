import BackupStoreTesting
import SystemPackage
import Testing

@testable import BackupStore

@Suite("Hostile bytes")
struct HostileTests {
    @Test("A flipped byte in any file never traps, and no state is believed that was not written")
    func flips() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        let blob = try writer.stageBlob(Array("body".utf8))
        var written: [UInt64: JSONObject] = [:]
        for n in 1...6 {
            let transaction = message(Int64(n % 2), folder: Int64(n), time: 1, change: Int64(n), blob: blob, position: "p\(n)")
            written[try writer.append(transaction)] = transaction.states[0].fields
            try writer.commit()
            if n == 3 { try writer.checkpoint() }
        }
        store.crash(writer, .everything)
        let original = store.disk
        let newest = store.newestSegment
        var generator = SeededGenerator(seed: 99)
        for name in store.files("") where !name.hasSuffix(".lock") {
            let count = original.contents()[name]!.count
            guard count > 0 else { continue }
            for _ in 0..<min(25, count) {
                let place = Int.random(in: 0..<count, using: &generator)
                let bit = UInt8(1) << UInt8.random(in: 0..<8, using: &generator)
                store.disk = original.afterCrash(.everything)
                store.disk.damage(name) { $0[place] ^= bit }
                store.removeIndex()
                let context = "\(name) byte \(place), bit \(bit)"
                do {
                    let reader = try store.reader()
                    defer { reader.close() }
                    for id in [Int64(0), 1] {
                        for line in try reader.history(of: .item(account: account, id: id)).lines {
                            #expect(line.fields == written[line.sequence], "\(context)")
                        }
                        if let state = try reader.item(account, id) {
                            #expect(state.fields == written[state.sequence], "\(context)")
                        }
                    }
                    let info = try reader.info()
                    // Damage of the newest group looks like a torn tail: the reader stops before it and says so (R6).
                    #expect(info.lastSequence == 6 || !reader.recovery.findings.isEmpty, "\(context)")
                    #expect(info.lastSequence == 6 || info.lastSequence == 5 && name == newest, "\(context)")
                    #expect(info.position == "p\(info.lastSequence)", "\(context)")
                } catch is StoreError {
                    continue  // Refused with a reason.
                }
            }
        }
    }

    @Test("Every changed letter of zxbackup.json and of a checksum is noticed")
    func sealed() throws {
        let store = try StoreOnDisk()
        let whole = store.disk.contents()["zxbackup.json"]!
        for place in whole.indices {
            for value in [whole[place] ^ 1, whole[place] ^ 0x20, 0] where value != whole[place] {
                // The line feed at the end says nothing.
                if place == whole.count - 1 { continue }
                store.disk.damage("zxbackup.json") { $0[place] = value }
                #expect(throws: StoreError.self, "byte \(place): \(value)") { try store.reader() }
                store.disk.damage("zxbackup.json") { $0 = whole }
            }
        }
        let letters = SealedJSON.encode(["a": 1]).count - 10
        var sealed = (0...40).lazy.map { SealedJSON.encode(["a": .int($0)]) }
            .first { $0[letters - 2] >= UInt8(ascii: "a") || $0[letters] >= UInt8(ascii: "a") }!
        let place = sealed.indices.last { sealed[$0] >= UInt8(ascii: "a") && sealed[$0] <= UInt8(ascii: "f") }!
        sealed[place] -= 0x20
        #expect(SealedJSON.decode(sealed) == nil)
    }

    @Test("Numbers that no writer writes, under a right checksum, are refused")
    func numbers() {
        #expect(Checkpoint(SealedJSON.encode(["seq": -1, "segment": 1, "time": 1])) == nil)
        #expect(Checkpoint(SealedJSON.encode(["seq": 1, "segment": -1, "time": 1])) == nil)
        #expect(Checkpoint(SealedJSON.encode(["seq": .number("1e99"), "segment": 1, "time": 1])) == nil)
        #expect(AccountStat(SealedJSON.encode(["seq": -1, "items": 0, "lines": 0, "checksums": 0, "marks": []])) == nil)
        let mark: JSONValue = .array([-5, Mark(reason: "r", time: 1).json])
        let stat = AccountStat(SealedJSON.encode(["seq": 1, "items": 0, "lines": 0, "checksums": 0, "marks": .array([mark])]))
        #expect(stat?.marks.isEmpty == true)
        for text in [
            "9223372036854775807-01-01T00:00:00.000Z", "2026-01-01T9223372036854775807:00:00.000Z",
            "99999999999999999999-01-01T00:00:00.000Z", "2026-13-01T00:00:00.000Z", "Z", "", "2026-01-01T00:00:00.000",
        ] {
            #expect(timestamp(text) == nil, "\(text)")
        }
    }

    @Test("Any bytes are a blob: none, one, many pieces; they come back as they were, once")
    func blobs() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        var generator = SeededGenerator(seed: 3)
        for size in [0, 1, BlobWorkbench.pieceSize * 5 + 1] {
            let bytes = (0..<size).map { _ in UInt8.random(in: 0...255, using: &generator) }
            var offset = 0
            let blob = try writer.stageBlob { buffer in  // A source may give as little as it likes.
                let count = min(buffer.count, size - offset, 70_001)
                bytes.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + count])) }
                offset += count
                return count
            }
            #expect(try writer.stageBlob(bytes) == blob)
            try writer.append(message(1, time: 1, change: 1, blob: blob))
            try writer.commit()
            #expect(try writer.blobBytes(blob.id) == bytes)
        }
        #expect(store.files("items/").count == 3)
        try writer.close()
    }

    @Test("JSON with a byte changed is refused or read as what it says", arguments: 0..<10 as Range<UInt64>)
    func jsonFlips(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed &+ 500)
        for _ in 0..<200 {
            var bytes = Array(randomValue(&generator, depth: 4).json.utf8)
            for _ in 0..<Int.random(in: 1...3, using: &generator) where !bytes.isEmpty {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: place)
                default: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: place)
                }
            }
            guard let value = try? JSONValue(json: bytes) else { continue }
            #expect(try JSONValue(json: value.json) == value, "seed \(seed): \(bytes)")
        }
    }

    @Test("JSON: nesting, large numbers, broken UTF-8, surrogates")
    func jsonEdges() throws {
        func nested(_ depth: Int) -> [UInt8] {
            [UInt8](repeating: 0x5B, count: depth) + [UInt8](repeating: 0x5D, count: depth)
        }
        #expect(throws: Never.self) { try JSONValue(json: nested(128)) }
        #expect(throws: StoreError.self) { try JSONValue(json: nested(129)) }
        let long = String(repeating: "9", count: 5000)
        for text in [long, "-" + long, "1e99999999", "0." + long, "9223372036854775808", "-9223372036854775809"] {
            #expect(try JSONValue(json: text) == .number(text), "kept as it stands")
        }
        #expect(try JSONValue(json: "-9223372036854775808") == .int(.min))
        let broken: [[UInt8]] = [
            [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82], [0x80], [0xFF], [0xF0, 0x80, 0x80, 0x80],
        ]
        for bytes in broken {
            #expect(throws: StoreError.self, "\(bytes)") { try JSONValue(json: [0x22] + bytes + [0x22]) }
            #expect(throws: StoreError.self, "\(bytes)") { try JSONValue(json: Array(#""\n"#.utf8) + bytes + [0x22]) }
        }
        for text in [#""\udc00""#, #""\ud800\ud800""#, #""\ud800x""#, #""\ud800"#, #""\u12""#, #""\u12G4""#] {
            #expect(throws: StoreError.self, "\(text)") { try JSONValue(json: text) }
        }
        #expect(try JSONValue(json: #""\u0000\udbff\udfff""#) == .string("\u{0}\u{10FFFF}"))
    }
}
