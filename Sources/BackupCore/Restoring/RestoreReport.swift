import BackupStore

/// What became of each item that was asked for: restored, skipped and unrestored add up to it (R10).
public struct RestoreReport: Sendable {
    /// Why an item was not restored.
    public enum Reason: String, Sendable, Hashable, CaseIterable {
        /// Its content could not be read.
        case readError = "read error"
        /// The backup of it is damaged.
        case broken
        /// The server did not take it.
        case invalid
    }

    /// An item that was not restored.
    public struct Unrestored: Sendable, Hashable {
        /// Its id in the source mailbox.
        public var id: Int64
        /// Why.
        public var reason: Reason
        /// The error, for the administrator; empty where an earlier item had the same (R12).
        public var detail: String
    }

    /// Name and id of the source account.
    public var source: AccountEntry
    /// The account that was restored into.
    public var destination: AccountEntry
    /// Items that the selection holds.
    public internal(set) var asked: Int64 = 0
    /// Items that the target has now.
    public internal(set) var restored: Int64 = 0
    /// Restored by an earlier run and still there.
    public internal(set) var skipped: Int64 = 0
    /// Items that it has not, each with its reason.
    public internal(set) var unrestored: [Unrestored] = []
    /// Bytes of content that the target took.
    public internal(set) var bytes: Int64 = 0
    /// Grants that the target has now.
    public internal(set) var grants: Int64 = 0
    /// Grants that the server refused.
    public internal(set) var refusedGrants: Int64 = 0
    /// Which changes are in it, and what there is to say about them.
    public var selection: Selection
    /// What an administrator should know, in words; at most a thousand.
    public internal(set) var warnings: [String] = []
    /// Whether an interrupted restore was continued.
    public internal(set) var isContinued = false
    /// Whether it was stopped by request: `asked` is then what was reached, and the same restore run again continues.
    public internal(set) var isStopped = false

    init(source: AccountEntry, destination: AccountEntry, selection: Selection) {
        self.source = source
        self.destination = destination
        self.selection = selection
        warnings = selection.warnings
    }

    /// Whether everything asked for is there.
    public var isComplete: Bool { !isStopped && unrestored.isEmpty && refusedGrants == 0 }

    /// Notes something that an administrator should know; a thousand are enough (R12).
    mutating func warn(_ warning: String) {
        if warnings.count < 1000 { warnings.append(warning) }
    }

    mutating func fail(_ id: Int64, _ reason: Reason, _ detail: String) {
        // The details of a few hundred show what is wrong; the ids of all are listed.
        unrestored.append(Unrestored(id: id, reason: reason, detail: unrestored.count < 500 ? detail : ""))
    }

    /// The statistics, in the look that administrators know.
    public var text: String {
        var text = """
            - stats -
            Restored Items: \(restored)
            Skipped Items:  \(skipped)
            Unrestored Items: \(unrestored.count)

            """
        if grants + refusedGrants > 0 { text += "Restored Grants: \(grants)\n" }
        if refusedGrants > 0 { text += "Unrestored Grants: \(refusedGrants)\n" }
        if isStopped { text += "Stopped by request. Run the same command again: it continues and restores nothing twice.\n" }
        guard !unrestored.isEmpty else { return text }
        text += "\n- unrestored items -\naccount: \(source.name)\n"
        text += "unrestored items: \(unrestored.map { String($0.id) }.joined(separator: ","))\n"
        for reason in Reason.allCases {
            let failed = unrestored.filter { $0.reason == reason }
            guard !failed.isEmpty else { continue }
            text += "\(reason.rawValue): \(failed.count)\n"
            for item in failed.prefix(10) where !item.detail.isEmpty { text += "   \(item.id): \(item.detail)\n" }
            if failed.count > 10 { text += "   …\n" }
        }
        return text
    }
}
