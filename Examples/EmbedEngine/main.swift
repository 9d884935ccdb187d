// Backs a mail server up and brings a mailbox back, by the library: swift run EmbedEngine
//
// The server here is a sandbox in a temporary folder; any type that conforms to `MailSource` and `MailTarget` will do.

import BackupCore
import BackupStore
import Foundation
import SandboxServer
import SystemPackage

/// Returns whether the mailbox came back.
func run(in place: FilePath) throws -> Bool {
    // A server with a user.
    let server = try SandboxServer.create(at: place.appending("server"))
    defer { try? server.close() }
    _ = try server.createAccount(name: "ann@example.com")
    let mailbox = try server.openMailbox("ann@example.com")
    let message = Array("From: bob@example.com\r\nTo: ann@example.com\r\nSubject: Lunch\r\n\r\nAt noon?\r\n".utf8)
    let lunch = try server.deliver(message, to: ["ann@example.com"])[0].itemID

    // Its backup. `begin` scans what was never seen, `catchUp` follows the redo log to its end; all of it is durable then.
    let backup = place.appending("backup")
    try StoreWriter.create(backup, serverID: server.identity.id)
    let engine = try BackupEngine(source: server, store: StoreWriter(opening: backup, serverID: server.identity.id))
    let scanned = try engine.begin()
    print("scanned \(scanned.checkedItems) items")

    // Life goes on. What the log tells is in the backup a moment later: see `BackupEngine.follow`.
    try mailbox.delete([lunch])
    let followed = try engine.catchUp()
    print("followed \(followed.transactions) transactions")
    try engine.close()

    // Every state of the item is there, the deleted one too.
    let reader = try StoreReader(opening: backup)
    defer { reader.close() }
    let account = try BackedUpAccount.find("ann@example.com", in: reader)
    let history = try reader.history(of: .item(account: account.entry.id, id: lunch))
    for line in history.lines {
        print("item \(lunch) from \(line.time) ms on: deleted \(line.fields["deleted"]?.bool ?? false)")
    }

    // The mailbox as it was before the deletion. A moment is a second, a change number, or `.last`.
    guard let deletion = history.lines.last?.change else { return false }
    let restore = RestoreOnNewAccount(
        source: "ann@example.com", destination: "ann.restored@example.com", moment: .change(deletion - 1))
    let report = try restore.run(from: reader, to: server, stateFolder: place.appending("state"))
    print(report.text)
    return report.isComplete && report.restored == 1
}

let folder = FileManager.default.temporaryDirectory.appending(path: "zxbackup-example-\(UUID().uuidString)")
do {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let isRestored = try run(in: FilePath(folder.path))
    try FileManager.default.removeItem(at: folder)
    exit(isRestored ? 0 : 1)
} catch {
    try? FileManager.default.removeItem(at: folder)
    print(error)
    exit(1)
}
