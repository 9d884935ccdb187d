import BackupCore
import BackupStore

/// What restores and exports print of the changes that they took.
extension Selection {
    /// Adds the last change that is in, and the first that is not.
    func addCut(to block: inout KeyValueBlock) {
        func text(_ change: AccountChange) -> String {
            TimeText.local(change.time) + (change.change.map { " (change \($0))" } ?? "")
        }
        block.add("last change included", text(cut.last))
        block.add("first change left out", cut.next.map(text) ?? "none: the backup holds nothing later")
    }

    /// Adds why the account needs a scan.
    func addMarks(to block: inout KeyValueBlock) {
        for mark in marks {
            let ids = mark.candidates.map(String.init).joined(separator: ",")
            block.add("needs scan", mark.reason + (ids.isEmpty ? "" : "; items in doubt: \(ids)"))
        }
    }

    /// The last change that is in, for programs.
    var lastChangeJSON: JSONValue { Self.json(cut.last) }

    /// The first change that is not in, for programs.
    var nextChangeJSON: JSONValue { cut.next.map(Self.json) ?? .null }

    /// Why the account needs a scan, for programs.
    var marksJSON: JSONValue {
        .array(marks.map { .object(["reason": .string($0.reason), "items": .array($0.candidates.map { .int($0) })]) })
    }

    private static func json(_ change: AccountChange) -> JSONValue {
        var members: JSONObject = ["time": .string(TimeText.iso(change.time)), "seq": .int(Int64(change.sequence))]
        members["change"] = change.change.map { .int($0) }
        return .object(members)
    }
}
