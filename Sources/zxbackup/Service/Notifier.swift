#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif
import BackupCore
import Dispatch
import Synchronization
import SystemPackage

/// Tells administrators of operations: in `notifications.log` of the state folder, and by mail where the configuration says so.
///
/// That somebody cannot be told stops no operation; why is told on standard error, and in the log.
final class Notifier: Sendable {
    /// The log begins anew beyond so many bytes; the last ones are kept under the names `.1` to `.4`.
    static let longestLog = 8 << 20
    private static let olderLogs = 4
    /// Of what an operation says, as much is told.
    private static let longestText = 32 * 1024
    /// Critical messages are collected for so long, milliseconds, once one has been sent.
    private static let patience: Int64 = 600_000

    private let settings: NotificationSettings
    private let log: FilePath
    private let host = hostName()
    private let complain: @Sendable (String) -> Void
    private let mailing = DispatchQueue(label: "zxbackup.mail")
    private let urgent = Mutex<(waiting: [String], sent: Int64?)>(([], nil))

    /// - Parameter complain: receives why somebody could not be told.
    init(_ configuration: Configuration, complain: @escaping @Sendable (String) -> Void) {
        settings = configuration.notifications
        log = configuration.stateFolder.appending("notifications.log")
        self.complain = complain
    }

    // MARK: What is told

    /// Carries an operation out, and tells of its beginning and its end.
    func telling(of operation: QueuedOperation, _ console: Console, _ body: (Console) throws -> CommandStatus) rethrows -> CommandStatus {
        let heard = Mutex<(words: String, errors: String)>(("", ""))
        var listened = console
        listened.output = { bytes in
            heard.withLock { Self.append(String(decoding: bytes, as: UTF8.self), to: &$0.words) }
            console.output(bytes)
        }
        listened.rawErrors = { text in
            heard.withLock { Self.append(text, to: &$0.errors) }
            console.rawErrors(text)
        }
        let began = milliseconds()
        let addresses = operation.addresses
        tell(Notification(beginOf: operation, at: began, host: host), addresses)
        func end(_ status: CommandStatus, _ failure: String = "") {
            let (words, errors) = heard.withLock { $0 }
            tell(
                Notification(
                    endOf: operation, status, began: began, at: milliseconds(), host: host, words: words, errors: errors + failure),
                addresses)
        }
        do {
            let status = try body(listened)
            end(status)
            return status
        } catch {
            end((error as? CoreError)?.code == .stopped ? .stopped : .failed, ShownText.line("\(error)"))
            throw error
        }
    }

    private static func append(_ text: String, to whole: inout String) {
        whole += text.prefix(max(0, longestText - whole.utf8.count))
    }

    /// A message that must not wait: sent at once, and those of the next ten minutes together.
    func tellCritical(_ text: String) {
        urgent.withLock { $0.waiting.append(text) }
        sendCritical(at: milliseconds())
    }

    /// Sends what was collected, when it is time.
    func sendCritical(at time: Int64, mustSend: Bool = false) {
        let texts = urgent.withLock { urgent -> [String] in
            let isDue = mustSend || urgent.sent.map { !(0..<Self.patience).contains(time - $0) } ?? true
            guard !urgent.waiting.isEmpty, isDue else { return [] }
            defer { urgent = ([], time) }
            return urgent.waiting
        }
        guard !texts.isEmpty else { return }
        tell(Notification(critical: texts.suffix(100).joined(separator: "\n"), at: time, host: host), [])
    }

    /// Waits until everything is sent.
    func finish() {
        sendCritical(at: milliseconds(), mustSend: true)
        mailing.sync {}
    }

    // MARK: How

    private func tell(_ notification: Notification, _ others: [String]) {
        write(notification.logText)
        guard let smtp = settings.smtp else { return }
        let recipients = (settings.recipients + others).reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
        guard !recipients.isEmpty else { return }
        let from = settings.sender ?? "zxbackup@\(host)"
        mailing.async { [self] in
            let mail = MailText.compose(
                from: from, to: recipients, subject: "[zxbackup \(host)] \(notification.level.rawValue): \(notification.subject)",
                text: notification.mailText)
            // A recipient that is refused keeps nobody else from hearing.
            for recipient in recipients {
                do {
                    try SMTP.send(mail, from: from, to: recipient, server: smtp)
                } catch {
                    let words = "notification '\(notification.subject)' could not be sent to \(recipient): \(error)"
                    complain(ShownText.line(words))
                    write("\(TimeText.local(milliseconds())) Error \(ShownText.line(words))\n")
                }
            }
        }
    }

    /// Appends to the log; opened each time, so that whoever rotates it may rename it at any time.
    private func write(_ text: String) {
        do {
            try StateFolder.make(log.removingLastComponent())
            rotate()
            let file = try FileDescriptor.open(
                log, .writeOnly, options: [.create, .append, .noFollow], permissions: [.ownerRead, .ownerWrite])
            _ = try file.closeAfter { try file.writeAll(text.utf8) }
        } catch {
            complain("writing \(log): \(error)")
        }
    }

    private func rotate() {
        var status = stat()
        guard stat(log.string, &status) == 0, status.st_size >= Self.longestLog else { return }
        for number in stride(from: Self.olderLogs - 1, through: 1, by: -1) { rename("\(log).\(number)", "\(log).\(number + 1)") }
        rename(log.string, "\(log).1")
    }
}

extension QueuedOperation {
    /// Who is to be told besides those of the configuration.
    fileprivate var addresses: [String] {
        (parameters["notifications"] ?? "").split(separator: ",").map { $0.trimmed() }.filter { !$0.isEmpty }
    }
}

/// Whom the configuration wants to be told, and by which server.
struct NotificationSettings: Sendable, Equatable {
    /// nil = zxbackup at this machine.
    var sender: String?
    var recipients: [String] = []
    /// `smtp://host:port` or `smtps://…`, with `user:password@` where the server wants it; nil = no mail is sent.
    var smtp: String?

    /// Whether a text can be an address: a command of SMTP is made with it.
    static func isAddress(_ text: String) -> Bool {
        let bytes = text.utf8
        return bytes.count <= 254 && bytes.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"<>(),;:\"\\[]".utf8.contains($0) }
            && text.split(separator: "@", omittingEmptySubsequences: false).map(\.isEmpty) == [false, false]
    }
}
