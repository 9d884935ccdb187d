#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import RedoLog
import SystemPackage

/// A recorded life played again: a server whose log grows piece by piece, and whose mailboxes can be looked at once, right after their
/// creation, as the rows at the beginning were taken.
///
/// Whatever comes later is in the log alone: a comparison sees what a reader of the log can know.
final class RecordedServer: MailSource, @unchecked Sendable {
    // Unchecked: the engine calls from one thread.

    let identity: MailServerIdentity
    let redoLog: LogLocation
    private let life: RecordedLife
    /// Index of the log's file, and how much of it is written.
    private var file = 0
    private var written = 0
    /// Beginnings passed.
    private var passed = 0
    private var isAtEnd = false
    private var shown: Set<Int64> = []

    init(_ life: RecordedLife, folder: FilePath) throws {
        self.life = life
        identity = MailServerIdentity(id: life.serverID, name: "recorded")
        redoLog = LogLocation(log: folder.appending("redo.log"), archive: folder.appending("archive"))
        for path in [folder, folder.appending("archive")] where mkdir(path.string, 0o700) != 0 { throw Errno(rawValue: errno) }
        try write(to: 512)  // The header.
    }

    /// Lets the log grow to the next mailbox's creation, or to its end.
    ///
    /// - Returns: false when it had ended before.
    func advance() throws -> Bool {
        guard !isAtEnd else { return false }
        let next = passed < life.beginnings.count ? life.beginnings[passed] : nil
        // The files are numbered from 0.
        while file < life.logs.count - 1, next.map({ $0.sequence > Int64(file) }) ?? true {
            try write(to: life.logs[file].bytes.count)
            guard rename(redoLog.log.string, redoLog.archive.appending(life.logs[file].name).string) == 0 else { throw Errno(rawValue: errno) }
            file += 1
            written = 0
            try write(to: 512)
        }
        try write(to: next?.offset ?? life.logs[file].bytes.count)
        if next == nil { isAtEnd = true } else { passed += 1 }
        return true
    }

    private func write(to end: Int) throws {
        guard end > written else { return }
        let descriptor = try FileDescriptor.open(redoLog.log, .writeOnly, options: [.create, .append], permissions: [.ownerReadWrite])
        try descriptor.closeAfter { _ = try descriptor.writeAll(life.logs[file].bytes[written..<end]) }
        written = end
    }

    private var begun: ArraySlice<RecordedLife.Beginning> { life.beginnings[..<passed] }

    func accounts() throws -> [AccountEntry] {
        let begun = Set(begun.map(\.row.accountID))
        return life.accounts.filter { begun.contains($0.id) }
    }

    func mailboxes() throws -> [MailboxRow] { begun.map(\.row) }

    func withMailbox<Result>(_ mailboxID: Int64, _ body: (any MailboxPicture) throws -> Result) throws -> Result? {
        guard let beginning = begun.last, beginning.row.id == mailboxID, shown.insert(mailboxID).inserted else { return nil }
        return try body(BeginningPicture(beginning: beginning))
    }

    func openBlob(_ location: BlobLocation) throws -> ByteReader {
        throw CoreError(
            .blobMissing, doing: "reading the content of item \(location.itemID)", subject: "mailbox \(location.mailboxID)",
            reason: "a recorded life has no store", remedy: "")
    }
}

/// A recorded mailbox right after its creation: it has no documents, no dumpster and no sections yet.
private struct BeginningPicture: MailboxPicture {
    let beginning: RecordedLife.Beginning

    var row: MailboxRow { beginning.row }
    var change: Int64 { beginning.items.map(\.modMetadata).max() ?? 0 }

    func tags() -> [TagRow] { beginning.tags }

    func numbers(in part: MailboxPart, _ body: (Int64, Int64) throws -> Void) throws {
        guard part == .mailbox else { return }
        for item in beginning.items { try body(item.id, item.modMetadata) }
    }

    func items(in part: MailboxPart, _ ids: [Int64]?, _ body: (ItemRow, [RevisionRow]) throws -> Void) throws {
        guard part == .mailbox else { return }
        for item in beginning.items where ids?.contains(item.id) ?? true { try body(item, []) }
    }

    func sections() -> [(name: String, text: String)] { [] }
}
