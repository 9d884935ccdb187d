import Glibc
import SystemPackage

/// Follows a redo log through its files and hands out what took effect, each transaction once (sections 1.8 and 5.6).
///
/// Pulled by one owner: `next()` until it is `.caughtUp`, then `wait`. After each step `position` is where a new follower goes
/// on after everything handed out so far.
public final class LogFollower {
    /// Where to begin without a position.
    public enum Beginning: Sendable {
        /// At the start of the current file.
        case currentFile
        /// At the oldest file of the archive.
        case oldestFile
    }

    private enum Phase {
        /// No file yet; where to begin.
        case starting(LogPosition?)
        /// In the current file, which may grow.
        case live
        /// In a file that is finished.
        case finished
        /// At the end of a finished file, looking for the next.
        case between
    }

    /// The file in hand.
    private struct Current {
        var file: LogFile
        var reader: RecordReader
        var header: FileHeader
        /// Whether garbage was met in this file before the reader was made.
        var isUnproven: Bool
        /// What lies before this offset was handed out before.
        var silentUntil: Int64 = 0

        var hasSeenGarbage: Bool { isUnproven || reader.hasSeenGarbage }
    }

    /// The log's place.
    public let location: LogLocation
    private let beginning: Beginning
    /// Whose log it is; nil = anybody's.
    let serverID: LogText?
    private let watch: FileWatch
    private var phase: Phase
    private var current: Current?
    private var assembler = TransactionAssembler()
    private var lostEnds = LostEnds()
    private var queue: [Follow] = []
    /// The position before the notices in the queue.
    private var positionBeforeQueue: LogPosition?
    /// Files whose bad header was reported: once each.
    var reportedHeaders: Set<LogFile.FileIdentity> = []
    /// Whether it was told that the log cannot be kept.
    var reportedKeeping = false

    /// Opens the log; where there is none yet, `next` looks again.
    ///
    /// - Parameters:
    ///   - position: where an earlier follower stood; nil begins anew.
    ///   - beginning: where to begin without a position.
    ///   - serverID: whose log it is: another server's files are told of and never read. nil reads anybody's.
    ///   - usesNotification: false: `wait` polls, as it does where inotify is not to be had.
    /// - Throws: `fileAccess` when a file that is there cannot be read.
    public init(
        location: LogLocation, from position: LogPosition? = nil, beginning: Beginning = .currentFile,
        serverID: LogText? = nil, usesNotification: Bool = true
    ) throws(RedoLogError) {
        self.location = location
        self.serverID = serverID
        self.beginning = beginning
        watch = FileWatch(directory: location.directory, usesNotification: usesNotification)
        phase = .starting(position)
        _ = try start(position)
    }

    /// The position at the end of what is complete in the current file now; nil if there is no log.
    ///
    /// Whoever takes an inventory asks for it first: whatever is committed later is found from there. The file is read once, for
    /// the transactions that are open.
    public static func end(of location: LogLocation) throws(RedoLogError) -> LogPosition? {
        let follower = try LogFollower(location: location, usesNotification: false)
        if case .starting = follower.phase { return nil }
        while true {
            switch try follower.next() {
            case .caughtUp: return try follower.position()
            case .transaction, .repeatedEnd, .lostEnd, .notice: continue
            }
        }
    }

    /// Where a new follower goes on after everything that was handed out; nil until a file was found.
    ///
    /// - Throws: `fileAccess`.
    public func position() throws(RedoLogError) -> LogPosition? {
        if !queue.isEmpty, let positionBeforeQueue { return positionBeforeQueue }
        return try reachedPosition()
    }

    /// Whether there is no file to read: the log is missing, empty, damaged at its beginning or another server's. For a moment
    /// it is so in every rollover.
    public var hasNoFile: Bool {
        switch phase {
        case .starting, .between: true
        case .live, .finished: false
        }
    }

    /// The number of the file in hand, in which the last transaction was committed; nil until a file was found.
    public var sequence: Int64? { current?.header.sequence }

    private func reachedPosition() throws(RedoLogError) -> LogPosition? {
        if case .starting(let position) = phase { return position }
        guard let current else { return nil }
        let applied = max(current.reader.offset, current.silentUntil)
        // The records between oldestOpen and applied are read again, silently.
        let oldest = assembler.oldestStart(in: current.file) ?? applied
        let isSilent = current.reader.offset < current.silentUntil
        return LogPosition(
            sequence: current.header.sequence, createTime: current.header.createTime, applied: applied,
            oldestOpen: isSilent ? Int64(FileHeader.length) : min(oldest, applied), isUnproven: current.hasSeenGarbage,
            fingerprint: try LogPosition.fingerprint(of: current.file, at: applied) ?? "")
    }

    /// The next thing that happened. Never waits.
    ///
    /// - Throws: `fileAccess` when a file cannot be read; asking again goes on.
    public func next() throws(RedoLogError) -> Follow {
        while true {
            if !queue.isEmpty { return queue.removeFirst() }
            positionBeforeQueue = nil
            switch phase {
            case .starting(let position):
                guard try start(position) else { return .caughtUp }
            case .live, .finished:
                guard let step = try read() else { return .caughtUp }
                if let follow = step { return follow }
            case .between:
                guard try openNext() else { return .caughtUp }
            }
        }
    }

    /// Waits until the log may have changed, at most this long.
    public func wait(milliseconds: Int) { watch.wait(milliseconds: milliseconds) }

    // MARK: - Reading the file in hand

    /// One step in the file; `.some(nil)` = go on, nil = caught up.
    private func read() throws(RedoLogError) -> Follow?? {
        guard let current else { return .some(nil) }
        switch try current.reader.next() {
        case .record(let record):
            let outcome = assembler.feed(record, in: current.file, isUnproven: current.hasSeenGarbage)
            let lost = lostEnds.find(record, in: assembler)
            if record.end <= current.silentUntil { return .some(nil) }
            let follow = follow(record, outcome, in: current)
            guard let lost else { return .some(follow) }
            if let follow { try enqueue(follow) }
            return .some(.lostEnd(lost, sequence: current.header.sequence))
        case .garbage(let offset, let length):
            if offset + length <= current.silentUntil { return .some(nil) }
            return .some(
                .notice(notice(.garbage, offset, length, "\(length) bytes are no record; the rest of the file is not proven")))
        case .incompleteTail(let offset, let length):
            if case .finished = phase {
                return .some(
                    .notice(notice(.cutTail, offset, length, "the finished file ends within a record")))
            }
            return .some(nil)
        case .end:
            if case .finished = phase {
                try endFile(current)
                phase = .between
                return .some(nil)
            }
            return try lookForChange() ? .some(nil) : nil
        }
    }

    /// What is open and not listed will never end; the position before the notices still has it open, and finds it again.
    private func endFile(_ current: Current) throws(RedoLogError) {
        let unlisted = lostEnds.unlisted(assembler)
        for lost in unlisted where !lost.wasFound { try enqueue(.lostEnd(lost.open, sequence: current.header.sequence)) }
        for lost in unlisted { assembler.drop(lost.open.start.header.transaction) }
    }

    private func follow(_ record: Record, _ outcome: TransactionAssembler.Outcome, in current: Current) -> Follow? {
        switch outcome {
        case .committed(let transaction): return .transaction(transaction)
        case .repeatedEnd:
            return .repeatedEnd(
                record.header.transaction, mailboxID: record.header.mailboxID, committed: record.role == .commit)
        case .started:
            guard case .opaque(let code, _) = record.operation else { return nil }
            return .notice(
                notice(.opaque, record.offset, record.length, "the layout of \(code) is not known"))
        case .restarted, .aborted, .checkpoint: return nil
        }
    }

    private func notice(_ kind: FollowNotice.Kind, _ offset: Int64, _ length: Int64, _ reason: String) -> FollowNotice {
        FollowNotice(
            kind: kind, file: (current?.file.path ?? location.log).string, sequence: current?.header.sequence ?? 0, offset: offset,
            length: length, reason: reason, needsScan: ![.opaque, .headerRewritten].contains(kind))
    }

    /// Adds a notice to the queue.
    func enqueue(_ notice: FollowNotice) throws(RedoLogError) { try enqueue(.notice(notice)) }

    /// Adds to the queue; the position stays that of before until all of it was handed out.
    private func enqueue(_ follow: Follow) throws(RedoLogError) {
        if queue.isEmpty { positionBeforeQueue = try reachedPosition() }
        queue.append(follow)
    }

    /// At the end of the current file: whether there is more to read, in it or behind it.
    private func lookForChange() throws(RedoLogError) -> Bool {
        guard var current else { return false }
        let size = try current.file.size()
        if size < current.reader.offset {
            try wasTruncated(to: size)
            return true
        }
        if let header = try? current.file.header(), header != current.header {
            guard try !reportForeign(header, of: current.file) else { return !queue.isEmpty }
            // A header that is being written, or that is no longer one, is looked at again next time.
            if header.sequence != current.header.sequence || header.createTime != current.header.createTime {
                try enqueue(
                    notice(.replaced, 0, 0, "file \(header.sequence) was written over file \(current.header.sequence)"))
                assembler = TransactionAssembler()
                try begin(current.file, header, isLive: true)
                return true
            }
            // That a file is closed is nothing to tell: every rollover does it.
            let isNews = (header.isOpen && !current.header.isOpen) || header.version != current.header.version
            if isNews { try enqueue(notice(.headerRewritten, 0, 0, "a server has opened the file anew")) }
            current.header = header
            self.current = current
            if isNews { return true }
        }
        if size > current.reader.end {
            current.reader.extend(to: size)
            return true
        }
        if size < current.reader.end {
            // An incomplete record was cut off; nothing that was handed out.
            try makeReader(from: current.reader.offset, isGrowing: true)
            return true
        }
        guard LogFile.FileIdentity(of: location.log) != current.file.identity else { return false }
        // Rolled over. The server closes a file before it moves it, so this length is final.
        phase = .finished
        try makeReader(from: current.reader.offset, isGrowing: false)
        return true
    }

    /// The file ends before what was read: reads it again up to its end, silently, for what is open there.
    private func wasTruncated(to size: Int64) throws(RedoLogError) {
        guard let offset = current?.reader.offset else { return }
        try enqueue(notice(.truncated, size, offset - size, "the file was cut by \(offset - size) bytes that were read"))
        assembler = TransactionAssembler()
        lostEnds = LostEnds()
        current?.silentUntil = size
        try makeReader(from: Int64(FileHeader.length), isGrowing: true)
    }

    private func makeReader(from offset: Int64, isGrowing: Bool) throws(RedoLogError) {
        guard var current else { return }
        current.isUnproven = current.hasSeenGarbage
        current.reader = try RecordReader(file: current.file, from: offset, isGrowing: isGrowing)
        self.current = current
    }

    private func begin(
        _ file: LogFile, _ header: FileHeader, isLive: Bool, at offset: Int64 = Int64(FileHeader.length),
        silentUntil: Int64 = 0, isUnproven: Bool = false
    ) throws(RedoLogError) {
        current = Current(
            file: file, reader: try RecordReader(file: file, from: offset, isGrowing: isLive), header: header,
            isUnproven: isUnproven, silentUntil: silentUntil)
        lostEnds = LostEnds()
        phase = isLive ? .live : .finished
        if isLive { try keep(file, header) }
    }

    // MARK: - Finding files

    /// Finds the file to begin with; false while there is none.
    private func start(_ position: LogPosition?) throws(RedoLogError) -> Bool {
        guard let position else {
            for archived in beginning == .oldestFile ? try location.archivedFiles() : [] {
                guard let found = try openArchived(archived) else { continue }
                try begin(found.file, found.header, isLive: false)
                return true
            }
            guard let log = try openLog() else { return !queue.isEmpty }
            try begin(log.file, log.header, isLive: true)
            return true
        }
        let log = try openLog()
        var candidates: [(file: LogFile, header: FileHeader)] = []
        if let log, log.header.sequence == position.sequence { candidates.append(log) }
        for archived in try location.archivedFiles() where archived.sequence == position.sequence {
            if let found = try openArchived(archived), found.header.sequence == position.sequence { candidates.append(found) }
        }
        let isCurrent = { (file: LogFile) in file.identity == log?.file.identity }
        for candidate in candidates where candidate.header.createTime == position.createTime {
            let size = try candidate.file.size()
            if size >= position.applied {
                guard try LogPosition.fingerprint(of: candidate.file, at: position.applied) == position.fingerprint else { continue }
                let start = position.oldestOpen >= FileHeader.length && position.oldestOpen <= position.applied
                try begin(
                    candidate.file, candidate.header, isLive: isCurrent(candidate.file),
                    at: start ? position.oldestOpen : Int64(FileHeader.length), silentUntil: position.applied,
                    isUnproven: position.isUnproven)
            } else {
                try enqueue(
                    FollowNotice(
                        kind: .truncated, file: candidate.file.path.string, sequence: position.sequence, offset: size,
                        length: position.applied - size, reason: "the file is shorter than what was read of it",
                    needsScan: true))
                try begin(candidate.file, candidate.header, isLive: isCurrent(candidate.file), silentUntil: size)
            }
            return true
        }
        if let other = candidates.first {
            try enqueue(
                FollowNotice(
                    kind: .replaced, file: other.file.path.string, sequence: position.sequence, offset: 0, length: 0,
                    reason: "another file with the number \(position.sequence) is in the place of the one that was followed",
                    needsScan: true))
            try begin(other.file, other.header, isLive: isCurrent(other.file))
            return true
        }
        guard let log else { return !queue.isEmpty }
        if log.header.sequence < position.sequence {
            try restart(log, after: position.sequence)
            return true
        }
        try enqueue(
            FollowNotice(
                kind: .gap, file: location.log.string, sequence: position.sequence, offset: position.applied, length: 0,
                reason: "file \(position.sequence) is missing; what it held behind offset \(position.applied) is lost",
                    needsScan: true))
        let archived = try location.archivedFiles().filter {
            $0.sequence > position.sequence && $0.sequence < log.header.sequence
        }
        for next in archived {
            guard let found = try openArchived(next) else { continue }
            try begin(found.file, found.header, isLive: false)
            return true
        }
        try begin(log.file, log.header, isLive: true)
        return true
    }

    /// The series began anew: the log's number is not above that of the file before.
    private func restart(_ log: (file: LogFile, header: FileHeader), after sequence: Int64) throws(RedoLogError) {
        try enqueue(
            FollowNotice(
                kind: .replaced, file: location.log.string, sequence: log.header.sequence, offset: 0, length: 0,
                reason: "the series began anew with file \(log.header.sequence) after file \(sequence)",
                    needsScan: true))
        assembler = TransactionAssembler()
        try begin(log.file, log.header, isLive: true)
    }

    /// Opens the file behind the finished one; false while it is not there.
    private func openNext() throws(RedoLogError) -> Bool {
        guard let finished = current else { return false }
        let last = finished.header.sequence
        let expected = RedoLog.sequence(after: last)
        if try openArchivedFile(expected) { return true }
        guard let log = try openLog() else { return !queue.isEmpty }
        if log.file.identity == finished.file.identity {
            // Moved away and back: it goes on as the current file.
            phase = .live
            try makeReader(from: finished.reader.offset, isGrowing: true)
            return true
        }
        if log.header.sequence == expected {
            try begin(log.file, log.header, isLive: true)
            return true
        }
        // A rollover may have happened since the archive was looked at.
        if try openArchivedFile(expected) { return true }
        if log.header.sequence < expected {
            try restart(log, after: last)
            return true
        }
        let next = try location.archivedFiles().first { $0.sequence > expected && $0.sequence < log.header.sequence }
        try enqueue(
            FollowNotice(
                kind: .gap, file: location.log.string, sequence: expected, offset: 0, length: 0,
                reason: "files \(expected) to \((next?.sequence ?? log.header.sequence) - 1) are missing",
                    needsScan: true))
        // What was open may have ended in a lost file; what is still open is logged again in the next one.
        assembler = TransactionAssembler()
        if let next, try openArchivedFile(next.sequence) { return true }
        try begin(log.file, log.header, isLive: true)
        return true
    }

    private func openArchivedFile(_ sequence: Int64) throws(RedoLogError) -> Bool {
        for archived in try location.archivedFiles() where archived.sequence == sequence {
            guard let found = try openArchived(archived) else { continue }
            guard found.file.identity != current?.file.identity else { continue }
            try begin(found.file, found.header, isLive: false)
            return true
        }
        return false
    }
}
