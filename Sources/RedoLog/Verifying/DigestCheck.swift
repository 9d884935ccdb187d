/// Compares bodies with the digests in their records.
struct DigestCheck {
    private let hasher = Hasher()

    /// The hashing state, in one place for all records.
    private final class Hasher {
        var bodies = BodyHasher()
    }

    /// A digest of SHA-256 in base64 has 44 characters; older ones have another hash and prove nothing.
    private static let digestLength = 44

    func check(_ record: Record, in file: LogFile, _ report: inout VerificationReport) throws(RedoLogError) {
        switch record.operation {
        case .createMessage(let message): try check(message, in: file, &report)
        case .saveDraft(let draft): try check(draft.message, in: file, &report)
        case .createChat(let chat): try check(chat.message, in: file, &report)
        case .saveChat(let chat): try check(chat.message, in: file, &report)
        case .saveDocument(let document): try check(document.message, in: file, &report)
        case .addDocumentRevision(let document): try check(document.message, in: file, &report)
        case .saveWiki(let page): try check(page.message, in: file, &report)
        case .storeIncomingBlob(let blob):
            try check(blob.body, size: Int64(blob.size), blob.digest, in: file, &report)
        default: break
        }
    }

    private func check(_ message: CreateMessage, in file: LogFile, _ report: inout VerificationReport) throws(RedoLogError) {
        try check(message.body, size: message.size, message.digest, in: file, &report)
    }

    private func check(
        _ body: Body?, size: Int64, _ expected: LogText?, in file: LogFile, _ report: inout VerificationReport
    ) throws(RedoLogError) {
        guard let body, let expected, expected.count == Self.digestLength else { return }
        report.digests += 1
        var found = try hasher.bodies.digest(body, of: file, uncompressedSize: size, wantsRaw: false)
        if found.serverText != expected && size == body.length {
            // A gzip file can be as long as its content (section 4.2).
            found = try hasher.bodies.digest(body, of: file, uncompressedSize: -1, wantsRaw: false)
        }
        if found.serverText != expected {
            report.note(
                .digest, file.path, body.offset,
                "a body of \(body.length) bytes has the digest \(found.serverText), its record says \(expected)")
        } else if found.uncompressedLength != size {
            report.note(
                .digest, file.path, body.offset,
                "a body has \(found.uncompressedLength) bytes uncompressed, its record says \(size)")
        }
    }
}
