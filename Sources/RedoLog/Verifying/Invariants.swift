/// The invariants of section 9.2 that can be told from the log alone.
///
/// Not asserted: that a new item's id is not in use, for deletions may name containers.
struct Invariants {
    private var previous: FileHeader?
    private var header: FileHeader?
    private var file: LogFile?
    private var largestTimestamp: Int64 = 0
    private var hasRecords = false
    /// The offset of a checkpoint in this file: nothing may follow it.
    private var checkpointOffset: Int64?
    /// What the checkpoint of the file before listed, as far as it was not seen at the head of this file.
    private var expectedHeads: [TransactionID] = []
    /// The newest change number committed in each mailbox.
    private var changes: [Int64: Int32] = [:]
    /// The transaction that is open in each mailbox.
    private var busy: [Int64: TransactionID] = [:]
    /// Shared bodies by their path.
    private var shared: [LogText: SharedBody] = [:]
    /// The newest shared body of each digest: recipients after the first may name a path of their own, as real logs show.
    private var sharedByDigest: [LogText: LogText] = [:]
    /// Whether the first file of all was read, so that no shared body can lie in an older one.
    private var isComplete = false

    /// What the record of a shared body says of it, and whether that is committed.
    private struct SharedBody {
        var digest: LogText?
        var size: Int64
        var isCommitted = false
    }

    mutating func begin(_ file: LogFile, _ header: FileHeader, size: Int64, _ report: inout VerificationReport) {
        self.file = file
        self.header = header
        largestTimestamp = 0
        hasRecords = false
        checkpointOffset = nil
        func broken(_ offset: Int64, _ text: String) { report.note(.invariant, file.path, offset, text) }
        if !header.isOpen && header.fileSize != size {
            broken(8, "the file is closed and has \(size) bytes, its header says \(header.fileSize)")
        }
        if !header.paddingIsZero { broken(180, "the header's padding is not zero") }
        if let name = file.path.lastComponent?.string, name.hasPrefix("redo-"), let sequence = sequenceNumber(inName: name),
            sequence != header.sequence
        {
            broken(16, "the name says file \(sequence), the header \(header.sequence)")
        }
        if header.sequence == 0 { isComplete = true }
        if let previous {
            if header.sequence != RedoLog.sequence(after: previous.sequence) {
                broken(16, "file \(header.sequence) follows file \(previous.sequence)")
                expectedHeads = []
                isComplete = false
            }
            if header.createTime < previous.createTime { broken(172, "the file is older than the one before it") }
        }
    }

    /// Looks at a record before it is fed to the assembler.
    mutating func check(
        _ record: Record, in file: LogFile, _ assembler: TransactionAssembler, _ report: inout VerificationReport
    ) throws(RedoLogError) {
        let recordHeader = record.header
        func broken(_ text: String) { report.note(.invariant, file.path, record.offset, text) }
        if !hasRecords, let header, header.firstOperationTime != recordHeader.timestamp {
            broken("the first record's time is \(recordHeader.timestamp), the header says \(header.firstOperationTime)")
        }
        hasRecords = true
        largestTimestamp = max(largestTimestamp, recordHeader.timestamp)
        if let header, recordHeader.version > header.version {
            broken("the record's version \(recordHeader.version) is above the header's \(header.version)")
        }
        if let checkpointOffset {
            broken("a record follows the checkpoint at \(checkpointOffset)")
            self.checkpointOffset = nil
        }
        if let head = expectedHeads.first {
            if recordHeader.transaction == head {
                expectedHeads.removeFirst()
            } else {
                broken("the checkpoint before lists \(head) here, found is \(recordHeader.transaction)")
                expectedHeads = []
            }
        }
        switch record.operation {
        case .commitTxn(let code), .abortTxn(let code): checkEnd(record, code, assembler, broken)
        case .checkpoint(let checkpoint):
            checkpointOffset = record.offset
            if checkpoint.activeTransactions != assembler.open.map(\.start.header.transaction) {
                broken("the checkpoint does not list the open transactions")
            }
            if recordHeader.timestamp != 0 || recordHeader.changeID != -1 || recordHeader.transaction != .none
                || recordHeader.mailboxID != 0 || recordHeader.changeConstraint != 0
            {
                broken("the checkpoint's header is not that of a checkpoint")
            }
            expectedHeads = checkpoint.activeTransactions
        default:
            if let open = assembler[recordHeader.transaction] {
                if try !isSame(record, file, open.start, open.file) { broken("a repeated start record is not the same") }
            } else if recordHeader.mailboxID > 0, recordHeader.changeID > 0, let other = busy[recordHeader.mailboxID] {
                broken("the transaction \(other) of mailbox \(recordHeader.mailboxID) is open at the same time")
            }
            checkPayload(record, broken)
        }
    }

    private func checkEnd(
        _ record: Record, _ code: OperationCode, _ assembler: TransactionAssembler, _ broken: (String) -> Void
    ) {
        if record.header.changeID != -1 { broken("an end record has the change number \(record.header.changeID)") }
        guard let start = assembler[record.header.transaction]?.start.header else { return }
        if start.code != code { broken("the end names \(code), the start is \(start.code)") }
        if start.mailboxID != record.header.mailboxID {
            broken("the end names mailbox \(record.header.mailboxID), the start mailbox \(start.mailboxID)")
        }
    }

    private func checkPayload(_ record: Record, _ broken: (String) -> Void) {
        if let message = record.operation.messageBlock {
            if !(1...3).contains(message.bodyType) { broken("the body type is \(message.bodyType)") }
            if message.bodyType == 2 { checkShared(message, broken) }
        }
        switch record.operation {
        case .createMessage(let message): checkNewItem(message.itemID, broken)
        case .createTag(let tag):
            // Tags had numbers of their own before they had names.
            if record.header.version >= .v1_33 { checkNewItem(tag.itemID, broken) }
            checkColor(tag.color, broken)
        case .createFolder(let folder):
            checkNewItem(folder.folderID, broken)
            checkColor(folder.color, broken)
        case .createContact(let contact): checkNewItem(contact.itemID, broken)
        case .createMountpoint(let mountpoint):
            checkNewItem(mountpoint.itemID, broken)
            checkColor(mountpoint.color, broken)
        case .createSavedSearch(let search):
            checkNewItem(search.itemID, broken)
            checkColor(search.color, broken)
        case .copyItem(let copy): for item in copy.copies { checkNewItem(item.newID, broken) }
        case .colorItem(let item): checkColor(item.color, broken)
        case .setRetentionPolicy(let policy):
            if policy.itemType != 1 && policy.itemType != 3 { broken("a retention policy of item type \(policy.itemType)") }
        default: break
        }
        if let itemType = record.operation.itemType, itemType != -1, !(1...18).contains(itemType) {
            broken("the item type is \(itemType)")
        }
    }

    private func checkNewItem(_ id: Int32, _ broken: (String) -> Void) {
        if id <= 256 { broken("a new item has the id \(id)") }
    }

    private func checkColor(_ color: Int64, _ broken: (String) -> Void) {
        if color & ~0x1FF_FFFF != 0 || (color & 0x100_0000 == 0 && color > 127) { broken("the colour is \(color)") }
    }

    private func checkShared(_ message: CreateMessage, _ broken: (String) -> Void) {
        guard let path = message.path else { return broken("a message refers to no shared body") }
        guard let body = shared[path] ?? message.digest.flatMap({ sharedByDigest[$0] }).flatMap({ shared[$0] }) else {
            if isComplete { broken("no shared body is known under \(path)") }
            return
        }
        if !body.isCommitted { broken("the shared body \(path) is not committed yet") }
        if body.digest != message.digest { broken("the shared body \(path) has another digest") }
        if body.size != message.size { broken("the shared body \(path) has \(body.size) bytes, the message \(message.size)") }
    }

    /// Takes what a record meant for the transactions.
    mutating func note(
        _ outcome: TransactionAssembler.Outcome, _ record: Record, in file: LogFile, _ report: inout VerificationReport
    ) {
        let mailbox = record.header.mailboxID
        switch outcome {
        case .started:
            // A child has no change number and is open together with its parent (section 5.4).
            if mailbox > 0 && record.header.changeID > 0 { busy[mailbox] = record.header.transaction }
            if case .storeIncomingBlob(let blob) = record.operation, let path = blob.path {
                shared[path] = SharedBody(digest: blob.digest, size: Int64(blob.size))
                if let digest = blob.digest { sharedByDigest[digest] = path }
            }
        case .committed(let transaction):
            if busy[mailbox] == transaction.id { busy[mailbox] = nil }
            if case .storeIncomingBlob(let blob) = transaction.start.operation, let path = blob.path {
                shared[path]?.isCommitted = true
            }
            let change = transaction.start.header.changeID
            if case .createMailbox = transaction.start.operation {
                changes[mailbox] = change
            } else if change > 0 && mailbox > 0 {
                if let last = changes[mailbox], change <= last {
                    report.note(
                        .invariant, file.path, record.offset, "change \(change) of mailbox \(mailbox) comes after change \(last)")
                }
                changes[mailbox] = change
            }
        case .aborted: if busy[mailbox] == record.header.transaction { busy[mailbox] = nil }
        case .restarted, .repeatedEnd, .checkpoint: break
        }
    }

    mutating func end(_ assembler: TransactionAssembler, _ report: inout VerificationReport) {
        guard let header, let file else { return }
        func broken(_ offset: Int64, _ text: String) { report.note(.invariant, file.path, offset, text) }
        if !header.isOpen && header.lastOperationTime != largestTimestamp && (hasRecords || header.lastOperationTime != 0) {
            broken(160, "the largest time of a record is \(largestTimestamp), the header says \(header.lastOperationTime)")
        }
        if !hasRecords && header.firstOperationTime != 0 { broken(152, "no record, but a first record's time in the header") }
        if checkpointOffset == nil && !expectedHeads.isEmpty {
            broken(Int64(FileHeader.length), "open transactions of the file before are not written again")
            expectedHeads = []
        }
        previous = header
    }

    /// Whether two records are the same, byte for byte.
    private func isSame(
        _ first: Record, _ firstFile: LogFile, _ second: Record, _ secondFile: LogFile
    ) throws(RedoLogError) -> Bool {
        guard first.length == second.length else { return false }
        var done: Int64 = 0
        while done < first.length {
            let count = Int(min(first.length - done, 64 << 10))
            let a = try firstFile.read(at: first.offset + done, count: count)
            guard try a == secondFile.read(at: second.offset + done, count: count) else { return false }
            done += Int64(count)
        }
        return true
    }
}

extension Operation {
    /// The message block of the operations that have one.
    var messageBlock: CreateMessage? {
        switch self {
        case .createMessage(let message): message
        case .saveDraft(let draft): draft.message
        case .createChat(let chat): chat.message
        case .saveChat(let chat): chat.message
        case .saveDocument(let document): document.message
        case .addDocumentRevision(let document): document.message
        case .saveWiki(let page): page.message
        default: nil
        }
    }

    /// The item type that the caller gave, of the operations that have one.
    var itemType: Int8? {
        switch self {
        case .alterItemTag(let item): item.itemType
        case .setItemTags(let item): item.itemType
        case .colorItem(let item): item.itemType
        case .moveItem(let item): item.itemType
        case .deleteItem(let item): item.itemType
        case .copyItem(let item): item.itemType
        case .imapCopyItem(let item): item.itemType
        case .renameItem(let item): item.itemType
        case .dateItem(let item): item.itemType
        default: nil
        }
    }
}
