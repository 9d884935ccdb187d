/// Recognises, in one file, transactions whose end record was lost to damage that reads like records.
///
/// A mailbox has one transaction at a time (section 5.2), so that the next one's start tells that the one before had ended;
/// and what is open at the end of a finished file is listed by its checkpoint (section 5.5).
struct LostEnds {
    /// The transaction that each mailbox began last.
    private var latest: [Int64: TransactionID] = [:]
    /// What the file's checkpoint lists.
    private var listed: Set<TransactionID> = []
    private var found: Set<TransactionID> = []

    /// Takes a record that was fed to the assembler; the transaction whose end it shows to be lost.
    mutating func find(_ record: Record, in assembler: TransactionAssembler) -> TransactionAssembler.Open? {
        let header = record.header
        if case .checkpoint(let checkpoint) = record.operation { listed = Set(checkpoint.activeTransactions) }
        // A child has no change number and is open together with its parent (section 5.4).
        guard record.role == .start, header.mailboxID > 0, header.changeID > 0 else { return nil }
        guard let before = latest.updateValue(header.transaction, forKey: header.mailboxID), before != header.transaction,
            let open = assembler[before], found.insert(before).inserted
        else { return nil }
        return open
    }

    /// At the end of a finished file: what is open and should not be, and whether it was found before.
    func unlisted(_ assembler: TransactionAssembler) -> [(open: TransactionAssembler.Open, wasFound: Bool)] {
        assembler.open.filter { !listed.contains($0.start.header.transaction) }.map {
            ($0, found.contains($0.start.header.transaction))
        }
    }
}
