import SystemPackage

/// Writes histories anew of what is left of them: their own good lines, the journal's, and the last one of the index.
///
/// A line of the journal is the very line that the history had: where all are found, the history is again what it was, byte for byte.
struct HistoryMending<Files: FileSystem> {
    let histories: HistoryFiles<Files>
    /// No state is later.
    let last: UInt64
    /// Accounts that only a rotten index knows: no folder, nothing in the journal, and no line of the index that says what they are.
    private(set) var madeUp: Set<String> = []
    /// By history, its lines by sequence.
    private var lines: [HistoryKey: [UInt64: [UInt8]]] = [:]

    /// Reads what is left of the histories.
    init(_ keys: Set<HistoryKey>, _ histories: HistoryFiles<Files>, _ journal: JournalFolder<Files>, _ index: StoreIndex, last: UInt64) throws {
        (self.histories, self.last) = (histories, last)
        for account in Set(keys.compactMap(\.account)) where try histories.files.status(histories.path.account(account)) == nil {
            if (try? Self.knows(account, index)) != true { madeUp.insert(account) }
        }
        for key in keys {
            lines[key] = [:]
            try readFile(key)
            if var text = try? index.use("looking up \(key)", { try $0.latestLine(of: key)?.line }) {
                text.withUTF8 { take(UnsafeRawBufferPointer($0), of: key) }
            }
        }
        var current: UInt64 = 0
        try journal.replay(fromSegment: 0) { record in
            switch record {
            case .begin(let header): current = header.sequence
            case .line(let key, let bytes):
                guard lines[key] != nil else { return }
                take(bytes, of: key)
                if let account = key.account { madeUp.remove(account) }
            case .removal(let key):
                // What was before was purged by right.
                lines[key] = lines[key]?.filter { $0.key > current }
            case .end: break
            }
        }
    }

    /// Whether the index has the account, and a line under its checksum that says what it is.
    private static func knows(_ account: String, _ index: StoreIndex) throws -> Bool {
        try index.use("looking up account \(account)") { statements in
            guard try statements.number(of: account) != nil, var line = try statements.latestLine(of: .accountInfo(account))?.line else { return false }
            return line.withUTF8 { HistoryCoding.decode(UnsafeRawBufferPointer($0)) } != nil
        }
    }

    private mutating func readFile(_ key: HistoryKey) throws {
        let file: Files.File
        do {
            file = try histories.files.open(histories.path.history(key), .read)
        } catch let error as Errno where error == .noSuchFileOrDirectory || error == .notDirectory {
            return
        }
        defer { file.close() }
        try file.forEachLine { line in
            if !line.isOverlong { take(line.bytes, of: key) }
        }
    }

    private mutating func take(_ bytes: UnsafeRawBufferPointer, of key: HistoryKey) {
        guard let (line, _, _) = HistoryCoding.decode(bytes), line.sequence <= last else { return }
        var text = Array(bytes)
        if text.last != 0x0A { text.append(0x0A) }
        lines[key]?[line.sequence] = text
    }

    /// The history's new content, and what is known to be lost of it.
    func content(of key: HistoryKey) -> (bytes: [UInt8], states: Int64, lost: Int64) {
        var bytes: [UInt8] = []
        var tail = HistoryTail()
        var lastOrdinal: Int64 = 0
        for (_, text) in (lines[key] ?? [:]).sorted(by: { $0.key < $1.key }) {
            guard let (line, previous, next) = text.withUnsafeBytes({ HistoryCoding.decode($0) }) else { continue }
            lastOrdinal = max(lastOrdinal, line.ordinal)
            if line.ordinal == tail.ordinal + 1, previous == tail.checksum {
                bytes += text
                tail = next
            } else {
                let header = TransactionHeader(
                    StoreTransaction(
                        account: key.account, generation: line.generation, time: line.time, change: line.change, kind: line.kind),
                    sequence: line.sequence)
                tail = HistoryCoding.encode(NewState(key: key, fields: line.fields, blobs: line.blobs), header, after: tail, into: &bytes)
            }
        }
        return (bytes, tail.ordinal, max(0, lastOrdinal - tail.ordinal))
    }
}
