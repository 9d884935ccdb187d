import BackupStore

/// The mailbox of an account at a moment: a prefix of its changes, never a mixture (R14).
public struct Selection: Sendable {
    /// Id of the account.
    public var account: String
    /// The prefix: the last change included and the first one left out.
    public var cut: Cut
    /// Which life of the mailbox is meant: ids of another one are other items (R9).
    public var generation: Int64?
    /// What the administrator should know about the moment.
    public var warnings: [String]
    /// Why the account needs a scan, and which items are in doubt (R15).
    public var marks: [Mark]

    /// Finds the prefix.
    ///
    /// - Parameter sequence: the commit sequence that an interrupted restore began with; it is kept, whatever came since.
    /// - Throws: `beforeFirstScan` for a moment that the backup cannot answer for; `unknownAccount`.
    public init(account: String, at moment: RestoreMoment, from sequence: UInt64? = nil, in store: any StoreReading) throws {
        self.account = account
        warnings = []
        marks = try store.marks(account)
        guard let known = try store.changes(of: account) else {
            throw CoreError(
                .unknownAccount, doing: "choosing what to restore", subject: "account \(account)",
                reason: "the backup holds no change of its mailbox", remedy: "getAvailableAccounts lists the accounts")
        }
        let lives = try store.history(of: .mailbox(account)).lines
        cut = Cut(last: known.last, next: nil, clockSteppedBack: false)
        switch moment {
        case .last: break
        case .second(let second):
            try RestoreMoment.refuseFuture(second, lastChange: known.last.time)
            guard let found = try store.cut(account, atOrBeforeSecond: second) else {
                throw Self.tooEarly(account, moment, known.first)
            }
            cut = found
        case .change(let change):
            guard let found = try store.cut(account, change: change)
                ?? Self.scan(account, including: change, lives, store)
            else {
                throw Self.tooEarly(account, moment, known.first)
            }
            cut = found
            try includeScan(change, lives, store)
        }
        if let sequence {
            cut.last.sequence = sequence
        } else if case .last = moment {
            try stepBeforeDeletion(lives)
        }

        // Before the scan that first saw the mailbox is complete, a prefix of its changes would be a part of the mailbox.
        if let first = lives.first, cut.sequence < first.sequence { throw Self.tooEarly(account, moment, known.first) }
        let life = lives.last { $0.sequence <= cut.sequence }
        generation = life?.generation
        if case .change(let change) = moment, let scanned = life?.fields["scanned_change"]?.int, change < scanned {
            throw Self.tooEarly(account, moment, known.first)
        }
        if let life, life.fields["deleted"]?.bool == true {
            throw CoreError(
                .unknownAccount, doing: "choosing what to restore", subject: "account \(account) at \(moment.words)",
                reason: "its mailbox had been deleted by then",
                remedy: "The date 'last' means the mailbox as it was just before its deletion")
        }
        warnings += try Self.purgeWarning(account, after: cut.sequence, in: store)
        if cut.clockSteppedBack {
            warnings.append("The server's clock stepped back before this moment: changes with a later time are included.")
        }
    }

    /// What to say of a moment, by its commit sequence, after which items were deleted that purge has taken since; else nothing.
    static func purgeWarning(_ account: String, after sequence: UInt64, in store: any StoreReading) throws -> [String] {
        guard let state = try store.state(of: .mailbox(account)),
            let life = MailboxLife(accountID: account, fields: state.fields), let purged = life.purgedSequence, sequence < purged
        else { return [] }
        let until = life.purgedTime.map { ", until \(TimeText.local($0))" } ?? ""
        return ["Purge has taken items that were deleted after this moment\(until): they are missing."]
    }

    /// The mailbox as the first scan saw it, when the change is in the scan and before all that the log told.
    private static func scan(
        _ account: String, including change: Int64, _ lives: [HistoryLine], _ store: any StoreReading
    ) throws -> Cut? {
        guard let scan = lives.first, let scanned = scan.fields["scanned_change"]?.int, change >= scanned else { return nil }
        return Cut(
            last: AccountChange(sequence: scan.sequence, time: scan.time, change: scanned, generation: scan.generation),
            next: try first(account, after: change, store), clockSteppedBack: false)
    }

    /// The first numbered change after a number that is smaller than every one of the store, or in it.
    private static func first(_ account: String, after change: Int64, _ store: any StoreReading) throws -> AccountChange? {
        let floor = try store.cut(account, change: change)?.sequence
        var unknown = change
        var known = try store.cut(account, change: .max)?.last.change
        while let upper = known, upper > unknown + 1 {
            let middle = unknown + (upper - unknown) / 2
            if try store.cut(account, change: middle)?.sequence == floor { unknown = middle } else { known = middle }
        }
        guard let found = try known.flatMap({ try store.cut(account, change: $0)?.last }), found.sequence != floor else { return nil }
        return found
    }

    /// Takes in what a look at the server completed after the change: it saw nothing later.
    private mutating func includeScan(_ change: Int64, _ lives: [HistoryLine], _ store: any StoreReading) throws {
        let scan = lives.first {
            $0.sequence > cut.sequence && $0.generation == cut.last.generation && $0.kind == "scan"
                && $0.fields["scanned_change"]?.int ?? .max <= change
        }
        guard let scan else { return }
        cut.last.sequence = scan.sequence
        cut.next = try Self.first(account, after: change, store)
    }

    /// The mailbox just before its deletion, when that is the last thing known of it.
    private mutating func stepBeforeDeletion(_ lives: [HistoryLine]) throws {
        guard let end = lives.last, end.fields["deleted"]?.bool == true else { return }
        let deletion = AccountChange(sequence: end.sequence, time: end.time, change: end.change, generation: end.generation)
        guard let before = lives.dropLast().last else { return }
        cut = Cut(
            last: AccountChange(
                sequence: end.sequence - 1, time: end.time, change: end.change.map { $0 - 1 }, generation: before.generation),
            next: deletion, clockSteppedBack: false)
        warnings.append("The mailbox was deleted; it is restored as it was just before.")
    }

    private static func tooEarly(_ account: String, _ moment: RestoreMoment, _ first: AccountChange) -> CoreError {
        CoreError(
            .beforeFirstScan, doing: "choosing what to restore", subject: "account \(account) at \(moment.words)",
            reason: "the backup knows the account from its first scan on, \(TimeText.local(first.time))"
                + (first.change.map { " (change \($0))" } ?? ""),
            remedy: "Choose that moment or a later one")
    }
}

/// What a history answers for one item at the selection's moment.
enum SelectedState {
    /// Not there at that moment, or deleted.
    case absent
    case alive(ItemState)
    /// The history is damaged where the answer would be.
    case broken(String)
}

extension Selection {
    /// The state of an item at the moment, given its latest one.
    func state(of latest: IndexedItem, _ store: any StoreReading) throws -> SelectedState {
        guard case .item(_, let id) = latest.key, latest.firstSequence <= cut.sequence else { return .absent }
        if latest.sequence <= cut.sequence {
            return chosen(id, latest.fields, latest.blobs, latest.generation)
        }
        switch try store.history(of: latest.key).answer(at: cut.sequence, latest: latest.ordinal) {
        case .none: return .absent
        case .damaged(let reason): return .broken(reason)
        case .state(let line): return chosen(id, line.fields, line.blobs, line.generation)
        }
    }

    private func chosen(_ id: Int64, _ fields: JSONObject, _ blobs: [BlobReference], _ generation: Int64) -> SelectedState {
        if let expected = self.generation, expected != generation { return .absent }
        guard let state = ItemState(id: id, fields: fields, blobs: blobs) else { return .broken("its state names no type") }
        return state.deleted ? .absent : .alive(state)
    }
}
