// Drives a mail server through a scenario and checks what a restore gives back: swift run ScenarioHarness [SEED]
//
// Exit status 1 when the restored mailbox differs from the one that was there.

import BackupCore
import BackupStore
import Foundation
import SandboxServer
import SystemPackage

/// Returns whether everything came back.
func run() throws -> Bool {
    let seed = CommandLine.arguments.dropFirst().first.flatMap { UInt64($0) } ?? 1
    let folder = FileManager.default.temporaryDirectory.appending(path: "zxbackup-harness-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let place = FilePath(folder.path)

    // What the mailbox is to look like when it is brought back …
    let before = try Scenario("""
        account ann@example.com displayName=Ann
        account bob@example.com
        life ann@example.com seed \(seed) operations 200 only mail
        folder ann@example.com /Work/Invoices
        deliver ann@example.com,bob@example.com from carl@example.org subject "Invoice 17" as invoice
        move ann@example.com /Work/Invoices @invoice
        tag ann@example.com paid @invoice
        grant ann@example.com /Work bob@example.com rw
        wait next
        """)
    // … and what happens to it afterwards.
    let after = try Scenario("""
        empty-folder ann@example.com /Work
        delete-tag ann@example.com paid
        life ann@example.com seed \(seed + 1) operations 200 only mail
        """)

    let server = try SandboxServer.create(at: place.appending("server"))
    let backup = place.appending("backup")
    try StoreWriter.create(backup, serverID: server.identity.id)
    let engine = try BackupEngine(source: server, store: StoreWriter(opening: backup, serverID: server.identity.id))
    try engine.begin()

    let story = ScenarioRun(on: server, seed: seed)
    try story.run(before)
    let expected = try MailboxImage(of: server.openMailbox("ann@example.com").mailboxID, in: server)
    let moment = SandboxServer.wallClock() / 1000 - 1  // The story waited for a new second: this one is over.
    try story.run(after)
    try engine.catchUp()
    try engine.close()

    let reader = try StoreReader(opening: backup)
    defer { reader.close() }
    let restore = RestoreOnNewAccount(source: "ann@example.com", destination: "ann.then@example.com", moment: .second(moment))
    let report = try restore.run(from: reader, to: server, stateFolder: place.appending("state"))

    let actual = try MailboxImage(of: server.openMailbox("ann.then@example.com").mailboxID, in: server)
    let comparison = MailboxComparison(expected: expected, actual: actual)
    print("seed \(seed): \(comparison.folders) folders, \(comparison.tags) tags, \(comparison.messages) messages")
    print(report.text, terminator: "")
    for difference in comparison.differences { print("differs: \(difference)") }
    print("\(comparison.numberOfDifferences) differences")
    try server.close()
    return comparison.numberOfDifferences == 0 && report.isComplete
}

do {
    exit(try run() ? 0 : 1)
} catch {
    print(error)
    exit(1)
}
