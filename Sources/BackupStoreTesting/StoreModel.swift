import BackupStore

/// An invariant that did not hold: what was found, and what should have been.
public struct BrokenInvariant: Error, Sendable, CustomStringConvertible {
    /// In words.
    public let description: String

    init(_ description: String) { self.description = description }
}

/// What a backup path must hold: everything that was appended, and how much of it was acknowledged.
struct StoreModel {
    struct State: Equatable {
        var sequence: UInt64
        var value: Int64
        var blobs: [BlobID]

        /// What a line says; where its text is not that of its value, neither counts.
        init(_ line: HistoryLine) {
            sequence = line.sequence
            let value = line.fields["value"]?.int ?? -1
            self.value = line.fields["text"]?.string == Self.text(of: value) ? value : -1
            blobs = line.blobs.map(\.id)
        }

        init(sequence: UInt64, value: Int64, blobs: [BlobID]) {
            (self.sequence, self.value, self.blobs) = (sequence, value, blobs)
        }

        /// A text of several sectors, in every fourth state: a write may lose a part of it that no length depends on.
        static func text(of value: Int64) -> String? {
            value % 4 == 0 ? String(repeating: "text of \(value), ", count: 200) : nil
        }
    }

    struct Transaction {
        var account: String?
        var states: [(key: HistoryKey, value: Int64, blobs: [BlobID])] = []
        var removals: [HistoryKey] = []
        var mark: String?
        var position: String?
    }

    /// In the order of their sequences, which begin with 1.
    var transactions: [Transaction] = []
    /// So many were acknowledged as durable.
    var acknowledged = 0
    /// What a failed commit dropped since the last that succeeded: a crash may yet bring it back whole, as any commit whose answer
    /// never came.
    var doubtful: [Transaction] = []
    /// What the blobs hold.
    var bodies: [BlobID: [UInt8]] = [:]

    /// What must be there when the first `count` transactions are.
    struct Image {
        var histories: [HistoryKey: [State]] = [:]
        var marks: [String: Set<String>] = [:]
        var position: String?
    }

    func image(_ count: Int) -> Image {
        var image = Image()
        for (n, transaction) in transactions.prefix(count).enumerated() {
            for (key, value, blobs) in transaction.states {
                image.histories[key, default: []].append(State(sequence: UInt64(n + 1), value: value, blobs: blobs))
            }
            for key in transaction.removals { image.histories[key] = nil }
            if let mark = transaction.mark, let account = transaction.account { image.marks[account, default: []].insert(mark) }
            image.position = transaction.position ?? image.position
        }
        return image
    }

    /// The model that a store which somebody crashed on must agree with: this one, or the one with what was in doubt.
    func agreeing(with store: some StoreReading) throws -> StoreModel {
        var model = self
        do {
            let count = try model.check(store)
            model.settle(count)
        } catch let error as BrokenInvariant where !doubtful.isEmpty {
            model.transactions = transactions.prefix(acknowledged) + doubtful
            guard let count = try? model.check(store) else { throw error }
            model.settle(count)
        }
        return model
    }

    /// So many are there, and they are certain.
    mutating func settle(_ count: Int) {
        transactions.removeLast(transactions.count - count)
        acknowledged = count
        doubtful = []
    }

    /// Whether a store holds all that was acknowledged, whole transactions only, each once, and its position fits.
    ///
    /// - Parameter isCopy: a copy may lack states that were committed after it began, if it says so (R7).
    /// - Returns: how many transactions it holds.
    /// - Throws: `BrokenInvariant`; what reading throws.
    @discardableResult
    func check(_ store: some StoreReading, isCopy: Bool = false) throws -> Int {
        let info = try store.info()
        let count = Int(info.lastSequence)
        try require(count >= acknowledged, "\(acknowledged) transactions were acknowledged, \(count) are there")
        try require(count <= transactions.count, "\(count) transactions are there, \(transactions.count) were ever appended")
        let image = image(count)
        try require(
            info.position == image.position,
            "after transaction \(count) the position is \(info.position ?? "none"), not \(image.position ?? "none")")
        let expected = Set(image.histories.keys)
        var found: Set<HistoryKey> = []
        for account in try store.accounts() { try store.items(account, .all) { found.insert($0.key) } }
        for id in try store.entries(of: .domains) { found.insert(.directory(.domains, id)) }
        if !isCopy {
            for key in expected.symmetricDifference(found) {
                throw BrokenInvariant("\(key) is \(expected.contains(key) ? "missing" : "back") at transaction \(count)")
            }
        }
        for (key, states) in image.histories { try check(key, states, store, isCopy: isCopy) }
        for (account, marks) in image.marks {
            let there = Set(try store.marks(account).map(\.reason))
            try require(there == marks, "account \(account) has the marks \(there.sorted()), not \(marks.sorted())")
        }
        return count
    }

    private func check(_ key: HistoryKey, _ states: [State], _ store: some StoreReading, isCopy: Bool) throws {
        let history = try store.history(of: key)
        let lines = history.lines.map { State($0) }
        var expected = states
        if isCopy {
            let isHarmless = history.damage.allSatisfy { $0.finding == .cutByCopy || $0.finding == .tornTail }
            try require(isHarmless, "\(key): \(history.damage)")
            // What is cut is said to be; what was acknowledged before the copy began is not cut.
            let there = Set(lines.map(\.sequence))
            expected = states.filter { $0.sequence <= acknowledged || there.contains($0.sequence) }
        } else {
            try require(history.damage.isEmpty, "\(key): \(history.damage)")
            try require(history.lines.map(\.ordinal) == states.indices.map { Int64($0 + 1) }, "\(key): lines \(history.lines.map(\.ordinal))")
        }
        try require(lines == expected, "\(key) has the states \(lines.map(\.sequence)), not \(expected.map(\.sequence))")
        for state in lines {
            for blob in state.blobs {
                let bytes: [UInt8]
                do { bytes = try store.blobBytes(blob) } catch { throw BrokenInvariant("\(key), transaction \(state.sequence): \(error)") }
                try require(bytes == bodies[blob], "\(key), transaction \(state.sequence): blob \(blob) holds other bytes")
            }
        }
        let latest = try store.state(of: key)
        try require(isCopy || latest?.sequence == states.last?.sequence, "the index of \(key) says \(latest?.sequence ?? 0)")
    }

    private func require(_ holds: Bool, _ text: @autoclosure () -> String) throws {
        if !holds { throw BrokenInvariant(text()) }
    }
}
