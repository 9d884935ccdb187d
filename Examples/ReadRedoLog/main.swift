// Prints the committed transactions of redo log files: swift run ReadRedoLog archive/redo-….log redo.log
//
// The files of a series are given oldest first, because a transaction may begin in one and end in the next.

import Glibc
import RedoLog
import SystemPackage

let paths = CommandLine.arguments.dropFirst()
guard !paths.isEmpty else {
    print("usage: ReadRedoLog FILE…   (of a series, the oldest first)")
    exit(64)
}

var transactions = TransactionAssembler()
do {
    for path in paths { try read(LogFile(FilePath(path)), &transactions) }
} catch {
    print(error)
    exit(1)
}
for open in transactions.open { print("still open: \(open.start.header.transaction) \(open.start.operation.code)") }

/// Reads one file. Nothing in it is trusted: damage is told, stepped over, and what follows is read.
func read(_ file: LogFile, _ transactions: inout TransactionAssembler) throws {
    let reader = try RecordReader(file: file)
    while true {
        switch try reader.next() {
        case .record(let record):
            guard case .committed(let transaction) = transactions.feed(record, in: file) else { continue }
            show(transaction)
        case .garbage(let offset, let length): print("\(file.path) at \(offset): \(length) bytes are no record")
        case .incompleteTail(let offset, _): print("\(file.path) at \(offset): the last record is not complete")
        case .end: return
        }
    }
}

func show(_ transaction: CommittedTransaction) {
    let header = transaction.start.header
    print("mailbox \(header.mailboxID) change \(header.changeID) at \(header.timestamp): \(transaction.start.operation.code)")
    // Each operation is a case of its own, with the fields of the log's specification.
    if case .createMessage(let message) = transaction.start.operation {
        print("    message \(message.itemID) into folder \(message.folderID), \(message.body?.length ?? 0) bytes")
    }
}
