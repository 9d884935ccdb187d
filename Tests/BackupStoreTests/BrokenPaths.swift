import BackupStoreTesting
import SystemPackage

@testable import BackupStore

/// Backup paths with one kind of damage each, as they are kept in `Tests/Fixtures/broken`.
enum BrokenPaths {
    /// A kind of damage.
    struct Kind: Sendable {
        var name: String
        /// Whether the path is one that a crash left; else it was closed.
        var isCrashed = false
        /// Whether the fixture holds an index.
        var hasIndex = false
        var damage: @Sendable (StoreOnDisk) throws -> Void
    }

    static let all: [Kind] = [
        Kind(name: "sound") { _ in },
        Kind(name: "sound-after-crash", isCrashed: true) { _ in },
        Kind(name: "missing-blob") { $0.disk.vanish($0.blob(alone)) },
        Kind(name: "empty-blob") { $0.disk.damage($0.blob(alone)) { $0 = [] } },
        Kind(name: "flipped-blob") { $0.disk.damage($0.blob(alone)) { $0[$0.count - 6] ^= 1 } },
        Kind(name: "double-compressed-blob") { $0.disk.damage($0.blob(alone)) { $0 = gzip($0) } },
        Kind(name: "expired-blob") { store in
            let name = store.blob(alone)
            store.disk.place("expired/2026-11-25/\(name.split(separator: "/").last!)", store.disk.contents()[name]!)
            store.disk.vanish(name)
        },
        Kind(name: "orphan-blob") { $0.disk.place($0.blob(Array("orphan".utf8)), gzip(Array("orphan".utf8))) },
        Kind(name: "torn-line", isCrashed: true) { $0.disk.damage(historyFile(259)) { $0.removeLast(9) } },
        Kind(name: "torn-durable-line") { $0.disk.damage(historyFile(258)) { $0.removeLast(9) } },
        Kind(name: "flipped-line") { $0.disk.damage(historyFile(258)) { $0[40] ^= 1 } },
        Kind(name: "lost-first-line") { $0.disk.damage(historyFile(258)) { $0 = Array($0[($0.firstIndex(of: 10)! + 1)...]) } },
        Kind(name: "lost-last-line") { $0.disk.damage(historyFile(258)) { $0 = Array($0[...$0.firstIndex(of: 10)!]) } },
        Kind(name: "swapped-lines") { store in
            store.disk.damage(historyFile(258)) { bytes in
                let end = bytes.firstIndex(of: 10)! + 1
                bytes = Array(bytes[end...] + bytes[..<end])
            }
        },
        Kind(name: "empty-history") { $0.disk.damage(historyFile(257)) { $0 = [] } },
        Kind(name: "missing-history") { $0.disk.vanish(historyFile(257)) },
        Kind(name: "cut-journal", isCrashed: true) { $0.disk.damage($0.newestSegment) { $0.removeLast(50) } },
        Kind(name: "flipped-journal") { store in
            store.disk.damage(store.files("journal/segment-")[0]) { $0[$0.count / 2] ^= 1 }
        },
        Kind(name: "missing-segment") { $0.disk.vanish($0.files("journal/segment-").dropLast().last!) },
        Kind(name: "journal-of-another-store") { store in
            let other = try made(isCrashed: true, storeID: "ffffffffffffffffffffffffffffffff", salt: 0x9900)
            let name = other.newestSegment
            store.disk.place("journal/segment-0000000009-" + name.suffix(16), other.disk.contents()[name]!)
        },
        Kind(name: "damaged-checkpoint") { $0.disk.damage($0.files("journal/checkpoint-").last!) { $0[9] ^= 1 } },
        Kind(name: "damaged-stat") { $0.disk.damage($0.files("accounts/\(account)/account_stat").last!) { $0[9] ^= 1 } },
        Kind(name: "missing-stats") { store in
            for name in store.files("accounts/\(account)/account_stat") { store.disk.vanish(name) }
        },
        Kind(name: "damaged-instance") { $0.disk.damage("journal/instance") { $0[9] ^= 1 } },
        Kind(name: "damaged-identity") { $0.disk.damage("zxbackup.json") { $0[30] ^= 1 } },
        Kind(name: "empty-identity") { $0.disk.damage("zxbackup.json") { $0 = [] } },
        Kind(name: "index-of-another-time", hasIndex: true) { store in
            let index = try StoreIndex(writing: store.path.appending("index/index.sqlite"))
            try index.use("test") { try $0.setMeta("sequence", "3") }
            index.close()
        },
        Kind(name: "index-that-differs", hasIndex: true) { store in
            let index = try StoreIndex(writing: store.path.appending("index/index.sqlite"))
            try index.use("test") { try $0.database.execute(sql: "UPDATE items SET folder = 9 WHERE id = 257") }
            index.close()
        },
        Kind(name: "names-that-differ-in-case") { store in
            let name = store.blob(alone)
            let folder = name.split(separator: "/").dropLast().joined(separator: "/")
            let twin = String(name.split(separator: "/").last!.enumerated().map { $0 < 2 ? $1 : $1.isLowercase ? Character($1.uppercased()) : Character($1.lowercased()) })
            store.disk.place("\(folder)/\(twin)", store.disk.contents()[name]!)
        },
        Kind(name: "editors-files") { store in
            store.disk.place(historyFile(258) + "~", Array("x".utf8))
            store.disk.place("journal/notes.txt", Array("x".utf8))
        },
        Kind(name: "purged-history-back") { store in
            var bytes: [UInt8] = []
            let transaction = message(260, time: 1, change: 4)
            _ = HistoryCoding.encode(
                transaction.states[0], TransactionHeader(transaction, sequence: 4), after: HistoryTail(), into: &bytes)
            store.disk.place(historyFile(260), bytes)
        },
    ]

    static let alone = Array("Subject: alone\r\n\r\nin the world".utf8)

    /// A small path: four items, two contents, a reason for a scan, a purge, two checkpoints; the same bytes each time.
    static func made(
        isCrashed: Bool, storeID: String = "0123456789abcdef0123456789abcdef", salt: UInt64 = 0x1000
    ) throws -> StoreOnDisk {
        let store = try StoreOnDisk(storeID: storeID)
        let salts = Clock()
        salts.time = Int64(salt)
        store.options.salt = {
            salts.time += 1
            return UInt64(salts.time)
        }
        store.options.now = { 1_795_577_000_000 }
        store.options.compressionLevel = 6  // ISA-L's bytes depend on the processor.
        let writer = try store.open()
        let shared = try writer.stageBlob(Array("Subject: shared\r\n\r\nfor all".utf8))
        for n in Int64(1)...4 {
            try writer.append(message(256 + n, time: n * 1000, change: n, blob: shared, position: "position \(n)"))
        }
        try writer.commit()
        try writer.checkpoint()
        var second = message(258, folder: 5, time: 5000, change: 5, blob: try writer.stageBlob(alone), position: "position 5")
        second.marks = [Mark(reason: "a reason", candidates: [258], time: 1)]
        try writer.append(second)
        try writer.commit()
        _ = try writer.removeHistories([.item(account: account, id: 260)], time: 6000)
        if isCrashed {
            try writer.checkpoint()
            try writer.append(message(259, folder: 7, time: 7000, change: 7, position: "position 7"))
            try writer.commit()
            try writer.append(message(257, folder: 7, time: 8000, change: 8, position: "position 8"))
            try writer.commit()
            store.crash(writer, .everything)
        } else {
            try writer.close()
        }
        return store
    }

    private static func gzip(_ bytes: [UInt8]) -> [UInt8] {
        let compressor = Compressor(level: 6)
        var result: [UInt8] = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 64)
        defer { buffer.deallocate() }
        bytes.withUnsafeBytes { try! compressor.run($0, last: true, buffer: buffer) { result += $0 } }
        return result
    }
}

extension StoreOnDisk {
    /// The file of the blob with these bytes.
    fileprivate func blob(_ bytes: [UInt8]) -> String {
        let id = bytes.withUnsafeBytes { BlobID(of: $0) }.description
        return "items/\(id.prefix(2))/\(id)"
    }
}
