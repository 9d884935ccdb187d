import BackupStore

/// The contents of one mailbox, as a scan needs them: taken from the server where the backup does not have them.
struct ContentScan {
    let source: any MailSource
    let intake: ContentIntake
    /// Where contents are taken in ahead; nil = each when it is needed.
    let ahead: ContentsAhead?
    let account: AccountEntry
    let mailboxID: Int64
    /// Whether a content that the backup has is compared with the server's: a row can say the same of other bytes.
    let isDeep: Bool
    /// Whether nothing is taken in: what the backup has lost is told of.
    let isTrial: Bool

    /// A content that a scan found.
    struct Found {
        /// Nil for an item without one.
        var blob: BlobReference?
        /// Whether the backup had lost it: a state must name it again, so that it becomes durable (R1).
        var isTakenAgain = false
    }

    /// Finds the content that a row names.
    ///
    /// - Parameters:
    ///   - known: what the backup has under the row's digest.
    ///   - ahead: the content, where it was begun to be taken in (``begin(_:known:)``).
    ///   - what: "item 257", for a problem.
    /// - Throws: the server's error where it cannot be read and the backup does not have it, `StoreError` of the backup path.
    func find(
        _ row: ItemRow, known: BlobReference?, ahead: ContentsAhead.Content? = nil, _ what: String, _ statistics: inout ScanStatistics
    ) throws -> Found {
        guard let digest = row.blobDigest, !digest.isEmpty else { return Found() }
        let location = BlobLocation(row, in: mailboxID)
        var isTakenAgain = false
        // Where the log's body was damaged, the content is not the one that the row names.
        if let known, known.id == BlobID(digest) ?? known.id {
            guard isDeep else { return Found(blob: known) }
            statistics.comparedFiles += 1
            switch try compare(known, location, digest) {
            case .same: return Found(blob: known)
            case .damage(let reason):
                statistics.reportDamage("\(what) of \(account.name): \(reason)")
                return Found(blob: known)
            case .other: break
            case .missing: isTakenAgain = true
            }
        }
        if !isTrial, !intake.keepsContents {
            statistics.leftOutFiles += 1
            return Found(blob: known)
        }
        if isTrial {
            if isTakenAgain { statistics.reportDamage("\(what) of \(account.name): the backup has lost its content, the server has it") }
            return Found(blob: known)
        }
        var blob = try ahead?.wait().get()
        // What an error of the backup path dropped meanwhile is taken again.
        if let staged = blob, try !intake.store.isStaged(staged) { blob = nil }
        let taken = try blob ?? intake.stage(location, from: source)
        statistics.newFiles += 1
        return Found(blob: taken, isTakenAgain: isTakenAgain)
    }

    /// Begins to take in the content that a row names, where the scan will certainly need it; nil where it may not.
    func begin(_ row: ItemRow, known: BlobReference?) -> ContentsAhead.Content? {
        guard let ahead, known == nil, !isTrial, intake.keepsContents, !(row.blobDigest ?? "").isEmpty else { return nil }
        return ahead.take(BlobLocation(row, in: mailboxID), intake, from: source)
    }

    private enum Comparison {
        case same
        /// The server has other bytes, which the backup does not have.
        case other
        /// The backup has lost its file.
        case missing
        /// One of both sides is damaged, and nothing can be done about that here.
        case damage(String)
    }

    /// Compares byte by byte, and checks the backup's own file by its digest.
    private func compare(_ known: BlobReference, _ location: BlobLocation, _ digest: String) throws -> Comparison {
        let isSame: Bool
        do {
            isSame = try hasSameBytes(known, location)
        } catch let error as StoreError {
            switch error.code {
            case .blobMissing: return .missing
            case .blobDamaged: return .damage("the backup's content is damaged: \(error)")
            default: throw error
            }
        } catch {
            return .damage("the server's content cannot be read, the backup has it: \(error)")
        }
        if isSame { return .same }
        // The digest of the server's own row says which of the two is meant.
        guard digest == known.id.description else { return .other }
        return .damage("the server's content is not the one that its digest names, the backup has that")
    }

    private func hasSameBytes(_ known: BlobReference, _ location: BlobLocation) throws -> Bool {
        let read = try source.openBlob(location)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        defer { buffer.deallocate() }
        var isSame = true
        try intake.store.readBlob(known) { piece in
            var rest = piece[...]
            while isSame, !rest.isEmpty {
                let count = try read(UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(rest.count)))
                isSame = count > 0 && rest.prefix(count).elementsEqual(buffer.prefix(count))
                rest = rest.dropFirst(count)
            }
        }
        return try isSame && read(buffer) == 0
    }
}
