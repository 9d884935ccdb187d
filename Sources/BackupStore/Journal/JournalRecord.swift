/// What the journal keeps of a transaction besides its states.
struct TransactionHeader: Sendable, Equatable {
    var sequence: UInt64
    var account: String?
    var generation: Int64
    var time: Int64
    var change: Int64?
    var kind: String
    var marks: [Mark]
    var clearsMarks: Bool
    var position: String?
    var heldBlobs: [BlobReference]

    init(_ transaction: StoreTransaction, sequence: UInt64) {
        self.sequence = sequence
        account = transaction.account
        generation = transaction.generation
        time = transaction.time
        change = transaction.change
        kind = transaction.kind
        marks = transaction.marks
        clearsMarks = transaction.clearsMarks
        position = transaction.position
        heldBlobs = transaction.heldBlobs
    }

    var json: JSONObject {
        var members: JSONObject = [
            "seq": .int(Int64(sequence)), "generation": .int(generation), "time": .int(time), "kind": .string(kind),
        ]
        if let account { members.members.append(.init(name: "account", value: .string(account))) }
        if let change { members.members.append(.init(name: "change", value: .int(change))) }
        if !marks.isEmpty { members.members.append(.init(name: "marks", value: .array(marks.map(\.json)))) }
        if clearsMarks { members.members.append(.init(name: "clearsMarks", value: true)) }
        if let position { members.members.append(.init(name: "position", value: .string(position))) }
        if !heldBlobs.isEmpty { members.members.append(.init(name: "heldBlobs", value: .array(heldBlobs.map(\.json)))) }
        return members
    }

    init?(_ members: JSONObject) {
        guard let sequence = members["seq"]?.int, sequence > 0, let generation = members["generation"]?.int,
            let time = members["time"]?.int, let kind = members["kind"]?.string
        else { return nil }
        self.sequence = UInt64(sequence)
        self.generation = generation
        self.time = time
        self.kind = kind
        account = members["account"]?.string
        if let account, !isFileName(account) { return nil }  // It names a folder.
        change = members["change"]?.int
        marks = (members["marks"]?.array ?? []).compactMap { Mark(json: $0) }
        clearsMarks = members["clearsMarks"]?.bool ?? false
        position = members["position"]?.string
        heldBlobs = (members["heldBlobs"]?.array ?? []).compactMap { BlobReference(json: $0) }
    }
}

/// One record of the journal's stream. A transaction is a `begin`, its lines or removals, an `end`.
enum JournalRecord {
    /// A transaction begins.
    case begin(TransactionHeader)
    /// A line of a history, exactly as it stands (or will stand) in the file, line feed included.
    case line(HistoryKey, UnsafeRawBufferPointer)
    /// The history goes, whole (purge).
    case removal(HistoryKey)
    /// The transaction of that sequence is complete.
    case end(UInt64)

    private enum Kind: UInt8 { case begin = 1, line, removal, end }

    static func append(begin header: TransactionHeader, to bytes: inout [UInt8]) {
        framed(.begin, &bytes) { header.json.encode(into: &$0) }
    }

    static func append(line: UnsafeRawBufferPointer, of key: HistoryKey, to bytes: inout [UInt8]) {
        framed(.line, &bytes) {
            append(key: key, to: &$0)
            $0.append(contentsOf: line)
        }
    }

    static func append(removal key: HistoryKey, to bytes: inout [UInt8]) {
        framed(.removal, &bytes) { append(key: key, to: &$0) }
    }

    static func append(end sequence: UInt64, to bytes: inout [UInt8]) {
        framed(.end, &bytes) { $0.append(integer: sequence) }
    }

    private static func framed(_ kind: Kind, _ bytes: inout [UInt8], _ body: (inout [UInt8]) -> Void) {
        bytes.append(kind.rawValue)
        let start = bytes.count
        bytes.append(integer: UInt32(0))
        body(&bytes)
        bytes.replace(at: start, with: UInt32(bytes.count - start - 4))
    }

    /// Hands out the records of a frame's payload, in order.
    static func forEach(in payload: UnsafeRawBufferPointer, _ body: (JournalRecord) throws -> Void) throws {
        var cursor = ByteCursor(bytes: payload)
        while !cursor.atEnd {
            let kind = Kind(rawValue: try cursor.integer(UInt8.self))
            var record = ByteCursor(bytes: try cursor.take(Int(try cursor.integer(UInt32.self))))
            switch kind {
            case .begin?:
                guard let header = try JSONValue(json: record.bytes).object.flatMap({ TransactionHeader($0) }) else {
                    throw ByteCursor.OutOfBounds()
                }
                try body(.begin(header))
            case .line?:
                let key = try key(&record)
                try body(.line(key, try record.take(record.bytes.count - record.offset)))
            case .removal?: try body(.removal(try key(&record)))
            case .end?: try body(.end(try record.integer(UInt64.self)))
            case nil: throw ByteCursor.OutOfBounds()
            }
        }
    }

    static func append(key: HistoryKey, to bytes: inout [UInt8]) {
        switch key {
        case .item(let account, let id):
            bytes.append(1)
            bytes.append(counted: account)
            bytes.append(integer: id)
        case .accountInfo(let account):
            bytes.append(2)
            bytes.append(counted: account)
        case .mailbox(let account):
            bytes.append(3)
            bytes.append(counted: account)
        case .directory(let kind, let id):
            bytes.append(4)
            bytes.append(counted: kind.rawValue)
            bytes.append(counted: id)
        }
    }

    /// A key whose names can be file names; nothing else may become a path, whatever a journal says.
    static func key(_ cursor: inout ByteCursor) throws -> HistoryKey {
        let key: HistoryKey
        switch try cursor.integer(UInt8.self) {
        case 1: key = .item(account: try cursor.countedText(), id: try cursor.integer(Int64.self))
        case 2: key = .accountInfo(try cursor.countedText())
        case 3: key = .mailbox(try cursor.countedText())
        case 4:
            guard let kind = DirectoryKind(rawValue: try cursor.countedText()) else { throw ByteCursor.OutOfBounds() }
            key = .directory(kind, try cursor.countedText())
        default: throw ByteCursor.OutOfBounds()
        }
        guard key.isStorable else { throw ByteCursor.OutOfBounds() }
        return key
    }
}
