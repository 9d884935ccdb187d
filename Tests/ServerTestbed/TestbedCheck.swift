import BackupCore
import BackupStore
import Foundation
import SandboxServer
import SystemPackage
import ZimbraServer

/// What a check with a data set found.
public struct TestbedOutcome: Sendable {
    /// Mailboxes compared.
    public var mailboxes = 0
    /// Items compared.
    public var items = 0
    /// Contents that the server itself had lost; each was named by the scan.
    public var lost = 0
    /// In words; empty where all is as it was on the server.
    public var differences: [String] = []

    /// Nothing compared yet.
    public init() {}

    /// Adds what another check found.
    public mutating func add(_ other: TestbedOutcome) {
        mailboxes += other.mailboxes
        items += other.items
        lost += other.lost
        differences += other.differences
    }

    /// In one line.
    public var figures: String { "\(mailboxes) mailboxes, \(items) items, \(differences.count) differences" }
}

/// Backs up a data set's server as a live one, restores every mailbox, and compares with the rows at its end.
public struct TestbedCheck {
    private let dataset: FilePath

    /// A check with the data set in a folder.
    public init(_ dataset: FilePath) { self.dataset = dataset }

    /// Starts the servers, runs, and takes everything away again.
    public func run() throws -> TestbedOutcome {
        let testbed = try Testbed()
        defer { testbed.remove() }
        try testbed.load(dataset: dataset)
        let work = FileManager.default.temporaryDirectory.appending(path: "zxtb-work-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: work) }  // A temporary folder.
        try FileManager.default.createDirectory(at: work, withIntermediateDirectories: true)
        return try compare(testbed, in: FilePath(work.path))
    }

    private func compare(_ testbed: Testbed, in folder: FilePath) throws -> TestbedOutcome {
        let server = try ZimbraServer(home: testbed.home)
        let path = folder.appending("backup")
        try StoreWriter.create(path, serverID: server.identity.id)
        let store = try StoreWriter(opening: path, serverID: server.identity.id)
        let engine = try BackupEngine(source: server, store: store)
        var options = SmartScanOptions()
        options.yields = false
        try engine.smartScan(options)
        try engine.catchUp()
        let life = try RecordedLife(dataset)
        let target = try SandboxServer.create(at: folder.appending("target"), name: "target.example.com")
        var outcome = TestbedOutcome()
        for mailbox in life.instants.last?.mailboxes ?? [] {
            outcome.mailboxes += 1
            outcome.items += mailbox.items.count
            // The scan saw the rows themselves: nothing is left to be computed.
            outcome.differences += try mailbox.differences(heldIn: store).map { "held: \($0)" }
            // What the server itself had lost is named by the scan, and no restore can bring it.
            let lost = try mailbox.items.filter { try isLost($0, of: mailbox.id, on: server) }
            let named = "held: mailbox \(mailbox.id) is marked: \(lost.count) contents could not be read by the scan"
            if !lost.isEmpty {
                guard outcome.differences.contains(named) else { throw Testbed.Failure(description: "lost contents are not named") }
                outcome.differences.removeAll { $0 == named }
                outcome.lost += lost.count
            }
            var kept = mailbox
            kept.items.removeAll { row in lost.contains { $0.id == row.id } }
            let state = folder.appending("state")
            let report = try RestoreOnNewAccount(
                source: mailbox.accountID, destination: "mailbox\(mailbox.id)@restored.example.com", moment: .last
            ).run(from: store, to: target, stateFolder: state)
            outcome.differences += try kept.differences(
                restoredBy: report, in: store, on: target, stateFolder: state
            ) { life.content(ofDigest: $0) }.map { "restored: mailbox \(mailbox.id): \($0)" }
        }
        let again = try engine.smartScan(options)
        if again.newMetadata > 0 { outcome.differences.append("a second scan found \(again.newMetadata) states to write") }
        try engine.close()
        return outcome
    }

    private func isLost(_ row: ItemRow, of mailbox: Int64, on server: ZimbraServer) throws -> Bool {
        guard row.blobDigest?.isEmpty == false else { return false }
        do {
            _ = try server.openBlob(
                BlobLocation(
                    mailboxID: mailbox, itemID: row.id, modContent: row.modContent, locator: row.locator, size: row.size, digest: row.blobDigest))
            return false
        } catch let error as CoreError where error.code == .blobMissing {
            return true
        }
    }
}
