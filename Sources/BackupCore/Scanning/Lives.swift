import BackupStore
import RedoLog

/// Lives of mailboxes: how they begin and end, and which of them a change belongs to (R9).
extension RealTimeScanner {
    /// What a change of the log is to the life that it names.
    enum Standing {
        /// Not in the backup path.
        case new
        /// In it already: by a scan, or from an earlier reading of the log (R4).
        case known
        /// Of a server that went back to an older snapshot: its numbers mean other changes than ours.
        case wentBack
    }

    func standing(of transaction: CommittedTransaction, _ known: KnownMailboxes.Known) throws -> Standing {
        let life = known.life
        let header = transaction.start.header
        let isSuspect = suspects.contains(life.accountID)
        if isScanned(transaction, life) { return .known }
        let change = Int64(header.changeID)
        guard change > 0 else { return .new }
        guard change <= known.lastChange else { return isSuspect ? .wentBack : .new }

        if try store.hasChange(life.accountID, generation: life.generation, change: change) {
            // The same number at another time is another change. (Where numbers once went down the time is not found.)
            guard let last = try store.cut(life.accountID, change: change)?.last, last.change == change else { return .known }
            return last.time == transaction.time ? .known : .wentBack
        }
        // Scanned, without an effect here, or committed after a higher number; unless the server went back.
        if isSuspect {
            let last = try store.changes(of: life.accountID)?.last
            return transaction.time <= last?.time ?? .min ? .known : .wentBack
        }
        // One look for all that was logged while the mailbox was scanned.
        if !upToDate.contains(life.accountID) {
            if try isBehind(known) { return .wentBack }
            upToDate.insert(life.accountID)
        }
        return change <= life.scannedChange ?? 0 ? .known : .new
    }

    /// Whether a scan has seen what the transaction did.
    func isScanned(_ transaction: CommittedTransaction, _ life: MailboxLife) -> Bool {
        // Places in a log that was cut or replaced do not compare with those before.
        guard !suspects.contains(life.accountID), let scanned = life.scannedLog else { return false }
        return MailboxLife.LogPlace(sequence: follower.sequence ?? 0, offset: transaction.end) <= scanned
    }

    /// Whether the server's last change of the mailbox lies before ours.
    func isBehind(_ known: KnownMailboxes.Known) throws -> Bool {
        guard let change = try source.withMailbox(known.life.mailboxID, { $0.change }) else { return false }
        return change < known.lastChange
    }

    /// Begins a new generation with a scan, for a server that went back to an older snapshot.
    ///
    /// - Returns: false where the server cannot be asked: the life goes on, marked.
    func beginAnew(_ known: KnownMailboxes.Known) throws -> Bool {
        let life = known.life
        suspects.remove(life.accountID)
        let reason = "the server went back to an older snapshot of mailbox \(life.mailboxID)"
        guard let row = try source.mailboxes().first(where: { $0.id == life.mailboxID && $0.accountID == life.accountID }) else {
            try mark(account: life, reason)
            return false
        }
        note("\(reason): generation \(life.generation + 1) of account \(life.accountID) begins")
        _ = try firstScan(of: row, account: try entry(of: row))
        return true
    }

    /// A mailbox that the log names and nobody has told of: the server knows it, or it is gone.
    func discover(_ mailbox: Int64) throws -> KnownMailboxes.Known? {
        guard !refused.contains(mailbox), let row = try source.mailboxes().first(where: { $0.id == mailbox }) else { return nil }
        if try isSwitchedOff(row) { return nil }
        try scanOrRefuse(row, account: try entry(of: row))
        return mailboxes.known(mailbox: mailbox)
    }

    func entry(of row: MailboxRow) throws -> AccountEntry {
        try source.accounts().first { $0.id == row.accountID }
            ?? AccountEntry(id: row.accountID, name: row.comment ?? row.accountID)
    }

    /// A new mailbox begins a life of its account; false when the record repeats what is known.
    func begin(_ create: CreateMailbox, _ transaction: CommittedTransaction) throws -> Bool {
        let header = transaction.start.header
        let account = create.accountID?.string.lowercased() ?? ""
        guard !account.isEmpty else {
            note("CreateMailbox of mailbox \(header.mailboxID) names no account: left out")
            return false
        }
        let before = mailboxes.known(account: account)
        if let before, before.life.mailboxID == header.mailboxID {
            if case .known = try standing(of: transaction, before) { return false }
            let last = try store.changes(of: account)?.last.time
            if suspects.contains(account), transaction.time <= last ?? .min { return false }
        }
        if let before, !before.life.ended { try end(before.life, at: transaction.time, change: nil) }
        let life = MailboxLife(
            accountID: account, mailboxID: header.mailboxID, generation: (before?.life.generation ?? 0) + 1)
        let entry = try source.accounts().first { $0.id == account } ?? AccountEntry(id: account, name: account)
        guard try !isSwitchedOff(entry), let fields = try fields(of: entry) else { return false }
        let isChanged = try store.accountInfo(account)?.fields != fields
        do {
            try append(
                StoreTransaction(
                    account: account, generation: life.generation, time: transaction.time, kind: "redolog",
                    states: [NewState(key: .mailbox(account), fields: life.fields)]
                        + (isChanged ? [NewState(key: .accountInfo(account), fields: fields)] : [])))
        } catch {
            refused.insert(header.mailboxID)
            throw error
        }
        mailboxes.adopt(life, lastChange: 0, account: entry)
        suspects.remove(account)
        unsettled.insert(account)
        return true
    }

    /// Ends a life with every item of it: the deletion of its mailbox, or what must have come before a new one (R9).
    ///
    /// One transaction, written item by item (R12).
    ///
    /// - Parameter kind: `redolog`, or `scan` where no log told of it.
    func end(_ life: MailboxLife, at time: Int64, change: Int64?, kind: String = "redolog") throws {
        var life = life
        life.ended = true
        let account = life.accountID
        let number = change ?? mailboxes.known(account: account)?.lastChange ?? 0
        try commit()
        do {
            try store.begin(
                try positioned(
                    StoreTransaction(account: account, generation: life.generation, time: time, change: change, kind: kind)))
            try store.items(account, .alive) { indexed in
                guard var state = ItemState(indexed: indexed) else { return }
                state.deleted = true
                state.row.modMetadata = number
                state.row.changeDate = time / 1000
                try store.add(state.newState(account: account))
            }
            try store.add(NewState(key: .mailbox(account), fields: life.fields))
            try store.end()
        } catch {
            try? store.rollback()  // Nothing else was uncommitted; where that fails too, the writer refuses to go on.
            throw error
        }
        count()
        mailboxes.adopt(life, lastChange: number)
        suspects.remove(account)
        departing.insert(account)
    }
}

extension CommittedTransaction {
    /// When the operation began, milliseconds since the epoch: its record's time, or the nearest one that a history can hold.
    var time: Int64 {
        min(max(start.header.timestamp, StoreTransaction.times.lowerBound), StoreTransaction.times.upperBound)
    }
}
