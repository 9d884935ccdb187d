/// The transactions of a writer that have no end, and where in the current file their start records lie.
struct OpenStarts {
    struct Entry {
        let id: TransactionID
        let mailboxID: Int64
        let code: OperationCode
        let timestamp: Int64
        var offset: Int64
        let length: Int64
    }

    /// In the order in which they were first logged.
    private(set) var inOrder: [Entry] = []

    subscript(id: TransactionID) -> Entry? { inOrder.last { $0.id == id } }

    /// Notes a start record; a repetition changes nothing.
    mutating func add(_ header: RecordHeader, offset: Int64, length: Int64) {
        guard self[header.transaction] == nil else { return }
        inOrder.append(
            Entry(
                id: header.transaction, mailboxID: header.mailboxID, code: header.code, timestamp: header.timestamp,
                offset: offset, length: length))
    }

    mutating func remove(_ id: TransactionID) { inOrder.removeAll { $0.id == id } }

    /// Notes that the start records were written once more, one behind the other from this offset on.
    mutating func moved(to start: Int64) {
        var offset = start
        for index in inOrder.indices {
            inOrder[index].offset = offset
            offset += inOrder[index].length
        }
    }
}
