/// What the bytes of a body are: their hashes, as they lie in the file and decompressed.
public struct BodyDigest: Hashable, Sendable {
    /// SHA-256 of the bytes in the file.
    public var sha256: [UInt8]
    /// Whether the bytes are one gzip stream, where one was to be expected.
    public var isCompressed: Bool
    /// The number of bytes after decompression; the body's length if it is not compressed.
    public var uncompressedLength: Int64
    /// SHA-256 after decompression; the same as `sha256` if it is not compressed.
    public var uncompressedSHA256: [UInt8]

    /// The text that the log and the server's tables have for these contents.
    public var serverText: LogText { LogText(bytes: serverBase64(uncompressedSHA256)) }
}

/// Computes digests of bodies, one after the other, streaming.
struct BodyHasher: ~Copyable {
    private var raw = SHA256()
    private var inner = SHA256()
    private let gunzip = Gunzip()

    /// Reads the body and hashes it.
    ///
    /// - Parameters:
    ///   - uncompressedSize: what the record says; a body of another length is expected to be a gzip stream. nil: never
    ///     compressed.
    ///   - wantsRaw: whether `sha256` of a compressed body is wanted; empty otherwise.
    mutating func digest(
        _ body: Body, of file: LogFile, uncompressedSize: Int64?, wantsRaw: Bool = true
    ) throws(RedoLogError) -> BodyDigest {
        let mayBeGzip = uncompressedSize.map { $0 != body.length } ?? false
        var length: Int64 = 0
        gunzip.reset()
        do {
            if mayBeGzip {
                try file.readBody(body) { chunk in
                    if wantsRaw { raw.update(chunk) }
                    gunzip.update(chunk) {
                        length += Int64($0.count)
                        inner.update($0)
                    }
                }
            } else {
                try file.readBody(body) { raw.update($0) }
            }
        } catch {
            _ = raw.finish()
            _ = inner.finish()
            throw error as? RedoLogError ?? RedoLogError(
                .fileAccess, doing: "reading a body of \(body.length) bytes: \(error)",
                subject: "\(file.path), offset \(body.offset)",
                remedy: "Check that the file exists and that this user may access it.", cause: error)
        }
        let rawHash = raw.finish()
        let innerHash = inner.finish()
        if mayBeGzip && gunzip.isComplete && !gunzip.isDamaged {
            return BodyDigest(
                sha256: wantsRaw ? rawHash : [], isCompressed: true, uncompressedLength: length, uncompressedSHA256: innerHash)
        }
        if mayBeGzip && !wantsRaw { return try digest(body, of: file, uncompressedSize: nil) }
        return BodyDigest(
            sha256: rawHash, isCompressed: false, uncompressedLength: body.length, uncompressedSHA256: rawHash)
    }
}
