import BackupStore
import RedoLog

/// Bodies of `StoreIncomingBlob` that later messages refer to: already in the backup path, held by the position (R4).
///
/// The first recipient's message names the body's path; real servers give later recipients a path of their own, so that those are
/// matched by digest.
struct SharedBodies {
    /// Bodies kept at most: a recipient that comes later gets its content from the server's store.
    private static let capacity = 64

    private struct Entry {
        var path: LogText
        var digest: LogText
        var content: AppliedContent
        /// Messages that may still come.
        var waiting: Int
    }

    private var entries: [Entry] = [] { didSet { text = json.json } }

    /// The list as it is in the position: computed when it changes, since every transaction carries it.
    private(set) var text = "[]"

    var blobs: [BlobReference] { entries.compactMap(\.content.blob) }

    mutating func add(_ content: AppliedContent, path: LogText, digest: LogText, recipients: Int) {
        var changed = entries.filter { $0.path != path }
        changed.append(Entry(path: path, digest: digest, content: content, waiting: max(1, recipients)))
        entries = changed.suffix(Self.capacity)
    }

    /// The body that a message refers to; forgotten after its last recipient.
    mutating func take(path: LogText?, digest: LogText?) -> AppliedContent? {
        guard let place = entries.firstIndex(where: { $0.path == path })
            ?? entries.lastIndex(where: { $0.digest == digest && !$0.digest.isEmpty })
        else { return nil }
        let content = entries[place].content
        if entries[place].waiting > 1 { entries[place].waiting -= 1 } else { entries.remove(at: place) }
        return content
    }

    // MARK: As part of the position

    private var json: JSONValue {
        .array(
            entries.compactMap { entry in
                guard let blob = entry.content.blob else { return nil }  // After a restart the server's store is asked.
                return .object([
                    "path": .string(entry.path.string), "digest": .string(entry.digest.string),
                    "blob": .string(blob.id.description), "size": .int(blob.size), "stored": .int(blob.stored),
                    "waiting": .int(Int64(entry.waiting)),
                ])
            })
    }

    init() {}

    /// Reads a position's list; the summary of a message is computed anew from its blob.
    init(json: JSONValue?, store: any StoreReading) throws {
        for entry in json?.array ?? [] {
            guard let members = entry.object, let path = members["path"]?.string, let digest = members["digest"]?.string,
                let id = members["blob"]?.string.flatMap(BlobID.init), let size = members["size"]?.int,
                let stored = members["stored"]?.int, let waiting = members["waiting"]?.int
            else { continue }
            var beginning: [UInt8] = []
            do {
                try store.readBlob(BlobReference(id: id, size: size, stored: stored)) {
                    if beginning.count < 256 * 1024 { beginning.append(contentsOf: $0) }
                }
            } catch let error as StoreError where error.concernsOneAccount {
                continue  // Its recipients get the content from the server's store.
            }
            entries.append(
                Entry(
                    path: LogText(path), digest: LogText(digest),
                    content: AppliedContent(
                        blob: BlobReference(id: id, size: size, stored: stored),
                        summary: MessageSummary(bytes: beginning, isWhole: Int64(beginning.count) == size)),
                    waiting: Int(waiting)))
        }
        text = self.json.json  // An initialiser's changes are not observed.
    }
}
