import BackupStore

/// Purge by age: the log says that it happened, not what went (formats/zimbra-redolog.md, section 7.2).
///
/// What is old enough by the settings that are known may be gone: such an item stays as it is, its state says so, and a mark
/// carries its id for the look at the server (R15).
extension MailboxChange {
    mutating func purgeOldMessages() throws {
        guard let retention else { return mark("the server purged by age; the log does not name what went") }
        let policies = try policies()
        if policies.hasUnknown { mark("the server purged by age, also by a policy of its own; the log does not name what went") }
        var candidates = try oldEnough(retention, policies)
        candidates += try goingAlong(with: candidates)
        guard !candidates.isEmpty else { return }
        for id in candidates { try doubtExistence(of: id) }
        mark("the server purged by age; the log does not name what went", candidates: candidates)
    }

    /// The item may be gone.
    mutating func doubtExistence(of id: Int64) throws {
        guard var state = try living(id), !state.mayBeGone else { return }
        state.doubts.append(ItemState.purgeDoubt)
        put(state)
    }

    /// Lifetimes in seconds by folder and by tag.
    private struct Policies {
        var ofFolders: [Int64: Int64] = [:]
        var ofTags: [String: Int64] = [:]
        /// Whether one names a policy of the server, whose lifetime is not known here.
        var hasUnknown = false

        /// The shortest lifetime of a policy map.
        mutating func lifetime(_ policy: MetadataDictionary?) -> Int64? {
            var shortest: Int64?
            for case .dictionary(let entry) in policy?.list("purge") ?? [] {
                if entry["id"] != nil { hasUnknown = true }
                guard let seconds = entry.string("lifetime").flatMap(Retention.seconds) else { continue }
                shortest = min(shortest ?? seconds, seconds)
            }
            return shortest
        }
    }

    private func policies() throws -> Policies {
        var policies = Policies()
        for id in try ids(where: { $0.row.type == .folder || $0.row.type == .tag }) {
            guard let state = try living(id) else { continue }
            if let tag = state.tag {
                policies.ofTags[tag.name] = policies.lifetime(try? MetadataDictionary(parsing: tag.policy))
            } else {
                policies.ofFolders[id] = policies.lifetime(state.metadata.dictionary("rp"))
            }
        }
        return policies
    }

    /// Leaves that a lifetime has run out for.
    private func oldEnough(_ retention: Retention, _ policies: Policies) throws -> [Int64] {
        let trash = Set(try tree(of: FolderID.trash, through: { $0.row.type == .folder }))
        let junk = Set(try tree(of: FolderID.junk, through: { $0.row.type == .folder }))
        let now = seconds
        func isOver(_ lifetime: Int64?, _ since: Int64?) -> Bool {
            guard let lifetime, let since else { return false }
            return since < now - lifetime
        }
        return try ids { state in
            let row = state.row
            let isLeaf = !row.type.isContainer && ![.conversation, .tag, .comment].contains(row.type)
            guard isLeaf, let folder = row.folderID else { return false }
            let since = retention.countsTrashFromChange ? row.changeDate : row.date
            return trash.contains(folder) && isOver(retention.trash, since)
                || junk.contains(folder) && isOver(retention.junk, row.date)
                || (row.type == .message || row.type == .chat) && isOver(retention.messages, row.date)
                || isOver(policies.ofFolders[folder], row.date)
                || !policies.ofTags.isEmpty && row.tags.contains { isOver(policies.ofTags[$0], row.date) }
        }
    }

    /// Comments of documents, and conversations with nothing else in them.
    private func goingAlong(with candidates: [Int64]) throws -> [Int64] {
        let gone = Set(candidates)
        var along: [Int64] = []
        var conversations: Set<Int64> = []
        for id in candidates {
            guard let state = try living(id) else { continue }
            if state.row.type == .document { along += try ids(withParent: id) }
            guard let parent = state.row.parentID, try living(parent)?.row.type == .conversation else { continue }
            conversations.insert(parent)
        }
        for id in conversations.sorted() {
            let isEmptied = try ids(withParent: id).allSatisfy { try gone.contains($0) || living($0)?.mayBeGone == true }
            if isEmptied { along.append(id) }
        }
        return along
    }
}

extension ItemState {
    static let purgeDoubt = "existence: a purge by age may have removed it"

    /// Whether the item may be gone without a word in the log.
    public var mayBeGone: Bool { doubts.contains(Self.purgeDoubt) }
}
