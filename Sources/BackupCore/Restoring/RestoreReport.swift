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

    /// A setting of the account that did not come along.
    public struct UnrestoredSetting: Sendable, Hashable {
        /// The attribute, or the entry: "signature 'Work'".
        public var name: String
        /// Why, without the value.
        public var reason: String
        /// Whether the server refused it; otherwise it does not hold on another account.
        public var isRefused: Bool
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
    /// Attributes, identities, signatures and data sources that the new account has now.
    public internal(set) var settings: Int64 = 0
    /// Those that it has not, each with its reason.
    public internal(set) var unrestoredSettings: [UnrestoredSetting] = []
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

    /// Whether everything asked for is there, but for settings that hold on no other account.
    public var isComplete: Bool {
        !isStopped && unrestored.isEmpty && refusedGrants == 0 && !unrestoredSettings.contains(where: \.isRefused)
    }

    /// Notes something that an administrator should know; a thousand are enough (R12).
    mutating func warn(_ warning: String) {
        if warnings.count < 1000 { warnings.append(warning) }
    }

    mutating func fail(_ id: Int64, _ reason: Reason, _ detail: String) {
        // The details of a few hundred show what is wrong; the ids of all are listed.
        unrestored.append(Unrestored(id: id, reason: reason, detail: unrestored.count < 500 ? detail : ""))
    }

    /// Notes a setting that does not hold on another account.
    mutating func miss(_ name: String, _ reason: String) {
        unrestoredSettings.append(UnrestoredSetting(name: name, reason: reason, isRefused: false))
    }

    /// Notes a setting that the server did not take, or that could not be read.
    mutating func refuse(_ name: String, _ reason: String) {
        unrestoredSettings.append(UnrestoredSetting(name: name, reason: reason, isRefused: true))
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
        if settings > 0 { text += "Restored Settings: \(settings)\n" }
        if !unrestoredSettings.isEmpty { text += "Unrestored Settings: \(unrestoredSettings.count)\n" }
        if isStopped { text += "Stopped by request. Run the same command again: it continues and restores nothing twice.\n" }
        return text + unrestoredItemsText + unrestoredSettingsText
    }

    private var unrestoredItemsText: String {
        guard !unrestored.isEmpty else { return "" }
        var text = "\n- unrestored items -\naccount: \(ShownText.line(source.name))\n"
        text += "unrestored items: \(unrestored.map { String($0.id) }.joined(separator: ","))\n"
        for reason in Reason.allCases {
            let failed = unrestored.filter { $0.reason == reason }
            guard !failed.isEmpty else { continue }
            text += "\(reason.rawValue): \(failed.count)\n"
            for item in failed.prefix(10) where !item.detail.isEmpty { text += "   \(item.id): \(ShownText.line(item.detail))\n" }
            if failed.count > 10 { text += "   …\n" }
        }
        return text
    }

    private var unrestoredSettingsText: String {
        guard !unrestoredSettings.isEmpty else { return "" }
        return "\n- unrestored settings -\naccount: \(ShownText.line(source.name))\n"
            + unrestoredSettings.map { ShownText.line("\($0.name): \($0.reason)") + "\n" }.joined()
    }
}
