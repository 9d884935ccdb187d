import BackupStore
import Dispatch
import Synchronization

/// Contents that are taken in ahead of the scan which needs them, on threads of their own: while the engine reads rows and writes
/// states, they are read, compressed and verified.
///
/// Bounded: the scan waits for the oldest before too many are on their way (R12).
final class ContentsAhead {
    /// A content on its way.
    final class Content: Sendable {
        private let done = DispatchSemaphore(value: 0)
        private let result = Mutex<Result<BlobReference, any Error>?>(nil)

        fileprivate func finish(_ result: Result<BlobReference, any Error>) {
            self.result.withLock { $0 = result }
            done.signal()
        }

        /// The blob that was staged, or why there is none.
        func wait() -> Result<BlobReference, any Error> {
            done.wait()
            done.signal()  // For whoever asks again.
            return result.withLock { $0! }
        }
    }

    /// Enough to be at work until the next mailbox's rows come: so many contents …
    private static let mostPrimed = 500
    /// … or bytes of them.
    private static let mostPrimedBytes: Int64 = 64 << 20

    private let queues: [DispatchQueue]
    private let isPolite: Bool
    private var next = 0
    private var primed: [BlobLocation: Content] = [:]

    /// - Parameters:
    ///   - threads: at least 1.
    ///   - isPolite: whether they read when nobody else does.
    init(threads: Int, isPolite: Bool) {
        queues = (0..<threads).map { DispatchQueue(label: "zxbackup.contents.\($0)") }
        self.isPolite = isPolite
    }

    /// Begins to take in what a row names, unless that was begun already.
    func take(_ location: BlobLocation, _ intake: ContentIntake, from source: any MailSource) -> Content {
        if let content = primed.removeValue(forKey: location) { return content }
        let content = Content()
        let isPolite = isPolite
        queues[next % queues.count].async {
            let politeness = isPolite ? Politeness() : nil
            defer { politeness?.end() }
            content.finish(Result { try intake.stage(location, from: source) })
        }
        next += 1
        return content
    }

    /// Begins with a mailbox whose scan is the next: while this one is committed, the threads have something to do.
    ///
    /// What cannot be read is told of by that scan.
    func prime(_ mailboxID: Int64, _ intake: ContentIntake, from source: any MailSource) {
        struct Enough: Error {}
        letGo(in: intake.store)
        var contents: [BlobLocation: Content] = [:]
        var bytes: Int64 = 0
        _ = try? source.withMailbox(mailboxID) { picture in
            try picture.items(in: .mailbox, nil) { row, _ in
                guard !(row.blobDigest ?? "").isEmpty else { return }
                let location = BlobLocation(row, in: mailboxID)
                contents[location] = take(location, intake, from: source)
                bytes += max(0, row.size)
                if contents.count >= Self.mostPrimed || bytes > Self.mostPrimedBytes { throw Enough() }
            }
        }
        primed = contents
    }

    /// Takes back what was begun and not asked for.
    func letGo(in store: any StoreWriting) {
        for content in primed.values {
            if case .success(let blob) = content.wait() { store.unstage(blob) }
        }
        primed = [:]
    }
}

extension BlobLocation {
    /// The place of a row's content.
    init(_ row: ItemRow, in mailboxID: Int64) {
        self.init(
            mailboxID: mailboxID, itemID: row.id, modContent: row.modContent, locator: row.locator, size: row.size, digest: row.blobDigest)
    }
}
