import BackupStoreTesting
import SystemPackage
import Testing

@testable import BackupStore

@Suite("Histories")
struct HistoryTests {
    /// A store whose item 5 has six lines, all durable by a checkpoint.
    private func store() throws -> (StoreOnDisk, HistoryFiles<SimulatedFileSystem>, String) {
        let store = try StoreOnDisk()
        let writer = try store.open()
        for n in 1...6 {
            try writer.append(message(5, folder: Int64(n), time: 1_700_000_000_123 + Int64(n), change: Int64(n)))
            try writer.commit()
        }
        try writer.close()
        return (store, HistoryFiles(files: store.disk, path: BackupPath(store.path)), historyFile(5))
    }

    private let key = HistoryKey.item(account: account, id: 5)

    @Test("A history is JSON Lines that grep and jq can read, with seq, n, prev and crc")
    func format() throws {
        let (store, _, file) = try store()
        #expect(file == "accounts/\(account)/items/05/5")
        let text = String(decoding: store.disk.contents()[file]!, as: UTF8.self)
        let lines = text.split(separator: "\n")
        #expect(lines.count == 6 && text.hasSuffix("\n"))
        #expect(
            lines[0].hasPrefix(
                #"{"seq":1,"n":1,"prev":"00000000","start_date":"2023-11-14T22:13:20.124Z","generation":1,"change":1,"#
                    + #""kind":"redolog","type":"message","deleted":false,"folder":1,"#
            ))
        let members = try lines.map { try JSONObject(json: Array($0.utf8)) }
        for (before, after) in zip(members, members.dropFirst()) { #expect(after["prev"] == before["crc"]) }
        #expect(members.last?["n"] == 6 && members.last?.members.last?.name == "crc")
        // Item 2 lies in items/02/2, item 1234 in items/34/1234.
        #expect(historyFile(2).hasSuffix("items/02/2") && historyFile(1234).hasSuffix("items/34/1234"))
    }

    @Test("A flipped byte anywhere costs at most its own line, and is reported")
    func flipped() throws {
        let (store, histories, file) = try store()
        let whole = store.disk.contents()[file]!
        for place in stride(from: 0, to: whole.count, by: 3) {
            store.disk.damage(file) {
                $0 = whole; $0[place] ^= 0x04
            }
            let history = try histories.history(of: key)
            #expect(history.lines.count >= 4, "byte \(place)")  // A flipped line feed joins two lines.
            #expect(!history.damage.isEmpty, "byte \(place)")
            #expect(history.lines.allSatisfy { $0.fields["folder"] == .int($0.ordinal) })
        }
    }

    @Test("R12: histories that threads read ahead are handed out as they are read in their turn; large ones are not read ahead", arguments: [2, 5])
    func readAhead(threads: Int) throws {
        let folder = TemporaryFolder()
        let path = folder.appending("backup")
        try StoreWriter.create(path, serverID: "server-1")
        let writer = try StoreWriter(opening: path, serverID: "server-1")
        let other = "6f1c5a3e-0000-4000-8000-000000000002"
        for id in 1...Int64(700) { try writer.append(message(id, time: id, change: id, account: id % 3 == 0 ? other : account)) }
        try writer.append(message(4, folder: 3, time: 701, change: 701))
        let large = HistoryKey.item(account: account, id: 5)
        let fields: JSONObject = ["type": "message", "name": .string(String(repeating: "x", count: 70_000))]
        try writer.append(StoreTransaction(account: account, time: 702, change: 702, states: [NewState(key: large, fields: fields)]))
        try writer.commit()
        try writer.close()
        let files = PosixFileSystem(below: path)
        let histories = HistoryFiles(files: files, path: BackupPath(path))
        for (id, change) in [(4, 40), (100, 30)] as [(Int64, Int64)] {
            let file = try files.open(histories.path.history(.item(account: account, id: id)), .update)
            defer { file.close() }
            try [UInt8(0xFF)].withUnsafeBytes { try file.write($0, at: change) }
        }
        func told(_ threads: Int) throws -> (lines: [String], inTurn: [HistoryKey]) {
            var (lines, inTurn): ([String], [HistoryKey]) = ([], [])
            try histories.forEachHistory(in: .everything, threads: threads, unreadable: nil, ended: { lines.append("end of \($0)") }) { key, ahead in
                func take(_ reading: HistoryFiles<PosixFileSystem>.Reading) {
                    let (what, place): (String, FileLine) =
                        switch reading {
                        case .valid(let line, let tail, let bytes, let place): ("\(line) \(tail) \(Array(bytes))", place)
                        case .bad(let damage, let place): ("\(damage)", place)
                        }
                    lines.append("\(key): \(what) \(place.offset) \(place.length) \(place.isTerminated) \(place.isOverlong) \(Array(place.bytes))")
                }
                if ahead == nil { inTurn.append(key) }
                if let ahead { try ahead.handOut(take) } else { try histories.read(key, take) }
            }
            return (lines, inTurn)
        }
        let (inTurn, ahead) = (try told(1), try told(threads))
        #expect(inTurn.lines == ahead.lines)
        #expect(inTurn.lines.count { $0.hasPrefix("end of") } == 2 && inTurn.lines.count > 702)
        #expect(inTurn.inTurn.count == 700 && ahead.inTurn == [large])
    }

    @Test("Lost, doubled, swapped and torn lines are recognised")
    func shuffled() throws {
        let (store, histories, file) = try store()
        let lines = store.disk.contents()[file]!.split(separator: 0x0A).map { Array($0) + [0x0A] }
        func read(_ order: [Int], cut: Int = 0) throws -> History {
            store.disk.damage(file) { $0 = Array(order.flatMap { lines[$0] }.dropLast(cut)) }
            return try histories.history(of: key)
        }
        let lost = try read([0, 1, 3, 4, 5])
        #expect(lost.lines.map(\.ordinal) == [1, 2, 4, 5, 6] && lost.damage.map(\.finding) == [.missing])
        let first = try read([2, 3, 4, 5])
        #expect(first.damage.map(\.finding) == [.missing])
        let doubled = try read([0, 1, 1, 2, 3, 4, 5])
        #expect(doubled.lines.map(\.ordinal) == [1, 2, 3, 4, 5, 6] && doubled.damage.map(\.finding) == [.corrupt])
        let swapped = try read([0, 2, 1, 3, 4, 5])
        #expect(!swapped.damage.isEmpty && swapped.lines.map(\.ordinal) == [1, 3, 4, 5, 6])
        let torn = try read([0, 1, 2, 3, 4, 5], cut: 20)
        #expect(torn.lines.count == 5 && torn.damage.map(\.finding) == [.tornTail])
        #expect(torn.damage[0].file == file && torn.damage[0].offset > 0)
        #expect(try read([0, 1, 2, 3, 4, 5]).damage.isEmpty)
    }

    @Test("R5: recovery cuts behind the checkpoint only; damage before it is reported and stays")
    func cutting() throws {
        let (store, _, file) = try store()
        store.disk.damage(file) { $0[40] ^= 1 }  // Line 1: durable long ago.
        let writer = try store.open()
        try writer.append(message(5, folder: 7, time: 1_800_000_000_000, change: 7))
        try writer.commit()
        try writer.append(message(5, folder: 8, time: 1_800_000_000_000, change: 8))
        try writer.commit()
        let whole = store.disk.contents()[file]!
        store.crash(writer, .everything)
        store.disk.damage(file) { $0.removeLast(25) }  // Line 8 is torn.
        let again = try store.open()
        #expect(again.recovery.historiesCut == 1 && again.recovery.linesAppended == 1)
        #expect(store.disk.contents()[file]! == whole, "line 8 is written anew, line 1 is left as it is")
        #expect(again.recovery.findings.contains { $0.finding == .corrupt && $0.offset == 0 })
        let history = try again.history(of: key)
        #expect(history.lines.map(\.ordinal) == Array(2...8) && history.damage.count == 1)
        try again.close()
        #expect(try store.open().recovery.isClean)
    }

    @Test("R5: a checkpoint makes histories durable before it counts", arguments: [true, false], [true, false])
    func checkpointed(reliableSyncfs: Bool, anAccountChanges: Bool) throws {
        let store = try StoreOnDisk(reliableSyncfs: reliableSyncfs)
        let writer = try store.open()
        let domain = HistoryKey.directory(.domains, "d1")
        try writer.append(StoreTransaction(account: nil, time: 1, states: [NewState(key: domain, fields: ["name": "example.com"])]))
        if anAccountChanges { try writer.append(message(1, time: 1, change: 1)) }
        try writer.commit()
        try writer.checkpoint()
        store.crash(writer, .synced)
        for name in store.files("journal/segment-").dropLast() { store.disk.vanish(name) }
        store.removeIndex()
        let again = try store.open()
        if anAccountChanges { #expect(try again.history(of: .item(account: account, id: 1)).lines.count == 1) }
        #expect(try again.history(of: domain).lines.count == 1, "without the sealed segments, from the history alone")
        #expect(try again.entries(of: .domains) == ["d1"])
        again.abandon()
    }

    @Test("A vanished history behind the checkpoint is made again; replaying twice changes nothing (R5)")
    func vanished() throws {
        let store = try StoreOnDisk()
        let writer = try store.open()
        for n in 1...3 { try writer.append(message(Int64(n), time: 1, change: Int64(n))) }
        try writer.commit()
        let before = store.disk.contents().filter { $0.key.hasPrefix("accounts/") }
        store.crash(writer, .everything)
        store.disk.vanish(historyFile(2))
        for _ in 0..<3 {
            let again = try store.open()
            store.crash(again, .everything)
            #expect(store.disk.contents().filter { $0.key.hasPrefix("accounts/") } == before)
        }
    }

    @Test("Every state is encoded and read back the same, whatever its strings", arguments: 0..<8)
    func roundTrip(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        var tail = HistoryTail()
        for ordinal in 1...40 {
            let state = NewState(
                key: .item(account: account, id: 1), fields: randomObject(&generator, depth: 3),
                blobs: (0..<Int.random(in: 0...2, using: &generator)).map { n in
                    let bytes: [UInt8] = [UInt8(n)]
                    return BlobReference(
                        id: bytes.withUnsafeBytes { BlobID(of: $0) }, size: Int64(n), stored: Int64.random(in: 0...99))
                })
            let header = TransactionHeader(
                StoreTransaction(
                    account: account, generation: Int64.random(in: 0...3, using: &generator),
                    time: Int64.random(in: -62_000_000_000_000...253_000_000_000_000, using: &generator),
                    change: Bool.random(using: &generator) ? Int64.random(in: 0...9, using: &generator) : nil,
                    kind: randomText(&generator)), sequence: UInt64(ordinal) * 3)
            var bytes: [UInt8] = []
            let next = HistoryCoding.encode(state, header, after: tail, into: &bytes)
            let read = try #require(bytes.withUnsafeBytes { HistoryCoding.decode($0) }, "seed \(seed)")
            #expect(read.previous == tail.checksum && read.tail == next)
            #expect(read.line.fields == state.fields && read.line.blobs == state.blobs, "seed \(seed)")
            #expect(read.line.time == header.time && read.line.change == header.change && read.line.kind == header.kind)
            #expect(read.line.generation == header.generation && read.line.sequence == header.sequence)
            #expect(bytes.dropLast().allSatisfy { $0 != 0x0A }, "one line")
            #expect(HistoryCoding.trustedTail(String(decoding: bytes.dropLast(), as: UTF8.self)) == next)
            tail = next
        }
    }
}

func randomText(_ generator: inout SeededGenerator) -> String {
    let pieces = [
        "a", "\"", "\\", "\n", "\r\n", "\u{0}", "\u{1F}", "\u{7F}", "ä", "a\u{308}", "日本", "😀", "/", "\u{2028}", "{}[]:,", " ",
    ]
    return (0..<Int.random(in: 0...6, using: &generator)).map { _ in pieces.randomElement(using: &generator)! }.joined()
}

func randomObject(_ generator: inout SeededGenerator, depth: Int) -> JSONObject {
    JSONObject(
        (0..<Int.random(in: 0...5, using: &generator)).map { n in
            .init(name: "k\(n)" + randomText(&generator), value: randomValue(&generator, depth: depth))
        })
}

func randomValue(_ generator: inout SeededGenerator, depth: Int) -> JSONValue {
    switch Int.random(in: 0..<(depth > 0 ? 8 : 6), using: &generator) {
    case 0: .null
    case 1: .bool(Bool.random(using: &generator))
    case 2: .int([Int64.min, Int64.max, 0, -1, 1234567].randomElement(using: &generator)!)
    case 3: .number(["1.5", "-0", "1e400", "18446744073709551615", "-1.25E-7"].randomElement(using: &generator)!)
    case 4, 5: .string(randomText(&generator))
    case 6: .array((0..<Int.random(in: 0...3, using: &generator)).map { _ in randomValue(&generator, depth: depth - 1) })
    default: .object(randomObject(&generator, depth: depth - 1))
    }
}

@Suite("JSON")
struct JSONTests {
    @Test("Any value is read back as it was written", arguments: 0..<20)
    func roundTrip(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed) + 100)
        for _ in 0..<50 {
            let value = randomValue(&generator, depth: 5)
            #expect(try JSONValue(json: value.json) == value, "seed \(seed): \(value.json)")
        }
    }

    @Test(
        "What is no JSON is refused with its offset",
        arguments: [
            "", "{", "[1,]", "{\"a\":1,}", "01", "-", "1.", ".5", "1e", "nul", "\"\\x\"", "\"\\ud800\"", "\"\\ud800\\u0041\"",
            "\"a\nb\"",
            "{a:1}", "[1 2]", "1 2", "\"", "\u{FEFF}1", "[", "tru", "+1",
        ])
    func malformed(text: String) {
        let error = #expect(throws: StoreError.self) { try JSONValue(json: text) }
        #expect(error?.code == .malformedJSON && error?.subject.hasPrefix("offset ") == true)
    }

    @Test("Bytes that are no UTF-8, and nesting without end, are refused")
    func hostile() {
        #expect(throws: StoreError.self) { try JSONValue(json: [0x22, 0xC3, 0x28, 0x22]) }
        #expect(throws: StoreError.self) { try JSONValue(json: [UInt8](repeating: 0x5B, count: 100_000)) }
    }

    @Test("Escapes, surrogate pairs and spaces are understood")
    func escapes() throws {
        #expect(
            try JSONValue(json: #" { "a\u00e4" : [ "\ud83d\ude00\/\b\f" , -0 , 1E2 ] } "#)
                == ["aä": ["😀/\u{8}\u{C}", .number("-0"), .number("1E2")]] as JSONObject as JSONObject)
    }

    @Test("Texts that are only canonically equivalent differ")
    func normalForms() {
        #expect(JSONValue.string("\u{E4}") != JSONValue.string("a\u{308}"))
        #expect((["\u{E4}": 1] as JSONObject)["a\u{308}"] == nil)
    }
}

func == (left: JSONValue, right: JSONObject) -> Bool { left == .object(right) }
