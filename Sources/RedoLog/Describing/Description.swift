import SystemPackage

/// The description of a whole log file as a JSON document, `redolog-description/1`: every field of every record.
///
/// The document is handed out in pieces, a line a record, so that a large log is described in bounded memory (the list of
/// transactions at the end needs some bytes for each).
public struct Description {
    /// The name of the document's format.
    public static let format = "redolog-description/1"

    private let file: LogFile
    private let note: String

    /// A description of a file; `note` is what the document's member `description` says about it.
    public init(of file: LogFile, note: String = "") {
        self.file = file
        self.note = note
    }

    /// Writes the document; each piece is UTF-8.
    ///
    /// - Returns: whether there was neither garbage nor a bad header.
    @discardableResult
    public func write(to output: ([UInt8]) throws -> Void) throws -> Bool {
        let size = try file.size()
        var hash = SHA256()
        try file.readBody(Body(offset: 0, length: size)) { hash.update($0) }

        var json = JSONText()
        json.open("{")
        json.key("format" as StaticString)
        json.string(Self.format)
        json.key("file" as StaticString)
        json.string(file.path.lastComponent?.string ?? file.path.string)
        json.key("description" as StaticString)
        json.string(note)
        json.key("fileSize" as StaticString)
        json.integer(size)
        json.key("sha256" as StaticString)
        json.string(hexadecimal(hash.finish()))

        let header: FileHeader
        do {
            header = try file.header()
        } catch {
            guard error.code == .headerDamaged || error.code == .versionUnknown else { throw error }
            json.key("headerError" as StaticString)
            json.string(error.doing)
            json.key("dialect" as StaticString)
            json.string(Dialect.zimbra.rawValue)
            json.close("}")
            try output(json.bytes + [0x0A])
            return false
        }
        describe(header, in: &json)
        json.key("records" as StaticString)
        json.open("[")

        var dialect = DialectEvidence()
        var problems: [(kind: String, offset: Int64, length: Int64)] = []
        var transactions = TransactionSummary()
        let reader = try RecordReader(file: file, end: size)
        reading: while true {
            switch try reader.next() {
            case .record(let record):
                json.newLine()
                try describe(record, in: &json)
                dialect.consider(record)
                transactions.add(record)
                // What was written so far leaves; the state of the commas stays.
                if json.bytes.count > 1 << 16 { try output(json.takeBytes()) }
            case .garbage(let offset, let length): problems.append(("garbage", offset, length))
            case .incompleteTail(let offset, let length): problems.append(("incomplete-tail", offset, length))
            case .end: break reading
            }
        }
        json.close("]")
        json.newLine()
        json.key("problems" as StaticString)
        json.open("[")
        for problem in problems {
            json.open("{")
            json.key("kind" as StaticString)
            json.string(problem.kind)
            json.key("offset" as StaticString)
            json.integer(problem.offset)
            json.key("length" as StaticString)
            json.integer(problem.length)
            json.close("}")
        }
        json.close("]")
        json.newLine()
        json.key("transactions" as StaticString)
        json.open("[")
        for transaction in transactions.inOrder {
            json.newLine()
            describe(transaction, in: &json)
            if json.bytes.count > 1 << 16 { try output(json.takeBytes()) }
        }
        json.close("]")
        json.key("dialect" as StaticString)
        json.string(dialect.conclusion.rawValue)
        json.close("}")
        try output(json.takeBytes() + [0x0A])
        return !problems.contains { $0.kind == "garbage" }
    }

    private func describe(_ header: FileHeader, in json: inout JSONText) {
        json.key("header" as StaticString)
        json.open("{")
        json.key("open" as StaticString)
        json.integer(header.openFlag)
        json.key("fileSize" as StaticString)
        json.integer(header.fileSize)
        json.key("sequence" as StaticString)
        json.integer(header.sequence)
        json.key("serverId" as StaticString)
        json.string(header.serverID.string)
        json.key("firstOpTimestamp" as StaticString)
        json.integer(header.firstOperationTime)
        json.key("lastOpTimestamp" as StaticString)
        json.integer(header.lastOperationTime)
        json.key("version" as StaticString)
        json.string(header.version.description)
        json.key("createTime" as StaticString)
        json.integer(header.createTime)
        json.close("}")
    }

    private func describe(_ record: Record, in json: inout JSONText) throws(RedoLogError) {
        let header = record.header
        json.open("{")
        json.key("offset" as StaticString)
        json.integer(record.offset)
        json.key("length" as StaticString)
        json.integer(record.length)
        json.key("op" as StaticString)
        json.integer(header.code.rawValue)
        json.key("opName" as StaticString)
        json.string(header.code.name(at: header.version))
        json.key("version" as StaticString)
        json.string(header.version.description)
        json.key("timestamp" as StaticString)
        json.integer(header.timestamp)
        json.key("changeId" as StaticString)
        json.integer(header.changeID)
        json.key("changeConstraint" as StaticString)
        json.integer(header.changeConstraint)
        json.key("txn" as StaticString)
        json.string(header.transaction.description)
        json.key("mailboxId" as StaticString)
        json.integer(header.mailboxID)
        if let variant = record.operation.variant {
            json.key("variant" as StaticString)
            json.string(variant)
        }
        if record.afterGap {
            json.key("afterGap" as StaticString)
            json.bool(true)
        }
        if case .opaque(_, let bytes) = record.operation {
            var hasher = BodyHasher()
            let digest = try hasher.digest(bytes, of: file, uncompressedSize: nil)
            json.key("opaque" as StaticString)
            json.open("{")
            json.key("offset" as StaticString)
            json.integer(bytes.offset)
            json.key("length" as StaticString)
            json.integer(bytes.length)
            json.key("sha256" as StaticString)
            json.string(hexadecimal(digest.sha256))
            json.close("}")
        } else {
            json.key("data" as StaticString)
            json.open("{")
            var describer = FieldDescriber(version: header.version, file: file)
            swap(&describer.json, &json)
            defer { swap(&describer.json, &json) }
            try record.operation.transfer(&describer)
            describer.json.close("}")
        }
        json.close("}")
    }

    private func describe(_ transaction: TransactionSummary.Entry, in json: inout JSONText) {
        json.open("{")
        json.key("txn" as StaticString)
        json.string(transaction.id.description)
        json.key("state" as StaticString)
        json.string(transaction.state)
        json.key("op" as StaticString)
        if let name = transaction.operation { json.string(name) } else { json.null() }
        json.key("records" as StaticString)
        json.open("[")
        for offset in transaction.records { json.integer(offset) }
        json.close("]")
        json.close("}")
    }
}

/// The transactions of one file, in the order of their first record, with the state of the last end record seen.
struct TransactionSummary {
    struct Entry {
        let id: TransactionID
        var state = "open"
        var operation: String?
        var records: [Int64] = []
    }

    private(set) var inOrder: [Entry] = []
    private var places: [TransactionID: Int] = [:]

    mutating func add(_ record: Record) {
        let id = record.header.transaction
        let role = record.role
        if case .checkpoint = role { return }
        let place = places[id] ?? inOrder.count
        if place == inOrder.count {
            places[id] = place
            inOrder.append(Entry(id: id))
        }
        inOrder[place].records.append(record.offset)
        switch role {
        case .start:
            if inOrder[place].operation == nil {
                inOrder[place].operation = record.header.code.name(at: record.header.version)
            }
        case .commit: inOrder[place].state = "committed"
        case .abort: inOrder[place].state = "aborted"
        case .checkpoint: break
        }
    }
}

/// Tells the dialect of a log from the layouts in it; without evidence it is Zimbra's.
struct DialectEvidence {
    private(set) var conclusion = Dialect.zimbra

    mutating func consider(_ record: Record) {
        if record.header.version >= .v1_43 {
            conclusion = .zimbraX
        } else if case .setRetentionPolicy(let policy) = record.operation, policy.keep == nil, conclusion == .zimbra {
            conclusion = .carbonio
        }
    }
}
