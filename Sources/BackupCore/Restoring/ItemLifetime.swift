import BackupStore

/// When an item was last alive, as its history tells, damaged or not.
struct ItemLifetime {
    /// A state of the history; one that only the index knows has no line.
    private struct Step {
        var ordinal: Int64
        var sequence: UInt64
        var isDeleted: Bool
        var line: HistoryLine?
    }

    /// All states that can be read, and the latest.
    private var steps: [Step]
    /// Places in `steps` of those that count.
    private var counting: [Int]
    /// Place in `counting` of the last state alive.
    private var alive: Int?

    /// - Parameter counts: whether a state of that commit sequence and generation is looked at.
    init(_ history: History, _ latest: IndexedItem, where counts: (UInt64, Int64) -> Bool) {
        steps = []
        counting = []
        func add(_ step: Step, _ generation: Int64) {
            if counts(step.sequence, generation) { counting.append(steps.count) }
            steps.append(step)
        }
        for line in history.lines {
            let isDeleted = line.fields["deleted"]?.bool == true
            add(Step(ordinal: line.ordinal, sequence: line.sequence, isDeleted: isDeleted, line: line), line.generation)
        }
        if steps.last?.ordinal ?? 0 < latest.ordinal {
            add(Step(ordinal: latest.ordinal, sequence: latest.sequence, isDeleted: latest.isDeleted), latest.generation)
        }
        alive = counting.lastIndex { !steps[$0].isDeleted }
    }

    /// The state that says what the item was when it was deleted, and the commit sequence of that deletion: its last one alive, or the
    /// deletion itself of an item that came and went unseen. Nil where it was not deleted.
    var beforeDeletion: (line: HistoryLine, deletion: UInt64)? {
        guard let alive else {
            guard let first = counting.first.map({ steps[$0] }), first.ordinal == 1, let line = first.line else { return nil }
            return (line, first.sequence)
        }
        guard alive + 1 < counting.count, let line = steps[counting[alive]].line else { return nil }
        return (line, steps[counting[alive + 1]].sequence)
    }

    /// The folder of the last state alive that was in another one than this.
    func lastFolder(but folder: Int64) -> Int64? {
        guard let alive else { return nil }
        let lines = counting[...alive].compactMap { steps[$0].isDeleted ? nil : steps[$0].line?.fields["folder"]?.int }
        return lines.last { $0 != folder }
    }

    /// Whether a state that cannot be read may be of these commits, and the last one alive or the deletion after it.
    func isDoubtful(after start: UInt64, upTo end: UInt64) -> Bool {
        if let alive, steps[counting[alive]].line == nil { return true }
        var before = alive.map { steps[counting[$0]] }
        for step in steps[(alive.map { counting[$0] + 1 } ?? 0)...] {
            let isWhole = step.ordinal == (before?.ordinal ?? 0) + 1
            if !isWhole, step.sequence > start, before?.sequence ?? 0 < end { return true }
            before = step
        }
        return false
    }
}
