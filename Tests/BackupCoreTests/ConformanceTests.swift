import Foundation
import SandboxServer
import SystemPackage
import Testing

@testable import BackupCore

@Suite("Recorded lives of real servers, backed up and restored")
struct ConformanceTests {
    /// Runs a life whose oracle a test may have changed.
    private func report(_ name: String, _ plant: (inout RecordedLife) -> Void = { _ in }) throws -> ConformanceReport {
        var life = try RecordedLife(FilePath(Dataset(name).folder.path))
        plant(&life)
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let target = try SandboxServer.create(at: folder.path.appending("target"), name: "target.example.com")
        return try Conformance(life).run(in: folder.path, restoringTo: target)
    }

    @Test("At each instant every mailbox is selected and restored as the server had it", arguments: [("small", 9), ("crash", 4)])
    func conformance(name: String, instants: Int) throws {
        let report = try report(name)
        #expect(report.derivable == [])
        #expect(report.instants == instants && report.items > 200)
        #expect(report.lastLine.hasPrefix("conformance: \(instants) instants, "))
    }

    @Test("A change planted in a row of the oracle is found, whatever the column")
    func planted() throws {
        let changes: [(String, (inout ItemRow) -> Void)] = [
            ("name", { $0.name = "planted" }), ("date", { $0.date += 1 }), ("flags", { $0.flags.formSymmetricDifference(.flagged) }),
            ("folder_id", { $0.folderID = 3 }), ("tag_names", { $0.tags.append("planted") }), ("unread", { $0.unread = 7 }),
            ("blob_digest", { $0.blobDigest = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=" }), ("mod_metadata", { $0.modMetadata += 1 }),
            ("metadata.xd.planted", { row in row.updateMetadata { $0["xd.planted"] = .string("x") } }), ("existence", { $0.id = 99_999 }),
        ]
        let report = try report("small") { life in
            // Messages of the first instant, which differ in nothing.
            life.instants.removeSubrange(1...)
            let messages = life.instants[0].mailboxes[0].items.indices.filter { life.instants[0].mailboxes[0].items[$0].type == .message }
            for (place, change) in zip(messages, changes) { change.1(&life.instants[0].mailboxes[0].items[place]) }
        }
        for (column, _) in changes {
            #expect(report.derivable.contains { $0.contains(": message: \(column) ") }, "\(column)")
        }
    }
}
