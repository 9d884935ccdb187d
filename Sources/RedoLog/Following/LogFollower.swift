import SystemPackage

/// What comes next in a followed log.
public enum Follow: Sendable {
    /// A committed transaction.
    case transaction(CommittedTransaction)
    /// An end record for a transaction that is not open: after a crash of the server, its mailbox wants a comparison (section 1.6).
    case repeatedEnd(TransactionID, mailboxID: Int64, committed: Bool)
    /// Something that the log tells of itself.
    case notice(FollowNotice)
    /// There is no more at the moment.
    case caughtUp
}

/// Follows a live log across rollovers and restarts, and hands out each committed transaction once (section 1.8).
///
/// Holds the file's descriptor while the server renames or unlinks it, and reads it to its end before it opens the next. Owned by
/// one thread; calls block only in `wait`.
public final class LogFollower {
    /// Where to begin without a position.
    public enum Beginning: Sendable {
        /// At the start of the current file.
        case currentFile
        /// At the oldest file of the archive.
        case oldestFile
    }

    private let location: LogLocation
    private let watch: FileWatch
    private var assembler = TransactionAssembler()
    private var current: Reading?
    /// Whether the file at hand was read from its beginning to its end before, up to this offset: nothing before is handed out.
    private var handedOut: Int64 = 0
    private var queue: [Follow] = []

    /// The file at hand.
    private struct Reading {
        var file: LogFile
        var header: FileHeader
        var reader: RecordReader
        var applied: Int64
    }

    /// Opens the log.
    ///
    /// - Parameters:
    ///   - position: where an earlier follower stood; nil begins anew.
    ///   - beginning: where to begin without a position.
    /// - Throws: `fileAccess`, `headerDamaged` when a file that is there cannot be read.
    public init(
        location: LogLocation, from position: LogPosition?, beginning: Beginning = .currentFile
    ) throws(RedoLogError) {
        self.location = location
        watch = FileWatch(folder: location.log.removingLastComponent())
        if let position {
            try resume(position)
        } else if beginning == .oldestFile, let oldest = try location.openArchived(from: 0) {
            try begin(oldest)
        } else if let log = try location.openCurrent() {
            try begin(log)
        }
    }

    /// Where everything handed out so far ends. Asked after a transaction, it includes that transaction.
    ///
    /// - Throws: `fileAccess`; `fileShrank` when the server cut off what was handed out already.
    public func position() throws(RedoLogError) -> LogPosition? {
        guard let current else { return nil }
        guard let fingerprint = try current.file.fingerprint(before: current.applied) else {
            throw RedoLogError(
                .fileShrank, doing: "taking the position in the redo log",
                subject: "\(current.file.path), offset \(current.applied)",
                remedy: "The mail server has cut the file; the next look at it tells what is to be done.")
        }
        return LogPosition(
            sequence: current.header.sequence, createTime: current.header.createTime, applied: current.applied,
            oldestOpen: assembler.oldestStart(in: current.file), fingerprint: fingerprint)
    }

    /// Sequence number of the file at hand, in which the last transaction was committed; nil before the first file is there.
    public var sequence: Int64? { current?.header.sequence }

    /// Returns when the log may have more, or after the time.
    public func wait(milliseconds: Int) { watch.wait(milliseconds: milliseconds) }

    /// Takes what comes next.
    ///
    /// - Throws: `fileAccess`, `headerDamaged`: the file cannot be read now; the next call tries again.
    public func next() throws(RedoLogError) -> Follow {
        while true {
            if !queue.isEmpty { return queue.removeFirst() }
            guard current != nil else {
                guard let log = try location.openCurrent() else { return .caughtUp }
                try begin(log)
                continue
            }
            if let follow = try step() { return follow }
        }
    }

    // MARK: Reading the file at hand

    /// One step in the file at hand; nil when it gave nothing to hand out.
    private func step() throws(RedoLogError) -> Follow? {
        let reading = current!
        switch try reading.reader.next() {
        case .record(let record):
            return take(record, reading)
        case .garbage(let offset, let length):
            current!.applied = max(reading.applied, offset + length)
            guard offset + length > handedOut else { return nil }
            return .notice(
                notice(.garbage, at: offset, "\(length) bytes are no record; what follows in the file is unproven", needsScan: true))
        case .incompleteTail, .end:
            return try reachedEnd(reading)
        }
    }

    private func take(_ record: Record, _ reading: Reading) -> Follow? {
        let outcome = assembler.feed(record, in: reading.file, isUnproven: reading.reader.hasSeenGarbage)
        // A position lies behind end records only: start records are found again by the oldest open one.
        if record.role != .start || assembler.oldestStart(in: reading.file) == nil {
            current!.applied = max(reading.applied, record.end)
        }
        guard record.end > handedOut else { return nil }
        switch outcome {
        case .committed(let transaction): return .transaction(transaction)
        case .repeatedEnd:
            return .repeatedEnd(
                record.header.transaction, mailboxID: record.header.mailboxID, committed: record.role == .commit)
        case .started, .restarted, .aborted, .checkpoint: return nil
        }
    }

    /// The end of what is there: more may have come, the file may be finished, or be another one.
    private func reachedEnd(_ reading: Reading) throws(RedoLogError) -> Follow? {
        // The name is looked at before the size: what is appended before a rollover is seen by the size that follows.
        let named = try location.openCurrent()
        let size = try reading.file.size()
        if size < reading.reader.offset { return try shrank(reading, to: size) }
        if size > reading.reader.end {
            reading.reader.extend(to: size)
            return nil
        }
        guard let named else { return .caughtUp }
        if named.file.identity == reading.file.identity {
            if named.header.sequence == reading.header.sequence, named.header.createTime == reading.header.createTime {
                return .caughtUp
            }
            // Written over in place: another file under the same inode.
            queue.append(
                .notice(notice(.replaced, at: 0, "its header is another file's now: it was written over", needsScan: true)))
            try begin(named)
            return nil
        }
        return try finish(reading, named)
    }

    /// The server cut the file after its last good record (section 1.6), or somebody truncated it.
    private func shrank(_ reading: Reading, to size: Int64) throws(RedoLogError) -> Follow? {
        let lost = size < reading.applied
        let result = Follow.notice(
            notice(
                .truncated, at: size,
                lost ? "records that were read before are gone" : "an incomplete tail was cut off", needsScan: lost))
        if lost {
            try begin((reading.file, reading.header), at: max(Int64(FileHeader.length), min(size, reading.applied)))
        } else {
            try begin((reading.file, reading.header), at: reading.applied, replaying: assembler.oldestStart(in: reading.file))
        }
        return result
    }

    /// Goes on to the next file; the one at hand has another name or none.
    private func finish(
        _ reading: Reading, _ named: OpenedLog
    ) throws(RedoLogError) -> Follow? {
        if reading.reader.offset < reading.reader.end {
            queue.append(
                .notice(
                    notice(.cutTail, at: reading.reader.offset, "the finished file ends inside a record", needsScan: false)))
        }
        let expected = RedoLog.sequence(after: reading.header.sequence)
        if named.header.sequence == expected {
            try begin(named)
            return nil
        }
        if let archived = try location.openArchived(from: expected),
            named.header.sequence < expected || archived.header.sequence < named.header.sequence,
            archived.header.createTime >= reading.header.createTime
        {
            if archived.header.sequence != expected { queue.append(.notice(gap(from: expected, to: archived))) }
            try begin(archived)
            return nil
        }
        if named.header.sequence > expected {
            queue.append(.notice(gap(from: expected, to: named)))
        } else {
            queue.append(
                .notice(
                    notice(
                        .replaced, at: 0,
                        "after file \(reading.header.sequence) the log is file \(named.header.sequence): the server's log went back",
                        needsScan: true)))
        }
        try begin(named)
        return nil
    }

    // MARK: Opening files

    /// Goes on in a file.
    ///
    /// - Parameters:
    ///   - offset: nothing before is handed out.
    ///   - replaying: where an open start record lies, from which reading begins.
    private func begin(
        _ opened: OpenedLog, at offset: Int64 = Int64(FileHeader.length), replaying: Int64? = nil
    ) throws(RedoLogError) {
        handedOut = offset
        let reader = try RecordReader(file: opened.file, from: min(replaying ?? offset, offset), isGrowing: true)
        current = Reading(file: opened.file, header: opened.header, reader: reader, applied: offset)
    }

    /// Finds the position's file, under its name of now.
    private func resume(_ position: LogPosition) throws(RedoLogError) {
        let log = try location.openCurrent()
        if let log, log.header.sequence == position.sequence {
            if try matches(log, position) { return try begin(log, at: position.applied, replaying: position.oldestOpen) }
            queue.append(
                .notice(
                    notice(
                        .replaced, at: 0, file: log.file,
                        "it is not the file that was read before; it is read from its start", needsScan: true)))
            return try begin(log)
        }
        let archived = try location.openArchived(sequence: position.sequence) { opened throws(RedoLogError) in
            try matches(opened, position)
        }
        if let archived { return try begin(archived, at: position.applied, replaying: position.oldestOpen) }
        // The file is gone: the log begins later, or it went back.
        let next = RedoLog.sequence(after: position.sequence)
        if let archived = try location.openArchived(from: next) {
            queue.append(.notice(gap(from: position.sequence, to: archived)))
            return try begin(archived)
        }
        guard let log else { return }
        if log.header.sequence > position.sequence {
            queue.append(.notice(gap(from: position.sequence, to: log)))
        } else {
            queue.append(
                .notice(
                    notice(
                        .replaced, at: 0, file: log.file,
                        "the log is at file \(log.header.sequence), the backup at file \(position.sequence): the server went back",
                        needsScan: true)))
        }
        try begin(log)
    }

    private func matches(
        _ opened: OpenedLog, _ position: LogPosition
    ) throws(RedoLogError) -> Bool {
        guard opened.header.createTime == position.createTime else { return false }
        return try opened.file.fingerprint(before: position.applied) == position.fingerprint
    }

    // MARK: Notices

    private func notice(
        _ kind: FollowNotice.Kind, at offset: Int64, file: LogFile? = nil, _ reason: String, needsScan: Bool
    ) -> FollowNotice {
        FollowNotice(
            kind: kind, file: (file ?? current?.file)?.path.string ?? "", offset: offset, reason: reason, needsScan: needsScan)
    }

    private func gap(from sequence: Int64, to found: OpenedLog) -> FollowNotice {
        notice(
            .gap, at: 0, file: found.file,
            "file \(sequence) of the series is missing, the next one there is \(found.header.sequence)", needsScan: true)
    }
}
