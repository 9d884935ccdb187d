import SystemPackage

extension CheckRun {
    private static var journalRemedy: String {
        "What earlier checkpoints made durable is in the histories. Take the file from a copy, or scan the accounts again"
    }

    /// Segments, the order of their transactions, checkpoints, and the small files of `journal/`.
    func checkJournal() throws {
        let journal = recovery.journal
        let scan = try journal.scan(fromSegment: 0, floor: 0)
        for damage in journal.damage where !damage.file.hasPrefix("journal/checkpoint-") { findJournal(damage) }
        for damage in scan.damage where damage.file != scan.stillborn.map({ "journal/\($0)" }) { findJournal(damage) }
        var unused = journal.leftovers
        if let stillborn = scan.stillborn, !isCopy, !(try namesSegment(stillborn.number)) { unused.append(stillborn) }
        for name in unused {
            find(
                CheckFinding(
                    .journalTorn, .note, file: "journal/\(name)", "the segment was begun and never used",
                    remedy: "The next writer removes it"))
        }
        try checkOrder(isWhole: scan.damage.isEmpty && journal.damage.isEmpty)
        try checkCheckpoints()
        try checkSmallFiles()
    }

    private func findJournal(_ damage: Damage) {
        let isTorn = damage.finding == .tornTail
        find(
            CheckFinding(
                isTorn ? .journalTorn : .journalDamaged, isTorn ? .note : .damage, file: damage.file, offset: damage.offset,
                length: damage.length, damage.reason, remedy: isTorn ? "The next writer cuts it off" : Self.journalRemedy))
    }

    /// Whether the newest checkpoint says that this segment follows it.
    private func namesSegment(_ number: UInt64) throws -> Bool { recovery.journal.checkpoints.last?.segment == number }

    /// Transactions follow each other without a gap, and begin where their segment says.
    private func checkOrder(isWhole: Bool) throws {
        var previous: UInt64?
        var open: UInt64?
        var isInOrder = true
        try recovery.journal.replay(fromSegment: 0) { record in
            switch record {
            case .begin(let header):
                if open != nil || header.sequence != (previous ?? header.sequence - 1) + 1 { isInOrder = false }
                open = header.sequence
            case .end(let sequence):
                if open != sequence { isInOrder = false }
                (open, previous) = (nil, sequence)
                report.transactions += 1
            case .line, .removal: if open == nil { isInOrder = false }
            }
        }
        // Where groups are damaged, the gap is told of already.
        guard isWhole, !isInOrder || open != nil else { return }
        find(
            CheckFinding(
                .journalDamaged, file: "journal", "transactions do not follow each other", remedy: Self.journalRemedy))
    }

    private func checkCheckpoints() throws {
        for entry in try histories.list(path.journal) where !entry.isFolder {
            guard let number = BackupPath.number(entry.name, after: "checkpoint-") else { continue }
            let file = "journal/\(entry.name)"
            let remedy = "It goes with the next checkpoint but one; until then more of the journal is replayed"
            guard let bytes = try files.readSmallFile(path.checkpoint(number)) else { continue }
            guard let checkpoint = Checkpoint(bytes), checkpoint.sequence == number else {
                find(CheckFinding(.checkpointDamaged, file: file, "the checkpoint is not what was written", remedy: remedy))
                continue
            }
        }
        guard !isCopy, let newest = recovery.journal.checkpoints.last else { return }
        let named = recovery.journal.segments.first { $0.name.number == newest.segment }
        if named?.header?.firstSequence != newest.sequence + 1 {
            find(
                CheckFinding(
                    .checkpointDamaged, file: "journal/checkpoint-\(newest.sequence)",
                    "the segment that follows it, number \(newest.segment), is missing or does not begin with transaction "
                        + "\(newest.sequence + 1)",
                    remedy: Self.journalRemedy))
        }
    }

    private func checkSmallFiles() throws {
        if let bytes = try files.readSmallFile(path.instance, limit: 4096), SealedJSON.decode(bytes) == nil {
            find(
                CheckFinding(
                    .instanceDamaged, file: "journal/instance", "the file is not what was written",
                    remedy: "The path counts as a copy (R7); the next writer makes it an original again"))
        }
        for entry in try histories.list(path.journal) {
            guard let number = BackupPath.number(entry.name, after: "cuts-") else { continue }
            if let bytes = try files.readSmallFile(path.cuts(number), limit: 1 << 30), SealedJSON.decode(bytes) == nil {
                find(
                    CheckFinding(
                        .cutsDamaged, file: "journal/\(entry.name)", "the list of states that a copy cut is not what was written",
                        remedy: "States without their content count again. Take the file from a copy"))
            }
        }
    }

    /// Histories and index know nothing that the journal has never had.
    func checkBeyond() throws {
        guard !isCopy else { return }
        let known = max(highestBeyond, try own?.sequence() ?? 0)
        guard known > last, try currentSequence() < known else { return }
        let newest = recovery.journal.segments.last.map { "journal/\($0.name)" } ?? "journal"
        find(
            CheckFinding(
                .journalBehind, file: newest,
                "histories or index know transaction \(known), the journal ends with \(last)",
                remedy: "The end of the journal is lost. Take it from a copy, or scan the accounts again"))
    }
}
