import BackupStore

/// What a history says of a moment.
enum HistoryAnswer {
    /// There was no state yet.
    case none
    case state(HistoryLine)
    /// The history is damaged where the answer would be.
    case damaged(String)
}

extension History {
    /// The state in force after the transaction of a commit sequence.
    ///
    /// - Parameter latest: the ordinal of the history's latest state, as the index knows it.
    func answer(at sequence: UInt64, latest: Int64) -> HistoryAnswer {
        guard let place = lines.lastIndex(where: { $0.sequence <= sequence }) else {
            return damage.isEmpty ? .none : .damaged("\(damage[0])")
        }
        // A line that could not be read may have stood between this one and the next.
        let next = place + 1 < lines.count ? lines[place + 1].ordinal : latest
        if next > lines[place].ordinal + 1, let damage = damage.first { return .damaged("\(damage)") }
        return .state(lines[place])
    }
}
