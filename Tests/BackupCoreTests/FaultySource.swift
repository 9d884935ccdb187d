import BackupCore
import RedoLog
import SandboxServer

/// A server whose answers a test spoils.
final class FaultySource: MailSource, @unchecked Sendable {
    // Unchecked: used by one test's thread.

    struct Failure: Error {}

    let server: SandboxServer
    /// Ids of accounts that the directory lacks.
    var hiddenAccounts: Set<String> = []
    /// The same for one look at the directory, by its number from 1 on.
    var hiddenAtLook: (Int) -> Set<String> = { _ in [] }
    /// Numbers of mailboxes that cannot be read to their end.
    var unreadableMailboxes: Set<Int64> = []

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

    init(_ server: SandboxServer) { self.server = server }

    var identity: MailServerIdentity { server.identity }
    var redoLog: LogLocation { server.redoLog }
    func accounts() throws -> [AccountEntry] {
        looks += 1
        if directoryIsDown { throw Failure() }
        let look = hiddenAtLook(looks)
        return try server.accounts().filter { !hiddenAccounts.contains($0.id) && !look.contains($0.id) }
    }
    func mailboxes() throws -> [MailboxRow] { try server.mailboxes() }
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

    func readMailbox(_ mailboxID: Int64, _ body: (MailboxElement) throws -> Void) throws -> MailboxSnapshot? {
        reads[mailboxID, default: 0] += 1
        try beforeRead(mailboxID)
        var rows = 0
        return try server.readMailbox(mailboxID) { element in
            if case .item(var row) = element {
                changeRow(&row)
                if !isHidden(row) { try body(.item(row)) }
            } else {
                try body(element)
            }
            rows += 1
            if rows == 5, unreadableMailboxes.contains(mailboxID) { throw Failure() }
        }
    }
}
