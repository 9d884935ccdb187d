import BackupStore
import RedoLog

/// Brings contents into the backup path: from the log's bodies, and from the server's store where the log has none.
///
/// A body is streamed; of a message the beginning is kept for a moment to compute what the server computes from it.
struct ContentIntake {
    /// How much of a message is looked at for its row's derived columns.
    private static let summarised = 256 * 1024

    let store: any StoreWriting

    /// Stages bytes that a reader hands out.
    ///
    /// - Parameter summarising: whether the content is a message.
    func take(summarising: Bool, _ read: @escaping ByteReader) throws -> AppliedContent {
        var beginning: [UInt8] = []
        var isWhole = true
        let blob = try store.stageBlob { buffer in
            let count = try read(buffer)
            if summarising, count > 0 {
                let room = Self.summarised - beginning.count
                beginning.append(contentsOf: buffer[..<min(count, room)])
                if count > room { isWhole = false }
            }
            return count
        }
        return AppliedContent(blob: blob, summary: summarising ? MessageSummary(bytes: beginning, isWhole: isWhole) : nil)
    }

    /// Stages the content that a row names, from the server's store.
    func take(_ location: BlobLocation, from source: any MailSource, summarising: Bool = false) throws -> AppliedContent {
        try take(summarising: summarising, source.openBlob(location))
    }
}
