#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import RedoLog
import SystemPackage

/// A recorded life played again: a server whose log grows piece by piece, and whose mailboxes can be looked at once, right after their
/// creation, as the rows at the beginning were taken; and as of chosen instants of the oracle, while the log stands there.
///
/// Whatever comes later is in the log alone: a comparison sees what a reader of the log can know.
final class RecordedServer: MailSource, @unchecked Sendable {
    // Unchecked: the engine calls from one thread.

    /// Where the log pauses.
    private struct Stop {
        var place: MailboxLife.LogPlace
        /// nil = at a mailbox's beginning.
        var instant: RecordedLife.Instant?
    }

    let identity: MailServerIdentity
    let redoLog: LogLocation
    /// The instant at which the log stands; nil = at none whose rows can be seen.
    private(set) var view: RecordedLife.Instant?
    private let life: RecordedLife
    /// Numbers of log files that are not there.
    private let lost: Set<Int>
    private var stops: ArraySlice<Stop>
    /// Index of the log's file, and how much of it is written.
    private var file = 0
    private var written = 0
    private var isAtEnd = false
    private var shown: Set<Int64> = []

    /// A server at the life's beginning.
    ///
    /// - Parameters:
    ///   - folder: where the log is written; made anew.
    ///   - instants: those at which the log pauses, and the tables can be seen.
    ///   - lost: log files, by their numbers, that vanish before anybody can read them.
    init(_ life: RecordedLife, folder: FilePath, pausingAt instants: [RecordedLife.Instant] = [], losing lost: Set<Int> = []) throws {
        self.life = life
        self.lost = lost
        let beginnings = life.beginnings.map {
            Stop(place: MailboxLife.LogPlace(sequence: $0.sequence, offset: Int64($0.offset)), instant: nil)
        }
        // A file that vanishes is seen by nobody.
        stops = (beginnings + instants.map { Stop(place: $0.place, instant: $0) }).filter { !lost.contains(Int($0.place.sequence)) }
            .sorted { $0.place < $1.place }[...]
        identity = MailServerIdentity(id: life.serverID, name: "recorded")
        redoLog = LogLocation(log: folder.appending("redo.log"), archive: folder.appending("archive"))
        for path in [folder, folder.appending("archive")] where mkdir(path.string, 0o700) != 0 { throw Errno(rawValue: errno) }
        try write(to: 512)  // The header.
    }

    /// Lets the log grow to the next mailbox's creation, the next instant, or its end.
    ///
    /// - Returns: false when it had ended before.
    func advance() throws -> Bool {
        view = nil
        guard !isAtEnd else { return false }
        let next = stops.popFirst()
        // The files are numbered from 0.
        while file < life.logs.count - 1, next.map({ $0.place.sequence > Int64(file) }) ?? true {
            try write(to: life.logs[file].bytes.count)
            if lost.contains(file) {
                guard unlink(redoLog.log.string) == 0 else { throw Errno(rawValue: errno) }
            } else {
                guard rename(redoLog.log.string, redoLog.archive.appending(life.logs[file].name).string) == 0 else { throw Errno(rawValue: errno) }
            }
            file += 1
            written = 0
            try write(to: 512)
        }
        try write(to: next.map { Int($0.place.offset) } ?? life.logs[file].bytes.count)
        view = next?.instant
        isAtEnd = next == nil
        return true
    }

    private var place: MailboxLife.LogPlace { MailboxLife.LogPlace(sequence: Int64(file), offset: Int64(written)) }

    private func write(to end: Int) throws {
        guard end > written else { return }
        let descriptor = try FileDescriptor.open(redoLog.log, .writeOnly, options: [.create, .append], permissions: [.ownerReadWrite])
        try descriptor.closeAfter { _ = try descriptor.writeAll(life.logs[file].bytes[written..<end]) }
        written = end
    }

    private var begun: [RecordedLife.Beginning] {
        life.beginnings.filter { MailboxLife.LogPlace(sequence: $0.sequence, offset: Int64($0.offset)) <= place }
    }

    func accounts() throws -> [AccountEntry] {
        // An account and its mailbox go together.
        let begun = Set(try mailboxes().map(\.accountID))
        return life.accounts.filter { begun.contains($0.id) }
    }

    func mailboxes() throws -> [MailboxRow] {
        view?.mailboxes.compactMap(\.row) ?? begun.map(\.row)
    }

    func withMailbox<Result>(_ mailboxID: Int64, _ body: (any MailboxPicture) throws -> Result) throws -> Result? {
        if let view {
            guard let mailbox = view.mailboxes.first(where: { $0.id == mailboxID }), let row = mailbox.row else { return nil }
            return try body(RecordedPicture(row: row, mailbox: mailbox))
        }
        guard let beginning = begun.last, beginning.row.id == mailboxID, shown.insert(mailboxID).inserted else { return nil }
        let mailbox = RecordedLife.Mailbox(
            id: mailboxID, accountID: beginning.row.accountID, lastChange: beginning.items.map(\.modMetadata).max() ?? 0,
            items: beginning.items, tags: beginning.tags)
        return try body(RecordedPicture(row: beginning.row, mailbox: mailbox))
    }

    /// The content of the recorded store, where the row names one.
    func openBlob(_ location: BlobLocation) throws -> ByteReader {
        guard view != nil, var rest = location.digest.flatMap({ life.content(ofDigest: $0) })?[...] else {
            throw CoreError(
                .blobMissing, doing: "reading the content of item \(location.itemID)", subject: "mailbox \(location.mailboxID)",
                reason: "a recorded life has its store at its instants only", remedy: "")
        }
        return { buffer in
            let piece = rest.prefix(buffer.count)
            buffer.copyBytes(from: piece)
            rest = rest.dropFirst(piece.count)
            return piece.count
        }
    }
}

/// A recorded mailbox at a moment.
private struct RecordedPicture: MailboxPicture {
    let row: MailboxRow
    let mailbox: RecordedLife.Mailbox

    var change: Int64 { mailbox.lastChange }

    func tags() -> [TagRow] { mailbox.tags }

    func numbers(in part: MailboxPart, _ body: (Int64, Int64) throws -> Void) throws {
        for item in part == .mailbox ? mailbox.items : mailbox.dumpster { try body(item.id, item.modMetadata) }
    }

    func items(in part: MailboxPart, _ ids: [Int64]?, _ body: (ItemRow, [RevisionRow]) throws -> Void) throws {
        let chosen = ids.map { Set($0) }
        for item in part == .mailbox ? mailbox.items : mailbox.dumpster where chosen?.contains(item.id) ?? true {
            try body(item, part == .mailbox ? mailbox.revisions.filter { $0.itemID == item.id }.sorted { $0.version < $1.version } : [])
        }
    }

    func sections() -> [(name: String, text: String)] { mailbox.sections }
}
