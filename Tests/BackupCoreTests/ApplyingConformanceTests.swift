import Foundation
import RedoLog
import Testing

@testable import BackupCore

/// The rules of applying, against the tables that real servers had at several instants.
@Suite("Applying a real server's log")
struct ApplyingConformanceTests {
    /// What the data set's README names as not derivable from the log, by item.
    static let underivable: [String: [Int64: Set<String>]] = [
        "small": [
            337: ["existence", "dumpster"], 359: ["existence", "dumpster"], 360: ["existence", "dumpster"],
            361: ["existence", "dumpster"], 322: ["existence"], 298: ["mod_metadata"], 268: ["mod_metadata"],
            299: ["mod_metadata"], 295: ["mod_metadata"],
            // Changed by a reply and an update that do not name them.
            285: ["mod_metadata"], 293: ["mod_metadata"],
        ]
    ]

    @Test("Every item of the small life is derived as the server had it, at each of nine instants")
    func smallLife() throws {
        let dataset = Dataset("small")
        var mailboxes: [Int64: MemoryMailbox] = [:]
        let initial = try dataset.initial("mail_item")
        let accounts = Dictionary(try dataset.accounts.map { ($0.id, $0) }, uniquingKeysWith: { a, _ in a })
        var instants = try dataset.instants[...]
        var replay = Replay()
        var differences: [String] = []

        func checkInstants(before sequence: Int64, _ offset: Int64) {
            while let instant = instants.first, (instant.sequence, instant.offset) < (sequence, offset) {
                differences += compare(instant, mailboxes, except: Self.underivable["small"] ?? [:])
                instants.removeFirst()
            }
        }
        try replay.run(try dataset.logs()) { record, sequence, end in
            checkInstants(before: sequence, end)
            let id = record.header.mailboxID
            guard id > 0 else { return }
            if case .createMailbox(let create) = record.operation {
                let account = create.accountID?.string ?? ""
                let mailbox = MemoryMailbox(life: MailboxLife(accountID: account, mailboxID: id, generation: 1))
                mailbox.hasDumpster = accounts[account]?["zimbraDumpsterEnabled"] == "TRUE"
                for row in initial[id] ?? [] { mailbox.states[int(row["id"]) ?? 0] = ItemState(row: ItemRow(json: row)) }
                mailboxes[id] = mailbox
            } else {
                try mailboxes[id]?.apply(record)
                if case .deleteMailbox = record.operation { mailboxes[id] = nil }
            }
        }
        checkInstants(before: .max, .max)
        #expect(instants.isEmpty)
        #expect(differences == [])
    }

    /// Existence, folder, name, parent, tags, user flags, unread, digest, mod_metadata and dumpster membership of every item.
    private func compare(
        _ instant: Dataset.Instant, _ mailboxes: [Int64: MemoryMailbox], except: [Int64: Set<String>]
    ) -> [String] {
        var differences: [String] = []
        for truth in instant.mailboxes {
            let id = int(truth["mailbox_id"]) ?? 0
            guard let mailbox = mailboxes[id] else {
                differences.append("\(instant.label): mailbox \(id) is missing")
                continue
            }
            func differ(_ item: Int64, _ what: String, _ text: String) {
                if id == 1, except[item]?.contains(what) == true { return }
                differences.append("\(instant.label): mailbox \(id) item \(item): \(what) \(text)")
            }
            let rows = (truth["items"] as? [[String: Any]] ?? []).map(ItemRow.init(json:))
            let expected = Dictionary(rows.map { ($0.id, $0) }, uniquingKeysWith: { a, _ in a })
            for state in mailbox.living where state.row.type != .tag && expected[state.row.id] == nil {
                differ(state.row.id, "existence", "too many: \(state.row.type.name)")
            }
            for row in rows {
                guard let state = mailbox.states[row.id], !state.deleted else {
                    differ(row.id, "existence", "missing: \(row.type.name)")
                    continue
                }
                let derived = state.row
                if derived.folderID != row.folderID { differ(row.id, "folder", "\(derived.folderID ?? 0), not \(row.folderID ?? 0)") }
                if derived.name != row.name { differ(row.id, "name", "\(derived.name ?? "-"), not \(row.name ?? "-")") }
                if derived.parentID != row.parentID { differ(row.id, "parent", "\(derived.parentID ?? 0), not \(row.parentID ?? 0)") }
                if row.type != .conversation {
                    if Set(derived.tags) != Set(row.tags) { differ(row.id, "tags", "\(derived.tags), not \(row.tags)") }
                    let user = derived.flags.subtracting(.system)
                    if user != row.flags.subtracting(.system) { differ(row.id, "flags", "\(user.letters), not \(row.flags.letters)") }
                    if !row.type.isContainer, (derived.unread ?? 0) != (row.unread ?? 0) {
                        differ(row.id, "unread", "\(derived.unread ?? -1), not \(row.unread ?? -1)")
                    }
                    if derived.modMetadata != row.modMetadata {
                        differ(row.id, "mod_metadata", "\(derived.modMetadata), not \(row.modMetadata) (\(row.type.name))")
                    }
                }
                if row.type == .message, derived.blobDigest != row.blobDigest { differ(row.id, "digest", "") }
            }
            let dumpster = Set((truth["dumpster"] as? [[String: Any]] ?? []).compactMap { int($0["id"]) })
            let derived = Set(mailbox.states.values.filter(\.inDumpster).map(\.row.id))
            for item in dumpster.symmetricDifference(derived) {
                differ(item, "dumpster", dumpster.contains(item) ? "missing" : "too many")
            }
        }
        return differences
    }
}
