import BackupCore
import BackupStore
import RedoLog
import SandboxServer
import SystemPackage

/// A server whose answers a test spoils.
final class FaultySource: MailSource, @unchecked Sendable {
    // Unchecked: used by one test's thread.

    struct Failure: Error {}

    let server: SandboxServer
    /// Ids of accounts that the directory lacks.
    var hiddenAccounts: Set<String> = []
    /// What the directory has besides accounts.
    var entries: [ConfigurationEntry] = []
    /// What a listing lacks although it is there.
    var hiddenFromListing: Set<HistoryKey> = []
    /// Accounts that another server has, by its name.
    var movedAccounts: [String: String] = [:]
    /// Numbers of mailboxes that the tables lack.
    var hiddenMailboxes: Set<Int64> = []
    /// Numbers of mailboxes that cannot be read to their end.
    var unreadableMailboxes: Set<Int64> = []

    /// Where current logs get a second name.
    var keptLogs: FilePath?
    /// Whether the directory does not answer.
    var directoryIsDown = false
    /// How often the directory was asked.
    private(set) var looks = 0
    /// Called before a mailbox is read.
    var beforeRead: (Int64) throws -> Void = { _ in }
    /// What a blob holds instead of the server's bytes; nil = those.
    var otherContent: (BlobLocation) throws -> [UInt8]? = { _ in nil }
    /// Rows that the tables lack.
    var isHidden: (ItemRow) -> Bool = { _ in false }
    /// What reading a blob throws; nil = nothing.
    var blobFailure: (any Error)?
    /// Changes a row before it is handed out.
    var changeRow: (inout ItemRow) -> Void = { _ in }
    /// How often each mailbox was read.
    private(set) var reads: [Int64: Int] = [:]

    /// Whole rows handed out.
    fileprivate(set) var rowsRead = 0

    init(_ server: SandboxServer) { self.server = server }

    var identity: MailServerIdentity { server.identity }
    var redoLog: LogLocation { LogLocation(log: server.redoLog.log, archive: server.redoLog.archive, kept: keptLogs) }
    func accounts() throws -> [AccountEntry] {
        looks += 1
        if directoryIsDown { throw Failure() }
        return try server.accounts().filter { !hiddenAccounts.contains($0.id) }
    }
    func directoryVersions() throws -> [HistoryKey: Int] {
        let records = try accounts().filter { movedAccounts[$0.id] == nil }.map { DirectoryRecord.account($0) } + entries.map { .configuration($0) }
        return Dictionary(records.map { ($0.key, $0.hashValue) }) { first, _ in first }.filter { !hiddenFromListing.contains($0.key) }
    }
    func readDirectory(_ keys: [HistoryKey], _ body: (DirectoryRecord) throws -> Void) throws {
        for var account in try accounts() where keys.contains(.accountInfo(account.id)) {
            account.attributes["zimbraMailHost"] = movedAccounts[account.id].map { [$0] } ?? account.attributes["zimbraMailHost"]
            try body(.account(account))
        }
        for entry in entries where keys.contains(entry.key) { try body(.configuration(entry)) }
    }
    func mailboxes() throws -> [MailboxRow] { try server.mailboxes().filter { !hiddenMailboxes.contains($0.id) } }
    func openBlob(_ location: BlobLocation) throws -> ByteReader {
        if let blobFailure { throw blobFailure }
        guard var rest = try otherContent(location)?[...] else { return try server.openBlob(location) }
        return { buffer in
            let piece = rest.prefix(buffer.count)
            buffer.copyBytes(from: piece)
            rest = rest.dropFirst(piece.count)
            return piece.count
        }
    }

    func withMailbox<Result>(_ mailboxID: Int64, _ body: (any MailboxPicture) throws -> Result) throws -> Result? {
        reads[mailboxID, default: 0] += 1
        try beforeRead(mailboxID)
        return try server.withMailbox(mailboxID) { try body(SpoiltPicture(source: self, picture: $0)) }
    }
    func lastChange(of row: MailboxRow) throws -> Int64 { try server.lastChange(of: row) }
}

/// What a spoilt source shows of a mailbox.
private struct SpoiltPicture: MailboxPicture {
    let source: FaultySource
    let picture: any MailboxPicture

    var row: MailboxRow { picture.row }
    var change: Int64 { picture.change }

    func tags() throws -> [TagRow] { try picture.tags() }
    func sections() throws -> [(name: String, text: String)] { try picture.sections() }

    func numbers(in part: MailboxPart, _ body: (Int64, Int64) throws -> Void) throws {
        var hidden: Set<Int64> = []
        try picture.items(in: part, nil) { row, _ in if source.isHidden(row) { hidden.insert(row.id) } }
        try picture.numbers(in: part) { id, number in if !hidden.contains(id) { try body(id, number) } }
    }

    func items(in part: MailboxPart, _ ids: [Int64]?, _ body: (ItemRow, [RevisionRow]) throws -> Void) throws {
        var rows = 0
        try picture.items(in: part, ids) { row, revisions in
            var row = row
            source.changeRow(&row)
            source.rowsRead += 1
            if !source.isHidden(row) { try body(row, revisions) }
            rows += 1
            if rows == 5, source.unreadableMailboxes.contains(self.row.id) { throw FaultySource.Failure() }
        }
    }
}

extension SmartScanOptions {
    /// The options of a test: machines that run many of them are always busy.
    static let impolite: SmartScanOptions = {
        var options = SmartScanOptions()
        options.yields = false
        return options
    }()
}
