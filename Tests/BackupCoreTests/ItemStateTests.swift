import BackupStore
import Foundation
import Testing

@testable import BackupCore

@Suite("An item's state as a history line")
struct ItemStateTests {
    @Test("Every row of the data sets comes back from its line as it was", arguments: ["small", "crash"])
    func keepsEveryColumn(name: String) throws {
        for table in ["mail_item", "mail_item_dumpster"] {
            for line in try inflate(Dataset(name).folder.appending(path: "tables/\(table).jsonl.gz")).split(separator: 10) {
                let json = try #require(try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
                var state = ItemState(row: ItemRow(json: json))
                state.deleted = table != "mail_item"
                state.inDumpster = state.deleted
                let back = try #require(ItemState(id: state.row.id, fields: state.fields, blobs: []))
                #expect(back == state)
            }
        }
    }

    @Test("Tags keep colour, listing and policy")
    func keepsTags() throws {
        let tag = TagRow(id: 300, name: "Projekt Ä", color: 0x01FF0000, listed: false, sequence: 7, policy: "d5:purgelee")
        let state = ItemState(tag: tag)
        #expect(ItemState(id: 300, fields: state.fields, blobs: [])?.tag == tag)
        #expect(ItemState(tag: TagRow(id: 1, name: "x")).tag == TagRow(id: 1, name: "x"))
    }

    @Test("Blobs are found again by the line's own list")
    func keepsBlobs() throws {
        let blob = BlobReference(id: try #require(BlobID(hash: Array(repeating: 7, count: 32))), size: 10, stored: 20)
        var row = ItemRow(id: 5, type: .document)
        row.name = "a.txt"
        var revision = RevisionRow(itemID: 5, version: 1)
        revision.name = "a.txt"
        let state = ItemState(row: row, blob: blob, revisions: [.init(row: revision, blob: blob)])
        #expect(ItemState(id: 5, fields: state.fields, blobs: state.blobs) == state)
        #expect(ItemState(id: 5, fields: state.fields, blobs: [])?.blob == nil)
    }

    @Test("A metadata text that cannot be decoded stays as it is")
    func leavesUndecodableMetadata() {
        var row = ItemRow(id: 5, type: .folder)
        row.metadata = "no metadata"
        var state = ItemState(row: row)
        state.updateMetadata { $0["c"] = .integer(3) }
        #expect(state.row.metadata == "no metadata")
        #expect(state.metadata.isEmpty)
    }

    @Test("A type without a name, and lines without a type")
    func handlesUnknownTypes() {
        let odd = ItemState(row: ItemRow(id: 5, type: ItemType(rawValue: 77)))
        #expect(ItemState(id: 5, fields: odd.fields, blobs: []) == odd)
        #expect(ItemState(id: 5, fields: ["name": "x"], blobs: []) == nil)
    }

    @Test("Flags convert between bits, letters, names and ids")
    func convertsFlags() {
        #expect(Flags([.flagged, .unread]).letters == "fu")
        #expect(Flags(letters: "fu?§") == [.flagged, .unread, .bulk])
        #expect(Flags(name: "\\flagged") == .flagged)
        #expect(Flags(name: "\\Nonsense") == nil)
        #expect(Flags(tagID: -10) == .unread)
        #expect(Flags(tagID: -32) == nil)
        #expect(Flags(tagID: 1) == nil)
    }
}
