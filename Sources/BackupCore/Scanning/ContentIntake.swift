import BackupStore
import RedoLog

/// Brings contents into the backup path: from the log's bodies, and from the server's store where the log has none.
///
/// A body is streamed; of a message the beginning is kept for a moment to compute what the server computes from it.
struct ContentIntake: Sendable {
    /// How much of a message is looked at for its row's derived columns.
    private static let summarised = 256 * 1024

    let store: any StoreWriting
    /// Whether contents are kept; else they are read for what their rows need.
    let keepsContents: Bool

    /// Takes in bytes that a reader hands out.
    ///
    /// - Parameter summarising: whether the content is a message.
    func take(summarising: Bool, _ read: @escaping ByteReader) throws -> AppliedContent {
        var beginning: [UInt8] = []
        var isWhole = true
        func reading(_ buffer: UnsafeMutableRawBufferPointer) throws -> Int {
            let count = try read(buffer)
            if summarising, count > 0 {
                let room = Self.summarised - beginning.count
                beginning.append(contentsOf: buffer[..<min(count, room)])
                if count > room { isWhole = false }
            }
            return count
        }
        var content: AppliedContent
        if keepsContents {
            content = AppliedContent(blob: try store.stageBlob(reading), summary: nil)
        } else {
            content = try measure(reading)
        }
        if summarising { content.summary = MessageSummary(bytes: beginning, isWhole: isWhole) }
        return content
    }

    /// Takes in the content that a row names, from the server's store.
    func take(_ location: BlobLocation, from source: any MailSource, summarising: Bool = false) throws -> AppliedContent {
        try take(summarising: summarising, source.openBlob(location))
    }

    /// Stages the content that a row names, from the server's store.
    func stage(_ location: BlobLocation, from source: any MailSource) throws -> BlobReference {
        try store.stageBlob(source.openBlob(location))
    }

    /// Reads a content to its end, and keeps nothing of it.
    private func measure(_ read: (UnsafeMutableRawBufferPointer) throws -> Int) throws -> AppliedContent {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        defer { buffer.deallocate() }
        let digest = ServerDigest()
        var size: Int64 = 0
        while case let count = try read(buffer), count > 0 {
            digest.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            size += Int64(count)
        }
        return AppliedContent(id: BlobID(digest.text())!, size: size, summary: nil)
    }
}
