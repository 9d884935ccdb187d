import BackupCore
import GRDB
import RedoLog

/// Purging by age and by the flag Deleted: the log says that it happened, not what went (formats/zimbra-redolog.md, section 7.2).
extension SandboxMailbox {
    /// Does what the nightly purge does: lifetimes of the account, policies of folders and tags, age of the dumpster and of
    /// tombstones. Returns how many items went.
    @discardableResult
    public func purgeOldMessages() throws -> Int {
        let account = try server.findAccount(accountID)
        return try server.change(mailboxID) { change in
            let now = change.seconds
            func limit(_ lifetime: String?) -> Int64? {
                guard let seconds = Lifetime.seconds(lifetime), seconds > 0 else { return nil }
                return now - seconds
            }
            var gone: [ItemRow] = []
            func purge(_ folders: [Int64], before limit: Int64?, by column: String = "date") throws {
                guard let limit else { return }
                for folder in folders {
                    gone += try ItemTable.items.items(
                        mailbox: mailboxID, where: "folder_id = ? AND type NOT IN (1, 2, 4, 13, 17) AND \(column) < ?", [folder, limit],
                        in: change.database
                    ).filter { row in !gone.contains { $0.id == row.id } }
                }
            }
            let usesChangeDate = account?["zimbraMailPurgeUseChangeDateForTrash"] != "FALSE"
            try purge(
                change.state.tree(of: FolderID.trash), before: limit(account?["zimbraMailTrashLifetime"]),
                by: usesChangeDate ? "change_date" : "date")
            try purge(change.state.tree(of: FolderID.junk), before: limit(account?["zimbraMailSpamLifetime"]))
            if let oldest = limit(account?["zimbraMailMessageLifetime"]) {
                let all = change.state.folders.values.filter { $0.row.type == .folder }.map(\.row.id).sorted()
                for folder in all {
                    gone += try ItemTable.items.items(
                        mailbox: mailboxID, where: "folder_id = ? AND type IN (5, 16) AND date < ?", [folder, oldest], in: change.database
                    ).filter { row in !gone.contains { $0.id == row.id } }
                }
            }
            for (id, folder) in change.state.folders.sorted(by: { $0.key < $1.key }) {
                for lifetime in Self.purgeLifetimes(folder.metadata.dictionary("rp")) { try purge([id], before: limit(lifetime)) }
            }
            for tag in change.state.tags.values.sorted(by: { $0.row.id < $1.row.id }) {
                for lifetime in Self.purgeLifetimes(try? MetadataDictionary(parsing: tag.row.policy)) {
                    guard let oldest = limit(lifetime) else { continue }
                    gone += try change.items(taggedBy: tag.row.id).filter { row in row.date < oldest && !gone.contains { $0.id == row.id } }
                }
            }
            try change.deleteMessages(gone)
            if account?["zimbraDumpsterPurgeEnabled"] != "FALSE", let oldest = limit(account?["zimbraMailDumpsterLifetime"]) {
                for row in try ItemTable.dumpster.items(mailbox: mailboxID, where: "change_date < ?", [oldest], in: change.database) {
                    try change.removeFromDumpster(row)
                }
            }
            try change.trimTombstones(before: now - 90 * 86400)
            try change.database.execute(sql: "UPDATE mailbox SET last_purge_at = ? WHERE id = ?", arguments: [now, mailboxID])
            return (gone.count, Logged(.purgeOldMessages))
        }
    }

    private static func purgeLifetimes(_ policy: MetadataDictionary?) -> [String] {
        (policy?.list("purge") ?? []).compactMap { if case .dictionary(let entry) = $0 { entry.string("lifetime") } else { nil } }
    }

    /// Deletes all items that carry the flag Deleted, as an IMAP client does. Returns how many went.
    @discardableResult
    public func purgeImapDeleted() throws -> Int {
        try server.change(mailboxID) { change in
            let gone = try ItemTable.items.items(
                mailbox: mailboxID, where: "flags & 128 <> 0 AND type NOT IN (1, 2, 4, 13)", in: change.database)
            try change.deleteMessages(gone)
            return (gone.count, Logged(.purgeImapDeleted))
        }
    }
}

extension Change {
    fileprivate func trimTombstones(before oldest: Int64) throws {
        let last = try Int64.fetchOne(
            database, sql: "SELECT MAX(sequence) FROM tombstone WHERE mailbox_id = ? AND date < ?", arguments: [mailbox, oldest])
        guard let last else { return }
        try database.execute(sql: "DELETE FROM tombstone WHERE mailbox_id = ? AND date < ?", arguments: [mailbox, oldest])
        state.row.trackingSync = max(state.row.trackingSync, last)
    }
}
