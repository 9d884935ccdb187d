import CLibcrypto

/// A SHA-256 in the making (libcrypto's EVP, which uses the processor's own instructions).
struct Digest: ~Copyable {
    private let state: OpaquePointer

    init() {
        state = EVP_MD_CTX_new()
        precondition(EVP_DigestInit_ex(state, EVP_sha256(), nil) == 1, "libcrypto has no SHA-256")
    }

    deinit { EVP_MD_CTX_free(state) }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count > 0 else { return }
        precondition(EVP_DigestUpdate(state, bytes.baseAddress, bytes.count) == 1)
    }

    /// The id of all bytes fed; the digest begins anew.
    mutating func finish() -> BlobID {
        let hash = [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            precondition(EVP_DigestFinal_ex(state, buffer.baseAddress, nil) == 1)
            count = 32
        }
        precondition(EVP_DigestInit_ex(state, EVP_sha256(), nil) == 1)
        return BlobID(hash: hash)!
    }
}

extension BlobID {
    /// The id of these bytes.
    public init(of bytes: UnsafeRawBufferPointer) {
        var digest = Digest()
        digest.update(bytes)
        self = digest.finish()
    }
}
