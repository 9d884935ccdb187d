import Testing

@testable import BackupCore

@Suite("The order of IMAP ids")
struct ItemOrderTests {
    @Test("Of any ids and IMAP ids, the order is that of the IMAP ids", arguments: [UInt64(3), 20_261_125])
    func anyOrder(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var order = ItemOrder()
        var seen: [Int64] = []
        for id in Int64(300)..<800 {
            var row = ItemRow(id: id, type: .message)
            // Numbers come from one counter: none is an item's and another one's, too.
            row.imapID = Bool.random(using: &random) ? id : id + 10_000 * Int64.random(in: 0...3, using: &random)
            while let next = order.next(before: id) { seen.append(next) }
            if !order.keeps(row) { seen.append(id) }
        }
        var imapIDs: [Int64: Int64] = [:]
        var again = SeededGenerator(seed: seed)
        for id in Int64(300)..<800 {
            imapIDs[id] = Bool.random(using: &again) ? id : id + 10_000 * Int64.random(in: 0...3, using: &again)
        }
        while let next = order.next(before: .max) { seen.append(next) }
        #expect(seen == imapIDs.sorted { $0.value < $1.value }.map(\.key), "seed \(seed)")
    }
}
