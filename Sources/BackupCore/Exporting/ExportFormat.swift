/// What the files of an export look like.
public enum ExportFormat: String, Sendable, Hashable, CaseIterable {
    /// The folder tree with a file an item: `.eml`, `.vcf`, `.ics`, documents under their own names.
    case eml
    /// One Maildir++ tree, as Dovecot and Courier read it: messages and chats only.
    case maildir
    /// One file a folder, quoted as mboxrd: messages and chats only.
    case mbox
    /// The server's own archive, `mailbox.tgz`, which its import takes with flags, tags, dates and folders.
    case tgz
}
