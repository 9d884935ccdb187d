import BackupStore
import Testing

@testable import BackupCore

/// What real servers keep although its usual companion is gone.
@Suite("Items that stand alone")
struct OrphanTests {
    @Test("A comment that was recovered without its document is restored, in its place among the items")
    func comment() throws {
        let bench = try RestoringBench()
        var comment = ItemRow(id: 300, type: .comment)
        (comment.folderID, comment.subject, comment.imapID, comment.date) = (2, "Alone", 300, 5000)
        var document = ItemRow(id: 301, type: .document)
        (document.folderID, document.name, document.subject, document.imapID, document.date) = (2, "noted.odt", "noted.odt", 301, 5001)
        try bench.commit(ItemState(row: comment), ItemState(row: document))
        let target = MemoryTarget()
        let report = try RestoreOnNewAccount(source: bench.account, destination: "copy@example.com", moment: .last)
            .run(from: bench.store, to: target, stateFolder: bench.stateFolder)
        #expect(report.isComplete && report.addsUp && report.restored == 2, "\(report.text)")
        let rows = target.state.messages.map(\.row)
        #expect(rows.map(\.subject) == ["Alone", "noted.odt"] && rows.allSatisfy { $0.blobDigest == nil && $0.parentID == nil })

        let export = try bench.export()
        #expect(export.report.exported == 2 && export.report.unexported == [], "\(export.report.text)")
        #expect(try export.line(301) != nil, "the manifest tells of it")
        #expect(try !export.files.contains { $0.contains("noted") }, "it has no content")
    }
}
