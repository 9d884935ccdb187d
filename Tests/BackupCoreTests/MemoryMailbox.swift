import RedoLog

@testable import BackupCore

/// A mailbox in memory, for applying operations without a backup path.
final class MemoryMailbox: MailboxView {
    var life: MailboxLife
    var states: [Int64: ItemState] = [:]
    var hasDumpster = false
    var marks: [String] = []
    var unapplied: [String: Int] = [:]

    init(life: MailboxLife) { self.life = life }

    func item(_ id: Int64) -> ItemState? { states[id] }

    func forEachItem(inFolder id: Int64, _ body: (ItemState) throws -> Void) throws {
        for state in living where state.row.folderID == id { try body(state) }
    }

    func forEachItem(withParent id: Int64, _ body: (ItemState) throws -> Void) throws {
        for state in living where state.row.parentID == id { try body(state) }
    }

    func forEachItem(_ body: (ItemState) throws -> Void) throws { for state in living { try body(state) } }

    var living: [ItemState] { states.values.filter { !$0.deleted }.sorted { $0.row.id < $1.row.id } }

    func apply(_ record: Record) throws {
        var change = MailboxChange(
            view: self, life: life, time: record.header.timestamp, change: Int64(record.header.changeID),
            constraint: Int64(record.header.changeConstraint), hasDumpster: hasDumpster)
        try change.apply(record.operation)
        for state in change.states { states[state.row.id] = state }
        life = change.life
        if life.ended { for id in states.keys { states[id]?.deleted = true } }
        marks += change.marks.map(\.reason)
        for name in change.unapplied { unapplied[name, default: 0] += 1 }
    }
}

/// Reads a log series and hands out start records when their commit is met.
struct Replay {
    private var open: [TransactionID: Record] = [:]

    /// - Parameter body: start record, sequence of the file, offset after the commit record.
    mutating func run(_ files: [LogFile], _ body: (Record, Int64, Int64) throws -> Void) throws {
        for file in files {
            let sequence = try file.header().sequence
            let reader = try RecordReader(file: file)
            reading: while true {
                guard case .record(let record) = try reader.next() else { break reading }
                switch record.operation {
                case .commitTxn:
                    if let start = open.removeValue(forKey: record.header.transaction) { try body(start, sequence, record.end) }
                case .abortTxn: open[record.header.transaction] = nil
                case .checkpoint: break
                default: open[record.header.transaction] = record
                }
            }
        }
    }
}
