/// Brings items that come by their ids into the order in which IMAP clients see them.
///
/// An item's IMAP id is its own id, or a higher one where it was given later (formats/zimbra-items.md, `imap_id`). Only the latter wait
/// here, by their ids (R12), until those before them have passed.
struct ItemOrder {
    /// A heap: no entry has a lower IMAP id than the one at half its place.
    private var waiting: [(imapID: Int64, id: Int64)] = []

    /// Whether an item has to wait for others; if so, it is kept.
    mutating func keeps(_ row: ItemRow) -> Bool {
        guard let imapID = row.imapID, imapID > row.id else { return false }
        waiting.append((imapID, row.id))
        var place = waiting.count - 1
        while place > 0, waiting[place] < waiting[(place - 1) / 2] {
            waiting.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
        return true
    }

    /// The next item that comes before an id; nil when none does.
    mutating func next(before id: Int64) -> Int64? {
        guard let first = waiting.first, first.imapID < id else { return nil }
        waiting.swapAt(0, waiting.count - 1)
        waiting.removeLast()
        var place = 0
        while case let children = [2 * place + 1, 2 * place + 2].filter({ $0 < waiting.count }),
            let least = children.min(by: { waiting[$0] < waiting[$1] }), waiting[least] < waiting[place]
        {
            waiting.swapAt(place, least)
            place = least
        }
        return first.id
    }
}
