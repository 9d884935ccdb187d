import Glibc

/// A record in one line that a person can read. Secrets of guests are not shown.
public struct Summary {
    private let file: LogFile

    /// Lines about the records of a file.
    public init(of file: LogFile) { self.file = file }

    /// Offset, time, operation, mailbox, change, transaction, and the fields as JSON; bodies by place and length only.
    public func line(_ record: Record) throws(RedoLogError) -> String {
        let header = record.header
        var describer = FieldDescriber(version: header.version, file: file, hashesBodies: false)
        describer.json.open("{")
        try shown(record.operation).transfer(&describer)
        describer.json.close("}")
        var fields = String(decoding: describer.json.takeBytes(), as: UTF8.self)
        if fields == "{}" { fields = "" }
        if case .opaque(_, let bytes) = record.operation { fields = "(unknown layout, \(bytes.length) bytes)" }
        let parts = [
            padded(String(record.offset), 12), time(header.timestamp), "txn \(header.transaction)",
            "mailbox \(header.mailboxID)", header.changeID > 0 ? "change \(header.changeID)" : "",
            header.code.name(at: header.version) + (record.operation.variant.map { " (\($0))" } ?? ""), fields,
            record.afterGap ? "(after garbage)" : "",
        ]
        return parts.filter { !$0.isEmpty }.joined(separator: "  ")
    }

    /// The operation without clear-text secrets.
    private func shown(_ operation: Operation) -> Operation {
        switch operation {
        case .grantAccess(var grant):
            if let secret = grant.secret, !secret.isEmpty { grant.secret = "(hidden)" }
            return .grantAccess(grant)
        case .setPermissions(var permissions):
            if let acl = permissions.acl, !acl.isEmpty { permissions.acl = "(hidden)" }
            return .setPermissions(permissions)
        default: return operation
        }
    }

    private func padded(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.utf8.count)) + text
    }

    /// `2026-05-28 20:26:40.000`, in GMT.
    private func time(_ milliseconds: Int64) -> String {
        var text = Array(archiveTime(max(0, milliseconds)))
        guard text.count == 19 else { return String(text) }
        text[8] = " "
        for place in [13, 11] { text.insert(":", at: place) }
        for place in [6, 4] { text.insert("-", at: place) }
        return String(text)
    }
}
