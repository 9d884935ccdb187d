import BackupStore

/// One mailbox at one instant against the server's rows, difference by difference.
struct Comparison {
    /// Why two mailboxes differ.
    enum Class: Equatable {
        /// A reader of the log could know better: a defect.
        case derivable
        /// The log does not tell, and the account carries a mark or the item a doubt.
        case unlogged
        /// As many as the data set counts under this name are not in the log.
        case onTheList(String)
        /// The server computes it: counters, sort forms, versions, its own numbers.
        case computed
    }

    struct Difference: CustomStringConvertible {
        var place: String
        var type: ItemType
        var column: String
        var text: String
        var `class`: Class
        var isInDoubt: Bool
        var kind: String { "\(type.name) \(column)" }
        var description: String { "\(place): \(type.name): \(column) \(text)" }
    }

    let instant: String
    let mailbox: RecordedLife.Mailbox
    /// Why the account needs a look at the server (R15).
    let marks: [String]
    private(set) var items = 0
    private(set) var differences: [Difference] = []
    /// Columns by item that differ in what was selected: a restore inherits them.
    private var inherited: [Int64: Set<String>] = [:]

    init(instant: String, mailbox: RecordedLife.Mailbox, marks: [String]) {
        self.instant = instant
        self.mailbox = mailbox
        self.marks = marks
    }

    // MARK: What is selected

    /// Part (a): the rows by their ids.
    mutating func compare(_ selected: [Int64: ItemState]) {
        let expected = Set(mailbox.items.map(\.id))
        for row in mailbox.items {
            items += 1
            guard let state = selected[row.id] else {
                differ(row, "existence", "missing", nil)
                continue
            }
            for (column, text) in RowComparison.differences(state.row, row) { differ(row, column, text, state) }
            guard row.type == .document else { continue }
            let versions = mailbox.revisions.filter { $0.itemID == row.id }.sorted { $0.version < $1.version }
            if state.revisions.map(\.row).map(RowComparison.face) != versions.map(RowComparison.face) {
                differ(row, "revisions", "\(state.revisions.map(\.row.version)), not \(versions.map(\.version))", state)
            }
        }
        for state in selected.values where state.row.type != .tag && !expected.contains(state.row.id) {
            differ(state.row, "existence", "too many", state)
        }
        // A tag that only items carry has an id that no log names.
        let listed = mailbox.tags.filter(\.listed)
        for tag in listed {
            guard let state = selected[tag.id], let found = state.tag else {
                differ(ItemState(tag: tag).row, "existence", "missing", nil)
                continue
            }
            if found.name != tag.name { differ(state.row, "name", "\(found.name), not \(tag.name)", state) }
            if (found.color ?? 0) != (tag.color ?? 0) { differ(state.row, "color", "\(found.color ?? 0), not \(tag.color ?? 0)", state) }
        }
        for state in selected.values where state.row.type == .tag && state.tag?.listed == true
            && !listed.contains(where: { $0.id == state.row.id })
        {
            differ(state.row, "existence", "too many", state)
        }
    }

    private mutating func differ(_ row: ItemRow, _ column: String, _ text: String, _ state: ItemState?) {
        inherited[row.id, default: []].insert(column)
        let isInDoubt = state.map { $0.presumed || !$0.doubts.isEmpty } ?? false
        var found = Self.class(row, column, text)
        // Two columns of one cause: the date of the change that its number names.
        if column == "change_date", inherited[row.id]?.contains("mod_metadata") == true { found = .computed }
        // What a server repeats when it recovers from a crash is not logged again.
        let repeats = marks.contains(RealTimeScanner.repeatedReason)
        if repeats, ["prev_folders", "metadata.aclm", "date"].contains(column) { found = .unlogged }
        if found == .unlogged, marks.isEmpty, !isInDoubt { found = .derivable }
        differences.append(
            Difference(
                place: "\(instant): mailbox \(mailbox.id) item \(row.id)", type: row.type, column: column, text: text, class: found,
                isInDoubt: isInDoubt))
    }

    /// What a difference is, by the data sets' READMEs ("What a reader of the log cannot know") and the columns that the server computes.
    private static func `class`(_ row: ItemRow, _ column: String, _ text: String) -> Class {
        if RowComparison.isComputed(column, row.type) { return .computed }
        if column != "existence" {
            // Changed by invitations, updates, cancellations and replies that do not name them; summed up from their invites.
            if row.type == .appointment || row.type == .task { return .unlogged }
            // "Attributes computed from content".
            if row.type == .message, ["metadata.ais", "metadata.cif"].contains(column) { return .unlogged }
            if row.type == .contact, ["blob_digest", "size", "metadata.att"].contains(column) { return .unlogged }
        }
        let names = ["folder_id": "folder_id", "parent_id": "parent_id", "tag_names": "tags"]
        let name = column == "existence" ? (text == "missing" ? "missing in derived" : "extra in derived") : names[column] ?? column
        return .onTheList("\(name) \(row.type.rawValue)")
    }

    // MARK: What is restored

    /// Part (b): the rows through the id map. What differed in the selection is not counted again.
    mutating func compare(_ restored: RestoredRows, _ selected: [Int64: ItemState]) {
        var sources: [Int64: Int64] = [:]
        for (source, target) in restored.targets { sources[target] = source }
        var orders: [Int64: [(Int64, Int64)]] = [:]
        for row in mailbox.items {
            guard selected[row.id] != nil else { continue }
            guard let target = restored.targets[row.id], let found = restored.rows[target] else {
                // A comment whose document the log did not tell of.
                let isAlone = row.type == .comment && selected[row.parentID ?? 0] == nil
                differRestored(
                    row, "existence", "missing: \(restored.unrestored[row.id] ?? "not in the report")", isAlone ? .unlogged : .derivable)
                continue
            }
            for (column, text) in RowComparison.restoredDifferences(found, row, restored.targets, sources, mailbox.accountID) {
                differRestored(row, column, text)
            }
            if row.imapID ?? 0 > 0, found.imapID ?? 0 > 0, let folder = row.folderID {
                orders[folder, default: []].append((row.imapID ?? 0, found.imapID ?? 0))
            }
            guard row.type == .document else { continue }
            let versions = mailbox.revisions.filter { $0.itemID == row.id }.sorted { $0.version < $1.version }
            if (restored.revisions[target] ?? []).map(RowComparison.face) != versions.map(RowComparison.face) {
                differRestored(row, "revisions", "\((restored.revisions[target] ?? []).map(\.version)), not \(versions.map(\.version))")
            }
        }
        for row in restored.rows.values where row.id >= 256 && sources[row.id] == nil {
            differRestored(row, "existence", "too many")
        }
        for (folder, order) in orders {
            let targets = order.sorted { $0.0 < $1.0 }.map(\.1)
            if targets != targets.sorted() { differRestored(ItemRow(id: folder, type: .folder), "imap order", "is another") }
        }
        for tag in mailbox.tags where tag.listed && selected[tag.id] != nil {
            let found = restored.tags.first { $0.name == tag.name }
            if found == nil || found?.listed == false { differRestored(ItemState(tag: tag).row, "existence", "missing") }
            if let found, (found.color ?? 0) != (tag.color ?? 0) {
                differRestored(ItemState(tag: tag).row, "color", "\(found.color ?? 0), not \(tag.color ?? 0)")
            }
        }
    }

    /// Contents of the restored mailbox, byte by byte, against those that the server's store held, by the server's digest.
    mutating func compareContents(
        _ restored: RestoredRows, _ content: (String) -> [UInt8]?, open: (BlobLocation) throws -> ByteReader
    ) throws {
        for row in mailbox.items {
            guard let digest = row.blobDigest, inherited[row.id]?.contains("blob_digest") != true,
                let target = restored.targets[row.id], let found = restored.rows[target]
            else { continue }
            let location = BlobLocation(
                mailboxID: 0, itemID: found.id, modContent: found.modContent, locator: found.locator, size: found.size,
                digest: found.blobDigest)
            try compare(row, content(digest), open(location))
            for revision in mailbox.revisions where revision.itemID == row.id {
                guard let digest = revision.blobDigest,
                    let version = restored.revisions[target]?.first(where: { $0.version == revision.version })
                else { continue }
                let location = BlobLocation(
                    mailboxID: 0, itemID: found.id, modContent: version.modContent, locator: version.locator, size: version.size,
                    digest: version.blobDigest)
                try compare(row, content(digest), open(location))
            }
        }
    }

    private mutating func compare(_ row: ItemRow, _ expected: [UInt8]?, _ read: ByteReader) throws {
        guard let expected else { return differRestored(row, "content", "is not in the data set") }
        var place = 0
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = try buffer.withUnsafeMutableBytes { try read($0) }
            guard count > 0 else { break }
            guard place + count <= expected.count, expected[place..<place + count].elementsEqual(buffer[..<count]) else {
                return differRestored(row, "content", "differs after \(place) bytes")
            }
            place += count
        }
        if place != expected.count { differRestored(row, "content", "has \(place) bytes, not \(expected.count)") }
    }

    /// A system folder is the target's own: it keeps its date.
    private func isOfTarget(_ row: ItemRow, _ column: String) -> Bool { row.type == .folder && row.id < 256 && column == "date" }

    private mutating func differRestored(_ row: ItemRow, _ column: String, _ text: String, _ class: Class = .derivable) {
        guard inherited[row.id]?.contains(column) != true else { return }
        differences.append(
            Difference(
                place: "\(instant): mailbox \(mailbox.id) item \(row.id) restored", type: row.type, column: column, text: text,
                class: RowComparison.isComputedByTarget(column, row.type) || isOfTarget(row, column) ? .computed : `class`, isInDoubt: false))
    }
}
