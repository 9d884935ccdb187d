import BackupCore
import BackupStore
import Foundation
import SystemPackage

/// The log that a real server wrote, of two mailboxes changed at the same time, against that server's tables at the end.
struct RealLogStory {
    /// System folders that only some releases make (Tasks, Briefcase, Comments, Files shared with me): the log cannot tell.
    private static let untold: Set<Int64> = [15, 16, 17, 20]

    let folder: URL

    /// - Returns: whether what the backup holds is what the tables say.
    func tell() throws -> Bool {
        headline("6. The same on a real server's log: three files, two mailboxes, rollovers with open transactions")
        let series = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Tests/RedoLogTests/Fixtures/concurrent").standardized
        let source = try LogArchive(folder: FilePath(series.path))
        let path = FilePath(folder.appending(path: "real").path)
        try StoreWriter.create(path, serverID: source.identity.id)
        let engine = try BackupEngine(source: source, store: try StoreWriter(opening: path, serverID: source.identity.id))
        try engine.begin()
        let statistics = try engine.catchUp()
        try engine.close()
        say("\(statistics.transactions) transactions followed, \(statistics.notices.count) notices"
            + (statistics.unapplied.isEmpty ? "" : "; not applied yet: \(statistics.unapplied)"))

        let store = try StoreReader(opening: path)
        defer { store.close() }
        var accounts: [Int64: String] = [:]
        for account in try store.accounts() {
            if let id = try store.state(of: .mailbox(account))?.fields["mailbox_id"]?.int { accounts[id] = account }
        }
        let data = try Data(contentsOf: series.appending(path: "state-final.json"))
        let truth = try JSONSerialization.jsonObject(with: data) as? [String: [[String: Any]]] ?? [:]
        var differences: [String] = []
        var counts: [String: Int] = [:]
        var seen: [Int64: Set<Int64>] = [:]
        var blobs = 0
        for row in truth["items"] ?? [] {
            guard let mailbox = integer(row["mailboxId"]), let id = integer(row["id"]), let account = accounts[mailbox] else { continue }
            let state = try store.item(account, id).flatMap(ItemState.init(indexed:))
            if state == nil, Self.untold.contains(id) { continue }
            seen[mailbox, default: []].insert(id)
            counts[ItemType(rawValue: Int(integer(row["type"]) ?? 0)).name, default: 0] += 1
            guard let state, !state.deleted else {
                differences.append("item \(id) of mailbox \(mailbox) is missing")
                continue
            }
            for difference in differencesOf(state.row, row) { differences.append("item \(id) of mailbox \(mailbox): \(difference)") }
            if state.row.type == .message {
                // Reading checks the digest of every byte.
                guard let blob = state.blob, blob.id.description == row["digest"] as? String,
                    try store.blobBytes(blob.id).count == Int(integer(row["size"]) ?? -1)
                else {
                    differences.append("content of message \(id) of mailbox \(mailbox)")
                    continue
                }
                blobs += 1
            }
        }
        for (mailbox, account) in accounts {
            try store.items(account, .alive) { item in
                guard case .item(_, let id) = item.key, item.fields["type"]?.string != "tag" else { return }
                if seen[mailbox]?.contains(id) != true { differences.append("item \(id) of mailbox \(mailbox) is too many") }
            }
            differences += try tagDifferences(store, account, truth["tags"] ?? [], mailbox, &counts)
        }
        let compared = counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)s" }.joined(separator: ", ")
        say("compared with the server's tables: \(compared); \(blobs) contents by digest")
        say("not compared: system folders 15, 16, 17 and 20, which only some releases make and no log tells of")
        for difference in differences.prefix(20) { say("difference: \(difference)") }
        say("\(differences.count) differences")
        return differences.isEmpty && blobs > 0
    }

    private func differencesOf(_ derived: ItemRow, _ row: [String: Any]) -> [String] {
        var differences: [String] = []
        func compare<Value: Equatable>(_ what: String, _ left: Value?, _ right: Value?) {
            if left != right { differences.append("\(what) \(left.map { "\($0)" } ?? "-"), not \(right.map { "\($0)" } ?? "-")") }
        }
        compare("type", Int64(derived.type.rawValue), integer(row["type"]))
        compare("folder", derived.folderID, integer(row["folderId"]))
        compare("parent", derived.parentID, integer(row["parentId"]))
        compare("name", derived.name, row["name"] as? String)
        guard derived.type != .conversation else { return differences }
        compare("tags", Set(derived.tags), Set(ItemRow.tags(fromColumn: row["tagNames"] as? String)))
        compare("change", derived.modMetadata, integer(row["modMetadata"]))
        guard derived.type == .message else { return differences }
        compare("unread", derived.unread, integer(row["unread"]))
        compare("date", derived.date, integer(row["date"]))
        compare("flags", derived.flags.subtracting(.copied).rawValue, integer(row["flags"]).map { $0 & ~0x10 })
        return differences
    }

    private func tagDifferences(
        _ store: StoreReader, _ account: String, _ rows: [[String: Any]], _ mailbox: Int64, _ counts: inout [String: Int]
    ) throws -> [String] {
        let expected = Set(
            rows.filter { integer($0["mailboxId"]) == mailbox && (integer($0["id"]) ?? 0) > 0 && integer($0["listed"]) != 0 }
                .compactMap { $0["name"] as? String })
        var derived: Set<String> = []
        try store.items(account, .alive) { item in
            if item.fields["type"]?.string == "tag", let name = item.fields["name"]?.string { derived.insert(name) }
        }
        counts["tag", default: 0] += expected.count
        return expected.symmetricDifference(derived).map { "tag \($0) of mailbox \(mailbox)" }
    }

    private func integer(_ value: Any?) -> Int64? { (value as? NSNumber)?.int64Value }
}
