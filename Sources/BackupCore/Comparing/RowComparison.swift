/// The columns in which two rows differ, and which of them the server computes.
enum RowComparison {
    /// Columns that differ, each with what was found and what was expected.
    static func differences(_ found: ItemRow, _ expected: ItemRow) -> [(column: String, text: String)] {
        var result = contents(found, expected)
        func compare<Value: Equatable>(_ column: String, _ found: Value?, _ expected: Value?) {
            if found != expected { result.append((column, words(found, expected))) }
        }
        compare("folder_id", found.folderID, expected.folderID)
        compare("parent_id", found.parentID, expected.parentID)
        compare("prev_folders", found.prevFolders, expected.prevFolders)
        compare("imap_id", found.imapID, expected.imapID)
        compare("index_id", found.indexID, expected.indexID)
        compare("uuid", found.uuid, expected.uuid)
        compare("mod_metadata", found.modMetadata, expected.modMetadata)
        compare("mod_content", found.modContent, expected.modContent)
        compare("change_date", found.changeDate, expected.changeDate)
        result += metadata(map(found), map(expected))
        return result
    }

    /// The same through the id map; numbers that each mailbox gives by itself (change numbers, IMAP and index ids, uuids) are not
    /// compared but for whether there is one.
    static func restoredDifferences(
        _ found: ItemRow, _ expected: ItemRow, _ targets: [Int64: Int64], _ sources: [Int64: Int64], _ account: String
    ) -> [(column: String, text: String)] {
        // Copies share an entry of the index in the source only.
        var (alone, expectedAlone) = (found, expected)
        alone.flags.remove(.copied)
        expectedAlone.flags.remove(.copied)
        var result = contents(alone, expectedAlone)
        func compare<Value: Equatable>(_ column: String, _ found: Value?, _ expected: Value?) {
            if found != expected { result.append((column, words(found, expected))) }
        }
        compare("folder_id", found.folderID.flatMap { sources[$0] }, expected.folderID)
        compare("parent_id", found.parentID.map { sources[$0] ?? -1 }, expected.parentID)
        compare("imap_id", found.imapID.map { $0 > 0 }, expected.imapID.map { $0 > 0 })
        compare("index_id", found.indexID == nil, expected.indexID == nil)
        compare("uuid", found.uuid == nil, expected.uuid == nil)
        var references = References(account: account) { targets[$0] }
        var row = expected
        // The map's look-up throws nothing.
        row.metadata = (try? references.translated(expected)) ?? expected.metadata
        var (left, right) = (map(found), map(row))
        for name in ["aclm"] {
            let (a, b) = (grants(left), grants(right))
            if a != b { result.append(("metadata.aclm", words(a, b))) }
            left[name] = nil
            right[name] = nil
        }
        result += metadata(left, right)
        return result
    }

    /// Grants without remembered names, each with the time when it ends.
    private static func grants(_ map: MetadataDictionary) -> Set<String> {
        var row = ItemRow(id: 0, type: .folder)
        row.metadata = map.text()
        return Set(Grant.all(of: ItemState(row: row)).map { "\($0.granteeType) \($0.grantee ?? "") \($0.rights) \($0.secret ?? "") \($0.expiry)" })
    }

    /// Columns that are the same in any mailbox.
    private static func contents(_ found: ItemRow, _ expected: ItemRow) -> [(column: String, text: String)] {
        var result: [(column: String, text: String)] = []
        func compare<Value: Equatable>(_ column: String, _ found: Value?, _ expected: Value?) {
            if found != expected { result.append((column, words(found, expected))) }
        }
        compare("type", found.type.rawValue, expected.type.rawValue)
        compare("name", found.name, expected.name)
        compare("subject", found.subject ?? "", expected.subject ?? "")
        compare("date", found.date, expected.date)
        compare("size", found.size, expected.size)
        compare("blob_digest", found.blobDigest, expected.blobDigest)
        compare("unread", found.unread, expected.unread)
        compare("flags", found.flags.subtracting(.system).letters, expected.flags.subtracting(.system).letters)
        compare("system flags", found.flags.intersection(.system).rawValue, expected.flags.intersection(.system).rawValue)
        compare("tag_names", found.tags.sorted(), expected.tags.sorted())
        compare("sender", found.sender, expected.sender)
        compare("recipients", found.recipients, expected.recipients)
        return result
    }

    /// The metadata without a lock time of 0, which means none.
    private static func map(_ row: ItemRow) -> MetadataDictionary {
        var map = ItemState(row: row).metadata
        if map.integer("lt") == 0 { map["lt"] = nil }
        return map
    }

    private static func metadata(_ found: MetadataDictionary, _ expected: MetadataDictionary) -> [(column: String, text: String)] {
        Set(found.keys + expected.keys).sorted().compactMap { key in
            found[key] == expected[key] ? nil : ("metadata.\(key)", words(found[key], expected[key]))
        }
    }

    private static func words<Value>(_ found: Value?, _ expected: Value?) -> String {
        func short(_ value: Value?) -> String {
            if let value = value as? MetadataDictionary.Value { return String(MetadataDictionary.text(of: value).prefix(300)) }
            return value.map { String("\($0)".prefix(200)) } ?? "NULL"
        }
        return "\(short(found)), not \(short(expected))"
    }

    /// What of a version a reader sees.
    static func face(_ row: RevisionRow) -> [String] { ["\(row.version)", "\(row.date)", "\(row.size)", row.blobDigest ?? "", row.name ?? ""] }

    /// Whether a target computes a column of a restored item: everything but counters is to come back to the letter.
    static func isComputedByTarget(_ column: String, _ type: ItemType) -> Bool {
        type.isContainer && (counters.contains(column) || ["size", "unread", "metadata.mdver"].contains(column))
    }

    private static let counters = ["sz", "unxt", "mseq", "i4l", "i4r", "i4d", "i4du"].map { "metadata." + $0 }

    /// Whether the server computes a column from others or from the content, or gives it by itself.
    static func isComputed(_ column: String, _ type: ItemType) -> Bool {
        switch column {
        // The search index, sort forms, fragment, internal versions.
        case "index_id", "sender", "recipients", "system flags", "metadata.f", "metadata.mdver": return true
        case "metadata.ver": return type != .document
        // When a lock was taken, by the server's own clock.
        case "metadata.lt": return true
        default: break
        }
        // Headers as the server decodes them.
        if type == .message || type == .chat, ["subject", "metadata.s", "metadata.t", "metadata.p", "metadata.r"].contains(column) { return true }
        if type.isContainer {
            // Counters; UIDVALIDITY.
            return counters.contains(column) || ["size", "unread", "mod_content"].contains(column)
        }
        // A conversation is made of its messages: everything but that it exists.
        if type == .conversation { return column != "existence" }
        return false
    }

    /// A server's digest in lower-case hex.
    static func hex(_ digest: String) -> String? {
        guard let bytes = Base64.decode(digest.utf8.map { $0 == UInt8(ascii: ",") ? UInt8(ascii: "/") : $0 }) else { return nil }
        return bytes.map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0" + text : text
        }.joined()
    }
}
