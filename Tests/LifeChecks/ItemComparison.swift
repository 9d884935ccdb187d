import BackupCore
import BackupStore

/// How a state of the history differs from the one in the server's tables.
public enum ItemComparison {
    /// In words, without what the server computes and no log tells: sort forms, fragments, internal versions, counters and
    /// conversations. What the state itself calls a guess may differ where its doubt says so and, for what a look at the server
    /// must complete, a mark of the account names the item.
    ///
    /// - Parameter isRestored: whether a restore made the item. No record of an item's creation tells of a copy's uuid, nor that
    ///   copies name no recipients, nor when a document was locked and that an invitation was processed. A draft or chat that was
    ///   saved again under another name of its account keeps the first sender in its row, and a restore keeps the row.
    public static func differences(expected: ItemState, found: ItemState, marks: [Mark], isRestored: Bool = false) -> [String] {
        let what = "\(expected.row.type.name) \(expected.row.id)"
        var differences: [String] = []
        if let digest = expected.row.blobDigest, found.blob?.id.description != digest { differences.append("\(what): another blob") }
        if revisions(found) != revisions(expected) {
            differences.append("\(what): revisions \(revisions(found)), not \(revisions(expected))")
        }
        let right = told(expected)
        var left = told(found)
        // Conversations have no record of their own.
        if left.row.type == .conversation { left.row = right.row }
        if isRestored {
            left.copyMetadata(["lt", "ais"], from: right)
            left.row.flags.formUnion(right.row.flags.intersection(.invite))
            // A copy has its source's version number without the flag, which making that many versions sets.
            if left.row.type == .document, !right.row.flags.contains(.versioned) { left.row.flags.remove(.versioned) }
            if left.row.type == .chat || left.row.flags.contains(.draft) { left.row.sender = right.row.sender }
            if ![.document, .comment].contains(left.row.type), !left.row.type.isContainer {
                left.row.uuid = right.row.uuid
                left.row.recipients = right.row.recipients
            }
        }
        let isGuess = found.doubts.contains { $0.hasPrefix("metadata:") }
        switch left.row.type {
        case .message where isGuess: left.copyMetadata(["ais"], from: right)
        case .contact where isGuess:
            left.copyMetadata(["att"], from: right)
        case .appointment where isGuess, .task where isGuess:
            if !marks.contains(where: { $0.candidates.contains(found.row.id) }) { differences.append("\(what): is in no mark") }
            left.row.metadata = right.row.metadata
        default: break
        }
        guard left != right else { return differences }
        let (a, b) = (left.newState(account: "").fields, right.newState(account: "").fields)
        for name in Set(a.members.map(\.name) + b.members.map(\.name)).sorted() where a[name] != b[name] {
            differences.append("\(what): \(name) \(a[name]?.json ?? "-"), not \(b[name]?.json ?? "-")")
        }
        return differences
    }

    private static func revisions(_ state: ItemState) -> [String] {
        state.revisions.map { "\($0.row.version) \($0.row.blobDigest ?? "") \($0.row.modContent)" }
    }

    /// What the log tells of an item.
    private static func told(_ state: ItemState) -> ItemState {
        var state = state.comparable
        state.blob = nil
        state.revisions = []
        state.doubts = []
        let type = state.row.type
        let isMail = type == .message || type == .chat
        if !isMail { state.row.sender = nil }
        if type == .contact, state.row.subject?.isEmpty == true { state.row.subject = nil }
        // Names no blob, and the server does not change it by one rule.
        if type.isContainer { state.row.modContent = 0 }
        state.updateMetadata { map in
            map["mdver"] = nil
            if !isMail { map["f"] = nil }
            if type != .document { map["ver"] = nil }
            if map["lt"] == .integer(0) { map["lt"] = nil }
            if type == .tag, map["c"] == .integer(0) { map["c"] = nil }
        }
        return state
    }
}

extension ItemState {
    fileprivate mutating func copyMetadata(_ keys: [String], from other: ItemState) {
        let map = other.metadata
        updateMetadata { for key in keys { $0[key] = map[key] } }
    }
}
