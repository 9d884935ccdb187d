import CLibcrypto

/// A running SHA-256 or SHA-1, in the text forms of a server's tables (formats/zimbra-items.md, section 4, "Digest").
package final class ServerDigest {
    private let context: OpaquePointer

    package enum Kind { case sha256, sha1 }

    package init(_ kind: Kind = .sha256) {
        guard let context = EVP_MD_CTX_new() else { fatalError("out of memory") }
        self.context = context
        // Fails only where the library lacks the algorithm.
        precondition(EVP_DigestInit_ex(context, kind == .sha256 ? Self.sha256 : Self.sha1, nil) == 1)
    }

    deinit { EVP_MD_CTX_free(context) }

    // Looked up once: `EVP_sha256()` means a search at each use. Never changed, and never freed.
    private nonisolated(unsafe) static let sha256 = EVP_MD_fetch(nil, "SHA256", nil)
    private nonisolated(unsafe) static let sha1 = EVP_MD_fetch(nil, "SHA1", nil)

    package func update(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress, bytes.count > 0 else { return }
        precondition(EVP_DigestUpdate(context, base, bytes.count) == 1)
    }

    /// The hash as the server writes it: base64 with `/` written as `,`.
    package func text() -> String {
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 8) { hash in
            var length: UInt32 = 0
            precondition(EVP_DigestFinal_ex(context, hash.baseAddress?.assumingMemoryBound(to: UInt8.self), &length) == 1)
            return Self.base64(UnsafeRawBufferPointer(rebasing: hash[..<Int(length)]))
        }
    }

    /// The digest of some bytes, as in `mail_item.blob_digest`.
    package static func sha256(_ bytes: some Sequence<UInt8>) -> String { text(.sha256, Array(bytes)) }

    /// The form of `open_conversation.hash`.
    package static func sha1(_ bytes: some Sequence<UInt8>) -> String { text(.sha1, Array(bytes)) }

    private static func text(_ kind: Kind, _ bytes: [UInt8]) -> String {
        let digest = ServerDigest(kind)
        bytes.withUnsafeBytes { digest.update($0) }
        return digest.text()
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,".utf8)

    private static func base64(_ bytes: UnsafeRawBufferPointer) -> String {
        var out: [UInt8] = []
        out.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let count = min(3, bytes.count - start)
            var bits: UInt32 = 0
            for place in 0..<3 { bits = bits << 8 | (place < count ? UInt32(bytes[start + place]) : 0) }
            for place in 0..<4 {
                out.append(place <= count ? alphabet[Int(bits >> UInt32(18 - 6 * place) & 63)] : UInt8(ascii: "="))
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
