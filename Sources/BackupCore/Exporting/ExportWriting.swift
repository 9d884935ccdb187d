import BackupStore

/// What an item became in the files of an export.
struct ExportedItem {
    /// Its place in the destination; nil where the manifest alone holds it.
    var place: String?
    /// SHA-256 of the item's content.
    var digest: BlobID?
    /// Bytes of its content.
    var bytes: Int64 = 0
    /// A second file with what the first has no room for.
    var content: String?
}

/// Why one item could not be written; the export goes on with the next.
struct UnexportedItem: Error {
    var reason: ExportReport.Reason
    var detail: String
}

/// One format of an export.
protocol ExportWriting: AnyObject {
    /// Makes a folder that is to be there even if it is empty.
    ///
    /// - Returns: its place; nil for one that the format shows only when something lies in it.
    func makeFolder(_ id: Int64) throws -> String?
    /// Writes an item; nil where the format has no place for its type.
    ///
    /// - Throws: `UnexportedItem`, and `CoreError` when the destination cannot be written.
    func write(_ state: ItemState) throws -> ExportedItem?
    /// Writes a former version of a document; nil where the format has no place for it.
    func write(_ revision: ItemState.Revision, of state: ItemState) throws -> ExportedItem?
    /// Completes what concerns all folders.
    func finish() throws
    /// What there is to say about names that had to be changed.
    var warnings: [String] { get }
}

extension ExportWriting {
    func write(_ revision: ItemState.Revision, of state: ItemState) throws -> ExportedItem? { nil }
    func finish() throws {}
}

/// Contents of the backup on their way into files.
struct ExportContents {
    let store: any StoreReading

    /// Streams a content, in bounded memory (R12). After a throw everything that `body` got is worthless.
    ///
    /// - Throws: `UnexportedItem`, and what `body` throws when the destination cannot be written.
    func read(_ blob: BlobReference?, _ body: (UnsafeRawBufferPointer) throws -> Void) throws -> BlobReference {
        guard let blob else {
            throw UnexportedItem(reason: .readError, detail: ItemState.withoutContent)
        }
        var count: Int64 = 0
        do {
            try store.readBlob(blob) { chunk in
                count += Int64(chunk.count)
                try body(chunk)
            }
        } catch let error as CoreError {
            throw error
        } catch let error as StoreError where error.code == .blobDamaged {
            throw UnexportedItem(reason: .broken, detail: "\(error)")
        } catch {
            throw UnexportedItem(reason: .readError, detail: "\(error)")
        }
        guard count == blob.size else {
            throw UnexportedItem(reason: .broken, detail: "blob \(blob.id) has \(count) bytes instead of \(blob.size)")
        }
        return blob
    }
}
