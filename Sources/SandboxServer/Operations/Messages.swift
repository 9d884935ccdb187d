import BackupCore
import GRDB
import Glibc
import RedoLog
import SystemPackage

/// Where a delivered message went.
public struct Delivery: Hashable, Sendable {
    /// The recipient.
    public var address: String
    /// The recipient's mailbox.
    public var mailboxID: Int64
    /// The message there.
    public var itemID: Int64
}

/// A message to be put into a mailbox.
struct NewMail {
    var blob: IncomingBlob
    var summary: MessageSummary
    var type = ItemType.message
    var folder = FolderID.inbox
    /// Milliseconds.
    var date: Int64
    /// With `Flags.unread` where it is unread.
    var flags: Flags
    var tags: [String] = []
    /// Envelope address, `:API:` without one.
    var recipient = ":API:"
    /// Whether its body is in a record of its own.
    var isShared = false
    var countsAsNew = false
}

extension Change {
    /// A message, draft or chat is born (formats/zimbra-redolog.md, section 7.3).
    func create(_ mail: NewMail) throws -> (Int64, Logged) {
        _ = try folder(mail.folder)
        let id = nextItemID()
        let tags = try resolve(tags: mail.tags)
        let isJunk = state.folder(mail.folder, isWithin: FolderID.junk)
        var row = touched(ItemRow(id: id, type: mail.type), content: true)
        row.folderID = mail.folder
        row.imapID = id
        row.indexID = isJunk ? nil : id
        row.date = mail.date / 1000
        let logged = mail.flags.subtracting(Flags.system.subtracting([.fromMe, .draft, .post]))
        row.flags = logged.subtracting(.unread)
        row.unread = logged.contains(.unread) ? 1 : 0
        row.tags = tags
        try place(mail.blob, in: &row)
        mail.summary.fill(&row)
        let threading = try thread(&row, mail.summary)
        var calendar: MailedItem?
        if mail.countsAsNew, mail.summary.hasCalendar, !isJunk {
            row.flags.insert(.invite)
            calendar = try mail.summary.calendar.flatMap { try take($0) }
            if let calendar { row.link(to: calendar.row.id) }
        }
        try insert(row)
        if mail.countsAsNew { state.newMessages += 1 }

        var message = CreateMessage()
        message.recipient = LogText(mail.recipient)
        message.receivedDate = mail.date
        message.shared = mail.isShared
        message.digest = LogText(mail.blob.digest)
        message.size = mail.blob.size
        message.itemID = Int32(id)
        message.folderID = Int32(mail.folder)
        if let calendar, calendar.isNew {
            message.calendarItemID = Int32(calendar.row.id)
            message.folderID = Int32(calendar.row.folderID ?? 0)
        }
        message.conversationID = mail.type == .chat ? 0 : Int32(threading.conversation)
        message.conversationFirstMessageID = mail.type == .chat ? 0 : Int32(threading.firstMessage)
        message.mergedConversationIDs = threading.merged.map { Int32($0) }
        message.flags = Int32(logged.rawValue)
        let isProcessed = mail.countsAsNew && !isJunk || !mail.summary.hasCalendar
        message.noICal = mail.type == .chat || mail.flags.contains(.draft) || !isProcessed
        message.tags = mail.tags.map { LogText($0) }
        message.path = LogText(mail.blob.path.string)
        var body: LoggedBody?
        if mail.isShared {
            message.bodyType = 2
            message.legacyLinkVolume = -1
        } else {
            message.bodyType = 1
            message.body = mail.blob.body
            body = mail.blob.logged
        }
        let operation: Operation
        if mail.type == .chat {
            var chat = CreateChat()
            chat.message = message
            operation = .createChat(chat)
        } else {
            operation = .createMessage(message)
        }
        return (id, Logged(operation, body: body))
    }

    /// Links an incoming blob to a row's place and names it in the row.
    func place(_ blob: IncomingBlob, in row: inout ItemRow) throws {
        let (id, modContent, mailbox) = (row.id, row.modContent, mailbox)
        let (path, volume) = try server.withMessageVolume(database) { volume in
            (try volume.link(blob.path, mailbox: mailbox, item: id, modContent: modContent), volume.volume.id)
        }
        made.append(path)
        row.locator = "\(volume)"
        row.blobDigest = blob.digest
        row.size = blob.size
    }

    /// New content for a draft.
    func save(_ blob: IncomingBlob, summary: MessageSummary, draft id: Int64) throws -> Logged {
        let old = try item(id)
        guard old.type == .message, old.flags.contains(.draft) else { throw failure(.refused, "item \(id) is no draft") }
        var draft = SaveDraft()
        draft.imapID = Int32(nextItemID())
        draft.message = try replaceContent(of: old, with: blob, summary)
        return Logged(.saveDraft(draft), body: blob.logged)
    }

    /// New content for a chat.
    func save(_ blob: IncomingBlob, summary: MessageSummary, chat id: Int64) throws -> Logged {
        let old = try item(id)
        guard old.type == .chat else { throw failure(.refused, "item \(id) is no chat") }
        var chat = SaveChat()
        chat.imapID = Int32(nextItemID())
        chat.message = try replaceContent(of: old, with: blob, summary)
        chat.message.folderID = Int32(old.folderID ?? 0)
        return Logged(.saveChat(chat), body: blob.logged)
    }

    private func replaceContent(of old: ItemRow, with blob: IncomingBlob, _ summary: MessageSummary) throws -> CreateMessage {
        removals.append(try server.path(of: old, mailbox: mailbox, in: database))
        var row = touched(old, content: true)
        row.date = time / 1000
        row.imapID = state.row.trackingImap ? 0 : row.id
        try place(blob, in: &row)
        summary.fill(&row)
        // The column lags one version behind the metadata (formats/zimbra-datastore.md, section 5).
        row.sender = old.sender
        row.metadata = try Self.nextVersion(row.metadata, by: 2)
        try update(old, to: row)

        var message = CreateMessage()
        message.receivedDate = time
        message.digest = LogText(blob.digest)
        message.size = blob.size
        message.itemID = Int32(row.id)
        message.folderID = -1
        message.conversationID = 0
        message.conversationFirstMessageID = 0
        message.mergedConversationIDs = []
        message.noICal = true
        message.path = ":streamed:"
        message.body = blob.body
        return message
    }
}

extension IncomingBlob {
    /// The bytes that the log carries: the file's, compressed where that is.
    var logged: LoggedBody { isWhole && storedLength == size ? .bytes(bytes) : .file(path, size: storedLength) }

    /// The content itself, for records that never carry it compressed: those of contacts (formats/zimbra-redolog.md, section 4.2).
    func plain() throws -> LoggedBody { storedLength == size ? logged : .bytes(isWhole ? bytes : try GzipFile.content(of: path)) }

    /// What a record says of them.
    var body: Body { Body(length: storedLength) }

    var summary: MessageSummary { MessageSummary(bytes: bytes, isWhole: isWhole) }
}

extension SandboxServer {
    /// Delivers a message as the server's LMTP listener does: into the Inbox, unread; one blob for all recipients.
    ///
    /// - Parameter date: milliseconds; nil = now.
    /// - Throws: `noSuchEntry` for an unknown address, before anything is written.
    @discardableResult
    public func deliver(_ message: [UInt8], to recipients: [String], date: Int64? = nil) throws -> [Delivery] {
        var targets: [(address: String, mailbox: Int64)] = []
        for address in recipients {
            let mailbox = try openMailbox(address).mailboxID
            if !targets.contains(where: { $0.mailbox == mailbox }) { targets.append((address, mailbox)) }
        }
        return try withIncoming({ try $0.receive(message, now: $1) }) { blob in
            let summary = blob.summary
            let isShared = targets.count > 1
            var first: TransactionID?
            if isShared {
                // The first message's transaction begins before the blob is logged.
                first = try exclusively { _, log in
                    let first = log.newTransaction()
                    var store = StoreIncomingBlob()
                    store.mailboxIDs = targets.map(\.mailbox)
                    store.digest = LogText(blob.digest)
                    store.path = LogText(blob.path.string)
                    store.size = Int32(blob.size)
                    store.body = blob.body
                    try logAlone(.storeIncomingBlob(store), mailbox: -1, body: blob.logged, to: log)
                    return first
                }
            }
            return try targets.map { target in
                // An answer is taken in before its message.
                if let request = summary.calendar, request.method == "REPLY", let attendee = request.attendees.first {
                    let account = try openMailbox(target.address)
                    try account.replyArrived(uid: request.uid, from: attendee.address, status: attendee.status)
                }
                let id = try change(target.mailbox, transaction: first) { change in
                    var mail = NewMail(blob: blob, summary: summary, date: date ?? change.time, flags: .unread)
                    mail.recipient = target.address
                    mail.isShared = isShared
                    mail.countsAsNew = true
                    return try change.create(mail)
                }
                first = nil
                return Delivery(address: target.address, mailboxID: target.mailbox, itemID: id)
            }
        }
    }

    /// Writes an incoming blob, calls `body`, and takes the incoming file away again.
    func withIncoming<Result>(
        _ receive: (IncomingFolder, Int64) throws -> IncomingBlob, _ body: (IncomingBlob) throws -> Result
    ) throws -> Result {
        let blob = try receive(try incomingFolder(), options.clock())
        defer { unlink(blob.path.string) }
        return try body(blob)
    }
}

extension SandboxMailbox {
    /// Adds a message as IMAP APPEND or SOAP AddMsg does.
    ///
    /// - Parameters:
    ///   - date: milliseconds; nil = now.
    ///   - flags: with `Flags.unread` where it is unread.
    @discardableResult
    public func addMessage(
        _ message: [UInt8], folder: Int64 = 2, flags: Flags = [], tags: [String] = [], date: Int64? = nil,
        type: ItemType = .message
    ) throws -> Int64 {
        try server.withIncoming({ try $0.receive(message, now: $1) }) { blob in
            try add(blob, folder: folder, flags: flags, tags: tags, date: date, type: type)
        }
    }

    func add(
        _ blob: IncomingBlob, folder: Int64, flags: Flags, tags: [String], date: Int64?, type: ItemType
    ) throws -> Int64 {
        let summary = blob.summary
        return try server.change(mailboxID) { change in
            var mail = NewMail(blob: blob, summary: summary, type: type, date: date ?? change.time, flags: flags)
            mail.folder = folder
            mail.tags = tags
            return try change.create(mail)
        }
    }

    /// Saves a new draft in Drafts.
    @discardableResult
    public func saveDraft(_ message: [UInt8]) throws -> Int64 {
        try addMessage(message, folder: FolderID.drafts, flags: [.draft, .fromMe])
    }

    /// Replaces the content of a draft.
    public func updateDraft(_ id: Int64, _ message: [UInt8]) throws {
        try server.withIncoming({ try $0.receive(message, now: $1) }) { blob in
            let summary = blob.summary
            try server.change(mailboxID) { ((), try $0.save(blob, summary: summary, draft: id)) }
        }
    }
}
