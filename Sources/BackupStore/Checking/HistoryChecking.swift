import SystemPackage

/// What an account's histories sum up to at its newest `account_stat`.
private struct AccountSums {
    var stat: AccountStat?
    var items: Int64 = 0
    var lines: Int64 = 0
    var checksums: Int64 = 0
    /// Lines that are known to be lost or damaged.
    var lost: Int64 = 0
    /// The last sequence that a checkpoint has made durable.
    var durable: UInt64 = 0
}

extension CheckRun {
    /// Every line of every history; on the way an index is made of them and the journal.
    func checkHistories() throws {
        if isCopy {
            try recovery.findCuts()
            for cut in recovery.report.findings where cut.finding == .cutByCopy {
                find(CheckFinding(.cutByCopy, .note, file: cut.file, cut.reason, remedy: Self.copyRemedy))
            }
        }
        var sums: AccountSums?
        var current: (key: HistoryKey, isCounted: Bool)?
        let removals = try removals()
        let observer = RecoveryObserver<Files>(
            read: { [self] key, reading in
                if current?.key != key {
                    current = (key, false)
                    report.histories += 1
                }
                if let account = key.account, sums == nil { sums = AccountSums(stat: try newestStat(account)) }
                switch reading {
                case .bad(let damage, let place):
                    sums?.lost += lostLines(damage)
                    find(damage, place, of: key)
                case .valid(let line, let tail, _, _):
                    report.states += 1
                    if report.states % 1000 == 0 { try step(.states, report.states) }
                    guard line.sequence <= last else { return highestBeyond = max(highestBeyond, line.sequence) }
                    try checkSizes(line, key)
                    if line.sequence <= recovery.floor, line.sequence > sums?.durable ?? 0 { sums?.durable = line.sequence }
                    guard let stat = sums?.stat, line.sequence <= stat.sequence,
                        !recovery.cuts.contains(.init(key: key, sequence: line.sequence))
                    else { return }
                    sums?.lines += 1
                    sums?.checksums += Int64(tail.checksum)
                    if case .item = key, current?.isCounted == false {
                        current?.isCounted = true
                        sums?.items += 1
                    }
                }
            },
            unreadable: { [self] key, error in
                try unlessUnreadable(path.relativeHistory(key), of: key) { throw error }
                sums?.lost += 1
            },
            unreadableFolder: { [self] folder, error in
                hasDamagedHistories = true
                unreadable(folder, error)
            },
            ended: { [self] account in
                let found = try sums ?? AccountSums(stat: newestStat(account))
                sums = nil
                try compareStat(account, found, lastRemoval: removals[account] ?? 0)
            },
            finished: { [self] in
                // Which changes the files vouch for, before the journal adds those of histories that were purged.
                try index.use("listing changes") {
                    try $0.database.execute(
                        sql: """
                            CREATE TABLE files (account INTEGER, seq INTEGER, PRIMARY KEY (account, seq)) WITHOUT ROWID;
                            INSERT INTO files SELECT account, seq FROM changes
                            """)
                }
            })
        var rebuilding = recovery  // The observer looks at this one.
        try rebuilding.rebuild(index, overlays: true, observer: observer)
        report.accounts = Int64(try index.accounts().count)
        try step(.states, report.states)
    }

    static var copyRemedy: String { "Copy the path again, over this copy" }

    private func find(_ damage: Damage, _ place: FileLine, of key: HistoryKey) {
        if damage.finding == .tornTail {
            // The writer at work may be in the middle of it. What it should have held is told of where it is missing.
            return find(
                CheckFinding(
                    .lineTorn, .note, file: damage.file, offset: damage.offset, length: damage.length, of: key, damage.reason,
                    remedy: "What a crash left half written is cut off and written anew when the path is opened for writing"))
        }
        hasDamagedHistories = true
        let isMissing = damage.finding == .missing
        find(
            CheckFinding(
                isMissing ? .linesMissing : .lineDamaged, file: damage.file, offset: damage.offset, length: damage.length,
                of: key, damage.reason, remedy: "Take the file from a copy. The other states of the item can be read"))
    }

    /// How many lines a damage stands for.
    private func lostLines(_ damage: Damage) -> Int64 {
        guard damage.finding == .missing else { return damage.length > 0 ? 1 : 0 }
        return Int64(damage.reason.prefix { $0.isNumber }) ?? 1
    }

    /// Every state that names a blob names it with the same length.
    private func checkSizes(_ line: HistoryLine, _ key: HistoryKey) throws {
        for blob in line.blobs {
            let known = try index.use("checking lengths") { try $0.blob(blob.id) }
            guard let known, known.size != blob.size else { continue }
            find(
                CheckFinding(
                    .blobDamaged, file: path.relativeHistory(key), of: key,
                    "blob \(blob.id) has \(blob.size) bytes in the state of transaction \(line.sequence), "
                        + "elsewhere \(known.size)",
                    remedy: "Please report this"))
        }
    }

    // MARK: account_stat

    /// The newest stat that is whole and no newer than the check; damaged ones are told of.
    private func newestStat(_ account: String) throws -> AccountStat? {
        var newest: AccountStat?
        var numbers: [UInt64] = []
        do {
            numbers = try AccountStat.numbers(files, path, account)
        } catch let error as Errno {
            unreadable(path.account(account), error)
        }
        for number in numbers {
            let name = "\(AccountStat.prefix)\(number)"
            // A checkpoint removes older ones.
            guard let bytes = try files.readSmallFile(path.account(account).appending(name)) else { continue }
            guard let stat = AccountStat(bytes), stat.sequence == number else {
                find(
                    CheckFinding(
                        .statDamaged, file: "accounts/\(account)/\(name)", account: account, "the file is not what was written",
                        remedy: "The account's next checkpoint writes a new one. Scan the account: reasons for a scan may be lost"))
                continue
            }
            if newest == nil, stat.sequence <= last { newest = stat }
        }
        return newest
    }

    private func compareStat(_ account: String, _ sums: AccountSums, lastRemoval: UInt64) throws {
        // The stats of a copy are of another moment than its histories (R7).
        guard !isCopy else { return }
        let durable = sums.durable
        let remedy = "Take what is missing from a copy, or scan the account again"
        guard let stat = sums.stat, stat.sequence >= durable else {
            guard durable > 0, try AccountStat.newest(files, path, account)?.sequence ?? 0 < durable else { return }
            return find(
                CheckFinding(
                    .statDamaged, file: "accounts/\(account)", account: account,
                    "the account_stat of the checkpoint after transaction \(durable) is missing",
                    remedy: "The account's next checkpoint writes a new one. Scan the account: reasons for a scan may be lost"))
        }
        // What was purged since is in the stat, not in the histories.
        guard lastRemoval <= stat.sequence else { return }
        let isSame = sums.lines == stat.lines && sums.checksums == stat.checksums && sums.items == stat.items
        // What is damaged has been told of; more than that must not be missing.
        guard !isSame, sums.lost == 0 || sums.lines + sums.lost < stat.lines else { return }
        doubt(
            CheckFinding(
                sums.lines < stat.lines ? .statesMissing : .statDamaged, file: "accounts/\(account)/\(AccountStat.prefix)\(stat.sequence)", account: account,
                "at transaction \(stat.sequence) the account had \(stat.items) items with \(stat.lines) states; its histories have "
                    + "\(sums.items) with \(sums.lines)" + (sums.lines == stat.lines ? ", of other checksums" : ""),
                remedy: remedy), about: .account(account))
    }

    /// The last transaction that removed a history, by account.
    private func removals() throws -> [String: UInt64] {
        var found: [String: UInt64] = [:]
        var current: UInt64 = 0
        try recovery.journal.replay(fromSegment: 0) { record in
            if case .begin(let header) = record { current = header.sequence }
            if case .removal(let key) = record, let account = key.account { found[account] = current }
        }
        return found
    }

    // MARK: Journal against histories

    /// What the journal has and the histories have not: lost where a checkpoint vouched for it, else still to be written.
    func checkPending() throws {
        let floor = isCopy ? 0 : recovery.checkpoint?.sequence ?? 0
        var after = ("", Int64(0))
        while true {
            let page = try index.use("comparing journal and histories") { try $0.overlays(after: after, limit: 500) }
            for (name, sequence) in page {
                after = (name, sequence)
                guard let key = HistoryKey(indexName: name) else { continue }
                guard UInt64(sequence) <= floor else {
                    report.pendingStates += 1
                    continue
                }
                doubt(
                    CheckFinding(
                        .statesMissing, file: path.relativeHistory(key), of: key,
                        "the history lacks the state of transaction \(sequence), which the journal still has",
                        remedy: "Remove the checkpoints in journal/ while no writer is at work: the next one writes it anew"),
                    about: .history(key))
            }
            if page.count < 500 { break }
        }
        try checkRemoved(floor: floor)
    }

    /// Histories that a purge removed are not there.
    private func checkRemoved(floor: UInt64) throws {
        var current: UInt64 = 0
        try recovery.journal.replay(fromSegment: 0) { record in
            if case .begin(let header) = record { current = header.sequence }
            guard case .removal(let key) = record, scope.contains(key), current <= floor, !isCopy, try files.status(path.history(key)) != nil else { return }
            // One that was begun anew has later lines only.
            var (isAnew, isBack) = (false, false)
            try histories.read(key) {
                guard case .valid(let line, _, _, _) = $0 else { return }
                if line.sequence > current { isAnew = true } else { isBack = true }
            }
            guard try isBack || !isAnew && index.use("looking for \(key)", { try $0.latestLine(of: key) }) == nil else { return }
            find(
                CheckFinding(
                    .historyBack, file: path.relativeHistory(key), of: key,
                    "transaction \(current) removed the history; it is there again", remedy: "Remove the file"))
        }
    }
}
