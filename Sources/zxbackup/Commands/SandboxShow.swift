import ArgumentParser
import BackupCore
import SandboxServer

/// `zxbackup sandbox show`: what the server's tables hold.
struct SandboxShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Shows the accounts of a server, the folders of an account, or the items of a folder.",
        discussion: "Example: zxbackup sandbox show server alice@example.com /Inbox")

    @OptionGroup var folder: SandboxFolder

    @Argument(help: "An account's address: shows its folders.")
    var account: String?

    @Argument(help: "A folder's path or id: shows its items.")
    var path: String?

    @Flag(help: "Print JSON, a line for each entry.")
    var json = false

    func run() throws {
        let server = try folder.open()
        guard let account else { return try showAccounts(of: server) }
        guard let entry = try server.findAccount(account) else { throw ValidationError("There is no account \(account).") }
        guard try server.mailboxes().contains(where: { $0.accountID == entry.id }) else {
            throw ValidationError("\(account) has no mailbox yet.")
        }
        let mailbox = try server.openMailbox(entry.id)
        if let path { try showItems(of: mailbox, in: path) } else { try showFolders(of: mailbox) }
    }

    private func showAccounts(of server: SandboxServer) throws {
        let mailboxes = Dictionary(try server.mailboxes().map { ($0.accountID, $0) }, uniquingKeysWith: { first, _ in first })
        for entry in try server.accounts() {
            let mailbox = mailboxes[entry.id]
            if json {
                say(
                    "{\"name\":\(SandboxJSON.quoted(entry.name)),\"id\":\(SandboxJSON.quoted(entry.id)),\"mailbox\":\(mailbox.map { "\($0.id)" } ?? "null"),"
                        + "\"size\":\(mailbox?.sizeCheckpoint ?? 0)}")
            } else {
                say("\(entry.name)  \(entry.id)  " + (mailbox.map { "mailbox \($0.id), \($0.sizeCheckpoint) bytes" } ?? "no mailbox"))
            }
        }
    }

    private func showFolders(of mailbox: SandboxMailbox) throws {
        for row in try mailbox.folders() {
            // What lies beside the user's root is hidden.
            guard row.id == 1 || row.folderID != 11, let path = try mailbox.path(ofFolder: row.id) else { continue }
            if json {
                say("{\"id\":\(row.id),\"path\":\(SandboxJSON.quoted(path)),\"items\":\(row.size),\"unread\":\(row.unread ?? 0)}")
            } else {
                say("\(row.id)\t\(ShownText.line(path))\t\(row.size) items, \(row.unread ?? 0) unread")
            }
        }
    }

    private func showItems(of mailbox: SandboxMailbox, in path: String) throws {
        guard let id = try Int64(path) ?? mailbox.folder(at: path) else { throw ValidationError("There is no folder \(path).") }
        for row in try mailbox.items(inFolder: id) where !row.type.isContainer {
            let flags = row.flags.letters + ((row.unread ?? 0) > 0 ? "u" : "")
            if json {
                say(
                    "{\"id\":\(row.id),\"type\":\"\(row.type.name)\",\"date\":\(row.date),\"size\":\(row.size),\"flags\":\"\(flags)\","
                        + "\"tags\":[\(row.tags.map(SandboxJSON.quoted).joined(separator: ","))],"
                        + "\"subject\":\(SandboxJSON.quoted(row.subject ?? "")),\"digest\":\(row.blobDigest.map(SandboxJSON.quoted) ?? "null")}")
            } else {
                let tags = row.tags.isEmpty ? "" : "  [" + row.tags.joined(separator: ", ") + "]"
                let subject = ShownText.line((row.subject ?? "") + tags)
                say("\(row.id)\t\(row.type.name)\t\(row.size)\t\(flags)\t\(subject)")
            }
        }
    }
}
