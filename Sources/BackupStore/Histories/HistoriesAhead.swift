import Dispatch
import SystemPackage

extension HistoryFiles {
    /// A history that was read before its turn.
    struct ReadAhead {
        private enum Verdict {
            case valid(HistoryLine, HistoryTail)
            case bad(Damage)
        }

        private var lines: [(verdict: Verdict, place: FileLine, bytes: [UInt8])] = []
        private var size = 0

        /// Larger ones are read in their turn, a line at a time (R12).
        private static var limit: Int { 1 << 16 }
        private struct TooLarge: Error {}

        /// Nil where the history is large, or cannot be read: that is for its turn to tell.
        init?(_ key: HistoryKey, _ histories: HistoryFiles) {
            do {
                try histories.read(key) { reading in
                    let (verdict, place): (Verdict, FileLine) =
                        switch reading {
                        case .valid(let line, let tail, _, let place): (.valid(line, tail), place)
                        case .bad(let damage, let place): (.bad(damage), place)
                        }
                    size += place.bytes.count + 512
                    guard size <= Self.limit else { throw TooLarge() }
                    lines.append((verdict, place.withoutBytes, Array(place.bytes)))
                }
            } catch {
                return nil
            }
        }

        /// Hands its lines out as reading it does.
        func handOut(_ body: (Reading) throws -> Void) throws {
            for (verdict, place, bytes) in lines {
                try bytes.withUnsafeBytes { bytes in
                    let place = place.with(bytes)
                    switch verdict {
                    case .valid(let line, let tail): try body(.valid(line, tail, bytes, place))
                    case .bad(let damage): try body(.bad(damage, place))
                    }
                }
            }
        }
    }

    /// Histories that other threads read, while the calling one does something with those before them.
    private final class Batch: @unchecked Sendable {
        // Unchecked: each place of `read` is written by one thread, and read after all have ended.

        enum Step {
            case history(HistoryKey)
            case ended(account: String)
        }

        private let steps: [Step]
        private let read: UnsafeMutableBufferPointer<ReadAhead?>
        private let group = DispatchGroup()

        init(_ steps: [Step], _ histories: HistoryFiles, threads: Int) {
            self.steps = steps
            read = .allocate(capacity: steps.count)
            read.initialize(repeating: nil)
            DispatchQueue.global().async(group: group) { [self] in
                // One that throws does not: what cannot be read is left out.
                try? histories.files.manyAtOnce(steps.count, threads: threads) { place in
                    if case .history(let key) = steps[place] { read[place] = ReadAhead(key, histories) }
                }
            }
        }

        deinit {
            read.deinitialize()
            read.deallocate()
        }

        func handOut(ended: (String) throws -> Void, _ body: (HistoryKey, ReadAhead?) throws -> Void) throws {
            group.wait()
            for (place, step) in steps.enumerated() {
                switch step {
                case .history(let key): try body(key, read[place])
                case .ended(let account): try ended(account)
                }
            }
        }
    }

    /// Hands out every key of a scope with what was read of its history ahead; nil is to be read in its turn.
    ///
    /// - Parameters:
    ///   - threads: 1 reads nothing ahead.
    ///   - unreadable, ended: as ``forEachKey(in:unreadable:ended:_:)``; folders are listed ahead, too.
    func forEachHistory(
        in scope: CheckScope, threads: Int, unreadable: ((FilePath, Errno) throws -> Void)?, ended: (_ account: String) throws -> Void,
        _ body: (HistoryKey, ReadAhead?) throws -> Void
    ) throws {
        guard threads > 1 else {
            return try forEachKey(in: scope, unreadable: unreadable, ended: ended) { try body($0, nil) }
        }
        var steps: [Batch.Step] = []
        var batch: Batch?
        func turn() throws {
            let before = batch
            batch = Batch(steps, self, threads: threads - 1)
            steps = []
            try before?.handOut(ended: ended, body)
        }
        try forEachKey(in: scope, unreadable: unreadable, ended: { steps.append(.ended(account: $0)) }) { key in
            steps.append(.history(key))
            if steps.count >= 256 { try turn() }
        }
        try turn()
        try batch?.handOut(ended: ended, body)
    }
}

extension FileLine {
    /// The line, its bytes kept elsewhere.
    fileprivate var withoutBytes: FileLine { with(UnsafeRawBufferPointer(start: nil, count: 0)) }

    fileprivate func with(_ bytes: UnsafeRawBufferPointer) -> FileLine {
        FileLine(offset: offset, bytes: bytes, isTerminated: isTerminated, isOverlong: isOverlong, length: length)
    }
}
