import BackupCore
import RedoLog

/// Saved chats (formats/zimbra-redolog.md, section 7.3.5).
extension SandboxMailbox {
    /// Saves a chat and returns its id.
    @discardableResult
    public func createChat(_ text: [UInt8], folder: Int64 = 14, tags: [String] = []) throws -> Int64 {
        try addMessage(text, folder: folder, tags: tags, type: .chat)
    }

    /// Replaces the content of a chat.
    public func updateChat(_ id: Int64, _ text: [UInt8]) throws {
        try server.withIncoming({ try $0.receive(text, now: $1) }) { blob in
            let summary = blob.summary
            try server.change(mailboxID) { ((), try $0.save(blob, summary: summary, chat: id)) }
        }
    }
}
