import BackupCore
import BackupStore

/// What must never be found in a history, whatever happened: damage, or a change twice or out of order.
public enum HistoryProblems {
    /// Looks through all items of all accounts; problems in words.
    public static func find(in reader: any StoreReading) throws -> [String] {
        var found: [String] = []
        for account in try reader.accounts() {
            for item in try reader.items(account, .all) {
                let history = try reader.history(of: item.key)
                found += history.damage.map { "\(item.key): \($0)" }
                let changes = history.lines.filter { $0.kind == "redolog" }.map { "\($0.generation).\($0.change ?? -1)" }
                if Set(changes).count != changes.count { found.append("\(item.key): doubled in \(changes)") }
                let sequences = history.lines.map(\.sequence)
                if zip(sequences, sequences.dropFirst()).contains(where: { $0 >= $1 }) {
                    found.append("\(item.key): order of \(sequences)")
                }
            }
        }
        return found
    }

    /// States of items that say the same as the one before.
    ///
    /// - Parameter kind: only those that such a transaction wrote; nil = all.
    public static func repeated(in reader: any StoreReading, byKind kind: String? = nil) throws -> [String] {
        try reader.accounts().flatMap { account in
            try reader.items(account, .all).flatMap { item -> [String] in
                guard case .item(_, let id) = item.key else { return [] }
                let states = try reader.history(of: item.key).lines.compactMap { line in
                    ItemState(id: id, fields: line.fields, blobs: line.blobs).map { (state: $0.comparable, line: line) }
                }
                return zip(states, states.dropFirst()).filter { $0.state == $1.state && $1.line.kind == kind ?? $1.line.kind }
                    .map { "\(item.key): line \($1.line.ordinal) says what the one before said" }
            }
        }
    }
}
