import BackupCore
import BackupStore
import RedoLog
import Testing

@testable import SandboxServer

/// A mailbox as the rules of formats/zimbra-redolog.md, section 7, derive it from the log.
final class DerivedMailbox: MailboxView {
    var states: [Int64: ItemState] = [:]
    var life: BackupCore.MailboxLife
    let entry: AccountEntry

    init(account: AccountEntry, id: Int64) {
        life = BackupCore.MailboxLife(accountID: account.id, mailboxID: id, generation: 1)
        entry = account
    }

    var living: [ItemState] { states.values.filter { !$0.deleted } }

    /// The content of a message with a calendar part, which says what item it changes.
    private func invitation(_ operation: RedoLog.Operation, in file: LogFile) throws -> AppliedContent? {
        guard case .createMessage(let message) = operation, !message.noICal, let body = message.body else { return nil }
        let summary = MessageSummary(bytes: try file.read(at: body.offset, count: Int(body.length)))
        guard summary.hasCalendar, let id = BlobID(message.digest?.string ?? "") else { return nil }
        return AppliedContent(blob: BlobReference(id: id, size: message.size, stored: 0), summary: summary)
    }

    func item(_ id: Int64) throws -> ItemState? { states[id] }
    func forEachItem(inFolder id: Int64, _ body: (ItemState) throws -> Void) throws {
        for state in living where state.row.folderID == id { try body(state) }
    }
    func forEachItem(withParent id: Int64, _ body: (ItemState) throws -> Void) throws {
        for state in living where state.row.parentID == id { try body(state) }
    }
    func forEachItem(_ body: (ItemState) throws -> Void) throws { for state in living { try body(state) } }

    func apply(_ record: Record, in file: LogFile) throws {
        var change = MailboxChange(
            view: self, life: life, time: record.header.timestamp, change: Int64(record.header.changeID),
            hasDumpster: entry["zimbraDumpsterEnabled"] == "TRUE", retention: Retention(of: entry))
        try change.apply(record.operation, content: try invitation(record.operation, in: file))
        life = change.life
        #expect(change.unapplied == [])
        for state in change.states { states[state.row.id] = state }
    }
}

/// Derives all mailboxes of a server from its log; system folders come from the mailboxes' first rows.
func derive(_ test: TestServer) throws -> [Int64: DerivedMailbox] {
    var mailboxes: [Int64: DerivedMailbox] = [:]
    var open: [TransactionID: (record: Record, file: LogFile)] = [:]
    for (record, file) in try test.records() {
        switch record.role {
        case .start: open[record.header.transaction] = (record, file)
        case .abort: open[record.header.transaction] = nil
        case .checkpoint: break
        case .commit:
            let removed = open.removeValue(forKey: record.header.transaction)
            let (start, file) = try #require(removed)
            #expect(record.header.mailboxID == start.header.mailboxID)
            let id = start.header.mailboxID
            guard id > 0 else { continue }
            if case .createMailbox(let create) = start.operation {
                let account = create.accountID?.string ?? ""
                let entry = try test.server.findAccount(account) ?? AccountEntry(id: account, name: account)
                mailboxes[id] = DerivedMailbox(account: entry, id: id)
            }
            try mailboxes[id]?.apply(start, in: file)
            if case .deleteMailbox = start.operation { mailboxes[id] = nil }
        }
    }
    #expect(open.isEmpty)
    return mailboxes
}

/// Compares what the log says with what the tables hold.
func compare(_ derived: DerivedMailbox, with mailbox: SandboxMailbox, _ context: String = "") throws {
    let rows = try mailbox.items()
    let expected = Set(rows.map(\.id))
    // What a purge took stays in doubt.
    let extra = derived.living.filter { $0.row.type != .tag && !expected.contains($0.row.id) && !$0.mayBeGone }
        .map(\.row.id).sorted()
    #expect(extra == [], "items that only the log knows \(context)")
    for row in rows {
        let place = "\(context) mailbox \(mailbox.mailboxID) \(row.type.name) \(row.id)"
        // System folders that only some releases make: the log cannot tell.
        if row.id < 256, derived.states[row.id] == nil { continue }
        guard let state = derived.states[row.id], !state.deleted else {
            Issue.record("only in the tables: \(place)")
            continue
        }
        let found = state.row
        #expect(found.type == row.type, "\(place)")
        #expect(found.folderID == row.folderID, "\(place)")
        #expect(found.parentID == row.parentID, "\(place)")
        #expect(found.name == row.name, "\(place)")
        guard row.type != .conversation else { continue }
        #expect(Set(found.tags) == Set(row.tags), "\(place)")
        #expect(found.flags.subtracting(.system) == row.flags.subtracting(.system), "\(place)")
        if row.id > 255 || row.modMetadata > 1 { #expect(found.modMetadata == row.modMetadata, "\(place)") }
        if !row.type.isContainer {
            #expect(found.unread == row.unread, "\(place)")
            // Digest and size of a contact's blob are not in its record.
            if row.type != .contact {
                #expect(found.blobDigest == row.blobDigest, "\(place)")
                #expect(found.size == row.size, "\(place)")
            }
            #expect(found.date == row.date, "\(place)")
            #expect(found.imapID == row.imapID, "\(place)")
            #expect(found.modContent == row.modContent, "\(place)")
        } else if row.id > 255 {
            #expect(found.uuid == row.uuid, "\(place)")
            #expect(state.metadata.integer("c") == (try MetadataDictionary(parsing: row.metadata)).integer("c"), "\(place)")
            #expect(state.metadata["aclm"] == (try MetadataDictionary(parsing: row.metadata))["aclm"], "\(place)")
        }
    }
    let dumpster = Set(try mailbox.dumpster().map(\.id).filter { derived.states[$0]?.mayBeGone != true })
    #expect(Set(derived.states.values.filter(\.inDumpster).map(\.row.id)) == dumpster, "dumpster \(context)")
    let tags = Set(try mailbox.tags().filter(\.listed).map { "\($0.id) \($0.name) \($0.color ?? 0)" })
    let derivedTags = Set(derived.living.compactMap(\.tag).filter(\.listed).map { "\($0.id) \($0.name) \($0.color ?? 0)" })
    #expect(derivedTags == tags, "tags \(context)")
}
