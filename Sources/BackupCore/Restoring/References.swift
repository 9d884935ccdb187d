/// Translates the ids of other items that an item's metadata holds (formats/zimbra-items.md, section 3).
///
/// Ids of invites (`mid`, `invId`) are no items': they stay, and so the parts of the content that they name are found. Everything else
/// of the metadata stays as it is, to the letter where no id is in it.
struct References {
    /// The account that the ids belong to.
    let account: String
    /// The target's id of an item of the backup; nil while it has none.
    let target: (Int64) throws -> Int64?
    /// Whether the metadata names other items.
    private(set) var isReferring = false
    /// Whether one of them has no id in the target (yet).
    private(set) var isIncomplete = false

    init(account: String, target: @escaping (Int64) throws -> Int64?) {
        self.account = account
        self.target = target
    }

    /// The metadata of a row with the target's ids.
    mutating func translated(_ row: ItemRow) throws -> String? {
        // A text that does not parse holds no ids that anybody could read.
        guard let old = try? MetadataDictionary(parsing: row.metadata) else { return row.metadata }
        var map = old
        switch row.type {
        case .message, .chat: try translateMessage(&map)
        case .contact: try translateGroup(&map)
        case .folder: try translateCalendars(&map)
        case .searchFolder: map["q"] = try map.string("q").map { .string(try translated(query: $0)) }
        default: break
        }
        return map == old ? row.metadata : map.text()
    }

    /// `ais`: the calendar items that an invitation made. `d.do`: what a draft answers.
    private mutating func translateMessage(_ map: inout MetadataDictionary) throws {
        if let links = map.list("ais") {
            map["ais"] = .list(
                try links.map { value in
                    guard case .dictionary(var link) = value, let id = link.integer("a"), id > 0 else { return value }
                    link["a"] = .integer(try translated(id) ?? 0)
                    return .dictionary(link)
                })
        }
        if var draft = map.dictionary("d"), let original = draft.string("do") {
            draft["do"] = try translated(text: original).map { .string($0) }
            if case .integer? = map.dictionary("d")?["do"], let id = draft.integer("do") { draft["do"] = .integer(id) }
            map["d"] = .dictionary(draft)
        }
    }

    /// `fld.groupMember`: the contacts of a group. One that the target does not have stays, named with its account.
    private mutating func translateGroup(_ map: inout MetadataDictionary) throws {
        guard var fields = map.dictionary("fld"), let text = fields.string("groupMember"),
            var group = try? MetadataDictionary(parsing: text), let members = group.list("m")
        else { return }
        let translated: [MetadataDictionary.Value] = try members.map { value in
            guard case .dictionary(var member) = value, member.string("t") == "C", let id = member.string("v") else { return value }
            member["v"] = .string(try self.translated(text: id) ?? (Int64(id) == nil ? id : "\(account):\(id)"))
            return .dictionary(member)
        }
        guard translated != members else { return }
        group["m"] = .list(translated)
        fields["groupMember"] = .string(group.text(forColumn: false))
        map["fld"] = .dictionary(fields)
    }

    /// `xd.calendarIds`, key `cids`: the calendars of a Carbonio calendar group, joined by `#`.
    private mutating func translateCalendars(_ map: inout MetadataDictionary) throws {
        guard let text = map.string("xd.calendarIds"), var section = try? MetadataDictionary(parsing: text),
            let ids = section.string("cids")
        else { return }
        let translated = try ids.split(separator: "#").compactMap { try self.translated(text: String($0)) }.joined(separator: "#")
        guard translated != ids else { return }
        section["cids"] = .string(translated)
        map["xd.calendarIds"] = .string(section.text(forColumn: false))
    }

    /// `inid:` and `underid:` of a search name folders by their ids.
    private mutating func translated(query: String) throws -> String {
        var result: [Substring] = []
        for word in query.split(separator: " ", omittingEmptySubsequences: false) {
            guard let colon = word.firstIndex(of: ":"), ["inid", "underid"].contains(word[..<colon].lowercased().drop { "(-".contains($0) })
            else {
                result.append(word)
                continue
            }
            let digits = word[word.index(after: colon)...].prefix { $0 != ")" }
            guard let id = Int64(digits.filter { $0 != "\"" }), let new = try translated(id) else {
                result.append(word)
                continue
            }
            result.append(Substring(word[...colon] + "\(new)" + word[digits.endIndex...]))
        }
        return result.joined(separator: " ")
    }

    /// An id, or one named with its account; nil where the target has no such item. Ids of other accounts stay.
    private mutating func translated(text: String) throws -> String? {
        let parts = text.split(separator: ":")
        guard let id = parts.last.flatMap({ Int64($0) }), parts.count <= 2 else { return text }
        if parts.count == 2, parts[0].lowercased() != account.lowercased() { return text }
        return try translated(id).map { "\($0)" }
    }

    private mutating func translated(_ id: Int64) throws -> Int64? {
        isReferring = true
        let new = try target(id)
        if new == nil { isIncomplete = true }
        return new
    }
}
