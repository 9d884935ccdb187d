import BackupStore
import RedoLog

/// The content of an operation, or why there is none.
struct LoggedContent {
    var content: AppliedContent?
    /// Why it could not be had, in words; nil where it was, and where the operation has none.
    var problem: String?
}

/// Contents of operations: from the log, and where it has none that can be read, from the server's store.
extension RealTimeScanner {
    func content(of transaction: CommittedTransaction) throws -> LoggedContent {
        switch transaction.start.operation {
        case .createMessage(let message): try content(of: message, transaction, summarising: true)
        case .createChat(let chat): try content(of: chat.message, transaction, summarising: true)
        case .saveDraft(let draft): try content(of: draft.message, transaction, summarising: true)
        case .saveChat(let chat): try content(of: chat.message, transaction, summarising: true)
        case .saveDocument(let document): try content(of: document.message, transaction, summarising: false)
        case .saveWiki(let wiki): try content(of: wiki.message, transaction, summarising: false)
        case .addDocumentRevision(let document): try content(of: document.message, transaction, summarising: false)
        case .createContact(let contact): try attachments(contact.attachmentBlob, transaction)
        case .modifyContact(let contact): try attachments(contact.attachmentBlob, transaction)
        default: LoggedContent()
        }
    }

    /// A body that several messages of the log will name; one that cannot be read is left to the server's store.
    func takeShared(_ stored: StoreIncomingBlob, _ transaction: CommittedTransaction) throws {
        guard let path = stored.path, let body = stored.body else { return }
        let logged = try intake(body, size: Int64(stored.size), digest: stored.digest, of: transaction, summarising: true)
        if let problem = logged.problem { return note(problem) }
        guard let content = logged.content else { return }
        shared.add(content, path: path, digest: stored.digest ?? "", recipients: stored.mailboxIDs?.count ?? 1)
    }

    private func content(
        of message: CreateMessage, _ transaction: CommittedTransaction, summarising: Bool
    ) throws -> LoggedContent {
        var logged = LoggedContent(problem: "the log's record of the shared message is gone")
        if let body = message.body {
            logged = try intake(
                body, size: message.size, digest: message.digest, of: transaction, summarising: summarising)
            if logged.problem == nil { return logged }
        } else if let content = shared.take(path: message.path, digest: message.digest) {
            return LoggedContent(content: content)
        }
        let location = BlobLocation(
            mailboxID: transaction.mailboxID, itemID: Int64(message.itemID),
            modContent: Int64(transaction.start.header.changeID), locator: nil, size: message.size,
            digest: message.digest?.string)
        do {
            return LoggedContent(
                content: try intake.take(location, from: source, summarising: summarising))
        } catch let error as StoreError {
            throw error
        } catch {
            // Damaged bytes are better than none.
            return LoggedContent(
                content: logged.content,
                problem: "the content of item \(message.itemID) is neither in the log (\(logged.problem ?? "")) "
                    + "nor in the server's store: \(error)")
        }
    }

    /// Bodies of contacts are never compressed.
    private func attachments(_ body: Body?, _ transaction: CommittedTransaction) throws -> LoggedContent {
        guard let body else { return LoggedContent() }
        return try intake(body, size: body.length, digest: nil, of: transaction, summarising: false)
    }

    /// Brings a body of the log into the backup path.
    ///
    /// One that is not as long as its record says is compressed (formats/zimbra-redolog.md, section 4.2). If it does not
    /// decompress, the digest tells whether the bytes are the content themselves. A digest of 44 characters is that of the
    /// content (section 9): where it is another's, the bytes come with the problem.
    private func intake(
        _ body: Body, size: Int64, digest: LogText?, of transaction: CommittedTransaction, summarising: Bool
    ) throws -> LoggedContent {
        do {
            let reader = try transaction.file.openBody(body, uncompressedSize: size)
            let content = try intake.take(summarising: summarising, reader)
            let isAnother = digest.flatMap { BlobID($0.string) }.map { $0 != content.id } ?? false
            return LoggedContent(
                content: content,
                problem: isAnother ? "\(transaction.file.path) at \(body.offset): the bytes are not those of the digest" : nil)
        } catch let error as RedoLogError where error.concernsOneBody {
            if error.code == .bodyDamaged, let digest, digest.string.utf8.count == 44 {
                let plain = try intake.take(
                    summarising: summarising, transaction.file.openBody(body, uncompressedSize: nil))
                if plain.id.description == digest.string { return LoggedContent(content: plain) }
            }
            return LoggedContent(problem: "\(error)")
        }
    }
}

extension RedoLogError {
    /// Whether the rest of the log can be read all the same.
    var concernsOneBody: Bool { code == .bodyDamaged || code == .fileShrank }
}
