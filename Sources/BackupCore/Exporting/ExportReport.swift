import BackupStore
import SystemPackage

/// What became of each item of an export: exported, left out by the format and unexported add up to what was asked (R10).
public struct ExportReport: Sendable {
    /// Why an item was not exported.
    public enum Reason: String, Sendable, Hashable, CaseIterable {
        /// Its content could not be read.
        case readError = "read error"
        /// The backup of it is damaged.
        case broken
    }

    /// An item that was not exported.
    public struct Unexported: Sendable, Hashable {
        /// Its id in the mailbox.
        public var id: Int64
        /// Why.
        public var reason: Reason
        /// The error, for the administrator; empty where hundreds came before (R12).
        public var detail: String
    }

    /// The account.
    public var account: AccountEntry
    /// The folder that holds the files.
    public var destination: FilePath
    /// What the files look like.
    public var format: ExportFormat
    /// Which changes are in it, and what there is to say about them.
    public var selection: Selection
    /// Items that the mailbox held, with the former versions of documents, without folders, tags and conversations.
    public internal(set) var asked: Int64 = 0
    /// Items that are in the files now.
    public internal(set) var exported: Int64 = 0
    /// Items that the format has no place for, by the name of their type.
    public internal(set) var leftOut: [String: Int64] = [:]
    /// Items that could not be exported, each with its reason.
    public internal(set) var unexported: [Unexported] = []
    /// Folders that were made.
    public internal(set) var folders: Int64 = 0
    /// Bytes of the items' contents.
    public internal(set) var bytes: Int64 = 0
    /// What an administrator should know, in words; at most a thousand.
    public internal(set) var warnings: [String] = []
    /// Whether it was stopped by request: `asked` is then what was reached.
    public internal(set) var isStopped = false

    init(account: AccountEntry, destination: FilePath, format: ExportFormat, selection: Selection) {
        self.account = account
        self.destination = destination
        self.format = format
        self.selection = selection
        warnings = selection.warnings
    }

    /// Whether everything that the format has a place for is there.
    public var isComplete: Bool { !isStopped && unexported.isEmpty }

    /// How many items the format has no place for.
    public var leftOutCount: Int64 { leftOut.values.reduce(0, +) }

    mutating func warn(_ warning: String) {
        if warnings.count < 1000 { warnings.append(warning) }
    }

    mutating func fail(_ id: Int64, _ reason: Reason, _ detail: String) {
        unexported.append(Unexported(id: id, reason: reason, detail: unexported.count < 500 ? detail : ""))
    }

    /// The statistics, in the look that administrators know.
    public var text: String {
        var text = """
            - stats -
            Exported Items: \(exported)
            Unexported Items: \(unexported.count)

            """
        if leftOutCount > 0 {
            let types = leftOut.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
            text += "Left Out Items: \(leftOutCount) (the format \(format.rawValue) has no place for them: \(types))\n"
        }
        if isStopped { text += "Stopped by request. The folder holds what was written until then.\n" }
        guard !unexported.isEmpty else { return text }
        text += "\n- unexported items -\naccount: \(ShownText.line(account.name))\n"
        text += "unexported items: \(unexported.map { String($0.id) }.joined(separator: ","))\n"
        for reason in Reason.allCases {
            let failed = unexported.filter { $0.reason == reason }
            guard !failed.isEmpty else { continue }
            text += "\(reason.rawValue): \(failed.count)\n"
            for item in failed.prefix(10) where !item.detail.isEmpty { text += "   \(item.id): \(ShownText.line(item.detail))\n" }
            if failed.count > 10 { text += "   …\n" }
        }
        return text
    }
}
